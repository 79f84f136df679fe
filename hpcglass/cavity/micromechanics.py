"""Bond micromechanics: the stress of a patch as a series in the strain, by linear solves in the unstrained glass.

The same patch, the same stress as in the frozen matrix (`patch`). Along the branch its particles follow x_n = A x_(n-1) + v_n,
v_n = 0 in the shell, and forces balance at every order, H v_1 = -Xi, H v_2 = -rest_2. As the stress is conjugate to the strain,

    V sigma^(n) = E^(n+1),        E^(n) the n-th derivative of the energy along the path,

and E^(4) needs no more than v_1 and v_2 (the 2n+1 theorem). Per pair, with s = x.x/2 and the scalars c_n = d^n phi/ds^n,

    E^(2) = c_2 s_1^2 + c_1 s_2,    E^(3) = c_3 s_1^3 + 3 c_2 s_1 s_2 + c_1 s_3,
    E^(4) = c_4 s_1^4 + 6 c_3 s_1^2 s_2 + 3 c_2 s_2^2 + 4 c_2 s_1 s_3 + c_1 s_4,    s_n = (1/2) sum_k C(n,k) x_k.x_(n-k).

The yield stress is the first maximum of sigma_0 + s_1 g + s_2 g^2/2 + s_3 g^3/6 at g > 0. A trial without one is discarded. In a
plane s_n is a homogeneous polynomial of degree n+1 in (cos 2 alpha, sin 2 alpha): five directions give all of them.
(D. Richard, "Connecting microscopic and mesoscopic mechanics in model structural glasses", Sec. IV.)
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.cavity.directions import Directions
from hpcglass.cavity.frozen import ENDLESS, MAXIMUM, ROOM, UNSTABLE
from hpcglass.cavity.lists import find_candidates, make_list
from hpcglass.cavity.newton import factors, solved
from hpcglass.cavity.patch import Work, enlarged, scalars, work
from hpcglass.cavity.skyline import FAST
from hpcglass.cavity.strength import COLUMNS, Cavities, Floats
from hpcglass.cavity.surroundings import around

FIVE = (0.0, 36.0, 72.0, 108.0, 144.0)      # degrees


class Micromechanics:
    """Series of the stress of all patches, and their first maximum; many sites in one call.

    Its columns are those of the frozen matrix, and the second and third derivative of the stress by the strain.
    """

    at_once = 500
    columns = (*COLUMNS, "second", "third")

    def __init__(self, directions: Directions) -> None:
        self.directions = directions
        flat = directions.dimension == 2
        self.memory: Work = work(directions.dimension, *((256, 2048) if flat else (512, 16384)))
        self._solved = Directions(2, directions.planes, FIVE) if flat and directions.count > len(FIVE) else directions
        self._turns = polarisations(self._solved.angles, directions.angles) if self._solved is not directions else None

    def __call__(self, cavities: Cavities, numbers: NDArray[np.int64]) -> Floats:
        series, problems = self._series(cavities, cavities.centres[numbers])
        while (crowded := problems == ROOM).any():
            self.memory = enlarged(self.memory, 2 * len(self.memory.begin))
            series[crowded], problems[crowded] = self._series(cavities, cavities.centres[numbers[crowded]])
        if self._turns is not None:
            series = np.stack([turned(series[:, :, n], turn) for n, turn in enumerate(self._turns)], axis=-1)
        strain, stress = first_maximum(series)
        flag = np.where(np.isfinite(strain), MAXIMUM, ENDLESS)
        flag[problems > 0] = problems[problems > 0, None]
        return np.stack([series[..., 0], stress, strain, series[..., 1], flag, series[..., 2], series[..., 3]], axis=-1)

    def _series(self, cavities: Cavities, centres: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """(s, k, 4) derivatives of the stress in the directions that are solved for, and (s,) why there are none, or 0."""
        crowd = cavities.surroundings
        share = crowd.volume / max(crowd.pairs, 1)
        series = np.full((len(centres), self._solved.count, 4), np.nan)
        problems = np.zeros(len(centres), dtype=np.int64)
        series_of_patches(crowd.axes, crowd.system.table, crowd.crowd, centres, cavities.free, crowd.range, share,
                          self._solved.rates, self.memory, series, problems)
        return series, problems


def polarisations(known: tuple[float, ...], wanted: tuple[float, ...]) -> list[Floats]:
    """(wanted, known) matrices that turn the derivatives of sigma of order 0..3 in known directions [degrees] into others."""
    def basis(angles: tuple[float, ...], degree: int) -> Floats:
        twice = 2.0 * np.deg2rad(np.array(angles))
        return np.stack([np.cos(twice) ** (degree - m) * np.sin(twice) ** m for m in range(degree + 1)], axis=1)

    return [basis(wanted, n + 1) @ np.linalg.pinv(basis(known, n + 1)) for n in range(4)]


def turned(known: Floats, turn: Floats) -> Floats:
    """(s, wanted) known (s, k) times turn^T; the last digits of a product of BLAS would depend on how many sites there are."""
    result = np.zeros((len(known), len(turn)))
    for k in range(turn.shape[1]):
        result += known[:, k, None] * turn[:, k]
    return result


def first_maximum(series: Floats) -> tuple[Floats, Floats]:
    """(strain, stress) of the first maximum for g > 0 of sum_n series[..., n] g^n / n!; NaN where there is none.

    It is the smallest positive root of s_1 + s_2 g + s_3 g^2/2, in the form that loses no digits; at once where s_1 <= 0.
    """
    sigma, one, two, half = series[..., 0], series[..., 1], series[..., 2], 0.5 * series[..., 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        q = two * two - 4.0 * half * one
        root = np.sqrt(np.where(q >= 0.0, q, np.nan))
        strain = 2.0 * one / (root - two)               # with s_1 > 0 the smallest positive one, if this is positive
        strain = np.where((strain > 0.0) & np.isfinite(strain), strain, np.nan)
        strain = np.where(one > 0.0, strain, np.where(np.isnan(one), np.nan, 0.0))
    return strain, sigma + strain * (one + strain * (0.5 * two + strain * half / 3.0))


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def series_of_patches(axes, table, crowd, centres, free, reach, share, rates, memory, series, problems):
    """series[s, k, n] = d^n sigma/d gamma^n about centre s along A = rates[k]; NaN, and problems[s], if there is none."""
    d = len(axes)
    cutoff = np.sqrt(table.edges[table.edges.size - 1])
    room = memory.force.shape[0]
    first, second = np.empty((room, d)), np.empty((room, d))
    identity = np.eye(d)
    nobody = np.empty(0, np.int64)
    for site in range(len(centres)):
        n_free, y, diameter, species = cut_out(axes, crowd, centres[site], free, free + reach)
        if n_free == 0 or n_free > room:
            problems[site] = UNSTABLE if n_free == 0 else ROOM
            continue
        candidates = find_candidates(axes, table, n_free, y, len(y), diameter, species, identity, cutoff, 0.0, True, memory)
        pairs = -1
        if candidates >= 0:
            pairs = make_list(axes, table, n_free, y, nobody, species, identity, cutoff, candidates, 0.0, memory)
        if pairs < 0:
            problems[site] = ROOM
            continue
        _unstrained(axes, table, y, pairs, memory)
        if not factors(axes, n_free, pairs, memory):
            problems[site] = UNSTABLE
            continue
        unit = 1.0 / (share * max(pairs, 1))
        for k in range(len(rates)):
            stress = _shear(axes, n_free, rates[k], pairs, memory, first)
            solved(axes, n_free, memory, first[:n_free])
            _second_order(axes, n_free, rates[k], first, pairs, memory, second)
            solved(axes, n_free, memory, second[:n_free])
            two, three, four = _energies(axes, n_free, rates[k], first, second, pairs, memory)
            series[site, k, 0], series[site, k, 1] = stress * unit, two * unit
            series[site, k, 2], series[site, k, 3] = three * unit, four * unit


@numba.njit(cache=True, error_model="numpy")
def cut_out(axes, crowd, centre, free, radius):
    """(number of free particles, positions, diameters, species), both kinds in the order of their first coordinate."""
    rows, y = around(axes, crowd, centre, radius)
    n = len(rows)
    inside = np.empty(n, dtype=np.bool_)
    n_free = 0
    for i in range(n):
        square = 0.0
        for a in range(len(axes)):
            square += y[i, a] * y[i, a]
        inside[i] = square < free * free
        n_free += inside[i]
    order, count, outer = np.empty(n, dtype=np.int64), 0, n_free
    for i in range(n):
        if inside[i]:
            begin, k = 0, count
            count += 1
        else:
            begin, k = n_free, outer
            outer += 1
        while k > begin:                # bins come in this order already, nearly
            j = order[k - 1]
            if y[j, 0] < y[i, 0] or (y[j, 0] == y[i, 0] and crowd.id[rows[j]] < crowd.id[rows[i]]):
                break
            order[k] = j
            k -= 1
        order[k] = i
    sorted_y = np.empty((n, len(axes)))
    for i in range(n):
        for a in range(len(axes)):
            sorted_y[i, a] = y[order[i], a]
    return n_free, sorted_y, crowd.diameter[rows[order]], crowd.species[rows[order]]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _unstrained(axes, table, y, pairs, memory):
    """Vectors of the pairs, and the scalars c_1 .. c_4."""
    for p in range(pairs):
        i, j = memory.first[p], memory.second[p]
        square = 0.0
        for a in range(len(axes)):
            value = y[j, a] - y[i, a]
            memory.vector[p, a] = value
            square += value * value
        memory.x2[p] = square * memory.inverse_length2[p]
    memory.counts[0] += 1
    for order in range(1, 5):
        scalars(table, order, pairs, 0.0, 0, memory)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _shear(axes, n_free, rate, pairs, memory, out):
    """out = -Xi, and A v of the pairs; V sigma."""
    d = len(axes)
    first, other, vector, turned, c = memory.first, memory.second, memory.vector, memory.turned, memory.c
    for i in range(n_free):
        for a in range(d):
            out[i, a] = 0.0
    stress = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        inner = 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += rate[a, b] * vector[p, b]
            turned[p, a] = value
            inner += vector[p, a] * value
        memory.along[p] = inner
        stress += c[1, p] * inner
        free = j < n_free
        for a in range(d):
            value = c[2, p] * inner * vector[p, a] + c[1, p] * turned[p, a]
            out[i, a] += value
            if free:
                out[j, a] -= value
    return stress


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _second_order(axes, n_free, rate, velocity, pairs, memory, out):
    """turned becomes x_1; out = -(the second derivative of dU/dx with v_2 = 0)."""
    d = len(axes)
    first, other, vector, turned, c = memory.first, memory.second, memory.vector, memory.turned, memory.c
    for i in range(n_free):
        for a in range(d):
            out[i, a] = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        free = j < n_free
        s1 = s2 = 0.0
        for a in range(d):
            turned[p, a] += (velocity[j, a] if free else 0.0) - velocity[i, a]
            s1 += vector[p, a] * turned[p, a]
            s2 += turned[p, a] * turned[p, a]
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += rate[a, b] * turned[p, b]
            s2 += vector[p, a] * value
        g1, g2 = c[2, p] * s1, c[3, p] * s1 * s1 + c[2, p] * s2
        for a in range(d):
            value = g2 * vector[p, a] + 2.0 * g1 * turned[p, a]
            for b in range(d):
                value += c[1, p] * rate[a, b] * turned[p, b]
            out[i, a] += value
            if free:
                out[j, a] -= value
        memory.along[p] = s1


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _energies(axes, n_free, rate, velocity, acceleration, pairs, memory):
    """E^(2), E^(3), E^(4)."""
    d = len(axes)
    first, other, vector, turned, c = memory.first, memory.second, memory.vector, memory.turned, memory.c
    x2, x3 = np.empty(d), np.empty(d)
    two = three = four = 0.0
    for p in range(pairs):
        i, j = first[p], other[p]
        free = j < n_free
        for a in range(d):
            value = (acceleration[j, a] if free else 0.0) - acceleration[i, a]
            for b in range(d):
                value += rate[a, b] * turned[p, b]
            x2[a] = value
        s1, s2, s3, s4 = memory.along[p], 0.0, 0.0, 0.0
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += rate[a, b] * x2[b]
            x3[a] = value
            s2 += turned[p, a] * turned[p, a] + vector[p, a] * x2[a]
            s3 += 3.0 * turned[p, a] * x2[a] + vector[p, a] * value
            s4 += 4.0 * turned[p, a] * value + 3.0 * x2[a] * x2[a]
        for a in range(d):
            value = 0.0
            for b in range(d):
                value += rate[a, b] * x3[b]
            s4 += vector[p, a] * value
        c1, c2, c3, c4 = c[1, p], c[2, p], c[3, p], c[4, p]
        two += c2 * s1 * s1 + c1 * s2
        three += c3 * s1 * s1 * s1 + 3.0 * c2 * s1 * s2 + c1 * s3
        four += c4 * s1**4 + 6.0 * c3 * s1 * s1 * s2 + 3.0 * c2 * s2 * s2 + 4.0 * c2 * s1 * s3 + c1 * s4
    return two, three, four
