"""Structure functions: the neighbourhood of a particle as numbers, for a support vector machine.

Polydisperse: G_m, m = 1..25, counts the neighbours at r/lambda_ij near x_m = 0.5 * 1.1^(m-1); each is shared out linearly to the
two x_m next to it. Two or more species: how many neighbours of each species there are in bins of r/lambda_ij, 0.8 to 2.4 in steps
of 0.025 (the paper's 129 variables; its text says up to 3, which would be 177). Both end with the particle's own lambda_ii.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core.pairs import KEEP_NAN, pair_length
from hpcglass.indicators.neighbours.surroundings import Surroundings, distance

Floats = NDArray[np.float64]
FIRST, RATIO, RADIAL = 0.5, 1.1, 25
HATS_REACH = FIRST * RATIO**RADIAL      # in units of lambda_ij
BINS = (0.8, 2.4, 0.025)


def radial_functions(around: Surroundings) -> Floats:
    """(n, 26) G_1 ... G_25 and lambda_ii of the owned rows; reach (reduced): 0.5 * 1.1^25 = 5.42."""
    return _hats(*around.half_lists, *around.mixing, FIRST * RATIO ** np.arange(-1.0, RADIAL + 1))


def binned_functions(around: Surroundings, diameters: Sequence[float], bins: tuple[float, float, float] = BINS) -> Floats:
    """(n, species * bins + 1) counts in bins [low, high) of r/lambda_ij, and lambda_ii.

    diameters : lambda_aa of each species; the bins of the largest one come first
    bins : first and last edge, and width
    """
    low, high, width = bins
    edges = low + width * np.arange(round((high - low) / width) + 1)
    largest_first = np.argsort(np.argsort(-np.asarray(diameters), kind="stable"))
    return _counts(*around.half_lists, *around.mixing, edges, largest_first)


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _hats(reference, displacement, start, index, by_species, lengths, nonadditivity, diameter, species, places):
    n, last = start.size - 1, places.size - 2
    result = np.zeros((n, last + 1))
    slope = 1.0 / np.log(places[1] / places[0])
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            x = distance(reference, displacement, i, j) / pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            if not places[0] < x < places[last + 1]:
                continue
            m = int(np.log(x / places[0]) * slope)
            while x < places[m]:
                m -= 1
            while x >= places[m + 1]:
                m += 1
            share = (x - places[m]) / (places[m + 1] - places[m])
            if m > 0:
                result[i, m - 1] += 1.0 - share
            if m < last:
                result[i, m] += share
            if j < n:       # it stands once in the list
                if m > 0:
                    result[j, m - 1] += 1.0 - share
                if m < last:
                    result[j, m] += share
        result[i, last] = pair_length(by_species, lengths, nonadditivity, diameter, species, i, i)
    return result


@numba.njit(cache=True, fastmath=KEEP_NAN, error_model="numpy")
def _counts(reference, displacement, start, index, by_species, lengths, nonadditivity, diameter, species, edges, rank):
    n, bins, kinds = start.size - 1, edges.size - 1, rank.size
    result = np.zeros((n, kinds * bins + 1))
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            x = distance(reference, displacement, i, j) / pair_length(by_species, lengths, nonadditivity, diameter, species, i, j)
            if not edges[0] <= x < edges[bins]:
                continue
            k = min(int((x - edges[0]) / (edges[1] - edges[0])), bins - 1)
            while x < edges[k]:
                k -= 1
            while x >= edges[k + 1]:
                k += 1
            result[i, rank[species[j]] * bins + k] += 1.0
            if j < n:
                result[j, rank[species[i]] * bins + k] += 1.0
        result[i, kinds * bins] = pair_length(by_species, lengths, nonadditivity, diameter, species, i, i)
    return result
