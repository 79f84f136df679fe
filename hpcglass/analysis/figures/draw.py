"""Draw a stage file: PNGs, or other formats, next to it.

A figure is chosen by the tables and fields that the file has, so that a stage's label does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass.analysis.figures import (  # noqa: F401 (each adds its figures to the catalogue)
    activity,
    bonds,
    calibration,
    ensembles,
    expansion,
    indicators,
    lattice,
    loading,
    maps,
    modes,
    preparation,
)
from hpcglass.analysis.figures.catalogue import MAKERS, Figures
from hpcglass.analysis.figures.files import PLAIN, Look, full_name, save
from hpcglass.analysis.figures.prediction import along, first  # noqa: F401
from hpcglass.analysis.figures.strength import distributions  # noqa: F401
from hpcglass.analysis.figures.strength import maps as strength_maps  # noqa: F401
from hpcglass.analysis.figures.style import STYLE, with_known_units
from hpcglass.analysis.open_run import StageResults, read_stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_stage_file(path: str | Path, output: str | Path | None = None, look: Look = PLAIN,
                    root: Path | None = None) -> list[Path]:
    """Draw the figures of a stage file, or of a merged ensemble.

    Parameters
    ----------
    path : stage file
    output : directory of the figures, whose names then say task and sample, too; by default that of the file
    look : format, resolution, width, and whether the data behind a figure go beside it
    root : directory that all files drawn into `output` are in; the way from there is part of the names

    Returns
    -------
    list of Path
        The files; empty for a kind of stage without figures.

    Raises
    ------
    FileError
        The file is damaged, or a figure cannot be written.
    """
    return [file for draw in drawings(path, output, look, root) for file in draw()]


def drawings(path: str | Path, output: str | Path | None = None, look: Look = PLAIN,
             root: Path | None = None) -> list[Callable[[], list[Path]]]:
    """Functions that draw one figure each, and return its files; see `plot_stage_file`."""
    path = Path(path)
    stage = read_stage(path)
    start = Path(output) / full_name(path, root) if output is not None else path.with_suffix("")

    def one(draw: Callable[[], Figure], suffix: str) -> list[Path]:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return save(draw(), start.with_name(f"{start.name}{suffix}"), look)

    return [partial(one, draw, suffix) for suffix, draw in figures(stage)]


def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage."""
    stage = with_known_units(stage)
    return [figure for make in MAKERS for figure in make(stage)]
