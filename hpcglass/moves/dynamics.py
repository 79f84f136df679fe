"""Molecular dynamics: velocity Verlet, alone or with a thermostat.

- none: NVE.
- nose-hoover: one thermostat variable xi with relaxation time tau, split symmetrically around the Verlet step;
  conserves H' = K + U + f T (tau^2 xi^2 / 2 + eta), d eta/dt = xi.
- langevin: the BAOAB splitting (Leimkuhler and Matthews, 2013), configurational averages exact to order dt^4 for harmonic
  systems. Noise is keyed by (seed, step, global id), so the path does not depend on the ranks.

Mass 1, k_B = 1; degrees of freedom f = d (N - 1), the centre of mass at rest (d N for langevin). Between rigid walls it is the
angular momentum about their centre that is conserved, and zero: f = d N - d (d - 1)/2.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.random import Stream, normal
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.forces import forces
from hpcglass.landscape.walls import rigid_motions

Floats = NDArray[np.float64]

FARTHEST = 1.0      # that a particle may move in one step along an axis, in units of the model's length: beyond, it meets nobody


def maxwell_velocities(system: System, temperature: float, seed: int) -> Floats:
    """(n_owned, d) Gaussian velocities without motion of the whole and exactly the asked temperature. Collective."""
    velocity = normal(seed, Stream.VELOCITIES, 0, system.id[: system.n_owned], system.dimension)
    if system.walls is None:
        velocity -= ranks.total(system.comm, velocity.sum(axis=0)) / system.n_total
    else:
        for motion in rigid_motions(system):
            velocity -= float(ranks.total(system.comm, float(np.vdot(motion, velocity)))) * motion
    freedom = free_coordinates(system)
    square = float(ranks.total(system.comm, float(np.vdot(velocity, velocity))))
    return velocity * np.sqrt(freedom * temperature / square) if square > 0 else velocity


def free_coordinates(system: System) -> int:
    """Coordinates less those of the whole: translations, or between walls rotations."""
    d = system.dimension
    return d * system.n_total - (d if system.walls is None else d * (d - 1) // 2)


class Dynamics:
    """Integrator with its thermostat; velocities live in `system.fields["velocity"]`.

    Parameters
    ----------
    time_step, damping_time : [time]
    thermostat : "none", "nose-hoover" or "langevin"
    seed : key of the noise
    scalars : numbers of an earlier run to go on from
    """

    def __init__(self, system: System, thermostat: str, time_step: float, damping_time: float, seed: int,
                 scalars: dict[str, Any] | None = None) -> None:
        self.system = system
        self.thermostat = thermostat
        self.time_step = time_step
        self.damping_time = damping_time
        self.seed = seed
        self.scalars = scalars or {"xi": 0.0, "eta": 0.0, "work": 0.0}
        self.freedom = system.dimension * system.n_total if thermostat == "langevin" else max(free_coordinates(system), 1)
        self.too_fast = 0           # components of velocities of this rank that were, in the steps since `check`
        system.update()
        self.force = forces(system, exact=False, reuse=True)

    @property
    def velocity(self) -> Floats:
        return self.system.fields["velocity"]

    def kinetic_energy(self) -> float:
        """K = sum v^2 / 2 [energy]. Collective."""
        return 0.5 * float(ranks.total(self.system.comm, _square(self.velocity.reshape(-1))))

    def temperature(self) -> float:
        """2 K / f [energy]. Collective."""
        return 2.0 * self.kinetic_energy() / self.freedom

    def step(self, number: int, temperature: float) -> None:
        """One time step towards `temperature`; `number` counts steps since the start and keys the noise. Collective."""
        dt = self.time_step
        if self.thermostat == "nose-hoover":
            self._rub(temperature)
        own = self.system.displacement[: self.system.n_owned]
        _kick_drift(self.velocity.reshape(-1), self.force.reshape(-1), own.reshape(-1), 0.5 * dt,
                    0.5 * dt if self.thermostat == "langevin" else dt)
        if self.thermostat == "langevin":
            self._collide(number, temperature)
            self.system.move(0.5 * dt * self.velocity)
        self.system.update()
        self.force = forces(self.system, exact=False, reuse=True)
        self.too_fast += _kick(self.velocity.reshape(-1), self.force.reshape(-1), 0.5 * dt, FARTHEST / dt)
        if self.thermostat == "nose-hoover":
            self._rub(temperature)

    def check(self, step: int) -> None:
        """Look back at all steps since the last call. Collective.

        Raises
        ------
        PhysicsError
            In one of them a particle moved further than it could see, or a velocity was not finite.
        """
        if ranks.total(self.system.comm, self.too_fast):
            raise PhysicsError(f"the system explodes: at step {step}, or little before, a particle moved by more than "
                               f"{FARTHEST:g} in one step; use a shorter time_step than {self.time_step:g}, or start from a "
                               "quench")
        self.too_fast = 0

    def _rub(self, temperature: float) -> None:
        """Half a step of the thermostat: xi half way, velocities scaled, xi the rest."""
        dt, state = self.time_step, self.scalars
        heat = 2.0 * self.kinetic_energy() / (self.freedom * temperature)
        state["xi"] += 0.25 * dt * (heat - 1.0) / self.damping_time**2
        scale = np.exp(-0.5 * dt * state["xi"])
        self.velocity[:] *= scale
        state["eta"] += 0.5 * dt * state["xi"]
        state["xi"] += 0.25 * dt * (heat * scale**2 - 1.0) / self.damping_time**2

    def _collide(self, number: int, temperature: float) -> None:
        """Exact Ornstein-Uhlenbeck step of the velocities over dt."""
        keep = np.exp(-self.time_step / self.damping_time)
        noise = normal(self.seed, Stream.THERMOSTAT, number, self.system.id[: self.system.n_owned], self.system.dimension)
        before = self.kinetic_energy()
        self.velocity[:] *= keep
        self.velocity[:] += np.sqrt((1.0 - keep**2) * temperature) * noise
        self.scalars["work"] += before - self.kinetic_energy()

    def conserved(self, potential: float, temperature: float) -> float:
        """What the exact flow conserves at constant temperature: the test of the time step [energy]. Collective."""
        state = self.scalars
        bath = self.freedom * temperature * (0.5 * (self.damping_time * state["xi"]) ** 2 + state["eta"])
        return self.kinetic_energy() + potential + bath + float(state["work"])


@numba.njit(cache=True)
def _kick_drift(velocity, force, displacement, kick, drift):
    """v += kick F; u += drift v, on flat arrays."""
    for i in range(velocity.size):
        velocity[i] += kick * force[i]
        displacement[i] += drift * velocity[i]


@numba.njit(cache=True)
def _kick(velocity, force, kick, limit):
    """v += kick F, on flat arrays. How many are then beyond the limit, or no numbers."""
    beyond = 0
    for i in range(velocity.size):
        v = velocity[i] + kick * force[i]
        velocity[i] = v
        beyond += not abs(v) <= limit
    return beyond


@numba.njit(cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
def _square(velocity):
    """sum v^2 of a flat array"""
    total = 0.0
    for i in range(velocity.size):
        total += velocity[i] * velocity[i]
    return total
