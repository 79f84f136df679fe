"""A configuration as objects of freud, ASE and OVITO, right in 2D, in tilted cells, and wherever the first edge points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.extras import need
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import reduce_tilt

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arrays:
    """A configuration: columns of `box` are the edges; `periodic` is False between walls; species count from 0."""

    box: Floats
    position: Floats
    diameter: Floats
    species: NDArray[Any]
    periodic: bool = True
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        return len(self.box) == 2

    def padded(self, rows: Floats) -> Floats:
        """(N, 3), z = 0 in 2D."""
        return np.pad(rows, ((0, 0), (0, 3 - rows.shape[1])))

    def cell(self, height: float) -> Floats:
        """(3, 3) box, in 2D with a third edge along z."""
        box = np.eye(3) * height
        box[: len(self.box), : len(self.box)] = self.box
        return box


def to_freud(glass: Arrays) -> Any:
    """freud.locality.AABBQuery: box upper triangular, tilts at most half a period, centre of the cell in the origin."""
    box, locality = need("freud.box", "to_freud").Box, need("freud.locality", "to_freud")
    if not glass.periodic:
        raise InputError("freud knows periodic cells only: a glass between walls would be one with a hole")
    turn, cell = np.linalg.qr(glass.box @ reduce_tilt(glass.box))
    signs = np.sign(np.diag(cell))
    turn, cell = turn * signs, signs[:, None] * cell
    lengths, tilts = np.diag(cell), cell / np.diag(cell)       # column b over its own length: xy = cell[0, 1] / cell[1, 1]
    if glass.flat:
        made = box(Lx=lengths[0], Ly=lengths[1], xy=tilts[0, 1], is2D=True)
    else:
        made = box(Lx=lengths[0], Ly=lengths[1], Lz=lengths[2], xy=tilts[0, 1], xz=tilts[0, 2], yz=tilts[1, 2])
    centred = glass.position @ turn - cell.sum(axis=1) / 2
    return locality.AABBQuery(made, made.wrap(glass.padded(centred)))


def to_ase(glass: Arrays) -> Any:
    """ase.Atoms; rows of its cell are the edges, in any direction."""
    atoms = need("ase", "to_ase").Atoms(
        numbers=np.zeros(len(glass.position), dtype=int), positions=glass.padded(glass.position), cell=glass.cell(1.0).T,
        pbc=[glass.periodic, glass.periodic, glass.periodic and not glass.flat], masses=np.ones(len(glass.position)))
    atoms.set_array("radius", np.asarray(glass.diameter) / 2)
    atoms.set_array("type", np.asarray(glass.species) + 1)
    for name, values in glass.fields.items():
        atoms.set_array(name, np.asarray(values))
    return atoms


def to_ovito(glass: Arrays) -> Any:
    """ovito.data.DataCollection; columns of its cell are the edges, in any direction."""
    data = need("ovito.data", "to_ovito").DataCollection()
    matrix = np.zeros((3, 4))
    matrix[:, :3] = glass.cell(1.0)
    data.create_cell(matrix, pbc=(glass.periodic, glass.periodic, glass.periodic and not glass.flat))
    data.cell_.is2D = glass.flat
    particles = data.create_particles(count=len(glass.position))
    particles.create_property("Position", data=glass.padded(glass.position))
    particles.create_property("Radius", data=np.asarray(glass.diameter) / 2)
    kinds = particles.create_property("Particle Type", data=np.asarray(glass.species, dtype=np.int32) + 1)
    for kind in np.unique(glass.species):
        kinds.add_type_id(int(kind) + 1, particles, name=str(int(kind) + 1))
    particles.create_property("Particle Identifier", data=np.arange(len(glass.position)))
    for name, values in glass.fields.items():
        if values.ndim <= 2:
            particles.create_property(name, data=values if values.dtype.kind == "f" else values.astype(np.int64))
    return data
