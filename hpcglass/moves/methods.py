"""How minimisers move: FIRE and nonlinear conjugate gradients, which see forces only.

A method is its `numbers`, the rows in `system.fields` that move with the particles (velocities, directions), and what it does
with the forces where the system is now, `advance(F)`. Numbers and rows together make a minimisation resumable at any evaluation,
to the bit. Line searches look for the zero of the slope F.p, never at the energy, whose round-off (1e-16 U) would stop them at
forces of 1e-8 sqrt(U).

What is decided from sums over all particles is in functions of `numbers` alone (`judge`, `length`, `search`, `begin`): `advance`
takes the sums from all ranks, the loops of `burst` from the only one, and both do the same to the bit. Norms of whole fields
bound those of single particles: where they are small enough, nobody looks for the largest.

Elastic steps of a glass take FIRE fewer evaluations; a quench from the liquid takes conjugate gradients half as many. In large
glasses both take a fraction of these with a preconditioner (`medium`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numba
import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.system import System
from hpcglass.core.vectors import dots, largest_square
from hpcglass.landscape.forces import forces, largest_force
from hpcglass.moves.medium import Medium, moduli

Floats = NDArray[np.float64]

LONGEST_STEP = 0.1      # no particle moves further in one evaluation, in units of the model's length
ACCURACY = 0.1          # a line search ends when the slope has fallen to this part of its start
NEAR = 2.0              # forces are interpolated when the zero of the slope lies within this factor of the trial

STEP, LONGEST, MIXING, DOWNHILL = range(4)                                                          # numbers of Fire
BEGUN, SLOPE_START, ALONG, GUESS, ALONG_LAST, SLOPE_LAST, FORCE2 = range(7)                         # of ConjugateGradient
STIFFNESS, LONGITUDINAL = 7, 8                                                                      # of PreconditionedGradient
GO_ON, TURN, INTERPOLATE = range(3)                                                                 # answers of `search`


class Method(ABC):
    """One way downhill.

    Parameters
    ----------
    scalars : of an interrupted minimisation, whose rows are in `system.fields`; None: begin at rest. Collective

    Attributes
    ----------
    numbers : what NUMBERS names
    """

    name: ClassVar[str]
    NUMBERS: ClassVar[tuple[str, ...]]
    ROWS: ClassVar[tuple[str, ...]]     # names in `system.fields`

    def __init__(self, system: System, scalars: dict[str, Any] | None = None) -> None:
        self.system = system
        if scalars is None:
            for name in self.ROWS:
                system.fields[name] = np.zeros((system.n_owned, system.dimension))
            scalars = self.first_numbers(largest_stiffness(system))
        self.numbers = np.array([scalars[name] for name in self.NUMBERS], dtype=np.float64)

    @property
    def scalars(self) -> dict[str, float]:
        """What `__init__` takes to go on."""
        return dict(zip(self.NUMBERS, self.numbers.tolist(), strict=True))

    @property
    def rows(self) -> tuple[Floats, ...]:
        """The method's rows of the owned particles."""
        return tuple(self.system.fields[name] for name in self.ROWS)

    def finish(self) -> None:
        """Drop the work arrays."""
        for name in self.ROWS:
            self.system.fields.pop(name, None)

    @staticmethod
    @abstractmethod
    def first_numbers(stiffness: float) -> dict[str, float]:
        """NUMBERS at rest; `stiffness` is the largest eigenvalue of the Hessian [energy/length^2]."""

    def sums(self, force: Floats) -> Floats:
        """(F.F, F.x, x.x) over all ranks, x the first of the rows: what `advance` goes by. Collective."""
        return np.asarray(ranks.total(self.system.comm, np.array(dots(force, self.rows[0]))))

    @abstractmethod
    def advance(self, force: Floats, sums: Floats) -> float:
        """Move from where the forces are `force`. Collective. Returns a bound of how far anybody has moved [length]."""


class Fire(Method):
    """Fast inertial relaxation engine, semi-implicit Euler (Bitzek et al., PRL 97, 170201 (2006)).

    The largest time step is 1.6/sqrt(stiffness), with the stiffness the largest eigenvalue of the Hessian, found by a few power
    iterations on force differences: 2/sqrt(stiffness) is where the integrator turns unstable.
    """

    name = "fire"
    NUMBERS = ("step", "longest", "mixing", "downhill")
    ROWS = ("velocity",)

    @staticmethod
    def first_numbers(stiffness: float) -> dict[str, float]:
        longest = 1.6 / float(np.sqrt(stiffness))
        return {"step": 0.25 * longest, "longest": longest, "mixing": 0.1, "downhill": 0.0}

    def advance(self, force: Floats, sums: Floats) -> float:
        """One step of the damped dynamics."""
        system, numbers, (velocity,) = self.system, self.numbers, self.rows
        force2, power, velocity2 = sums
        back, blend = judge(numbers, force2, power, velocity2)
        far = 0.0
        if back:
            system.move(velocity, -back)
            velocity[:] = 0.0
            far, velocity2 = back * float(np.sqrt(velocity2)), 0.0
        accelerate(force, velocity, numbers, blend)
        fastest = bound(numbers, blend, force2, velocity2)
        if numbers[STEP] * fastest > LONGEST_STEP:
            fastest = float(np.sqrt(ranks.largest(system.comm, largest_square(velocity))))
        step = length(numbers, fastest)
        system.move(velocity, step)
        return far + step * fastest


class ConjugateGradient(Method):
    """Polak-Ribiere conjugate gradients, restarted when not downhill, at about one force evaluation per direction.

    A trial step gives the slope F.p a second value; the secant rule says where it vanishes. Near there the forces are
    interpolated, F = F_0 + r (F_trial - F_0), instead of evaluated again; as r is close to 1, errors do not pile up. Where the
    energy is not convex along p, or the trial was far off, the line search goes on with evaluations.
    """

    name = "cg"
    NUMBERS: ClassVar[tuple[str, ...]] = ("begun", "slope_start", "along", "guess", "along_last", "slope_last", "force2")
    ROWS = ("direction", "line force")

    @staticmethod
    def first_numbers(stiffness: float) -> dict[str, float]:
        return dict.fromkeys(ConjugateGradient.NUMBERS, 0.0) | {"guess": 1.0 / stiffness}

    def advance(self, force: Floats, sums: Floats) -> float:
        """Continue the line search, or begin a new one from the present forces."""
        system, numbers, (direction, start) = self.system, self.numbers, self.rows
        _, slope, longest2 = sums
        then, value = search(numbers, slope if numbers[BEGUN] else 0.0)
        if then == GO_ON:
            return self._go(value, longest2)
        ratio = value if then == INTERPOLATE else 1.0
        force2, force_last = ranks.total(system.comm, np.array(interpolate(start, force, ratio)))
        if (answer := self.answer(force)) is not force:
            force2, force_last = ranks.total(system.comm, np.array([np.vdot(answer, force), np.vdot(answer, start)]))
        beta, back = conjugacy(numbers, force2, force_last), stride(numbers, ratio)
        far = abs(back) * float(np.sqrt(longest2))
        sums = np.array(turn(system.displacement, back, direction, beta, answer, force, start))
        slope, longest2 = ranks.total(system.comm, sums)
        if slope <= 0:
            direction[:] = answer
            longest2 = ranks.total(system.comm, float(np.vdot(answer, answer)))
        return far + self._go(begin(numbers, force2, slope), longest2)

    def answer(self, force: Floats) -> Floats:
        """P F, with the preconditioner P: none here."""
        return force

    def _go(self, step: float, longest2: float) -> float:
        """By `step` along the direction p, where |p|^2 bounds those of its rows."""
        direction = self.rows[0]
        if abs(step) * np.sqrt(longest2) > LONGEST_STEP:
            longest2 = ranks.largest(self.system.comm, largest_square(direction))
            step = limited(step, longest2)
        self.numbers[ALONG] += step
        self.system.move(direction, step)
        return abs(step) * float(np.sqrt(longest2))


class PreconditionedGradient(ConjugateGradient):
    """The same with the answer of an elastic medium for a preconditioner (`medium`): large glasses take far fewer evaluations."""

    name = "pcg"
    NUMBERS = (*ConjugateGradient.NUMBERS, "stiffness", "longitudinal", "shear")

    def __init__(self, system: System, scalars: dict[str, Any] | None = None) -> None:
        super().__init__(system, scalars)
        if scalars is None:
            self.numbers[LONGITUDINAL:] = moduli(system, float(self.numbers[STIFFNESS]))
        self.medium = Medium(system, *self.numbers[STIFFNESS:])

    def answer(self, force: Floats) -> Floats:
        """That of the medium."""
        return self.medium.answer(force)

    @staticmethod
    def first_numbers(stiffness: float) -> dict[str, float]:
        begun = ConjugateGradient.first_numbers(stiffness)
        return begun | {"stiffness": stiffness, "longitudinal": 0.0, "shear": 0.0}


METHODS: dict[str, type[Method]] = {"fire": Fire, "cg": ConjugateGradient, "pcg": PreconditionedGradient}


def largest_stiffness(system: System, iterations: int = 12) -> float:
    """Largest eigenvalue of the Hessian [energy/length^2], by power iteration on force differences (10 % is enough here).

    The start vector is a hash of the global ids, the same on any number of ranks.
    """
    n, dimension = system.n_owned, system.dimension
    ids = system.id[:n, None] * dimension + np.arange(dimension)
    vector = np.sin(12.9898 * (ids + 1.0))
    start = forces(system)
    here = system.displacement.copy()
    stiffness = 1.0
    for _ in range(iterations):
        norm = float(np.sqrt(ranks.total(system.comm, float(np.vdot(vector, vector)))))
        if norm == 0 or not np.isfinite(norm):
            break
        stiffness = norm
        longest = largest_force(system, vector)
        step = 1e-5 / longest
        system.displacement[:n] = here[:n] + step * vector
        system.refresh_ghosts()
        vector = (start - forces(system)) / (step * norm)
    system.displacement[:] = here
    return max(1.1 * stiffness, 1e-3)


# ---------------------------------------------------------------------- FIRE


@numba.njit(cache=True, error_model="numpy")
def judge(numbers, force2, power, velocity2):
    """Uphill or downhill? From F.F, F.v, v.v: how far to step back along v, which then is zero, and the blend a |v|/|F|."""
    back = 0.0
    if power > 0:
        numbers[DOWNHILL] += 1
        if numbers[DOWNHILL] > 5:
            numbers[STEP] = min(1.1 * numbers[STEP], numbers[LONGEST])
            numbers[MIXING] *= 0.99
    else:
        if velocity2 > 0:
            back = 0.5 * numbers[STEP]      # half a step: the last one went uphill
        velocity2 = 0.0
        numbers[DOWNHILL], numbers[MIXING] = 0, 0.1
        numbers[STEP] *= 0.5
    return back, numbers[MIXING] * np.sqrt(velocity2 / force2) if force2 > 0 else 0.0


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def accelerate(force, velocity, numbers, blend):
    """v <- (1 - a) v + a |v| F/|F| + dt F, in place."""
    keep, gain = 1.0 - numbers[MIXING], blend + numbers[STEP]
    f, v = force.reshape(-1), velocity.reshape(-1)
    for k in range(v.size):
        v[k] = keep * v[k] + gain * f[k]


@numba.njit(cache=True, error_model="numpy")
def bound(numbers, blend, force2, velocity2):
    """No particle is faster than this after `accelerate`."""
    return (1.0 - numbers[MIXING]) * np.sqrt(velocity2) + (blend + numbers[STEP]) * np.sqrt(force2)


@numba.njit(cache=True, error_model="numpy")
def length(numbers, fastest):
    """Time step, shorter where the fastest particle would go further than LONGEST_STEP."""
    step = numbers[STEP]
    return step * min(1.0, LONGEST_STEP / (step * fastest)) if fastest > 0 else step


# ---------------------------------------------------------------------- conjugate gradients


@numba.njit(cache=True, error_model="numpy")
def search(numbers, slope):
    """From the slope F.p here: (GO_ON, by this step), (TURN, 0) or (INTERPOLATE, ratio to the trial step), then turn."""
    if not numbers[BEGUN] or abs(slope) <= ACCURACY * numbers[SLOPE_START]:
        return TURN, 0.0
    change = numbers[ALONG] - numbers[ALONG_LAST]
    bend = (numbers[SLOPE_LAST] - slope) / change if change else 0.0
    if bend > 0 and numbers[ALONG_LAST] == 0.0 and numbers[ALONG] > 0:
        ratio = 1.0 + slope / (bend * numbers[ALONG])
        if 1 / NEAR < ratio < NEAR:
            return INTERPOLATE, ratio
    # convex: jump to the zero of the slope; else go on downhill, twice as far
    step = slope / bend if bend > 0 else np.sign(slope) * max(2 * abs(change), numbers[GUESS])
    numbers[SLOPE_LAST], numbers[ALONG_LAST] = slope, numbers[ALONG]
    return GO_ON, step


@numba.njit(cache=True, error_model="numpy")
def conjugacy(numbers, force2, force_last):
    """beta of Polak and Ribiere, max(0, F.(F - F_last)/F_last.F_last)."""
    return max(0.0, (force2 - force_last) / numbers[FORCE2]) if numbers[BEGUN] and numbers[FORCE2] else 0.0


@numba.njit(cache=True, error_model="numpy")
def begin(numbers, force2, slope):
    """A new line: downhill with `slope`, or, where that is not, along the forces. The first trial step."""
    if numbers[BEGUN] and numbers[ALONG] > 0:
        numbers[GUESS] = numbers[ALONG]
    if slope <= 0:
        slope = force2
    numbers[BEGUN], numbers[FORCE2] = 1.0, force2
    numbers[SLOPE_START], numbers[SLOPE_LAST], numbers[ALONG], numbers[ALONG_LAST] = slope, slope, 0.0, 0.0
    return numbers[GUESS]


@numba.njit(cache=True, error_model="numpy")
def limited(step, longest2):
    """The step along a direction whose longest row has this square, such that nobody moves further than LONGEST_STEP."""
    limit = LONGEST_STEP / np.sqrt(longest2) if longest2 > 0 else 0.0
    return min(max(step, -limit), limit)


@numba.njit(cache=True, error_model="numpy")
def stride(numbers, ratio):
    """How far to go along the direction to where the forces are interpolated; the place on the line is that then."""
    back = (ratio - 1.0) * numbers[ALONG]
    numbers[ALONG] *= ratio
    return back


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def interpolate(start, force, ratio):
    """force <- start + ratio (force - start), in place; (F.F, F.F_start)."""
    f, first = force.reshape(-1), start.reshape(-1)
    if ratio != 1.0:
        for k in range(f.size):
            f[k] = first[k] + ratio * (f[k] - first[k])
    square = along = 0.0
    for k in range(f.size):
        square += f[k] * f[k]
        along += f[k] * first[k]
    return square, along


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
def turn(displacement, shift, direction, beta, answer, force, start):
    """u <- u + shift p, p <- beta p + z, F_start <- F, in place; (p.F, p.p). The answer z to the forces F may be F itself."""
    u, p, z, f, first = displacement.reshape(-1), direction.reshape(-1), answer.reshape(-1), force.reshape(-1), start.reshape(-1)
    slope = square = 0.0
    for k in range(p.size):
        u[k] += shift * p[k]
        new = beta * p[k] + z[k]
        p[k], first[k] = new, f[k]
        slope += new * f[k]
        square += new * new
    return slope, square
