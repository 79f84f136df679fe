"""The answer of an elastic medium to the forces on the particles: what conjugate gradients are preconditioned with.

A glass relaxes its long waves last. Their stiffness falls as k^2, so that a descent that sees forces only takes a number of steps
that grows with the length of the box; on these scales every glass is the same isotropic medium, whose answer is known:

    z = F + K G F,     G(k) = (1/(mu k^2)) [1 - (1 - mu/M) k k/k^2],

with K the largest eigenvalue of the Hessian (the stiffness of the shortest waves), mu and M = lambda + 2 mu the moduli of
transverse and longitudinal waves. Forces are shared out to the nodes of a grid, three mean spacings wide, by linear weights, the
grid is summed over ranks and transformed on each, and the answer is interpolated with the same weights: P, F -> z, is symmetric
and positive.

Moduli are those of affine displacements, from force differences of two plane waves; that they are up to three times those of the
relaxed glass costs little. Preconditioners of descents made of the stiffness of all bonds, to be solved with: D. Packwood et al.,
J. Chem. Phys. 144, 164109 (2016).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.landscape.forces import forces

Floats = NDArray[np.float64]

SPACING = 3.0       # of the grid, in mean spacings of particles
FEWEST = 4          # nodes along an edge
SOFTEST = 1e-3      # a modulus is at least this part of K times density times spacing^2
STEP = 1e-5         # of the force differences [length]


class Medium:
    """Preconditioner of descents of a glass in its periodic cell.

    Parameters
    ----------
    stiffness : K [energy/length^2]
    longitudinal, shear : M and mu [energy/length^d], see `moduli`
    """

    def __init__(self, system: System, stiffness: float, longitudinal: float, shear: float) -> None:
        self.system, self.epoch = system, -1
        self.inverse = np.linalg.inv(system.box)
        edges = np.linalg.norm(system.box, axis=0)
        self.shape = np.maximum(FEWEST, edges / (SPACING * spacing(system))).astype(np.int64)
        numbers = [np.fft.fftfreq(m, 1 / m) for m in self.shape[:-1]] + [np.fft.rfftfreq(self.shape[-1], 1 / self.shape[-1])]
        self.wave = np.tensordot(2 * np.pi * self.inverse.T, np.array(np.meshgrid(*numbers, indexing="ij")), 1)
        square = np.sum(self.wave**2, axis=0)
        square.flat[0] = np.inf                 # nothing moves the medium as a whole
        unit = stiffness * np.prod(self.shape) / system.volume
        self.transverse = unit / (shear * square)
        self.less = unit * (1 / shear - 1 / longitudinal) / square**2

    def answer(self, force: Floats) -> Floats:
        """z = P F, rows of the owned particles [as F]. Collective."""
        system, dimension = self.system, self.system.dimension
        if self.epoch != system.epoch:          # a list's references are near enough as long as it holds
            self.epoch, n = system.epoch, system.n_owned
            self.nodes, self.parts = np.empty((n, 2**dimension), np.int32), np.empty((n, 2**dimension))
            around(system.reference[:n], self.inverse, self.shape, self.nodes, self.parts)
        answer, grid, axes = force.copy(), np.zeros((*self.shape, dimension)), tuple(range(dimension))
        share_out(self.nodes, self.parts, force, grid.reshape(-1, dimension))
        waves = np.moveaxis(np.fft.rfftn(ranks.total(system.comm, grid), axes=axes), -1, 0)
        waves = self.transverse * waves - self.less * self.wave * np.sum(self.wave * waves, axis=0)
        grid = np.ascontiguousarray(np.fft.irfftn(np.moveaxis(waves, 0, -1), s=tuple(self.shape), axes=axes))
        take_up(self.nodes, self.parts, grid.reshape(-1, dimension), answer)
        return answer


def spacing(system: System) -> float:
    """Mean spacing of particles, (V/N)^(1/d) [length]."""
    return float((system.volume / system.n_total) ** (1 / system.dimension))


def moduli(system: System, stiffness: float) -> tuple[float, float]:
    """M and mu of affine displacements [energy/length^d]. Collective.

    Of two waves v = e sin(q.x), along and across the first reciprocal vector q: v.H v / v.v = (modulus) q^2 / density. The ghosts
    are left as they were.
    """
    n, density = system.n_owned, system.n_total / system.volume
    wave = 2 * np.pi * np.linalg.inv(system.box).T[:, 0]
    along = wave / np.linalg.norm(wave)
    across = np.eye(system.dimension)[np.argmin(np.abs(along))]
    across = across - (across @ along) * along
    phase = np.sin(system.position @ wave)[:, None]
    system.refresh_ghosts()
    start, here, found = forces(system).copy(), system.displacement.copy(), []
    for direction in (along, across / np.linalg.norm(across)):
        field = phase * direction
        system.displacement[:n] = here[:n] + STEP * field
        system.refresh_ghosts()
        change = (start - forces(system)) / STEP
        product, square = ranks.total(system.comm, np.array([np.vdot(field, change), np.vdot(field, field)]))
        found.append(max(float(product / square * density / (wave @ wave)), SOFTEST * stiffness * density * spacing(system) ** 2))
    system.displacement[:] = here
    return found[0], found[1]


@numba.njit(cache=True, error_model="numpy")
def around(position, inverse, shape, nodes, parts):
    """The 2^d nodes around each particle and its shares in them, rows of `nodes` and `parts`: twice as many each direction."""
    for i in range(position.shape[0]):
        known, stride = 1, 1
        nodes[i, 0], parts[i, 0] = 0, 1.0
        for a in range(shape.size - 1, -1, -1):
            x = 0.0
            for b in range(shape.size):
                x += inverse[a, b] * position[i, b]
            x = (x - np.floor(x)) * shape[a]
            below = min(np.int64(x), shape[a] - 1)
            above = below + 1 if below + 1 < shape[a] else 0
            part = x - below
            for k in range(known):
                nodes[i, known + k], parts[i, known + k] = nodes[i, k] + above * stride, parts[i, k] * part
                nodes[i, k], parts[i, k] = nodes[i, k] + below * stride, parts[i, k] * (1.0 - part)
            known, stride = 2 * known, stride * shape[a]


@numba.njit(cache=True, error_model="numpy")
def share_out(nodes, parts, values, grid):
    """grid += the rows of `values`, in shares. Loops of known length, three times as fast, for each dimension."""
    for i in range(nodes.shape[0]):
        x, y = values[i, 0], values[i, 1]
        if values.shape[1] == 2:
            for k in range(4):
                node, part = np.uint64(nodes[i, k]), parts[i, k]
                grid[node, 0] += part * x
                grid[node, 1] += part * y
        else:
            z = values[i, 2]
            for k in range(8):
                node, part = np.uint64(nodes[i, k]), parts[i, k]
                grid[node, 0] += part * x
                grid[node, 1] += part * y
                grid[node, 2] += part * z


@numba.njit(cache=True, error_model="numpy")
def take_up(nodes, parts, grid, values):
    """values += what is on the grid, in the same shares."""
    for i in range(nodes.shape[0]):
        x, y = values[i, 0], values[i, 1]
        if values.shape[1] == 2:
            for k in range(4):
                node, part = np.uint64(nodes[i, k]), parts[i, k]
                x += part * grid[node, 0]
                y += part * grid[node, 1]
        else:
            z = values[i, 2]
            for k in range(8):
                node, part = np.uint64(nodes[i, k]), parts[i, k]
                x += part * grid[node, 0]
                y += part * grid[node, 1]
                z += part * grid[node, 2]
            values[i, 2] = z
        values[i, 0], values[i, 1] = x, y
