"""How a field on the particles falls off with distance from its core.

The core is the particle that moves most. Around it the running median of |v_i|, over particles in logarithmic bins of distance,
shows the decay: r^(1-d) for soft localised modes, faster for the forces of pseudo-harmonic ones (J. A. Giannini et al.,
"Bond-space operator disentangles quasi-localized and phononic modes in structural glasses", Fig. 4d). A median, since a few
particles of each shell move far more than the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import heights
from hpcglass.landscape.nonaffine import position_of_largest

Floats = NDArray[np.float64]
BINS_PER_DECADE = 16


@dataclass
class DecayProfile:
    """Decay of a field, the same on all ranks.

    core : global id of the particle at the core
    distance : (k,) geometric centres of the bins [length]
    median : (k,) medians of |v_i| over the particles of each bin [that of v]; NaN in a bin without any
    count : (k,) particles in each bin
    """

    core: int
    distance: Floats
    median: Floats
    count: NDArray[np.int64]


def core_particle(system: System, field: Floats) -> tuple[int, Floats]:
    """(global id, position) of the particle with the largest |v_i|; the lowest id wins a tie. Collective."""
    return position_of_largest(system, np.einsum("ia,ia->i", field, field))


def decay_profile(system: System, field: Floats, edges: Floats | None = None) -> DecayProfile:
    """Medians of |v_i| in bins of distance from the core, which itself is in none. Collective.

    Parameters
    ----------
    field : (n_owned, d)
    edges : (k+1,) of the bins, ascending and positive, up to half the smallest height of the cell, as far as rounding fractional
        coordinates finds the nearest image. Without: logarithmic, from the mean spacing (V/N)^(1/d) to there

    Raises
    ------
    InputError
        Edges that are no such edges; or, without edges, a cell of less than two spacings.
    """
    reach = 0.5 * float(heights(system.box).min())
    edges = _edges(system, reach) if edges is None else np.asarray(edges, dtype=np.float64)
    if edges.size < 2 or not edges[0] > 0.0 or not (np.diff(edges) > 0.0).all() or not edges[-1] <= reach * (1.0 + 1e-12):
        raise InputError("bins of distance need ascending edges between 0 and half the smallest height of the cell, "
                         f"{reach:.6g}; given are {np.array2string(edges, precision=6, threshold=8)}")
    core, centre = core_particle(system, field)
    fraction = (system.position - centre) @ np.linalg.inv(system.box).T
    distance = np.linalg.norm((fraction - np.rint(fraction)) @ system.box.T, axis=1)
    size = np.sqrt(np.einsum("ia,ia->i", field, field))
    here = (distance >= edges[0]) & (distance < edges[-1])
    first = np.zeros(int(here.sum()), dtype=np.int64)
    distance, size = ranks.send_rows(system.comm, first, distance[here], size[here])
    medians, counts = np.full(edges.size - 1, np.nan), np.zeros(edges.size - 1, dtype=np.int64)
    if system.comm.rank == 0:
        place = np.searchsorted(edges, distance, side="right") - 1
        for k in range(edges.size - 1):
            inside = size[place == k]
            counts[k] = inside.size
            medians[k] = np.median(inside) if inside.size else np.nan
    medians, counts = ranks.broadcast(system.comm, medians), ranks.broadcast(system.comm, counts)
    return DecayProfile(core, np.sqrt(edges[1:] * edges[:-1]), medians, counts)


def decay_exponent(distance: Floats, median: Floats, window: tuple[float, float]) -> tuple[float, float]:
    """(slope, standard error) of log median against log distance by least squares, for distances in a window.

    Bins without particles, or whose median is zero, are left out.

    Raises
    ------
    InputError
        Fewer than three bins in the window.
    """
    with np.errstate(invalid="ignore"):
        use = (distance >= window[0]) & (distance <= window[1]) & (median > 0.0)
    if use.sum() < 3:
        raise InputError(f"a decay exponent needs three bins or more; between {window[0]:.6g} and {window[1]:.6g} there are "
                         f"{use.sum()}; take a wider window or a larger glass")
    x, y = np.log(distance[use]), np.log(median[use])
    x -= x.mean()
    square = float(x @ x)
    slope = float(x @ y) / square
    rest = y - y.mean() - slope * x
    return slope, float(np.sqrt(rest @ rest / (len(x) - 2) / square))


def _edges(system: System, reach: float) -> Floats:
    spacing = (system.volume / system.n_total) ** (1.0 / system.dimension)
    if not reach > spacing:
        raise InputError(f"the cell is too narrow for a profile: half its smallest height is {reach:.3g}, the mean spacing of "
                         f"particles {spacing:.3g}; take a larger one")
    return np.geomspace(spacing, reach, max(round(BINS_PER_DECADE * np.log10(reach / spacing)), 1) + 1)
