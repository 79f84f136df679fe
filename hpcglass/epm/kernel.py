"""What a slip does to the stress of all other blocks: Eshelby's far field on a periodic square lattice.

At imposed strain a slip field ε(r) (tensor component along the loading)
changes the stress along the loading by, in Fourier space,

    Δσ(q) = −2μ* ε(q) · 4 q_x² q_y² / q⁴        simple shear xy,
    Δσ(q) = −2μ* ε(q) · (q_x² − q_y²)² / q⁴     pure shear (axes turned by 45°),
    Δσ(0) = −2μ  ε(0),                          μ* = μ / (1 + μ/K).

The mode q = 0 is the macroscopic stress Σ = μ(γ − γ_p), a number, kept exactly. The rest is written σ_i = Σ + μ* v_i with the
*internal strain* v = 2 G * ε of zero mean, in which no modulus appears: `green` is G(q), `green_function` G(r). A wide inclusion
of slip ε_0 lowers its own stress by μ* ε_0 on average over its shape (001: K = ∞, μ* = μ).

Wave vectors are those of the continuum, q = 2πn/L, or of the lattice, q → 2 sin(q/2) (differences instead of derivatives), whose
kernel has no ringing along the axes.

Sources: paper 001, Eq. (24); paper 004, Eqs. (1, 2);
G. Picard, A. Ajdari, F. Lequeux, L. Bocquet, Eur. Phys. J. E 15, 371 (2004).
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks

Field = NDArray[np.float64]
SHEARS = ("simple", "pure")
WAVE_VECTORS = ("continuum", "lattice")


def effective_modulus(modulus: float, bulk_modulus: float) -> float:
    """μ* = μ/(1 + μ/K) [stress]; K may be infinite."""
    return modulus / (1.0 + modulus / bulk_modulus)


def green(size: int, shear: str = "simple", wave_vectors: str = "continuum", first: int = 0, last: int | None = None) -> Field:
    """G(q) without q = 0, where it is zero.

    Parameters
    ----------
    size : int
        Edge L of the lattice.
    shear : {"simple", "pure"}
        Orientation of the loading.
    wave_vectors : {"continuum", "lattice"}
        q = 2πn/L or 2 sin(πn/L).
    first, last : int
        Range of n_x, within 0..L//2 (all of them unless told): the other half of a real field's transform is the mirror image.

    Returns
    -------
    (last − first, L) float64
        Row: n_x; column: n_y in the order of an FFT.
    """
    square = (2.0 * np.pi * scipy.fft.fftfreq(size)) ** 2
    if wave_vectors == "lattice":
        square = 4.0 * np.sin(np.pi * scipy.fft.fftfreq(size)) ** 2
    x = square[first: size // 2 + 1 if last is None else last, None]
    y = square[None, :]
    fourth = (x + y) ** 2
    fourth[fourth == 0.0] = np.inf
    return -(4.0 * x * y if shear == "simple" else (x - y) ** 2) / fourth


def green_function(size: int, shear: str = "simple", wave_vectors: str = "continuum") -> Field:
    """G(r), (L, L) float64: internal strain v_i for a slip 2ε_0 = 1 at block (0, 0).

    Even in x and in y to the last bit; Σ_i G_i = 0.
    """
    # scipy's convention of the half plane is (n_y, n_x): G is laid out the other way round
    response = scipy.fft.irfft2(np.ascontiguousarray(green(size, shear, wave_vectors).T), s=(size, size))
    mirror = np.minimum(np.arange(size), size - np.arange(size))
    return response[np.ix_(mirror, mirror)]


def kernel_rows(size: int, shear: str, wave_vectors: str, tile: int) -> Field:
    """(L//2 + 1, L + tile): row |dy| of G(r), and once more its beginning.

    A row of a tile then reads one contiguous piece, whatever the slip's column.
    """
    half = green_function(size, shear, wave_vectors)[: size // 2 + 1]
    return np.ascontiguousarray(half[:, np.arange(size + tile) % size])


def tile_bounds(rows: Field, tile: int) -> Field:
    """Largest G in a tile, for all relative positions of the tile and the slip.

    Parameters
    ----------
    rows : (L//2 + 1, L + tile) float64
        `kernel_rows`, or their negative.
    tile : int
        Edge of the tiles.

    Returns
    -------
    (L, 2 tiles − 1) float64, tiles = ⌈L/tile⌉
        Row d: the tile begins d rows below the slip. Column tiles − 1 + b: it lies b tiles to the right of the slip's, wherever
        in its tile the slip is.
    """
    size = rows.shape[1] - tile
    tiles = -(-size // tile)
    distance = np.minimum(np.arange(size), size - np.arange(size))
    across = np.empty((len(rows), 2 * tiles - 1))
    for b in range(1 - tiles, tiles):
        across[:, b + tiles - 1] = rows[:, np.arange(tile * b - tile + 1, tile * b + tile) % size].max(axis=1)
    down = across[distance]
    return np.max([np.roll(down, -shift, axis=0) for shift in range(tile)], axis=0)


class Convolution:
    """v = 2 G * ε for fields spread over ranks in slabs of rows; the same to the bit on any number of ranks.

    Lines are transformed one by one with scipy.fft, along x where they are, along y after the slabs have been transposed: no rank
    does anything else than one rank would.
    """

    def __init__(self, comm: MPI.Comm, size: int, shear: str, wave_vectors: str) -> None:
        self.comm, self.size = comm, size
        self._green = 2.0 * green(size, shear, wave_vectors, *ranks.block(size // 2 + 1, comm.size, comm.rank))

    def __call__(self, slip: Field) -> Field:
        """v [strain], (rows, L), of a field of slips ε (rows, L). Collective."""
        half = ranks.transposed(self.comm, scipy.fft.rfft(slip, axis=1), self.size)
        half = scipy.fft.fft(half, axis=1, overwrite_x=True)
        half *= self._green
        half = scipy.fft.ifft(half, axis=1, overwrite_x=True)
        return scipy.fft.irfft(ranks.transposed(self.comm, half, self.size // 2 + 1), n=self.size, axis=1)

    def spread(self) -> float:
        """Standard deviation of v for slips that are independent and of unit variance: sqrt(4 mean over q of G²) (Parseval)."""
        first = ranks.block(self.size // 2 + 1, self.comm.size, self.comm.rank)[0]
        full = green_function_square_sum(self._green, self.size, first)
        return math.sqrt(float(np.sum(ranks.gathered(self.comm, full))) / self.size**2)


def green_function_square_sum(half: Field, size: int, first: int) -> Field:
    """Σ over n_y of half², for each n_x from `first` on, counted twice where the mirror image −n_x is another wave vector."""
    n = first + np.arange(len(half))
    return np.sum(half**2, axis=1) * np.where((n == 0) | (2 * n == size), 1.0, 2.0)
