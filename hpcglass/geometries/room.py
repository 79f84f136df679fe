"""Cells in which a glass can be: wider than the range of interaction, and not so wide that counting ranges overflows.

This module uses the standard library only: `validate` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDEST = 1e6    # edge of a cell in ranges of interaction; 10^12 bins of a range in 2D, and positions keep nine digits of a range


def misfit(heights: Sequence[float], edges: Sequence[float], reach: float) -> str:
    """What is wrong with a cell for particles that interact up to `reach`, or nothing.

    Parameters
    ----------
    heights : distances between opposite faces [length]
    edges : lengths of the edge vectors; reduced, if the cell may be tilted by more than half a period [length]
    """
    if not min(heights) > reach:
        return (f"is only {min(heights):.4g} wide between opposite faces, less than the interaction range {reach:.4g}: "
                "particles would interact with themselves")
    if not max(edges) < WIDEST * reach:
        return (f"is {max(edges):.4g} wide, more than {WIDEST:.0e} times the interaction range {reach:.4g}: "
                "particles would hardly ever meet")
    return ""
