"""The yardstick of tools/benchmarks/swap.py: swap Monte Carlo as one writes it first (2D ipl12, square box, cell lists).

Random particle, energies before and after summed over the 9 cells around it, four such sums for an exchange. It draws
the same random numbers as the package, so that the trajectories must agree.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hpcglass.core.random import fill_draws

ROOM = 32            # particles per cell


@njit(cache=True)
def pair_energy(r2, a, b, c0, c2, c4):
    """phi of ipl12 at squared distance r2."""
    sigma = 0.5 * (a + b) * (1.0 - 0.2 * abs(a - b))
    y = r2 / (sigma * sigma)
    if y >= 1.25**2:
        return 0.0
    z = 1.0 / (y * y * y)
    return z * z + c0 + y * (c2 + c4 * y)


@njit(cache=True)
def energy_at(px, py, size, skip, also, x, d, members, count, cells, box, c0, c2, c4):
    """Energy of a particle of that size at (px, py) with all others but `skip` and `also`."""
    cx, cy = int(px / box * cells) % cells, int(py / box * cells) % cells
    total = 0.0
    for a in range(-1, 2):
        for b in range(-1, 2):
            cell = (cx + a) % cells * cells + (cy + b) % cells
            for m in range(count[cell]):
                j = members[cell, m]
                if j != skip and j != also:
                    dx, dy = x[j, 0] - px, x[j, 1] - py
                    dx -= box * np.rint(dx / box)
                    dy -= box * np.rint(dy / box)
                    total += pair_energy(dx * dx + dy * dy, size, d[j], c0, c2, c4)
    return total


@njit(cache=True)
def make_cells(x, box, cells, members, count):
    """Fill the cells."""
    count[:] = 0
    for i in range(len(x)):
        cell = int(x[i, 0] / box * cells) % cells * cells + int(x[i, 1] / box * cells) % cells
        members[cell, count[cell]] = i
        count[cell] += 1


@njit(cache=True)
def run(x, d, box, members, count, cells, coefficients, temperature, step, exchange, seed, tag, time, index, first, last):
    """Attempts first..last-1; positions in [0, box). Returns moved, moves, swapped, swaps, energy change."""
    c0, c2, c4 = coefficients
    words = np.empty((4, 512), dtype=np.uint32)
    moved, moves, swapped, swaps, gain = 0, 0, 0, 0, 0.0
    n, word, drawn = np.uint64(len(x)), 2.0**-32, first
    for a in range(first, last):
        if a == drawn:
            fill_draws(seed, tag, time, index, np.uint64(2 * a), words)
            drawn += 256
        q = 2 * (a - drawn + 256)
        i = int((np.uint64(words[1, q]) * n) >> np.uint64(32))
        u = (words[2, q] + (words[3, q] + 0.5) * word) * word
        px, py = x[i, 0], x[i, 1]
        if words[0, q] < exchange:
            j = int((np.uint64(words[3, q + 1]) * n) >> np.uint64(32))
            if d[i] == d[j]:
                continue
            swaps += 1
            qx, qy = x[j, 0], x[j, 1]
            before = energy_at(px, py, d[i], i, j, x, d, members, count, cells, box, c0, c2, c4) \
                + energy_at(qx, qy, d[j], i, j, x, d, members, count, cells, box, c0, c2, c4)
            after = energy_at(px, py, d[j], i, j, x, d, members, count, cells, box, c0, c2, c4) \
                + energy_at(qx, qy, d[i], i, j, x, d, members, count, cells, box, c0, c2, c4)
            if after - before <= 0 or u < np.exp(-(after - before) / temperature):
                d[i], d[j] = d[j], d[i]
                gain += after - before
                swapped += 1
        else:
            moves += 1
            nx = (px + step * (2.0 * word * (words[0, q + 1] + 0.5) - 1.0)) % box
            ny = (py + step * (2.0 * word * (words[1, q + 1] + 0.5) - 1.0)) % box
            before = energy_at(px, py, d[i], i, i, x, d, members, count, cells, box, c0, c2, c4)
            after = energy_at(nx, ny, d[i], i, i, x, d, members, count, cells, box, c0, c2, c4)
            if after - before <= 0 or u < np.exp(-(after - before) / temperature):
                old = int(px / box * cells) % cells * cells + int(py / box * cells) % cells
                new = int(nx / box * cells) % cells * cells + int(ny / box * cells) % cells
                x[i, 0], x[i, 1] = nx, ny
                gain += after - before
                moved += 1
                if new != old:
                    m = 0
                    while members[old, m] != i:
                        m += 1
                    count[old] -= 1
                    members[old, m] = members[old, count[old]]
                    members[new, count[new]] = i
                    count[new] += 1
    return moved, moves, swapped, swaps, gain
