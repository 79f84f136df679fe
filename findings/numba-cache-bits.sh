#!/usr/bin/env bash
# A cached Numba kernel has other last digits in the process that compiles it than in all later ones, which load it.
#
# Versions   Numba 0.68.1, llvmlite of that version, NumPy 2.4.0; code for Haswell (NUMBA_CPU_NAME), so that the processor is no matter
# Behaviour  `both` calls `energy` three times; both are compiled with cache=True and sums may be reordered (fastmath). The same
#            program, run twice in a new cache directory with the same numbers, gives other results in 447 of 1500 cases; from
#            the second run on nothing changes any more. Without fastmath all runs agree.
#            A compiled kernel holds a copy of what it calls, optimised once more, under a weak name. In the process that compiles,
#            the first of that name is the one of `energy` itself; where only `both` is loaded it is the copy. Orders of sums differ.
# Expected   that a result does not depend on whether a cache was empty. The documentation says of the cache that it saves the
#            time of compilation, of fastmath that it relaxes IEEE 754, of neither that results change between runs.
# Source     Numba's user manual, "Compiling Python code with @jit" (cache) and "Performance Tips" (fastmath); numba/numba#10617
#            (closed as stale) saw that loaded code is faster than compiled code, and asked whether it is optimised differently.
# Why here   a run that is stopped and continued should give the bits of one that was not. A first run, which compiles, did not.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install numba==0.68.1 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import os
import sys

import numba
import numpy as np

FAST = {"reassoc", "contract", "arcp", "nsz"} if sys.argv[1] == "fast" else False


@numba.njit(cache=True, fastmath=FAST)
def energy(x, y, z, n):
    total = 0.0
    for i in range(n):
        square = x[i] * x[i] + y[i] * y[i] + z[i] * z[i]
        s = 1.0 / (1.0 + square)
        total += s * s * s - s * np.sqrt(square) + np.exp(-square)
    for i in range(1, n):
        step = x[i] - x[i - 1]
        total += step * step * 0.1 + abs(y[i] - y[i - 1]) * s + np.exp(-step * step)
    low = 0.0
    for i in range(n - 1):
        low += np.sqrt(abs(z[i] * z[i + 1])) / (1.0 + abs(x[i]))
    return total + low


@numba.njit(cache=True, fastmath=FAST)
def both(x, y, z, n):
    return energy(x, y, z, n) - 0.5 * energy(y, z, x, n) + energy(z, x, y, n // 2)


x, y, z = np.random.default_rng(1).normal(size=(3, 4001))
now = np.array([both(x, y, z, n) for n in range(3, 1503)])
print(f"{sys.argv[1]}: {'loaded' if both.stats.cache_hits else 'compiled'}", end="")
if os.path.exists(sys.argv[2]):
    before = np.fromfile(sys.argv[2])
    print(f", {(now != before).sum()} of {now.size} results changed, by up to {abs(now / before - 1).max():.0e} of them", end="")
print()
now.tofile(sys.argv[2])
PY
for kind in fast exact; do
    for _ in 1 2 3; do
        NUMBA_CACHE_DIR=$work/cache-$kind NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma \
            timeout -k 5 300 venv/bin/python look.py "$kind" "before-$kind" | tee -a seen
    done
done
grep -q '^fast: loaded, [1-9][0-9]* of 1500 results changed' seen || { echo "CHANGED: the first run has the bits of the second"; exit 1; }
[ "$(grep -c ', 0 of 1500 results changed' seen)" = 3 ] || { echo "CHANGED: other runs differ, too"; exit 1; }
echo "as described"
