"""Random numbers that belong to a step and a particle, not to a rank: Philox4x32-10.

A counter-based generator is a function, (seed, stream, step, index, draw) -> 128 random bits: nothing has
to be stored for a restart, and a particle gets the same numbers whichever rank owns it. The seed is the
key; the counter words are

    c0 = draw,   c1 = index (a global id, or a rank),   c2 = low 32 bits of step,   c3 = stream * 2^24 + high bits of step.

The loops below carry no state from one draw to the next, so the compiler turns them into vector
instructions: about 1 ns for 64 bits.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray


class Stream(IntEnum):
    """Who draws: two uses of random numbers never share a stream. At most 255 of them."""

    POSITIONS = 1         # random start
    SIZES = 2             # diameters or species of a random start
    VELOCITIES = 3        # Maxwell-Boltzmann velocities
    THERMOSTAT = 4        # stochastic thermostat
    SWAP_ORIGIN = 5       # shift of the active zones
    SWAP_MOVES = 6        # attempts of swap Monte Carlo
    SWAP_GLOBAL = 7       # exchanges of far pairs
    SWAP_PROBE = 8        # pairs of the exchange thermometer
    SHUFFLE = 9           # permutations
    SADDLES = 10          # random starts of searches for saddles


MASK = np.uint64(0xFFFFFFFF)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
HALF_WORD = np.uint64(32)


@njit(cache=True, inline="always")
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Ten rounds on one counter. All arguments and results are 32-bit words held in uint64."""
    for _ in range(10):
        p0 = MULTIPLIER_0 * c0
        p1 = MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> HALF_WORD) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF_WORD) ^ c3 ^ k1, p0 & MASK
        k0 = (k0 + WEYL_0) & MASK
        k1 = (k1 + WEYL_1) & MASK
    return c0, c1, c2, c3


@njit(cache=True)
def fill_draws(seed: Any, tag: Any, step: Any, index: Any, first: Any, out: Any) -> None:
    """out[:, n] = the four words of draw `first + n` of one index; out is (4, n) uint32, `tag` is c3."""
    k0, k1 = seed & MASK, seed >> HALF_WORD
    for n in range(out.shape[1]):
        a, b, c, d = philox((first + np.uint64(n)) & MASK, index, step, tag, k0, k1)
        out[0, n] = a
        out[1, n] = b
        out[2, n] = c
        out[3, n] = d


@njit(cache=True)
def _fill_indices(seed: Any, tag: Any, step: Any, index: Any, draw: Any, out: Any) -> None:
    """out[n] = the four words of one draw of index[n]; out is (n, 4) uint32."""
    k0, k1 = seed & MASK, seed >> HALF_WORD
    for n in range(out.shape[0]):
        a, b, c, d = philox(draw, index[n] & MASK, step, tag, k0, k1)
        out[n, 0] = a
        out[n, 1] = b
        out[n, 2] = c
        out[n, 3] = d


def counter(stream: int, step: int) -> tuple[np.uint64, np.uint64]:
    """The two counter words (c3, c2) of a stream at a step.

    Raises
    ------
    ValueError
        Stream outside 0..255 or step outside 0..2^56-1.
    """
    if not 0 <= stream < 256 or not 0 <= step < 1 << 56:
        raise ValueError(f"random numbers: stream {stream} must be below 256 and step {step} between 0 and 2^56 - 1")
    return np.uint64(stream << 24 | step >> 32), np.uint64(step & 0xFFFFFFFF)


def key(seed: int) -> np.uint64:
    """The 64-bit key of a seed; negative or longer seeds are folded modulo 2^64."""
    return np.uint64(seed & 0xFFFFFFFFFFFFFFFF)


def words(seed: int, stream: int, step: int, index: ArrayLike, draws: int = 1) -> NDArray[np.uint32]:
    """Raw words, (n, 4 draws) uint32, for each of the n indices (global ids below 2^32)."""
    ids = np.ascontiguousarray(np.atleast_1d(index)).astype(np.uint64)
    tag, low = counter(stream, step)
    result = np.empty((draws, ids.size, 4), dtype=np.uint32)
    for draw in range(draws):
        _fill_indices(key(seed), tag, low, ids, np.uint64(draw), result[draw])
    return result.transpose(1, 0, 2).reshape(ids.size, 4 * draws)


def uniform(seed: int, stream: int, step: int, index: ArrayLike, columns: int = 1) -> NDArray[np.float64]:
    """Independent uniform numbers in the open interval (0, 1), 52 random bits each.

    Parameters
    ----------
    seed, stream, step
        Who draws, and when.
    index : (n,) int
        Global ids: row i depends on index[i] only, not on its place or rank.
    columns : int
        Numbers per index.

    Returns
    -------
    (n, columns) float64
    """
    raw = words(seed, stream, step, index, (columns + 1) // 2).astype(np.uint64)
    bits = (raw[:, 0::2] << np.uint64(20)) | (raw[:, 1::2] >> np.uint64(12))
    return ((bits[:, :columns].astype(np.float64) + 0.5) * 2.0**-52)


def normal(seed: int, stream: int, step: int, index: ArrayLike, columns: int = 1) -> NDArray[np.float64]:
    """Independent standard normal numbers, (n, columns), by Box and Muller's transform of `uniform`."""
    half = (columns + 1) // 2
    u = uniform(seed, stream, step, index, 2 * half)
    radius = np.sqrt(-2.0 * np.log(u[:, :half]))
    angle = 2.0 * np.pi * u[:, half:]
    return np.hstack([radius * np.cos(angle), radius * np.sin(angle)])[:, :columns]


def permutation(seed: int, stream: int, step: int, length: int) -> NDArray[np.int64]:
    """A random permutation of 0..length-1, the same on every rank."""
    raw = words(seed, stream, step, np.arange(length)).astype(np.uint64)
    return np.lexsort((raw[:, 1], raw[:, 0]))
