"""When to follow elastic branches, and when plain descents do. Importing this needs no PETSc."""

from __future__ import annotations

from hpcglass.petsc import DIRECT_LIMIT, lacking

LARGEST_STEP, PER_STEP = 3e-4, 10.0     # where the branch pays: strain step; particles times strain step


def branch_pays(particles: int, dimension: int, step: float) -> bool:
    """Whether following the branch is faster than plain descents: small steps, and factors that fit into memory."""
    small = abs(step) <= LARGEST_STEP and particles * abs(step) <= PER_STEP
    return small and particles <= DIRECT_LIMIT[dimension]


def without_factors() -> str:
    """Why no branch can be followed on this machine, in words; "" if it can."""
    return lacking(("cholmod", "mumps"))
