"""The state at γ = 0: internal stress in equilibrium, and thresholds above it.

Internal stress is what independent Gaussian eigenstrains in all blocks leave behind, v = 2 G * ε: any such field is in
equilibrium and sums to zero. ε is scaled by the known spectrum of G, so that the width is right on average over samples, and
nothing has to be summed over ranks. Thresholds at or below the local stress are drawn again, with another number of the same
site, until the state is stable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numba import njit
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core import random
from hpcglass.epm import dynamics
from hpcglass.epm.kernel import Convolution, effective_modulus
from hpcglass.epm.model import Model
from hpcglass.epm.thresholds import Distribution, quantile
from hpcglass.epm.tiles import Sites
from hpcglass.errors import InputError

EIGENSTRAIN = 11       # stream of random numbers
ATTEMPTS = 1000
UNITS = 2**30           # of the largest difference of a local modulus


def eigenstrain(convolution: Convolution, sites: NDArray[np.int64], model: Model) -> NDArray[np.float64] | None:
    """Eigenstrains ε, (rows, L), whose internal stress has the model's width; None if it is zero. Collective."""
    if not isinstance(model.internal_stress, float | int) or model.internal_stress == 0.0:
        return None
    width = model.internal_stress / effective_modulus(model.modulus, model.bulk_modulus) / convolution.spread()
    return width * random.normal(model.seed, EIGENSTRAIN, 0, sites).reshape(-1, convolution.size)


def frozen_stress(model: Model, first: int, last: int) -> NDArray[np.float64] | None:
    """Rows first..last of a given internal stress over μ*, its mean taken away; None if there is no such map."""
    if isinstance(model.internal_stress, float | int):
        return None
    stress = np.asarray(model.internal_stress, dtype=np.float64)
    return np.asarray((stress - stress.mean())[first: last] / effective_modulus(model.modulus, model.bulk_modulus))


def moduli(model: Model) -> tuple[float, NDArray[np.int64]]:
    """Unit and weights (L, L) with modulus_i = renewed + unit weight_i of blocks that never slipped; no weights if all are equal.

    Weights are whole numbers, so that the mean modulus does not depend on the order in which blocks slip.
    """
    renewed = model.modulus if model.renewed_modulus is None else model.renewed_modulus
    if model.local_moduli is None:
        return float(model.modulus) - float(renewed), np.zeros((0, int(model.size)), dtype=np.int64)
    above = np.asarray(model.local_moduli, dtype=np.float64) - renewed
    unit = float(np.abs(above).max()) / UNITS or 1.0
    return unit, np.rint(above / unit).astype(np.int64)


def first_thresholds(comm: MPI.Comm, sites: Sites, rules: dynamics.Rules, model: Model, ids: NDArray[np.int64]) -> None:
    """Fill in the thresholds of the initial state. Collective.

    Raises
    ------
    InputError
        A site whose given threshold is not above its internal stress, or for which no such threshold is found.
    """
    unit = 1.0 / effective_modulus(model.modulus, model.bulk_modulus)
    if isinstance(model.thresholds, Distribution):
        unstable = _draw(rules, sites, model.thresholds.table, True, unit)
    else:
        sites.forward[:] = np.asarray(model.thresholds, dtype=np.float64)[sites.first: sites.first + len(sites.forward)]
        unstable = np.flatnonzero(sites.forward.ravel() * unit <= sites.internal.ravel())
    if len(sites.backward):
        unstable = np.union1d(unstable, _draw(rules, sites, rules.opposite, False, unit))
    bad = int(ranks.total(comm, len(unstable)))
    if bad:
        site = int(ranks.smallest(comm, ids[unstable[0]] if len(unstable) else np.iinfo(np.int64).max))
        raise InputError(f"lattice: {bad} sites have no threshold above their internal stress, "
                         f"the first one at row {site // model.size}, column {site % model.size}; "
                         "use a smaller internal_stress or larger thresholds")
    sites.top[0] = max(np.max(np.abs(sites.forward)), np.max(np.abs(sites.backward), initial=0.0))


@njit(cache=True, error_model="numpy")
def _draw(rules: Any, sites: Any, table: Any, forward: Any, unit: Any) -> Any:
    """Thresholds above the internal stress; returns the places for which none was found."""
    failed = [0 for _ in range(0)]
    rows, size = sites.internal.shape
    for y in range(rows):
        for x in range(size):
            stable = False
            for attempt in range(ATTEMPTS):
                pair = dynamics.draw(rules.seed, (sites.first + y) * size + x, 0, attempt)
                value = quantile(table, pair[0] if forward else pair[1])
                stable = value * unit > (sites.internal[y, x] if forward else -sites.internal[y, x])
                if stable:
                    break
            (sites.forward if forward else sites.backward)[y, x] = value
            if not stable:
                failed.append(y * size + x)
    return np.array(failed, dtype=np.int64)
