"""The elasto-plastic lattice in the plain way: NumPy, and a Fourier transform at every step.

Reference of tests and of the benchmark. No tiles, no log, no bounds: the stress of all blocks is carried along and
all of them are looked at. The random numbers of an event come from `draws(sites, events) -> (uniform for the
threshold, uniform for the slip)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

from hpcglass.core import random
from hpcglass.epm import Model


def keyed(seed: int) -> Callable[..., tuple[Any, Any]]:
    """The numbers that hpcglass draws: two per site and event."""
    def draws(sites: Any, events: Any) -> tuple[Any, Any]:
        pairs = [random.uniform(seed, 10, int(event), int(site), 2)[0] for site, event in zip(sites, events, strict=True)]
        pairs = np.array(pairs).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    return draws


def free(seed: int) -> Callable[..., tuple[Any, Any]]:
    """Numbers of NumPy's generator, the fastest way in NumPy."""
    generator = np.random.default_rng(seed)
    return lambda sites, events: (generator.random(len(sites)), generator.random(len(sites)))


class Plain:
    """`Lattice` for thresholds and slips in the direction of the loading, on one core."""

    def __init__(self, model: Model, thresholds: Any, draws: Callable[..., tuple[Any, Any]]) -> None:
        self.model, self.draws = model, draws
        n = model.size
        qx, qy = 2 * np.pi * np.arange(n // 2 + 1) / n, 2 * np.pi * scipy.fft.fftfreq(n)
        x, y = np.meshgrid(qx**2, qy**2)
        if model.wave_vectors == "lattice":
            x, y = 4 * np.sin(np.sqrt(x) / 2) ** 2, 4 * np.sin(np.sqrt(y) / 2) ** 2
        fourth = (x + y) ** 2
        fourth[0, 0] = 1.0
        self.green = (4 * x * y if model.shear == "simple" else (x - y) ** 2) / fourth
        self.threshold = thresholds.ravel().copy()
        self.internal = np.zeros(n * n)              # without modulus
        self.slip = np.zeros(n * n)
        self.events = np.zeros(n * n, dtype=np.int64)
        self.strain = 0.0
        self.steps = 0
        self.avalanches: list[tuple[float, float, float, int, int]] = []

    @property
    def modulus(self) -> float:
        if self.model.renewed_modulus is None:
            return self.model.modulus
        return float(np.where(self.events > 0, self.model.renewed_modulus, self.model.modulus).mean())

    @property
    def stress(self) -> float:
        return self.modulus * (self.strain - 2.0 * self.slip.mean())

    @property
    def stress_field(self) -> Any:
        return self.stress + self.modulus / (1.0 + self.modulus / self.model.bulk_modulus) * self.internal

    def step(self, sites: Any) -> None:
        """Slip some sites at once."""
        model, n = self.model, self.model.size
        old = self.threshold[sites]
        self.events[sites] += 1
        uniform, other = self.draws(sites, self.events[sites])
        self.threshold[sites] = model.renewing.quantile(uniform)
        amount = model.slip.c0 + model.slip.c1 * old**2
        amount *= -np.log(other) if model.slip.random else 1.0
        self.slip[sites] += amount
        change = np.zeros(n * n)
        change[sites] = 2.0 * amount
        wave = scipy.fft.rfft2(change.reshape(n, n))
        wave *= self.green
        self.internal -= scipy.fft.irfft2(wave, s=(n, n)).ravel()
        self.steps += 1

    def load(self, target: float) -> None:
        """Quasistatically up to a strain."""
        while True:
            strength = self.threshold - self.stress_field
            weakest = int(np.argmin(strength))
            modulus = self.modulus
            if self.strain + strength[weakest] / modulus > target:
                self.strain = target
                return
            self.strain += strength[weakest] / modulus
            before, strain, slips, steps = self.stress, self.strain, self.events.sum(), self.steps
            sites = np.array([weakest])
            while len(sites):
                self.step(sites)
                beyond = self.threshold - self.stress_field
                sites = np.flatnonzero(beyond <= 0.0)
                if self.model.order == "weakest" and len(sites):
                    sites = np.array([np.argmin(beyond)])
            self.avalanches.append((strain, before, before - self.stress, int(self.events.sum() - slips), self.steps - steps))
