"""A look up from long work: is anybody asking to stop?

What takes long between two safe points is given a `look` and calls it on all ranks alike, every so many evaluations or solves.
Whoever gave it may raise an exception from it; the work is then left where it is.
"""

from __future__ import annotations

from collections.abc import Callable

Look = Callable[[], None]


def straight_on() -> None:
    """Nobody asks."""
