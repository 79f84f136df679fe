"""When to follow elastic branches, when descents end with factors, and when plain descents do. Importing this needs no PETSc."""

from __future__ import annotations

from hpcglass.petsc import DIRECT_LIMIT, lacking

FEWEST = 5000                           # particles from which loading PETSc is worth it for one descent
LARGEST_STEP, PER_STEP = 3e-4, 10.0     # where the branch pays: strain step; particles times strain step


def branch_pays(particles: int, dimension: int, step: float) -> bool:
    """Whether following the branch is faster than plain descents: small steps, and factors that fit into memory."""
    small = abs(step) <= LARGEST_STEP and particles * abs(step) <= PER_STEP
    return small and particles <= DIRECT_LIMIT[dimension]


def landing_pays(particles: int, dimension: int) -> bool:
    """Whether a descent from afar should end with factors (`moves.landing`): in 3D they cost more than they save."""
    return dimension == 2 and FEWEST <= particles <= DIRECT_LIMIT[2] and not without_factors()


def without_factors() -> str:
    """Why there are no factors for a branch or a landing on this machine, in words; "" if it can."""
    return lacking(("cholmod", "mumps"))
