"""Moduli of the whole sample, beside those of its patches, with PETSc or without."""

from __future__ import annotations

import contextlib

from hpcglass.core import comm as ranks
from hpcglass.core.replica import Replica
from hpcglass.core.system import System
from hpcglass.errors import PhysicsError
from hpcglass.landscape.expansion import Moduli, elastic_moduli
from hpcglass.landscape.matrix.block_cg import BlockConjugateGradients
from hpcglass.petsc import DIRECT_LIMIT, lacking

ALONE = 50_000      # particles up to which every rank finds the moduli by itself


def moduli(system: System) -> Moduli:
    """Elastic constants of the sample. Collective.

    By factors as long as they pay. Block conjugate gradients serve beyond that size in three dimensions, where there is no PETSc,
    and where factors fail: with zero modes that no strain excites. Up to ALONE particles each rank finds them by itself: the last
    digits of factors and multigrid that ranks share can depend on which message comes first, and a run that goes on would differ.
    Beyond, it may, in these digits.
    """
    if system.comm.size > 1 and system.n_total <= ALONE:
        system = Replica(system).system
    factors = system.comm.size == 1 and system.n_total <= DIRECT_LIMIT[system.dimension]
    if (factors or system.dimension == 2) and not ranks.total(system.comm, int(bool(lacking()))):
        from hpcglass.landscape.matrix.hessian import Hessian
        from hpcglass.landscape.matrix.solve import Solver

        with contextlib.suppress(PhysicsError):
            return elastic_moduli(system, Solver(Hessian(system), "auto" if factors else "cg", 3))
    return elastic_moduli(system, BlockConjugateGradients(system))
