"""Pair correlations of a frame: g(r) and S(q), also between species."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.structure.neighbours import pairs
from hpcglass.analysis.tables import Table
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.analysis.frames.frame import Frame

Floats = NDArray[np.float64]
BLOCK = 4096        # particles whose phases are in memory at once


def radial_distribution(frame: Frame, r_max: float, bins: int = 200) -> Table:
    """g(r) = V / N^2 sum_{i != j} <delta(r - r_ij)> over the volume of a shell, 1 where there are no correlations.

    Parameters
    ----------
    r_max : largest distance [length]; it may exceed half the cell, where images of a particle count as other particles
    bins : number of shells

    Returns
    -------
    Table
        `r` (middle of the shell), `g`, and where there are several species `g_00`, `g_01`, ... of their pairs, normalised by
        V / (N_a N_b).

    Raises
    ------
    InputError
        Between walls, where shells around most particles are cut.
    """
    _refuse_walls(frame, "g(r)")
    edges = np.linspace(0.0, r_max, bins + 1)
    found = pairs(frame.position, frame.box, r_max)
    distance = np.sqrt(found.length2)
    d = frame.dimension
    shell = math.pi ** (d / 2) / math.gamma(d / 2 + 1) * np.diff(edges**d)
    kinds, number = np.unique(frame.species, return_counts=True)
    count = dict(zip(kinds.tolist(), number.tolist(), strict=True))

    def normalised(chosen: Any, first: int, second: int) -> Floats:
        return np.histogram(distance[chosen], edges)[0] * frame.volume / (float(first) * second * shell)

    columns = {"r": (edges[1:] + edges[:-1]) / 2, "g": normalised(slice(None), frame.particles, frame.particles)}
    long_name = {"r": "distance", "g": "pair correlation"}
    if len(kinds) > 1:
        left, right = frame.species[found.i], frame.species[found.j]
        for a, b in combinations_with_replacement(kinds.tolist(), 2):
            columns[f"g_{a}{b}"] = normalised((left == a) & (right == b), count[a], count[b])
            long_name[f"g_{a}{b}"] = f"pair correlation of species {a} and {b}"
    return Table(columns, {"r": "length"}, long_name)


def structure_factor(frame: Frame, q_max: float, bins: int = 200, weights: Floats | None = None) -> Table:
    """S(q) = |sum_i w_i exp(i q . r_i)|^2 / sum_i w_i^2, averaged over all wave vectors of the cell in a shell of |q|.

    Parameters
    ----------
    q_max : largest wave number [1/length]
    bins : number of shells; those without a wave vector are left out
    weights : (N,), default 1; d-th powers of the diameters give the spectral density of a polydisperse packing

    Returns
    -------
    Table
        `q` (mean of the shell), `s`, `vectors` (half of them: q and -q are the same), and where there are several species and no
        weights `s_00`, `s_01`, ..., Re rho_a rho_b* / sqrt(N_a N_b).

    Raises
    ------
    InputError
        Between walls, where the cell has a hole; or the cell has no wave vector as small as q_max.
    """
    _refuse_walls(frame, "S(q)")
    reciprocal = 2 * np.pi * np.linalg.inv(frame.box)        # rows are the reciprocal vectors
    most = np.floor(q_max * np.linalg.norm(frame.box, axis=0) / (2 * np.pi)).astype(int)
    index = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1)
    q = np.linalg.norm(index @ reciprocal, axis=-1)
    centre = (np.ravel_multi_index(tuple(most), q.shape))
    half = np.arange(q.size).reshape(q.shape) > centre       # the vector of opposite sign lies on the other side
    chosen = half & (q <= q_max)
    if not chosen.any():
        raise InputError(f"S(q): the cell has no wave vector as short as q_max = {q_max:g}")
    weight = np.ones(frame.particles) if weights is None else np.asarray(weights, dtype=np.float64)
    kinds = np.unique(frame.species).tolist() if weights is None else [0]
    several = len(kinds) > 1
    parts = {a: frame.species == a for a in kinds} if several else {0: np.ones(frame.particles, dtype=bool)}
    fraction = frame.position @ np.linalg.inv(frame.box).T
    rho = {a: _density(fraction[mine], weight[mine], most)[chosen] for a, mine in parts.items()}
    shell = np.minimum((q[chosen] / q_max * bins).astype(int), bins - 1)
    number = np.bincount(shell, minlength=bins)
    there = number > 0

    def mean(values: Floats) -> Floats:
        return np.bincount(shell, values, minlength=bins)[there] / number[there]

    total = sum(rho.values())
    columns = {"q": mean(q[chosen]), "s": mean(np.abs(total) ** 2) / float(weight @ weight), "vectors": number[there]}
    long_name = {"q": "wave number", "s": "structure factor", "vectors": "wave vectors of the shell"}
    for a, b in combinations_with_replacement(kinds, 2) if several else ():
        size = math.sqrt(float(parts[a].sum()) * float(parts[b].sum()))
        columns[f"s_{a}{b}"] = mean((rho[a] * rho[b].conj()).real) / size
        long_name[f"s_{a}{b}"] = f"structure factor of species {a} and {b}"
    return Table(columns, {"q": "1/length"}, long_name)


def _density(fraction: Floats, weight: Floats, most: NDArray[np.int64]) -> NDArray[np.complex128]:
    """sum_i w_i exp(2 pi i n . s_i) of all whole n_a from -most[a] to most[a]: products of phases of each axis."""
    rho = np.zeros(tuple(2 * most + 1), dtype=np.complex128)
    for first in range(0, len(fraction), BLOCK):
        some = slice(first, first + BLOCK)
        phases = [np.exp(2j * np.pi * np.outer(np.arange(-n, n + 1), s)) for n, s in zip(most, fraction[some].T, strict=True)]
        last = phases[-1].T
        if len(phases) == 2:
            rho += (phases[0] * weight[some]) @ last
        else:
            for k, plane in enumerate(phases[0]):
                rho[k] += (phases[1] * (plane * weight[some])) @ last
    return rho


def _refuse_walls(frame: Frame, what: str) -> None:
    if frame.walls is not None:
        raise InputError(f"{frame.path}: {what} is for periodic cells; this glass is between walls")
