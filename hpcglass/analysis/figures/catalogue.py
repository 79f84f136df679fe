"""The list of figures: a file of figures adds itself to it, and `draw` goes through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hpcglass.analysis.open_run import StageResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = list[tuple[str, Callable[[], "Figure"]]]      # suffix of the file name, function that draws
Maker = Callable[[StageResults], Figures]
MAKERS: list[Maker] = []


def register(maker: Maker) -> Maker:
    """Decorator of a function that says which figures it makes of a stage file or a merged file; none of another kind."""
    MAKERS.append(maker)
    return maker
