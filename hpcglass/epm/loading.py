"""Mean loading curve of many samples: its plateau and its peak, with their errors; the same for lattices and for glasses.

The plateau is the mean stress beyond a strain, Σ_s = ⟨Σ(γ)⟩ for γ ≥ γ_s. The peak is the largest mean stress before it, after a
running mean over a window of strain: Σ_p = max_{γ ≤ γ_s} ⟨Σ⟩_w(γ), reached at γ_p. The mean over samples comes first, as in the
curves of 004: a small sample's own maximum is higher. A curve without an overshoot has its "peak" where it enters the plateau.

Both are linear in the samples once γ_p is fixed, and Σ_p does not change to first order with γ_p; so each sample has a row
(Σ_s, Σ_p) of its own whose mean over samples is the result and whose covariance gives the error of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.comm import broadcast, smallest, total
from hpcglass.epm.lattice import Lattice
from hpcglass.epm.model import Model
from hpcglass.errors import HpcglassError, InputError, PhysicsError
from hpcglass.numbers.tails import resamplings, scatter

Floats = NDArray[np.float64]
SEEDS = 1 << 63


@dataclass(frozen=True)
class Protocol:
    """Where a loading curve is looked at.

    Parameters
    ----------
    max_strain : γ of the last point
    step : strain between two points; γ = 0 is the first one
    plateau_from : γ_s
    window : strain over which the running mean is taken, rounded to an odd number of points

    Raises
    ------
    InputError
        Fewer than two points in the plateau or before it, or a window wider than what is before it.
    """

    max_strain: float
    step: float
    plateau_from: float
    window: float

    def __post_init__(self) -> None:
        if not 0.0 < self.step <= self.plateau_from <= self.max_strain - self.step:
            raise InputError(f"plateau_from = {self.plateau_from:g} must leave at least a step of {self.step:g} before it, and "
                             f"after it up to max_strain = {self.max_strain:g}")
        if not 0.0 <= self.window <= self.plateau_from:
            raise InputError(f"window = {self.window:g} must be between 0 and plateau_from = {self.plateau_from:g}")

    @cached_property
    def strain(self) -> Floats:
        """(points,) strains, equally spaced."""
        return self.step * np.arange(int(np.floor(self.max_strain / self.step * (1 + 1e-12))) + 1)

    @property
    def first(self) -> int:
        """First point of the plateau."""
        return int(np.searchsorted(self.strain, self.plateau_from * (1 - 1e-12)))

    def smooth(self, stress: Floats) -> tuple[Floats, Floats]:
        """Strains (m,) and running means (..., m) before the plateau, where the window is full."""
        half = round(self.window / self.step) // 2
        width = min(2 * half + 1, self.first + 1)
        views = np.lib.stride_tricks.sliding_window_view(stress[..., : self.first + 1], width, axis=-1)
        return self.strain[width // 2: width // 2 + views.shape[-2]], views.mean(axis=-1)

    def onto(self, strain: Floats, stress: Floats) -> Floats:
        """A curve given at other, ascending, strains, at the points by linear interpolation."""
        return np.interp(self.strain, strain, stress)


@dataclass(frozen=True)
class Curves:
    """Loading curves of independent samples.

    Parameters
    ----------
    protocol : where they are looked at
    stress : (samples, points)
    """

    protocol: Protocol
    stress: Floats

    @property
    def samples(self) -> int:
        return len(self.stress)

    @cached_property
    def _peak(self) -> tuple[int, Floats]:
        return int(np.argmax(self.protocol.smooth(self.stress.mean(axis=0))[1])), self.protocol.smooth(self.stress)[1]

    @property
    def peak_strain(self) -> float:
        """γ_p."""
        return float(self.protocol.smooth(self.stress[0])[0][self._peak[0]])

    @cached_property
    def rows(self) -> Floats:
        """(samples, 2) the part of each sample in plateau and peak."""
        at, smoothed = self._peak
        return np.column_stack([self.stress[:, self.protocol.first:].mean(axis=1), smoothed[:, at]])

    @property
    def values(self) -> Floats:
        """(2,) plateau Σ_s and peak Σ_p."""
        return np.asarray(self.rows.mean(axis=0))

    @property
    def covariance(self) -> Floats:
        """(2, 2) of `values`; NaN with one sample."""
        return covariance_of_mean(self.rows)

    @property
    def mean(self) -> Floats:
        """(points,) mean stress."""
        return np.asarray(self.stress.mean(axis=0))

    @property
    def error(self) -> Floats:
        """(points,) standard error of the mean stress; NaN with one sample."""
        return np.asarray(self.scatter / np.sqrt(self.samples))

    @property
    def scatter(self) -> Floats:
        """(points,) standard deviation from sample to sample; NaN with one."""
        return np.std(self.stress, axis=0, ddof=1) if self.samples > 1 else np.full(self.stress.shape[1], np.nan)

    @property
    def drift(self) -> Floats:
        """(samples,) mean stress of the second half of the plateau less that of the first."""
        plateau = self.stress[:, self.protocol.first:]
        half = plateau.shape[1] // 2
        return np.asarray(plateau[:, -half:].mean(axis=1) - plateau[:, :half].mean(axis=1))

    def observables(self) -> dict[str, tuple[float, float]]:
        """Value and error of plateau, peak, strain of the peak, and standard deviation of the stress of a sample on the plateau.

        Errors of the last two are those of a bootstrap over samples.
        """
        values, errors = self.values, np.sqrt(np.diag(self.covariance))

        at, smoothed = self.protocol.smooth(self.stress)
        plateau = self.stress[:, self.protocol.first:]
        first, second = plateau.mean(axis=1), (plateau**2).mean(axis=1)

        def further(weights: Floats) -> Floats:
            return np.array([at[np.argmax(weights @ smoothed)], np.sqrt(max(weights @ second - (weights @ first) ** 2, 0.0))])

        more = further(np.full(self.samples, 1 / self.samples))
        more_errors = scatter(np.array([further(drawn / self.samples) for drawn in resamplings(self.samples)]).reshape(-1, 2))
        names = ("plateau", "peak", "peak_strain", "plateau_scatter")
        return {name: (float(value), float(error)) for name, value, error in
                zip(names, (*values, *more), (*errors, *more_errors), strict=True)}


def covariance_of_mean(rows: Floats) -> Floats:
    """Covariance matrix (k, k) of the mean of independent rows (n, k); NaN if there is one."""
    n, k = rows.shape
    return np.cov(rows, rowvar=False).reshape(k, k) / n if n > 1 else np.full((k, k), np.nan)


def load_samples(comm: MPI.Comm, model: Model, strain: Floats, first: int, count: int) -> Floats:
    """Stress of samples of a lattice model at given strains. Collective.

    Every rank loads its share of the samples, each a lattice of its own; which rank has which does not matter for the result.

    Parameters
    ----------
    strain : (points,) strains of the protocol, in its order
    first, count : samples first..first+count-1; sample k has the seed model.seed + k

    Returns
    -------
    (count, points) stress, the same on all ranks

    Raises
    ------
    PhysicsError
        On all ranks, if a sample fails on any of them: an avalanche does not end, a map of thresholds is not stable.
    """
    stress = np.zeros((count, len(strain)))
    failed, problem = count, HpcglassError()
    for k in range(comm.rank, count, comm.size):
        try:
            stress[k] = load_one(replace(model, seed=(model.seed + first + k) % SEEDS), strain)
        except HpcglassError as error:
            failed, problem = k, error
            break
    worst = smallest(comm, failed)
    if worst < count:
        owner = worst % comm.size
        words = broadcast(comm, np.frombuffer(str(problem).encode(), dtype=np.uint8) if comm.rank == owner else None, owner)
        raise PhysicsError(f"sample {first + worst} with slips of c0 = {model.slip.c0:.4g}, c1 = {model.slip.c1:.4g}: "
                           f"{words.tobytes().decode()}")
    stress = total(comm, stress)
    return np.asarray(stress)


def load_one(model: Model, strain: Floats) -> Floats:
    """Stress (points,) of one lattice at given strains."""
    lattice = Lattice(MPI.COMM_SELF, model)
    stress = np.empty(len(strain))
    for point, target in enumerate(strain.tolist()):
        while lattice.strain != target:
            lattice.load(target, at_most=4096)
        stress[point] = lattice.stress
    return stress
