"""Compiled questions to the particles of one rank between sub-sweeps: thermometers, and exchanges of far pairs.

Everything here finds neighbours through bins, because pairs are few and far apart: no list is worth its building.
"""

from __future__ import annotations

import numpy as np

from hpcglass.core.pairs import C0, C1, C2, pair_scalar
from hpcglass.core.random import fill_draws
from hpcglass.moves.swap.kernels import BATCH, SWAPPED, SWAPS, WORD, resize_change
from hpcglass.moves.swap.lists import bin_particles, compiled, from_centre, inner, near, pair_length, pair_strength, separation


@inner
def wall_terms(x, y, z, size, pot, table, dimension, walls, buffers):
    """Energy, force and Laplacian of a particle with rigid walls: phi(g) of the gaps g = r - r_in and r_out - r.

        F = -+phi' x/r,   lap U = phi'' +- phi' (d - 1)/r.
    """
    if walls is None:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    else:
        dx, dy, dz, r = from_centre(x, y, z, dimension != 3, walls)
        lam = pair_length(size, size, pot.nonadditivity, pot.length)
        strength, scale = pair_strength(size, size, lam, pot.energy, pot.power), 1.0 / (lam * lam)
        gap, sign = (r - walls[4], walls[5] - r), (1.0, -1.0)
        energy, outward, laplacian = 0.0, 0.0, 0.0
        x2, c, work = buffers[0], buffers[1], buffers[2:]
        for wall in range(2):
            x2[0] = max(gap[wall] * gap[wall] * scale, pot.floor)
            pair_scalar(table, C0, 1, x2, work, c)
            energy += strength * c[0]
            pair_scalar(table, C1, 1, x2, work, c)
            slope, curvature = strength * c[0] * scale * gap[wall], strength * c[0] * scale
            pair_scalar(table, C2, 1, x2, work, c)
            curvature += strength * c[0] * scale * x2[0]
            outward -= sign[wall] * slope
            laplacian += curvature + sign[wall] * slope * (dimension - 1) / r
        return energy, outward * dx / r, outward * dy / r, outward * dz / r, laplacian


@compiled
def thermometer(record, n_owned, pot, table, cell, grid, cut, sums):
    """Add energy, sum |F|^2 and sum of Laplacians of the owned particles to sums[:3].

        F_i = sum_j c_1 x_ij,   lap_i U = sum_j (c_2 r^2 + d c_1),   c_1 = phi'/r,   c_2 = (phi'' - phi'/r)/r^2.

    Each pair's energy goes half to either partner. Rigid walls count. Needs ghosts within the largest cut-off of the brick.
    """
    low, bins, width = grid
    start, order = bin_particles(record, len(record), cell, low, bins, width)
    found = np.empty(len(record) + 1, dtype=np.uint32)
    dimension = len(cell.axes)
    buffers = np.empty((10, 64))
    for i in range(n_owned):
        count = np.int64(near(record, order, start, i, cell, low, bins, width, cut * cut, found))
        if count > buffers.shape[1]:
            buffers = np.empty((10, 2 * count))
        x2, scale, strength, rx, ry, rz, c = (buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], buffers[5],
                                              buffers[6])
        work = buffers[7:]
        x, y, z, size = record[i, 0], record[i, 1], record[i, 2], record[i, 3]
        for k in range(count):
            j = found[k]
            rx[k], ry[k], rz[k] = separation(record[j, 0] - x, record[j, 1] - y, record[j, 2] - z, cell)
            lam = pair_length(size, record[j, 3], pot.nonadditivity, pot.length)
            scale[k] = 1.0 / (lam * lam)
            strength[k] = pair_strength(size, record[j, 3], lam, pot.energy, pot.power)
            x2[k] = max((rx[k] * rx[k] + ry[k] * ry[k] + rz[k] * rz[k]) * scale[k], pot.floor)
        pair_scalar(table, C0, count, x2, work, c)
        for k in range(count):
            sums[0] += 0.5 * strength[k] * c[k]
        pair_scalar(table, C1, count, x2, work, c)
        fx, fy, fz, laplacian = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            c1 = strength[k] * c[k] * scale[k]
            fx += c1 * rx[k]
            fy += c1 * ry[k]
            fz += c1 * rz[k]
            laplacian += dimension * c1
        pair_scalar(table, C2, count, x2, work, c)
        for k in range(count):
            laplacian += strength[k] * c[k] * scale[k] * x2[k]
        energy, wx, wy, wz, lap = wall_terms(x, y, z, size, pot, table, dimension, pot.walls, buffers)
        sums[0] += energy
        fx, fy, fz, laplacian = fx + wx, fy + wy, fz + wz, laplacian + lap
        sums[1] += fx * fx + fy * fy + fz * fz
        sums[2] += laplacian


@compiled
def exchange_pairs(record, active, pot, cell, grid, cut, moves, pairs, accept, sums, tally):
    """Energy changes of exchanges of random pairs out of `active`.

    With `accept` these are Metropolis moves: sums[0] collects the accepted changes, `tally` counts. Without, nothing changes and
    sums[3] += sum over dE > 0 of exp(-dE/T), sums[4] += number with dE < 0.
    """
    if len(active) < 2:
        return
    low, bins, width = grid
    start, order = bin_particles(record, len(record), cell, low, bins, width)
    row = np.empty((1, len(record) + 1), dtype=np.uint32)
    found = row[0]
    words = np.empty((4, BATCH), dtype=np.uint32)
    kept = np.empty((4, len(record) + 1))
    n, shift = np.uint64(len(active)), np.uint64(32)
    for p in range(pairs):
        q = p % BATCH
        if q == 0:
            fill_draws(moves.seed, moves.tag, moves.time, moves.index, np.uint64(p), words)
        i = active[np.uint32((np.uint64(words[0, q]) * n) >> shift)]
        j = active[np.uint32((np.uint64(words[1, q]) * n) >> shift)]
        a, b = record[i, 3], record[j, 3]
        if a == b:
            continue
        count = near(record, order, start, i, cell, low, bins, width, cut * cut, found)
        change = resize_change(record, row, 0, count, i, j, a, b, pot, cell, kept)
        count = near(record, order, start, j, cell, low, bins, width, cut * cut, found)
        change += resize_change(record, row, 0, count, j, i, b, a, pot, cell, kept)
        if not accept:
            if change > 0.0:
                sums[3] += np.exp(-change / moves.temperature)
            elif change < 0.0:
                sums[4] += 1.0
            continue
        tally[SWAPS] += 1
        u = (words[2, q] + (words[3, q] + 0.5) * WORD) * WORD
        if change <= -moves.temperature * np.log(u):
            record[i, 3], record[j, 3] = b, a
            tally[SWAPPED] += 1
            sums[0] += change


@compiled
def gather(record, region, first, frozen_start, frozen, regions, periodic, cell, low, high, margin, out):
    """Copy a region and what lies within `margin` (fractions) of it to `out`; returns how many rows.

    Active particles, rows first[region]:first[region + 1] of `record`, come first; then all others of the
    neighbouring regions, shifted by periods where they lie across the boundary.
    """
    nx, ny, nz = regions
    h00, h01, h11, h02, h12, h22 = cell.h
    i00, i01, i11, i02, i12, i22 = cell.inverse
    count = 0
    for i in range(first[region], first[region + 1]):
        for c in range(4):
            out[count, c] = record[i, c]
        count += 1
    here = (region // (ny * nz), region // nz % ny, region % nz)
    for px in range(-1 if nx > 1 else 0, 2 if nx > 1 else 1):
        for py in range(-1 if ny > 1 else 0, 2 if ny > 1 else 1):
            for pz in range(-1 if nz > 1 else 0, 2 if nz > 1 else 1):
                bx, by, bz = here[0] + px, here[1] + py, here[2] + pz
                kx, ky, kz = bx // nx, by // ny, bz // nz       # periods crossed, with floor division
                if (kx and not periodic[0]) or (ky and not periodic[1]) or (kz and not periodic[2]):
                    continue
                other = ((bx - kx * nx) * ny + by - ky * ny) * nz + bz - kz * nz
                active = 0 if other == region else first[other + 1] - first[other]
                total = active + frozen_start[other + 1] - frozen_start[other]
                for m in range(total):
                    i = first[other] + m if m < active else frozen[frozen_start[other] + m - active]
                    x = record[i, 0] + kx * h00 + ky * h01 + kz * h02
                    y = record[i, 1] + ky * h11 + kz * h12
                    z = record[i, 2] + kz * h22
                    sx, sy, sz = i00 * x + i01 * y + i02 * z, i11 * y + i12 * z, i22 * z
                    if (nx > 1 and (sx < low[0] - margin[0] or sx >= high[0] + margin[0])) \
                            or (ny > 1 and (sy < low[1] - margin[1] or sy >= high[1] + margin[1])) \
                            or (nz > 1 and (sz < low[2] - margin[2] or sz >= high[2] + margin[2])):
                        continue
                    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = x, y, z, record[i, 3]
                    count += 1
    return count
