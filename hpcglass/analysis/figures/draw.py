"""Draw a stage file: PNGs, or other formats, next to it.

A figure is chosen by the tables and fields that the file has, so that a stage's label does not matter.
"""

from __future__ import annotations

from pathlib import Path

from hpcglass.analysis.figures import (  # noqa: F401 (each adds its figures to the catalogue)
    activity,
    bonds,
    calibration,
    ensembles,
    expansion,
    lattice,
    loading,
    maps,
    modes,
    preparation,
)
from hpcglass.analysis.figures.catalogue import MAKERS, Figures
from hpcglass.analysis.figures.style import STYLE
from hpcglass.analysis.open_run import StageResults, read_stage


def plot_stage_file(path: str | Path, output: str | Path | None = None, kind: str = "png") -> list[Path]:
    """Draw the figures of a stage file, or of a merged ensemble.

    Parameters
    ----------
    path : stage file
    output : directory of the figures; by default that of the file
    kind : "png", "pdf" or "svg"; lines are vectors in the last two, large numbers of particles are not

    Returns
    -------
    list of Path
        The figures; empty for a kind of stage without figures.

    Raises
    ------
    FileError
        The file is damaged.
    """
    import matplotlib

    path = Path(path)
    stage = read_stage(path)
    directory = Path(output) if output is not None else path.parent
    written = []
    with matplotlib.rc_context(STYLE):
        for suffix, draw in figures(stage):
            target = directory / f"{path.stem}{suffix}.{kind}"
            draw().savefig(target, dpi=200)
            written.append(target)
    return written


def figures(stage: StageResults) -> Figures:
    """(suffix of the file name, function that draws) of each figure of a stage."""
    return [figure for make in MAKERS for figure in make(stage)]
