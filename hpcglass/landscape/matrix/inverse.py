"""Entries of the pseudo-inverse H^+ of the Hessian: its diagonal blocks and those of interacting pairs.

Nested dissection (`dissection`) gives these entries of the inverse X of the Hessian with one particle held, without the others.
With P = 1 - T T^T, T the d orthonormal translations of the particles that interact,

    H^+ = P X P,      H^+_ij = X_ij - W_i T_j^T - T_i W_j^T + T_i Y T_j^T,      W = X T,   Y = T^T W:

d more solves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.dense import rows_on_first
from hpcglass.landscape.matrix.dissection import selected_inverse
from hpcglass.landscape.matrix.hessian import Hessian, rows_of_all
from hpcglass.landscape.matrix.solve import MOST, Solver, first_bound, saddle
from hpcglass.petsc import DIRECT_LIMIT

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST = {dimension: MOST * limit for dimension, limit in DIRECT_LIMIT.items()}       # particles


@dataclass
class InverseBlocks:
    """Blocks of H^+ [length^2/energy] in the rows of this rank: (i, i), and (i, j) wherever i and j interact.

    start : (n_owned+1,) first block of each row
    columns : (b,) global rows (`System.first_row` + owned row) of the second particle, ascending in each row
    blocks : (b, d, d) H^+_ij; zero for particles without contacts
    diagonal : (n_owned, d, d) H^+_ii
    """

    start: Integers
    columns: Integers
    blocks: Floats
    diagonal: Floats

    def between(self, system: System, rows: Integers) -> Floats:
        """(m, d, d) H^+_ij for pairs (m, 2) of rows of the system, i owned, j perhaps a ghost, as `Bonds.rows`. Collective.

        Raises InputError for a pair that does not interact.
        """
        number = rows_of_all(system)
        key = np.repeat(np.arange(system.n_owned), np.diff(self.start)) * system.n_total + self.columns
        wanted = rows[:, 0] * system.n_total + number[rows[:, 1]]
        slot = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        if ranks.largest(system.comm, int((key[slot] != wanted).any() if len(wanted) else 0)):
            raise InputError("blocks of the inverse are known for interacting pairs only; another pair was asked for")
        return self.blocks[slot]


def inverse_blocks(hessian: Hessian, solver: Solver | None = None) -> InverseBlocks:
    """Diagonal and pair blocks of H^+. Collective.

    Parameters
    ----------
    hessian : of a minimum
    solver : of this Hessian, with any method; a new one is made without

    Raises
    ------
    InputError
        The glass is too large for dense separators.
    PhysicsError
        The configuration is a saddle or floppy; there is no memory; a solve failed.
    RuntimeError
        The system was rebuilt since the Hessian was made.
    """
    system, own = hessian.system, solver is None
    if system.n_total > LARGEST[system.dimension]:
        raise InputError(f"entries of the inverse Hessian take the memory of its factors, for which {system.n_total} particles "
                         f"in {system.dimension}D are too many; take a smaller glass")
    solver = solver or Solver(hessian, right_hand_sides=system.dimension)
    pinned = first_bound(hessian)
    shift = _shift(hessian, solver, pinned)
    start, columns, blocks = hessian.block_rows()
    row = system.first_row + np.repeat(np.arange(system.n_owned), np.diff(start))
    held = (row == pinned) | (columns == pinned)
    blocks[held] = 0.0                              # replaced by the identity
    blocks[held & (row == columns)] = np.eye(system.dimension)
    blocks = _of_inverse(hessian, start, columns, blocks)
    blocks[row == pinned] = 0.0
    _project(hessian, blocks, row, columns, shift)
    blocks[np.repeat(hessian.loose, np.diff(start))] = 0.0
    if own:
        solver.destroy()
    return InverseBlocks(start, columns, blocks, blocks[row == columns])


def vibrality(hessian: Hessian, solver: Solver | None = None) -> Floats:
    """(n_owned,) Psi_i = tr H^+_ii = sum over modes of |v_i|^2 / omega^2 [length^2/energy]. Collective.

    The mean square displacement of a particle in the harmonic solid, per temperature. Zero for particles without contacts.
    Arguments and errors as for `inverse_blocks`.
    """
    return np.trace(inverse_blocks(hessian, solver).diagonal, axis1=1, axis2=2)


def _of_inverse(hessian: Hessian, start: Integers, columns: Integers, blocks: Floats) -> Floats:
    """(b, d, d) blocks of the inverse in the rows of this rank."""
    system, own = hessian.system, slice(hessian.system.first_row, hessian.system.first_row + hessian.system.n_owned)
    place = (system.reference + system.displacement)[: system.n_owned] @ np.linalg.inv(system.box).T
    place = (place % 1.0) * np.linalg.norm(system.box, axis=0)
    place, count, columns, blocks = (ranks.broadcast(system.comm, rows_on_first(system, part))
                                     for part in (place, np.diff(start), columns, blocks))
    begin = np.append(0, np.cumsum(count))
    try:
        found = selected_inverse(system.comm, place, begin, columns, blocks, hessian.look)
    except MemoryError:
        raise PhysicsError(f"no memory for entries of the inverse Hessian of {system.n_total} particles in {system.dimension}D; "
                           "take a smaller glass, or a node with more memory") from None
    except np.linalg.LinAlgError:
        raise saddle("its Hessian has negative eigenvalues") from None
    return found[begin[own.start]:begin[own.stop]]


def _shift(hessian: Hessian, solver: Solver, pinned: int) -> Floats:
    """(n_owned, d, d) W = X T: rows i, columns the axes of translation.

    X does not see what is loaded on the pinned particle. Load it with what balances T: then X gives what H^+ does, moved back so
    that this particle stays.
    """
    system, d = hessian.system, hessian.system.dimension
    bound = system.n_total - hessian.n_loose
    here = np.flatnonzero(system.first_row + np.arange(system.n_owned) == pinned)
    result = np.empty((system.n_owned, d, d))
    for axis in range(d):
        load = np.zeros((system.n_owned, d))
        load[~hessian.loose, axis] = 1.0 / np.sqrt(bound)
        load[here, axis] -= np.sqrt(bound)
        moved = solver.solve(load)
        result[..., axis] = moved - ranks.total(system.comm, moved[here].sum(axis=0))
    result[hessian.loose] = 0.0
    return result


def _project(hessian: Hessian, blocks: Floats, row: Integers, columns: Integers, shift: Floats) -> None:
    """X_ij to H^+_ij, in place."""
    system = hessian.system
    t = 1.0 / np.sqrt(system.n_total - hessian.n_loose)
    everywhere = ranks.broadcast(system.comm, rows_on_first(system, shift))
    blocks -= t * (everywhere[row] + everywhere[columns].transpose(0, 2, 1))
    blocks += t**2 * t * everywhere.sum(axis=0)
