"""A model as arrays that compiled kernels read, and the pair scalars of every order.

With the operator L = (1/r) d/dr the pair scalars

    c_n = L^n phi = eps / lambda^2n * sum_k C_k p_k (p_k-2) ... (p_k-2n+2) x^(p_k-2n),     x = r/lambda,

are c_0 = phi, c_1 = phi'/r, c_2 = phi''/r^2 - phi'/r^3, ...: all that the derivative tensors of the energy need, at any order
(D. Richard, "Connecting microscopic and mesoscopic mechanics in model structural glasses", App. B), and again sums of powers.
Each order of each segment is kept as s^lead * (polynomial in s) with s = x^2 when every power is even and s = x otherwise, and is
evaluated over a chunk of pairs, one coefficient after the other: these loops run in SIMD registers whatever the
number of terms, which a loop over the terms of one pair would not. All other powers, and splines: `pieces`.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pieces import Pieces, piece_scalars, pieces
from hpcglass.core.series import KEEP_NAN, polynomial, times_power
from hpcglass.potentials.model import HIGHEST, Model

HIGHEST_ORDER = HIGHEST
C0, C1, C2 = 0, 1, 2        # orders
CHUNK = 2048         # pairs evaluated together: long enough to spread the cost of a call, all buffers in the second-level cache

Floats = NDArray[np.float64]


class PairTable(NamedTuple):
    """The numbers of one model (S species, G segments); a named tuple, so that kernels take it as it is.

    even         : powers are even, s = x^2
    edges        : (G,) upper ends in x^2
    lead         : (5, G) power of s in front
    terms        : (5, G) number of coefficients
    coefficient  : (5, G, K) polynomial in s, lowest power first
    by_species   : lambda_ij from `length`, else from diameters
    nonadditivity: n_a
    energy_power : eps_ij is multiplied by lambda_ij^energy_power
    length, energy: (S, S)
    pieces       : powers that are not whole ones of x, in place of the above; None, which prunes code, when all are
    """

    even: bool
    edges: Floats
    lead: NDArray[np.int64]
    terms: NDArray[np.int64]
    coefficient: Floats
    by_species: bool
    nonadditivity: float
    energy_power: int
    length: Floats
    energy: Floats
    pieces: Pieces | None


def pair_table(model: Model) -> PairTable:
    """Translate a model into arrays; c_n for n = 0..4."""
    segments = model.potential.segments if model.potential.plain else ()
    even = all(power % 2 == 0 for segment in segments for power in segment.powers)
    step = 2 if even else 1
    series: list[list[dict[int, float]]] = []
    for order in range(HIGHEST_ORDER + 1):
        series.append([])
        for segment in segments:
            powers: dict[int, float] = {}
            for power, value in zip(map(int, segment.powers), segment.coefficients, strict=True):
                for n in range(order):
                    value *= power - 2 * n
                if value:
                    powers[power - 2 * order] = powers.get(power - 2 * order, 0.0) + value
            series[-1].append(powers or {0: 0.0})
    longest = max(((max(p) - min(p)) // step + 1 for row in series for p in row), default=1)
    shape = (HIGHEST_ORDER + 1, len(segments))
    lead, terms = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    coefficient = np.zeros((*shape, longest))
    for order, row in enumerate(series):
        for g, powers in enumerate(row):
            lead[order, g] = min(powers) // step
            terms[order, g] = (max(powers) - min(powers)) // step + 1
            for power, value in powers.items():
                coefficient[order, g, (power - min(powers)) // step] = value
    mixing = model.mixing
    length = np.array(mixing.length if mixing.length is not None else [[1.0]], dtype=np.float64)
    energy = np.array(mixing.energy, dtype=np.float64) if mixing.energy is not None else np.ones_like(length)
    edges = np.array([segment.upto**2 for segment in model.potential.segments], dtype=np.float64)
    return PairTable(even, edges, lead, terms, coefficient, mixing.by_species, float(mixing.nonadditivity),
                     int(mixing.energy_power), length, energy, pieces(model.potential))


@numba.njit(cache=True, inline="always")
def pair_length(by_species, length, nonadditivity, diameter, species, i, j):
    """lambda_ij. Arguments are the table's entries: taking arrays out of a tuple in an inner loop costs more than the rest."""
    if by_species:
        return length[np.uint32(species[i]), np.uint32(species[j])]
    return 0.5 * (diameter[i] + diameter[j]) * (1.0 - nonadditivity * abs(diameter[i] - diameter[j]))


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def pair_scalar(table, order, n, x2, work, out):
    """out[:n] = lambda^2n c_n / eps for the pairs of a chunk, zero beyond the cut-off.

    x2 : squared reduced distances; work : (2, >= n) buffers. Without error_model="numpy" the check for division by zero
    would keep the loops out of the vector registers.
    """
    if piece_scalars(table.pieces, order, n, x2, work, out):
        return
    root, value = work[0], work[1]
    edges, coefficient = table.edges, table.coefficient
    s = x2
    if not table.even:
        for k in range(n):
            root[k] = np.sqrt(x2[k])
        s = root
    for g in range(edges.size):
        polynomial(coefficient[order, g], table.terms[order, g], s, n, value)
        low = edges[g - 1] if g else -1.0
        times_power(value, s, table.lead[order, g], x2, low, edges[g], n, out)
