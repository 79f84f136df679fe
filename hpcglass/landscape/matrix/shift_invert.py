"""Eigenvectors of the Hessian nearest to a target: SLEPc's Krylov-Schur method on (H - target)^-1, one factorisation for all.

On one rank the factors of a definite matrix are CHOLMOD's L L^T, with which a solution takes 1/2 to 1/4 of the time of MUMPS; on
several, or without CHOLMOD, and of any other matrix, they are MUMPS' L D L^T. Options of PETSc under the prefix `hpcglass_modes_`
override what is chosen here.

V. Hernandez, J. E. Roman, V. Vidal, ACM Trans. Math. Softw. 31, 351 (2005): SLEPc.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slepc4py
from numpy.typing import NDArray

from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix.dense import irregular
from hpcglass.landscape.matrix.hessian import Hessian, PETSc, own_errors
from hpcglass.landscape.matrix.multiple import Look, inertia
from hpcglass.petsc import undisturbed

slepc4py.init([])
from slepc4py import SLEPc  # noqa: E402

Floats = NDArray[np.float64]

PREFIX = "hpcglass_modes_"
SPARE, MPD = 20, 128    # vectors beyond twice the modes asked for; largest subspace that is projected at once
ROUNDS = 100            # restarts
# CHOLMOD: L L^T, which fails if the matrix is not definite, also where L D L^T is its default; no warning on the terminal then
# MUMPS: room for delayed pivots, in per cent
PACKAGE_OPTIONS: dict[str, dict[str, Any]] = {
    "cholmod": {"st_mat_cholmod_factor": "supernodal", "st_mat_cholmod_print": 0},
    "mumps": {"st_mat_mumps_icntl_14": 50}}


def packages(hessian: Hessian) -> list[str]:
    """Packages for the factorisation, best first."""
    names = ["cholmod", "mumps"] if hessian.system.comm.size == 1 else ["mumps"]
    # PETSc knows CHOLMOD by the name of its collection
    found = [name for name in names if PETSc.Sys.hasExternalPackage({"cholmod": "suitesparse"}.get(name, name))]
    if not found:
        raise InputError("modes need a sparse factorisation, and this PETSc was built without MUMPS (or, on one rank, "
                         "SuiteSparse); take another PETSc, or, if the glass is small, ask for all modes")
    return found


def factorised(hessian: Hessian, matrix: Any, deflated: list[Any], target: float, count: int, tolerance: float, package: str,
                number: int = 0) -> tuple[Any, int]:
    """(eigensolver about `target` with its factors, number of eigenvalues below it or 1 if the package met any).

    Its first vector is `irregular` of that number.
    """
    hessian.look()
    options = PETSc.Options(PREFIX)
    for name, value in PACKAGE_OPTIONS[package].items():
        if not options.hasName(name):
            options[name] = value
    solver = SLEPc.EPS().create(hessian.system.comm)
    solver.setOptionsPrefix(PREFIX)
    solver.setOperators(matrix)
    solver.setProblemType(SLEPc.EPS.ProblemType.HEP)
    solver.setType("krylovschur")
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
    solver.setTarget(target)
    projected = min(count + SPARE, MPD)
    solver.setDimensions(count, min(count + projected, matrix.getSize()[0] - len(deflated)), projected)
    # by default the measure is relative, and that of the inverse
    solver.setConvergenceTest(SLEPc.EPS.Conv.ABS)
    solver.setTrueResidual(True)
    solver.setTolerances(0.1 * tolerance, ROUNDS)
    solver.setMonitor(lambda *_: hessian.look())
    solver.setDeflationSpace(deflated)
    solver.setInitialSpace([hessian.vector(irregular(hessian.system, number))])
    transform = solver.getST()
    transform.setType("sinvert")
    inverse = transform.getKSP()
    inverse.setType("preonly")
    inverse.getPC().setType("cholesky")
    inverse.getPC().setFactorSolverType(package)
    solver.setFromOptions()
    try:
        with own_errors(), undisturbed():
            solver.setUp()
    except PETSc.Error:
        if package == "cholmod":                        # not definite; nobody else is there to disagree
            return solver, 1
        raise
    pc = transform.getKSP().getPC()
    if pc.getType() != "cholesky" or pc.getFactorSolverType() != "mumps":
        return solver, 0
    factor = pc.getFactorMatrix()
    if factor.getMumpsInfog(1) < 0:
        raise PhysicsError(f"MUMPS could not factorise a matrix of size {matrix.getSize()[0]}: INFOG(1) = "
                           f"{factor.getMumpsInfog(1)} (-9, -13, -19: memory); take more memory or ranks")
    return solver, factor.getMumpsInfog(12)


def solved(hessian: Hessian, solver: Any, count: int, target: float, tolerance: float,
            limits: tuple[float, float] = (-np.inf, np.inf)) -> Floats:
    """(n_owned, d, k) the `count` eigenvectors nearest to the target, without those whose eigenvalues are outside the limits.

    Next to an eigenvalue at the target itself the others may drown in rounding: then only those that converged, one at least.
    """
    with own_errors():
        solver.solve()
    found = min(solver.getConverged(), count)
    if not found:
        raise PhysicsError(f"only {found} of {count} modes converged to {tolerance:.0e} in {solver.getIterationNumber()} rounds "
                           f"about {target:.3g}; take a larger tolerance, or PETSC_OPTIONS='-{PREFIX}eps_max_it 1000'")
    chosen = [k for k in range(found) if limits[0] <= solver.getEigenvalue(k).real <= limits[1]]
    vectors = np.empty((hessian.system.n_owned, hessian.system.dimension, len(chosen)))
    vector = hessian.vector()
    for column, k in enumerate(chosen):
        solver.getEigenvector(k, vector)
        vectors[..., column] = hessian.rows(vector)
    return vectors


def looking(hessian: Hessian, matrix: Any, translations: list[Any], target: float, tolerance: float, package: str,
          limits: tuple[float, float]) -> Look:
    """What `search` wants: eigenvectors nearest to the target, between the limits."""
    def look(known: Floats, count: int, number: int) -> Floats:
        deflated = translations + [hessian.vector(known[..., k]) for k in range(known.shape[2])]
        system = hessian.system
        count = min(count, (system.n_total - hessian.n_loose) * system.dimension - len(deflated))
        if not count:
            return known[..., :0]
        solver, _ = factorised(hessian, matrix, deflated, target, count, tolerance, package, number)
        try:
            return solved(hessian, solver, count, target, tolerance, limits)
        finally:
            solver.destroy()
    return look


def nothing(hessian: Hessian) -> Floats:
    """(n_owned, d, 0) no vectors."""
    return np.empty((hessian.system.n_owned, hessian.system.dimension, 0))


def count_below(matrix: Any, value: float, inclusive: bool) -> int:
    """Number of eigenvalues below a value, or at it too."""
    shifted = matrix.duplicate(copy=True)
    shifted.shift(-value)
    shifted.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    negative, zero = inertia(shifted, PREFIX + "count_")
    shifted.destroy()
    return negative + zero * inclusive
