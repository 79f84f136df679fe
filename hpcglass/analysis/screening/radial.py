"""A displacement field around a centre: averages over angles in radial bins with errors, and angular harmonics.

Neighbouring particles move together, so that a bin of n particles has far fewer than n independent ones. The errors come
from the scatter between angular sectors, and so do the correlations between bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcglass.analysis.screening.annulus import Annulus
from hpcglass.errors import InputError

Floats = NDArray[np.float64]
SECTORS = 12            # angular sectors; in 3D three bands of equal area, of four sectors each
NODES = 6               # radii from which a smooth function is averaged over the particles of a bin
LEAST = 40              # particles in a bin; bins with fewer are joined to the next one
HARMONICS = 8           # highest angular harmonic


@dataclass(frozen=True)
class Profile:
    """Angle averages of a displacement field in radial bins.

    Attributes
    ----------
    annulus : geometry
    edges : (bins + 1,)
    r, d_r : (bins,) mean radius and mean radial displacement of the particles in a bin
    error : (bins,) standard error of d_r, from the scatter between angular sectors
    count : (bins,) particles
    influence : (bins, SECTORS) part of each sector in the error: influence @ influence.T estimates the covariance of d_r
    nodes, weights : (bins, NODES) radii, and weights that make of a function there its mean over the particles of the bin
    radial, tangential : (bins, 9, 2) coefficients of cos mθ and sin mθ, m = 0 to 8, of d_r and d_θ, by least squares; NaN in
        3D and where a bin has fewer than 4m + 2 particles
    """

    annulus: Annulus
    edges: Floats
    r: Floats
    d_r: Floats
    count: Floats
    influence: Floats
    nodes: Floats
    weights: Floats
    radial: Floats
    tangential: Floats

    @property
    def error(self) -> Floats:
        return np.sqrt((self.influence**2).sum(axis=1))

    def average(self, values: Floats) -> Floats:
        """Mean over the particles of each bin, (..., bins), of a function given at the nodes, (..., bins, NODES)."""
        return np.asarray((values * self.weights).sum(axis=-1))


def radial_profile(position: ArrayLike, displacement: ArrayLike, centre: ArrayLike, annulus: Annulus,
                   bins: int | ArrayLike = 40) -> Profile:
    """Angle averages of the radial displacement, with errors, and its angular harmonics.

    Parameters
    ----------
    position : (N, d) before inflation
    displacement : (N, d) between the two equilibria
    centre : (d,) of the walls
    bins : number of bins of equal width, or edges; particles beyond them, or outside the walls, are left out

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        The arrays do not fit each other, are not finite, or there are hardly any particles between the walls.

    Notes
    -----
    With t_bs the sum of d_r over the n_bs particles of bin b and sector s, d_b = Σ_s t_bs/N_b has the covariance
    S/(S−1) Σ_s (t_bs − d_b n_bs)(t_cs − d_c n_cs)/(N_b N_c), the (infinitesimal) jackknife over sectors.
    """
    x, u = (np.atleast_2d(np.asarray(given, dtype=np.float64)) for given in (position, displacement))
    dimension = annulus.dimension
    if x.shape != u.shape or x.shape[1] != dimension or np.shape(centre) != (dimension,):
        raise InputError(f"profile: positions {x.shape}, displacements {u.shape} and centre {np.shape(centre)} "
                         f"do not fit a system in {dimension} dimensions")
    if not (np.isfinite(x).all() and np.isfinite(u).all()):
        raise InputError("profile: positions and displacements must be finite numbers")
    x = x - np.asarray(centre, dtype=np.float64)
    r = np.sqrt((x**2).sum(axis=1))
    edges = np.asarray(np.linspace(annulus.r_in, annulus.r_out, bins + 1) if isinstance(bins, int) else bins, dtype=np.float64)
    inside = (r > max(annulus.r_in, edges[0])) & (r < min(annulus.r_out, edges[-1]))
    x, u, r = x[inside], u[inside], r[inside]
    edges = _joined(edges, r)
    place = np.searchsorted(edges, r, "right") - 1
    d_r = (u * x).sum(axis=1) / r
    cells = (len(edges) - 1, SECTORS)
    which = np.ravel_multi_index((place, _sector(x, r)), cells)
    number, total = (np.bincount(which, weights, np.prod(cells)).reshape(cells) for weights in (None, d_r))
    count = number.sum(axis=1)
    mean = total.sum(axis=1) / count
    influence = np.sqrt(SECTORS / (SECTORS - 1)) * (total - mean[:, None] * number) / count[:, None]
    nodes, weights = (np.array(both) for both in zip(*(
        _nodes(r[place == bin], edges[bin: bin + 2]) for bin in range(cells[0])), strict=True))
    radial, tangential = np.full((2, cells[0], HARMONICS + 1, 2), np.nan)
    if dimension == 2:
        angle, d_t = np.arctan2(x[:, 1], x[:, 0]), (x[:, 0] * u[:, 1] - x[:, 1] * u[:, 0]) / r
        for bin in range(cells[0]):
            radial[bin], tangential[bin] = _harmonics(angle[place == bin], np.stack([d_r, d_t])[:, place == bin])
    return Profile(annulus, edges, np.bincount(place, r) / count, mean, np.asarray(count, dtype=np.float64), influence, nodes,
                   weights, radial, tangential)


def _joined(edges: Floats, r: Floats) -> Floats:
    """The edges without those that would leave a bin fewer than LEAST particles; from the inside out."""
    below = np.searchsorted(np.sort(r), edges)
    kept = [0]
    for k in range(1, len(edges)):
        if (below[k] - below[kept[-1]] >= LEAST and below[-1] - below[k] >= LEAST) or k == len(edges) - 1:
            kept.append(k)
    if len(kept) < 5:
        raise InputError(f"profile: the {len(r)} particles between the walls make {len(kept) - 1} bins of at least {LEAST}; "
                         "four bins are needed")
    return edges[kept]


def _sector(x: Floats, r: Floats) -> NDArray[np.intp]:
    """The angular sector of each particle: all have the same angle, or solid angle."""
    turn = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) % 1.0
    if x.shape[1] == 2:
        return np.minimum((SECTORS * turn).astype(np.intp), SECTORS - 1)
    band = np.minimum((1.5 * (1 + x[:, 2] / r)).astype(np.intp), 2)
    return 4 * band + np.minimum((4 * turn).astype(np.intp), 3)


def _nodes(r: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Chebyshev's points of a bin in ln r, and the mean over the particles of their Lagrange polynomials.

    Displacements are powers of r near the inner wall and waves farther out: smooth in ln r.
    """
    order, angle = np.arange(1, NODES), np.pi * (np.arange(NODES) + 0.5) / NODES
    low, high = np.log(edges)
    at = np.arccos(np.clip(2 * (np.log(r) - low) / (high - low) - 1, -1, 1))
    mean = np.cos(order[:, None] * at).mean(axis=1)
    weights = (1 + 2 * mean @ np.cos(order[:, None] * angle)) / NODES
    return np.exp(low + (high - low) * (np.cos(angle) + 1) / 2), weights


def _harmonics(angle: Floats, values: Floats) -> Floats:
    """Least-squares coefficients (components, HARMONICS + 1, 2) of cos mθ, sin mθ."""
    highest = min(HARMONICS, (len(angle) - 2) // 4)
    m = np.arange(1, highest + 1)
    phase = m * angle[:, None]
    basis = np.hstack([np.ones((len(angle), 1)), np.cos(phase), np.sin(phase)])
    found = np.linalg.lstsq(basis, values.T, rcond=None)[0].T
    result = np.full((len(values), HARMONICS + 1, 2), np.nan)
    result[:, 0] = np.stack([found[:, 0], np.zeros(len(values))], axis=1)
    result[:, 1: highest + 1] = np.stack([found[:, 1: highest + 1], found[:, highest + 1:]], axis=2)
    return result
