"""Parameters of an elasto-plastic lattice, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.epm.kernel import SHEARS, WAVE_VECTORS
from hpcglass.epm.thresholds import Distribution
from hpcglass.errors import InputError

ORDERS = ("synchronous", "weakest")


@dataclass(frozen=True)
class Slip:
    """How much a site slips: ε_0 = m, or exponentially distributed with mean m.

    m = c0 + c1 σ_c², σ_c the threshold that was overcome.

    Source: paper 001, Sec. V (fixed ε_pl); paper 004, Eqs. (11, 12).
    """

    c0: float
    c1: float = 0.0
    random: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.c0) and math.isfinite(self.c1)
                and self.c0 >= 0.0 and self.c1 >= 0.0 and self.c0 + self.c1 > 0.0):
            raise InputError(f"slip: c0 = {self.c0} and c1 = {self.c1} must be finite, not negative, and not both zero")

    @classmethod
    def fixed(cls, eps: float) -> Slip:
        """Every slip is eps."""
        return cls(eps)

    @classmethod
    def exponential(cls, c0: float, c1: float = 0.0) -> Slip:
        """Exponential with mean c0 + c1 σ_c²."""
        return cls(c0, c1, random=True)


@dataclass(frozen=True, eq=False)
class Model:
    """An elasto-plastic lattice.

    Parameters
    ----------
    size : int
        Edge L; N = L² blocks, at least 2 × 2.
    modulus : float
        Shear modulus μ [stress].
    thresholds : Distribution or (L, L) array
        Of the initial state, P_init [stress]; an array is the whole map, rows along y, the same on all ranks.
    slip : Slip
    renewal : Distribution, optional
        Of the thresholds after a slip; without it the initial one (the *disordered* variant of 004; else *rejuvenation*).
    bulk_modulus : float
        K [stress]; infinite unless given (001).
    renewed_modulus : float, optional
        Modulus of a block that has slipped (001). The modulus of the lattice is the mean over blocks at each moment (the paper
        prints a sum), and Σ = μ(γ − γ_p) with that modulus: a block that softens lowers the stress.
    internal_stress : float or (L, L) array
        Width of the Gaussian stress at the start [stress]; in equilibrium, as it comes from eigenstrains (004: 0.175). Or the
        stress of each block, rows along y, the same on all ranks; its mean is taken away.
    local_moduli : (L, L) array, optional
        Moduli of the blocks as long as they have not slipped [stress], of mean `modulus`; `renewed_modulus` must be given.
    backward : Distribution, optional
        Thresholds in the other direction (positive numbers), at the start and after each slip; without it nothing slips backward.
    shear : {"simple", "pure"}
        Orientation of the loading.
    wave_vectors : {"continuum", "lattice"}
        See `kernel`.
    order : {"synchronous", "weakest"}
        In an avalanche all unstable sites slip at once (004, Sec. 3.1), or always the one that is furthest beyond its threshold.
    seed : int
        Of thresholds, slips and internal stress.

    Raises
    ------
    InputError
        A value that cannot be; the message names it.
    """

    size: int
    modulus: float
    thresholds: Distribution | NDArray[Any]
    slip: Slip
    renewal: Distribution | None = None
    bulk_modulus: float = math.inf
    renewed_modulus: float | None = None
    internal_stress: float | NDArray[Any] = 0.0
    backward: Distribution | None = None
    shear: str = "simple"
    wave_vectors: str = "continuum"
    order: str = "synchronous"
    seed: int = 0
    local_moduli: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.size != int(self.size) or not 2 <= self.size <= 65535:
            raise InputError(f"lattice: size = {self.size} must be a whole number from 2 to 65535")
        for name in ("modulus", "bulk_modulus", "renewed_modulus"):
            value = getattr(self, name)
            if value is not None and not (value > 0.0 and (math.isfinite(value) or name == "bulk_modulus")):
                raise InputError(f"lattice: {name} = {value} must be a positive number")
        width = self.internal_stress
        if isinstance(width, float | int) and not (math.isfinite(width) and width >= 0.0):
            raise InputError(f"lattice: internal_stress = {self.internal_stress} must be a finite number, not negative")
        self._check_maps()
        for name, choices in (("shear", SHEARS), ("wave_vectors", WAVE_VECTORS), ("order", ORDERS)):
            if getattr(self, name) not in choices:
                raise InputError(f'lattice: {name} = "{getattr(self, name)}" must be one of {", ".join(choices)}')
        if isinstance(self.thresholds, Distribution):
            return
        if self.renewal is None:
            raise InputError("lattice: thresholds are a map, so a distribution for `renewal` is needed")
        if np.shape(self.thresholds) != (self.size, self.size) or not np.all(np.isfinite(self.thresholds)):
            raise InputError(f"lattice: the map of thresholds must be finite numbers, {self.size} x {self.size}; "
                             f"it is {' x '.join(map(str, np.shape(self.thresholds)))}")

    def _check_maps(self) -> None:
        for name in ("internal_stress", "local_moduli"):
            field = getattr(self, name)
            if isinstance(field, np.ndarray) and not (field.shape == (self.size, self.size) and np.isfinite(field).all()):
                raise InputError(f"lattice: {name} must be finite numbers, {self.size} x {self.size}; it is "
                                 f"{' x '.join(map(str, field.shape))}")
        if self.local_moduli is None:
            return
        if self.renewed_modulus is None:
            raise InputError("lattice: local_moduli need a renewed_modulus: what blocks have that slipped")
        if not (self.local_moduli.min() > 0 and abs(self.local_moduli.mean() / self.modulus - 1.0) < 1e-6):
            raise InputError(f"lattice: local_moduli must be positive, of mean modulus = {self.modulus:g}; they are between "
                             f"{self.local_moduli.min():g} and {self.local_moduli.max():g}, of mean {self.local_moduli.mean():g}")

    @property
    def renewing(self) -> Distribution:
        """Distribution of the thresholds after a slip."""
        if self.renewal is not None:
            return self.renewal
        assert isinstance(self.thresholds, Distribution)
        return self.thresholds
