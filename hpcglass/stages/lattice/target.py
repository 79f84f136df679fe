"""What a calibration shall reproduce: numbers of the input, or the loading curves of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.comm import broadcast
from hpcglass.epm.calibration import Target
from hpcglass.epm.loading import Curves, Protocol
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.stages.lattice.params import TargetParams

Floats = NDArray[np.float64]


def read_target(comm: Any, params: TargetParams, protocol: Protocol) -> Target:
    """The target, the same on all ranks; files are read on rank 0. Collective.

    Raises
    ------
    InputError
        A run without a loading curve, with several, or with one that does not reach far enough.
    """
    if params.plateau is not None:
        peak = np.nan if params.peak is None else params.peak
        return Target.numbers(params.plateau, params.plateau_error, peak, params.peak_error)
    stress, wrong = np.empty((0, 0)), ""
    if comm.rank == 0:
        try:
            files = [file for run in params.runs for file in loaded(Path(run), params.stage)]
            stress = np.array([curve(file, protocol) for file in files])
        except InputError as error:
            wrong = f"target.runs: {error}"
    message = broadcast(comm, np.frombuffer(wrong.encode(), dtype=np.uint8) if comm.rank == 0 else None)
    if message.size:
        raise InputError(message.tobytes().decode())
    return Target.of(Curves(protocol, broadcast(comm, stress if comm.rank == 0 else None)))


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
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "results/loading/shear_stress" not in file:
                return None
            table = file["results/loading"]
            return np.asarray(table["strain"][()], dtype=np.float64), np.asarray(table["shear_stress"][()], dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: damaged, or not a stage file ({error})") from error


def curve(path: Path, protocol: Protocol) -> Floats:
    """Stress (points,) at the points of the protocol, by linear interpolation."""
    found = columns(path)
    if found is None:
        raise InputError(f"{path}: has no table 'loading'; give run directories or stage files of samples")
    strain, stress = found
    if not len(strain) or not (np.isfinite(strain).all() and np.isfinite(stress).all()):
        raise InputError(f"{path}: its loading curve is empty, or not made of finite numbers")
    if (np.diff(strain) < 0).any():
        raise InputError(f"{path}: its strain goes back and forth; a single loading is needed")
    if strain[-1] < protocol.strain[-1] * (1 - 1e-9):
        raise InputError(f"{path}: was loaded to a strain of {strain[-1]:g} only; max_strain = {protocol.max_strain:g} is beyond")
    return protocol.onto(strain, stress)
