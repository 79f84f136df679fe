"""Is it 2D or 3D, and periodic as a glass of hpcglass is? One answer for all formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError, InputError

Floats = NDArray[np.float64]
FLAT = 1e-9     # spread of z in units of the cell's longest edge up to which it is rounding


def settle(position: Floats, box: Floats, path: Path, wanted: int | None, says: int | None = None,
           periodic: Sequence[bool] | None = None) -> tuple[Floats, Floats]:
    """Positions (N, d) and cell (d, d) in the dimension that file and user agree on.

    Parameters
    ----------
    position, box : (N, 2) or (N, 3); (2, 2) or (3, 3), columns are the edge vectors
    wanted : dimension that the user asks for, if any
    says : dimension that the file states, if it does; without either, a file whose particles share one z is 2D
    periodic : whether the cell is periodic along each edge, where the file tells

    Raises
    ------
    InputError
        The cell is not periodic, the dimension not the one wanted, or the particles not in a plane.
    """
    check_finite(position, path)
    if periodic is not None:
        refuse_open(periodic, path)
        says = says if all(periodic) else 2
    if position.shape[1] == 2 or len(box) == 2:
        says = 2
    why = "" if periodic is None or all(periodic) else " (its cell is not periodic along z)"
    if wanted is not None and says is not None and wanted != says:
        raise InputError(f"{path}: the configuration is {says}D{why} but a {wanted}D one is wanted")
    low, high = (float(position[:, 2].min()), float(position[:, 2].max())) if position.shape[1] == 3 else (0.0, 0.0)
    flat = high - low <= FLAT * float(np.abs(box[:2, :2]).max())
    told = wanted or says or (2 if flat and (len(position) > 1 or low == 0) else 3)
    if told == 3:
        return position, box
    if not flat:
        raise InputError(f"{path}: the configuration is 3D (z from {low:.6g} to {high:.6g}) but a 2D one is wanted{why}")
    skew = np.abs(box[2, :2]).max(initial=0.0) if len(box) == 3 else 0.0
    if len(box) == 3 and (periodic is None or all(periodic)):       # else it does not matter where the third edge leads to
        skew = max(skew, np.abs(box[:2, 2]).max())
    if skew > FLAT * np.abs(box[:2, :2]).max():
        raise InputError(f"{path}: the cell is tilted out of the plane, a 2D system has no such cell")
    return np.ascontiguousarray(position[:, :2]), np.ascontiguousarray(box[:2, :2])


def check_finite(position: Floats, path: Path) -> None:
    """Raise FileError naming the first particle that is nowhere."""
    bad = np.flatnonzero(~np.isfinite(position).all(axis=1))
    if bad.size:
        raise FileError(f"{path}: particle {bad[0]} has the position {position[bad[0]].tolist()}")


def refuse_open(periodic: Sequence[bool], path: Path) -> None:
    """Raise InputError unless at least a plane is periodic, x and y."""
    if not all(periodic[:2]):
        axes = ", ".join(axis for axis, closed in zip("xyz", periodic, strict=False) if not closed)
        raise InputError(f"{path}: the cell is not periodic along {axes}, and a glass of hpcglass is, or stands between walls "
                         '(r_in, r_out); if this one does fill its cell periodically, let the file say so (pbc="T T F" in 2D, '
                         "boundary = periodic)")
