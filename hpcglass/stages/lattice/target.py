"""What a calibration shall reproduce: numbers of the input, or the loading curves of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcglass.epm.calibration import Target
from hpcglass.epm.loading import Curves, Protocol
from hpcglass.errors import InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged
from hpcglass.stages.lattice.files import read_on_root

if TYPE_CHECKING:
    from hpcglass.stages.base import Context
    from hpcglass.stages.lattice.params import TargetParams

Floats = NDArray[np.float64]


def read_target(context: Context, params: TargetParams, protocol: Protocol) -> Target:
    """The target, the same on all ranks; files are read on rank 0, but for those of an earlier stage. Collective.

    Raises
    ------
    InputError
        A run without a loading curve, with several, or with one that does not reach far enough.
    FileError
        A file is damaged.
    """
    if params.plateau is not None:
        peak = np.nan if params.peak is None else params.peak
        return Target.numbers(params.plateau, params.plateau_error, peak, params.peak_error)
    if params.of is not None:
        earlier = context.earlier(params.of)
        table = earlier.table("loading")
        earlier.close()
        curve_of_it = onto(table["strain"], table["shear_stress"], protocol, f"stage {params.of}")
        return Target.of(Curves(protocol, curve_of_it[None]))
    stress = read_on_root(context.comm, lambda: np.array(
        [curve(file, protocol) for run in params.runs for file in loaded(Path(run), params.stage)]), "target.runs")
    return Target.of(Curves(protocol, stress))


def loaded(path: Path, label: str | None) -> list[Path]:
    """Stage files with a loading curve: the file itself, or one of each sample of a run."""
    if path.is_file():
        return [path]
    samples = sorted(path.glob("sample-*")) or [path]
    found = []
    for sample in samples:
        files = [file for file in sorted(sample.glob("[0-9][0-9]-*.h5")) if "." not in file.stem and is_loaded(file)]
        chosen = [file for file in files if label in (None, file.stem, file.stem[3:])]
        if len(chosen) != 1:
            names = ", ".join(file.stem for file in files) or "none"
            raise InputError(f"{sample}: {'no' if not chosen else 'more than one'} stage"
                             f"{f' {label}' if label else ''} with a table 'loading' (there are: {names})"
                             + ("; say which with target.stage" if chosen else ""))
        found += chosen
    return found


def is_loaded(path: Path) -> bool:
    """Whether a stage file has a loading curve."""
    return columns(path) is not None


def columns(path: Path) -> tuple[Floats, Floats] | None:
    """Strain and stress of a stage file, if it has them."""
    with File(path) as file:
        refuse_exchanged(file)
        if "/results/loading/shear_stress" not in file:
            return None
        table = "/results/loading"
        return np.asarray(file.value(f"{table}/strain"), float), np.asarray(file.value(f"{table}/shear_stress"), float)


def curve(path: Path, protocol: Protocol) -> Floats:
    """Stress (points,) at the points of the protocol, by linear interpolation."""
    found = columns(path)
    if found is None:
        raise InputError(f"{path}: has no table 'loading'; give run directories or stage files of samples")
    return onto(*found, protocol, str(path))


def onto(strain: Floats, stress: Floats, protocol: Protocol, path: str) -> Floats:
    """A loading curve at the points of the protocol; InputError if it is none, or too short."""
    if not len(strain) or not (np.isfinite(strain).all() and np.isfinite(stress).all()):
        raise InputError(f"{path}: its loading curve is empty, or not made of finite numbers")
    if (np.diff(strain) < 0).any():
        raise InputError(f"{path}: its strain goes back and forth; a single loading is needed")
    if strain[-1] < protocol.strain[-1] * (1 - 1e-9):
        raise InputError(f"{path}: was loaded to a strain of {strain[-1]:g} only; max_strain = {protocol.max_strain:g} is beyond")
    return protocol.onto(strain, stress)
