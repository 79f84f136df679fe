"""A saddle that was found in a patch, refined in the whole glass: nothing is held any more.

Newton's method on all particles. A saddle differs from the minimum in a few tens of particles, so that the inverse H_0^-1 of
the Hessian at the minimum, whose factors exist, leaves of the Hessian H at the saddle the identity and a few tens of other
eigenvalues. Lanczos' method in the metric of H_0^-1 therefore needs a few tens of solves for a step, and no new factors: with
z_i = H_0^-1 v_i, v_i.z_j = delta_ij,

    T = Z^T H Z = Q diag(theta) Q^T   (tridiagonal),      dx = Z Q diag(-1/|theta_1|, 1/|theta_2|, ...) Q^T Z^T f,

uphill along the lowest one, downhill along all others: Newton's step where the index is 1, and one towards it where it is not. By
Sylvester's law H has as many negative eigenvalues as T, once the lowest of these are converged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.forces import Mechanics, evaluate
from hpcglass.landscape.matrix.factors import Inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.saddles.search import Saddle

Floats = NDArray[np.float64]

SKIN = 3.0              # of the pair list: particles may come half as far, and keep their order [length]
FORCE = 1e-9            # largest force left [energy/length]
NEWTON, VECTORS = 40, 150
FARTHEST = 0.15         # of one Newton correction [length]
FLAT = 1e-4             # eigenvalues theta are not taken to be smaller
ALIKE = 0.7             # cosine between the motion to a saddle in a disc and in the whole glass
ACCURACY = 1e-3         # of the step, in the metric


@dataclass
class Step:
    """A step dx (N, d), the number of negative eigenvalues that came to light, and the solves it took."""

    motion: Floats
    negative: int
    solves: int


def newton_step(hessian: Hessian, inverse: Inverse, force: Floats, accuracy: float = ACCURACY) -> Step:
    """dx, of which the part that is left of f is `accuracy`, in the norm of H_0^-1.

    Parameters
    ----------
    hessian : H, of a configuration near the minimum of `inverse`, with the same order of particles
    inverse : H_0^-1
    force : (N, d) f
    """
    right, left = hessian.vector(), hessian.vector()
    v = np.array(force)
    z = inverse.apply(v)
    first = norm = float(np.sqrt(np.vdot(v, z)))
    vectors: list[Floats] = []
    images: list[Floats] = []
    diagonal: list[float] = []
    beside: list[float] = []
    solution, values = np.zeros((2, 0))
    while len(images) < VECTORS and norm > 0.0:
        vectors.append(v / norm)
        images.append(z / norm)
        right.array[:] = images[-1].ravel()
        hessian.matrix.mult(right, left)
        v = hessian.rows(left)
        diagonal.append(float(np.vdot(images[-1], v)))
        for _ in range(2):              # round-off would bring back what has been there
            for k in range(len(images)):
                v -= np.vdot(images[k], v) * vectors[k]
        z = inverse.apply(v)
        norm = float(np.sqrt(max(float(np.vdot(v, z)), 0.0)))
        values, modes = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        curvature = np.maximum(np.abs(values), FLAT)
        curvature[0] = -curvature[0]
        solution = np.asarray(modes @ (first * modes[0] / curvature))
        if norm * abs(solution[-1]) <= accuracy * first:
            break
        beside.append(norm)
    motion = sum((part * image for part, image in zip(solution, images, strict=True)), np.zeros_like(force))
    return Step(np.asarray(motion), int((values < 0.0).sum()), len(images))


class Whole:
    """A minimum, all of it on one rank, next to which saddles are looked for.

    Parameters
    ----------
    system : a minimum that this rank has alone (`core.replica`), up to date

    Raises
    ------
    PhysicsError
        It is not stable.
    """

    def __init__(self, system: System) -> None:
        names = {"position": "reference", "position_low": "displacement", "id": "id", "diameter": "diameter",
                 "species": "species"}
        fields = {key: getattr(system, name)[: system.n_owned] for key, name in names.items()}
        self.view = view = System(system.comm, system.model, system.box, fields, SKIN)
        self._to_view = np.argsort(view.id[: view.n_owned])[system.id[: system.n_owned]]
        self._start = view.displacement[: view.n_owned].copy()
        self.minimum = evaluate(view)
        self.inverse, self.hessian = Inverse(Hessian(view)), Hessian(view)
        if not self.inverse.stable:
            raise PhysicsError("the configuration is no stable minimum; relax it further (a quench to a smaller force)")

    def destroy(self) -> None:
        """Free the factors and matrices."""
        self.inverse.destroy()
        self.hessian.destroy()

    def refined(self, saddle: Saddle) -> Saddle | None:
        """The saddle of the whole glass next to one of a patch.

        None if there is none of index 1 with a similar motion. Where it leads is not looked at again.

        saddle : with rows of the system; the result has rows of it, too, of all particles
        """
        view, motion = self.view, np.zeros((self.view.n_owned, self.view.dimension))
        motion[self._to_view[saddle.rows]] = saddle.motion
        for _ in range(NEWTON):
            here = self._at(motion)
            if here is None:
                return None
            self.hessian.refill()
            if np.abs(here.forces).max() < FORCE:
                step = newton_step(self.hessian, self.inverse, here.forces)
                break
            step = newton_step(self.hessian, self.inverse, here.forces)
            farthest = float(np.sqrt((step.motion**2).sum(axis=1).max()))
            motion += min(FARTHEST / farthest, 1.0) * step.motion
        else:
            return None
        rows = self._to_view
        found = replace(saddle, barrier=here.energy - self.minimum.energy,
                        stress=view.volume * (here.stress - self.minimum.stress), rows=np.arange(view.n_owned),
                        motion=motion[rows])
        there = motion[rows[saddle.rows]]
        alike = np.vdot(there, saddle.motion) / np.sqrt(np.vdot(there, there) * np.vdot(saddle.motion, saddle.motion))
        return found if step.negative == 1 and alike > ALIKE and found.barrier > 0.0 else None

    def _at(self, motion: Floats) -> Mechanics | None:
        """Energy, forces and stress there; None if a particle has left its neighbourhood."""
        view = self.view
        if not (motion**2).sum(axis=1).max() < (0.49 * SKIN) ** 2:
            return None
        view.displacement[: view.n_owned] = self._start + motion
        view.update()
        return evaluate(view)
