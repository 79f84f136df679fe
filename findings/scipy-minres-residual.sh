#!/usr/bin/env bash
# SciPy's minres stops with "success" (info = 0) at residuals a million times the relative tolerance that was asked for.
#
# Versions   SciPy 1.17.0, NumPy 2.4.0
# Behaviour  A row of 1000 equal springs, fixed at one end, a unit force on each node. minres with rtol = 1e-8 returns info = 0
#            and a solution with |b - A x| / |b| = 0.3; with the default rtol the residual is almost that of x = 0. It compares
#            |r| not with |b| but with |A| |x|, and |x| is large where the system is soft. cg, with the same matrix and rtol,
#            converges.
# Expected   a relative residual below rtol, or info > 0.
# Source     minres in SciPy's reference: it terminates when the relative residual is below rtol; info > 0 if the tolerance was
#            not achieved. The other solvers define the relative residual as |r| / |b|. Issue scipy/scipy#16868 (open).
# Why here   minres is made for symmetric matrices that may be singular or indefinite, as Hessians of glasses are. The response of
#            a glass near an event is all in its softest mode, which is what is missing then.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install scipy==1.17.0 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import numpy as np
from scipy.sparse import diags_array
from scipy.sparse.linalg import cg, minres, spsolve

n = 1000
diagonal = np.full(n, 2.0)
diagonal[-1] = 1.0
matrix = diags_array([-np.ones(n - 1), diagonal, -np.ones(n - 1)], offsets=[-1, 0, 1]).tocsc()
force = np.ones(n)
truth = spsolve(matrix, force)
print(f"condition number {np.linalg.cond(matrix.toarray()):.0e}")
failed = False
for solve in (minres, cg):
    for rtol in (1e-5, 1e-8):
        x, info = solve(matrix, force, rtol=rtol, maxiter=100 * n)
        residual = np.linalg.norm(force - matrix @ x) / np.linalg.norm(force)
        error = np.linalg.norm(x - truth) / np.linalg.norm(truth)
        failed |= solve is cg and (info != 0 or residual > rtol)
        print(f"{solve.__name__}, rtol {rtol:.0e}: info {info}, relative residual {residual:.1e}, relative error {error:.1e}, "
              f"residual below {'rtol' if residual < rtol else 'a million rtol' if residual < 1e6 * rtol else 'neither'}")
print("cg failed" if failed else "cg converged")
PY
OPENBLAS_NUM_THREADS=1 timeout -k 5 300 venv/bin/python look.py | tee seen
grep -q '^minres, rtol 1e-08: info 0, .* residual below neither$' seen ||
    { echo "CHANGED: minres is better, or says that it failed"; exit 1; }
grep -q '^cg converged$' seen || { echo "CHANGED: cg"; exit 1; }
echo "as described"
