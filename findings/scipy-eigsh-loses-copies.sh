#!/usr/bin/env bash
# SciPy's shift-invert eigsh leaves out copies of degenerate modes and returns higher ones instead, with tiny residuals.
#
# Versions   SciPy 1.17.0, NumPy 2.4.0
# Behaviour  The Hessian of a periodic triangular lattice of 12 x 12 springs has six-fold degenerate lowest vibrations. eigsh with
#            sigma below the spectrum and tol=0 returns, as "the 20 nearest", some of the copies and in place of the others
#            eigenvalues from higher up: every pair it returns is an eigenpair to round-off, none is flagged, no warning comes.
#            A Krylov space three times as large (ncv = 120) finds them here; what tells for sure is the inertia of H - s.
# Expected   the 20 smallest eigenvalues, or a word in the documentation of eigsh that multiplicities may be lost.
# Source     A single-vector Krylov space holds one vector of each eigenspace in exact arithmetic; the other copies come only by
#            rounding errors. R. B. Lehoucq, D. C. Sorensen, C. Yang, ARPACK Users' Guide (SIAM, 1998), on multiple eigenvalues.
# Why here   Crystals, tilings of one glass and lattices of springs are the test cases of every code for vibrational modes.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install scipy==1.17.0 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import eigsh

n = 12
rows, columns, values = [], [], []
for x in range(n):
    for y in range(n):
        for dx, dy in ((1, 0), (0, 1), (-1, 1)):
            bond = np.array([dx + 0.5 * dy, 0.75**0.5 * dy])
            i, j = x * n + y, (x + dx) % n * n + (y + dy) % n
            for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
                for p in range(2):
                    for q in range(2):
                        rows.append(2 * a + p), columns.append(2 * b + q), values.append(sign * bond[p] * bond[q])
hessian = coo_matrix((values, (rows, columns))).tocsc()
truth = np.linalg.eigvalsh(hessian.toarray())
print("lowest eigenvalues, beyond two translations:", np.round(truth[2:16], 6))
worst = 0
for seed, ncv in ((0, 41), (1, 41), (2, 41), (0, 120), (1, 120), (2, 120)):
    start = np.random.default_rng(seed).normal(size=2 * n * n)
    found, modes = eigsh(hessian, k=20, sigma=-1e-3, tol=0, v0=start, ncv=ncv)
    order = np.argsort(found)
    found, modes = found[order], modes[:, order]
    residual = np.linalg.norm(hessian @ modes - modes * found, axis=0).max()
    wrong = int((abs(found - truth[:20]) > 1e-8).sum())
    worst = max(worst, wrong)
    print(f"start vector {seed}, ncv {ncv}: {wrong} of 20 values are not the smallest ones, largest residual {residual:.0e}")
print("copies were lost" if worst else "no copy was lost")
PY
OPENBLAS_NUM_THREADS=1 venv/bin/python look.py | tee seen
grep -q '^copies were lost$' seen || { echo "CHANGED: SciPy now finds all copies"; exit 1; }
echo "as described"
