"""Along the elastic branch of a strained glass, from one minimum to the next, by prediction and correction.

A minimum that follows the strain moves smoothly: its nonaffine velocity v = x' - A x is extrapolated to the next step from the
last two, or solved for, H v = -H.(A x) (see `landscape.expansion`). What is left of the force goes by L-BFGS with factors of the
Hessian (`newton`), which serve many steps. A step is taken back unless

- the correction is converged and met no negative curvature,
- no particle was corrected by more than a part of the largest nonaffine motion: we are still on the branch,
- the energy gained is the work done, within what the curvature of the stress explains.

A correction that led somewhere else is tried again in halves, quarters and eighths of the step; one that did not converge, once
more with fresh factors. If there is still no way, or the correction met negative curvature, the branch has ended: the caller goes
on as in plain quasistatics, by an affine step and a descent (`fall`), which lands in the same minimum as those do.

The factors serve while the particles keep their order. What is needed to make them again after a restart, to the bit, is in
`system.fields` and `scalars`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.look import Look, straight_on
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.geometries.periodic import deformation
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.critical import irregular
from hpcglass.landscape.forces import Mechanics, evaluate, largest_force
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.rattlers import bonded
from hpcglass.moves.landing import Settled, land
from hpcglass.moves.minimise import Report
from hpcglass.moves.quasistatic.newton import Correction, correct
from hpcglass.moves.relax import force_scale, paced

Floats = NDArray[np.float64]
T = TypeVar("T")

STRAYED = 0.3           # largest correction over the largest nonaffine motion
MANY, LARGE = (7, 10), 5000     # iterations of a correction from which new factors pay, in a small and in a large glass
DEEPEST = 3             # halvings of a step
STRAIGHT = 1e-3         # change of the stress that may be curvature where none is seen
SAME_STRAIN = 1e-13     # of two velocities
ROUNDING = 1e-13        # of energies, per particle
KICK, TRIES = 1e-4, 3   # of a state that is at rest but not stable
FIELDS = ("factor displacement", "last velocity", "earlier velocity")
REACHED, ASTRAY, LOST, ENDED = range(4)     # an attempt: on the branch, in another minimum, nowhere, at negative curvature
HOPELESS = Correction(False, False, np.inf, 0, 0)


class Minimum(NamedTuple):
    """Where the branch is: strain covered, conjugate force V sigma : A, energy, and force scale."""

    strain: float
    work: float
    energy: float
    scale: float


@dataclass
class Memory:
    """A minimum to return to, as `Branch` sees it, and the epoch of its order of particles."""

    state: tuple[dict[str, Any], dict[str, Any]]
    epoch: int
    passed: list[Minimum]
    sampled: list[float]


class Branch:
    """Steps along one branch after the other.

    Parameters
    ----------
    system : a minimum
    gradient : (d, d) velocity gradient A
    algorithm : "fire" or "cg", of the descents
    tolerance : of max|F|, in units of the root-mean-square pair force
    max_evaluations : of one descent
    scalars : of an interrupted run; the fields are in the system
    look : called now and then; may leave a step where it is, by an exception

    Attributes
    ----------
    counts : evaluations, solves, factorisations, steps; refused (corrections), falls
    mechanics : of the present minimum
    surprised : whether energy was lost in the last fall, beyond what the curvature of the stress explains: the branch did end
    """

    def __init__(self, system: System, gradient: Floats, algorithm: str, tolerance: float, max_evaluations: int,
                 scalars: dict[str, Any] | None = None, look: Look = straight_on) -> None:
        self.system, self.gradient = system, np.asarray(gradient, dtype=np.float64)
        self.algorithm, self.tolerance, self.max_evaluations = algorithm, tolerance, max_evaluations
        self.look, self.many = look, MANY[system.n_total >= LARGE]
        self._factors: Inverse | None = None
        self.mechanics: Mechanics
        self._max_force = np.inf
        self._epoch = -1                            # for which the factors are
        self._box = system.box
        self.counts: Counter[str] = Counter()
        self.passed: list[Minimum] = []             # the present minimum last; at most two before, of the same branch
        self.sampled: list[float] = []              # strains at which "last" and "earlier velocity" hold
        self.renew = self.surprised = False
        if scalars is None:
            self.start()
        else:
            self._resume(scalars)

    # ------------------------------------------------------------------ moves

    def start(self, settled: Settled | None = None) -> None:
        """Begin a new branch at the present minimum: no past, new factors. A saddle is left first. Collective.

        settled : how a descent ended here, if by our factors: they serve if they led there quickly

        Raises PhysicsError if the descents from a saddle end in saddles.
        """
        for attempt in range(TRIES + 1):
            mechanics = self.mechanics = evaluate(self.system)
            self._forget()
            if settled is None or settled.iterations > MANY[0] or self._epoch != self.system.epoch:
                self._factorise()
            if self.inverse.stable:
                self.passed = [self._minimum(self.passed[-1].strain if self.passed else 0.0, mechanics)]
                return
            if attempt < TRIES:
                self.system.move(irregular(self.system), KICK)
                _, _, settled = self._descend()
        raise PhysicsError(f"the configuration has a negative eigenvalue after {TRIES} descents: it has parts that "
                           'nothing holds; take method = "fire"')

    def advance(self, step: float) -> tuple[Report, Mechanics] | None:
        """One elastic step of strain; None, and everything as before, if the branch ends within it. Collective."""
        before, evaluations = self._memory(), self.counts["evaluations"]
        if not self._walk(step, 0, before):
            self._back(before)
            return None
        self.counts["steps"] += 1
        return Report(True, "elastic", self._max_force, self.counts["evaluations"] - evaluations), self.mechanics

    def peep(self, step: float, question: Callable[[], T]) -> T | None:
        """What is answered one elastic step from here; None if there is no way. Everything is left as it was. Collective."""
        here, mechanics, renew = self._memory(), self.mechanics, self.renew
        answer = question() if self._attempt(step) == REACHED else None
        self._back(here)
        self.mechanics, self.renew = mechanics, renew
        return answer

    def fall(self, step: float) -> tuple[Report, Mechanics]:
        """An affine step and a plain descent; then a new branch. Collective."""
        self.system.deform(deformation(self.gradient, step))
        report, mechanics, settled = self._descend()
        self.counts["falls"] += 1
        there = self._minimum(self.passed[-1].strain + step, mechanics)
        self.surprised = not self._balanced(there)
        self.passed = [there]
        self.start(settled)
        return report, self.mechanics

    def _walk(self, step: float, depth: int, before: Memory) -> bool:
        """Go to the end of the step, which may be taken in parts; whether the branch goes on so far."""
        outcome = self._attempt(step)
        if outcome != REACHED:
            self.counts["refused"] += 1
            self._back(before)
        if outcome == LOST and not self._at_factors():
            self.renew = True
            outcome = self._attempt(step)
            if outcome != REACHED:
                self._back(before)
        if outcome == ASTRAY and depth < DEEPEST:
            return self._walk(0.5 * step, depth + 1, before) and self._walk(0.5 * step, depth + 1, self._memory())
        return outcome == REACHED

    def _attempt(self, step: float) -> int:
        """Predict, correct, judge. REACHED, or ASTRAY, LOST or ENDED with the particles anywhere."""
        self.look()
        system, here = self.system, self.passed[-1]
        if self.renew or self._epoch != system.epoch:
            self._factorise()
        if not self.inverse.stable:
            return LOST
        system.fields["predicted"] = step * self._velocity(here.strain, 0.5 * step)
        system.fields["corrected"] = np.zeros((system.n_owned, system.dimension))
        system.deform(deformation(self.gradient, step))
        system.move(system.fields["predicted"])
        correction = self._correct(self.tolerance * here.scale)
        predicted: Floats
        predicted, corrected = system.fields.pop("predicted"), system.fields.pop("corrected")
        motion = predicted + corrected
        if not correction.converged:
            return ENDED if correction.curved else LOST
        if largest_force(system, corrected) > STRAYED * largest_force(system, motion):
            return ASTRAY
        self.mechanics = evaluate(system)
        there = self._minimum(here.strain + step, self.mechanics)
        if not self._balanced(there):
            return ASTRAY
        self.passed = [*self.passed[-1:], there]
        self._sample(here.strain + 0.5 * step, motion / step)
        self.renew, self._max_force = correction.iterations > self.many, correction.max_force
        return REACHED

    def _correct(self, tolerance: float) -> Correction:
        """With new factors as often as the list is rebuilt on the way."""
        while True:
            if self.system.update():
                self._factorise()
            solves = self.inverse.solves
            correction = correct(self.system, self.inverse, tolerance, self.look, True) if self.inverse.stable else HOPELESS
            self.counts.update(evaluations=correction.evaluations, solves=self.inverse.solves - solves)
            if not correction.rebuilt:
                return correction
            self._factorise()

    def _balanced(self, there: Minimum) -> bool:
        """Whether energy gained is work done, within the error of the trapezoid."""
        here = self.passed[-1]
        step = there.strain - here.strain
        missing = there.energy - here.energy - 0.5 * step * (here.work + there.work)
        bend = there.work - here.work
        if len(self.passed) > 1:
            before = self.passed[-2]
            bend -= (here.work - before.work) * step / (here.strain - before.strain)
        bound = abs(step) * (abs(bend) + STRAIGHT * abs(there.work - here.work))
        return abs(missing) <= bound + ROUNDING * (self.system.n_total + abs(there.energy))

    # ------------------------------------------------------------------ prediction

    def _velocity(self, strain: float, ahead: float) -> Floats:
        """(n_owned, d) nonaffine velocity at strain + ahead: along the last two, or solved for at a fresh minimum."""
        fields = self.system.fields
        if len(self.sampled) < 2 and self._at_factors():
            slope = -along_path(bonded(self.system), self.gradient, [], 1).gradient
            self._sample(strain, self.inverse.apply(slope))
            self.counts["solves"] += 1
        if len(self.sampled) < 2:
            return fields["last velocity"] if self.sampled else np.zeros((self.system.n_owned, self.system.dimension))
        earlier, last = self.sampled
        weight = (strain + ahead - last) / (last - earlier)
        return (1.0 + weight) * fields["last velocity"] - weight * fields["earlier velocity"]

    def _sample(self, strain: float, velocity: Floats) -> None:
        fields = self.system.fields
        again = bool(self.sampled) and abs(strain - self.sampled[-1]) < SAME_STRAIN         # after a turn
        if self.sampled and not again:
            fields["earlier velocity"] = fields["last velocity"]
        fields["last velocity"] = velocity
        self.sampled = [*(self.sampled[:-1] if again else self.sampled[-1:]), strain]

    # ------------------------------------------------------------------ factors and memory

    @property
    def inverse(self) -> Inverse:
        """The factors in use."""
        assert self._factors is not None
        return self._factors

    def _factorise(self) -> None:
        """Factors of the present configuration."""
        if self._factors is not None:
            self._factors.destroy()
        self._factors = Inverse(Hessian(self.system))
        self._epoch, self._box, self.renew = self.system.epoch, self.system.box.copy(), False
        self.system.fields["factor displacement"] = self.system.displacement[: self.system.n_owned].copy()
        self.counts["factorisations"] += 1

    def _at_factors(self) -> bool:
        """Whether the factors are those of the present strain, hence of the present minimum."""
        return self._epoch == self.system.epoch and np.array_equal(self._box, self.system.box)

    def _memory(self) -> Memory:
        return Memory(self.system.state(), self.system.epoch, list(self.passed), list(self.sampled))

    def _back(self, memory: Memory) -> None:
        """Return to a stable state; factors made in the same order stay in use."""
        self.passed, self.sampled = list(memory.passed), list(memory.sampled)
        same = self._epoch == memory.epoch == self.system.epoch
        factored = self.system.fields["factor displacement"]
        self.system.restore(*memory.state)
        memory.epoch = self.system.epoch            # another number, the same order
        self._epoch = memory.epoch if same else -1
        if same:
            self.system.fields["factor displacement"] = factored

    def _forget(self) -> None:
        self.sampled = []
        for name in FIELDS[1:]:
            self.system.fields.pop(name, None)

    def finish(self) -> None:
        """Drop the work arrays and the factors. Collective."""
        for name in FIELDS:
            self.system.fields.pop(name, None)
        if self._factors is not None:
            self._factors.destroy()

    @property
    def scalars(self) -> dict[str, Any]:
        """What `__init__` takes to go on, besides the fields of the system."""
        return {"branch box": self._box, "branch factored": int(self._epoch == self.system.epoch),
                "branch renew": int(self.renew), "branch passed": np.array(self.passed), "branch sampled": np.array(self.sampled),
                "branch counts": np.array([self.counts[name] for name in COUNTED])}

    def _resume(self, scalars: dict[str, Any]) -> None:
        self.passed = [Minimum(*row) for row in np.asarray(scalars["branch passed"]).tolist()]
        self.sampled = np.asarray(scalars["branch sampled"]).tolist()
        system, (numbers, rows) = self.system, self.system.state()
        if int(scalars["branch factored"]):
            system.restore({**numbers, "box": scalars["branch box"]}, {**rows, "displacement": rows["field:factor displacement"]})
            self._factorise()
            system.restore(numbers, rows)
            self._epoch = system.epoch
        self.renew = bool(scalars["branch renew"])
        self.counts = Counter(dict(zip(COUNTED, np.asarray(scalars["branch counts"]).tolist(), strict=True)))

    # ------------------------------------------------------------------ small parts

    def _minimum(self, strain: float, mechanics: Mechanics) -> Minimum:
        work = self.system.volume * float((mechanics.stress * self.gradient).sum())
        return Minimum(strain, work, mechanics.energy, force_scale(mechanics))

    def _descend(self) -> tuple[Report, Mechanics, Settled | None]:
        """To the minimum below, with factors of the configuration at the end."""
        report, mechanics, settled = land(self.system, self.algorithm, self.tolerance, self.max_evaluations, self._new_factors,
                                          paced(self.system, self.look), look=self.look)
        self.counts.update(evaluations=report.evaluations, solves=settled.solves if settled else 0)
        return report, mechanics, settled

    def _new_factors(self) -> Inverse:
        self._factorise()
        return self.inverse


COUNTED = ("steps", "evaluations", "solves", "factorisations", "refused", "falls")
