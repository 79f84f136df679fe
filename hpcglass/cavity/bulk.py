"""Moduli of the whole sample, beside those of its patches: by PETSc where it is there, else by conjugate gradients of our own."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.replica import Replica
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.expansion import Moduli, elastic_moduli
from hpcglass.landscape.rattlers import bonded
from hpcglass.petsc import lacking

Floats = NDArray[np.float64]
ITERATIONS = 20_000
ALONE = 50_000      # particles up to which every rank finds the moduli by itself


class ConjugateGradients:
    """Solutions of H x = b by conjugate gradients, H v from the pair list: slow beside factors, but nothing has to be stored.

    Parameters
    ----------
    system : a minimum, up to date
    """

    def __init__(self, system: System) -> None:
        self.system = bonded(system)
        self.iterations, self.residual = 0, 0.0

    def _times(self, field: Floats) -> Floats:
        return along_path(self.system, np.zeros_like(self.system.box), [field], 1).gradient

    def _dot(self, a: Floats, b: Floats) -> float:
        return float(ranks.total(self.system.comm, float(np.vdot(a, b))))

    def solve(self, rows: Floats, accuracy: float | None = None) -> Floats:
        """x (n_owned, d) of zero mean. Collective.

        Raises
        ------
        PhysicsError
            It does not converge, or H is not positive: no minimum.
        """
        tolerance = 1e-6 if accuracy is None else accuracy
        mean = ranks.total(self.system.comm, rows.sum(axis=0)) / self.system.n_total
        rest = rows - mean
        x, along = np.zeros_like(rest), rest.copy()
        size = square = self._dot(rest, rest)
        for self.iterations in range(ITERATIONS):
            if square <= tolerance**2 * size:
                break
            image = self._times(along)
            curvature = self._dot(along, image)
            if not curvature > 0.0:
                raise PhysicsError("a modulus needs a minimum: the Hessian is not positive; quench first")
            step = square / curvature
            x += step * along
            rest -= step * image
            new = self._dot(rest, rest)
            along *= new / square
            along += rest
            square = new
        else:
            raise PhysicsError(f"conjugate gradients did not converge in {ITERATIONS} iterations")
        self.residual = float(np.sqrt(square / size)) if size else 0.0
        return x


def moduli(system: System) -> Moduli:
    """Elastic constants of the sample. Collective.

    Plain conjugate gradients take as long as a map of the strength. They serve, too, where factors fail: with zero modes that no
    strain excites. Up to ALONE particles each rank finds them by itself: the last digits of factors and multigrid that ranks
    share can depend on which message comes first, and a run that goes on would differ. Beyond, it may, in these digits.
    """
    if system.comm.size > 1 and system.n_total <= ALONE:
        system = Replica(system).system
    if not ranks.total(system.comm, int(bool(lacking()))):
        from hpcglass.landscape.matrix.hessian import Hessian
        from hpcglass.landscape.matrix.solve import Solver

        with contextlib.suppress(PhysicsError):
            return elastic_moduli(system, Solver(Hessian(system), "auto" if system.comm.size == 1 else "cg", 3))
    return elastic_moduli(system, ConjugateGradients(system))
