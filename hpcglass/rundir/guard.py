"""A state that is not finite must not be continued from, and must not replace a good checkpoint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.core.comm import broadcast, smallest, total
from hpcglass.errors import PhysicsError
from hpcglass.io.order import Array

if TYPE_CHECKING:
    from hpcglass.core.system import System


def looks_finite(system: System | None) -> bool:
    """Cheap look at the positions of this rank: the sum of numbers is finite only if all are. Not collective."""
    if system is None:
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(system.displacement[: system.n_owned].sum()) and np.isfinite(system.box).all())


def check_finite(system: System, fields: dict[str, Array], where: str) -> None:
    """Raise PhysicsError on all ranks if a position, the box, or a row of `fields` is NaN or infinite. Collective.

    Parameters
    ----------
    fields : arrays with a row per owned particle
    where : stage and step, for the message
    """
    if not np.isfinite(system.box).all():
        raise PhysicsError(f"{where}: the box is not finite: {system.box.tolist()}; the last checkpoint is still good")
    for name, values in {"position": system.position, **fields}.items():
        if np.asarray(values).dtype.kind == "f":
            _check_rows(system, name, np.asarray(values), where)


def _check_rows(system: System, name: str, values: Array, where: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).reshape(system.n_owned, math.prod(values.shape[1:])).all(axis=1))
    comm, ids = system.comm, system.id[: system.n_owned]
    count = total(comm, bad.size)
    if not count:
        return
    worst = smallest(comm, int(ids[bad].min()) if bad.size else system.n_total)
    row = np.flatnonzero(ids == worst)
    owner = smallest(comm, comm.rank if row.size else comm.size)
    here = comm.rank == owner
    position = broadcast(comm, system.position[row[0]] if here else None, owner)
    value = broadcast(comm, np.atleast_1d(values[row[0]]).ravel() if here else None, owner)
    raise PhysicsError(
        f"{where}: {name} of particle {worst} is {_text(value)}"
        + (f" at position {_text(position)}" if name != "position" else "")
        + (f" (and of {count - 1} more)" if count > 1 else "")
        + "; the state is not saved, the last checkpoint is still good. Smaller steps, or a start without overlaps, may help")


def _text(values: Array) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"
