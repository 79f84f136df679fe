"""The elastic stress that a slip sends to the other blocks."""

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.epm.kernel import Convolution, effective_modulus, green, green_function, kernel_rows, tile_bounds

VARIANTS = [(shear, waves) for shear in ("simple", "pure") for waves in ("continuum", "lattice")]


def full(size, shear, waves):
    """G(q) on all wave vectors, written down independently: (n_y, n_x)."""
    q = 2 * np.pi * np.array([n if n <= size // 2 else n - size for n in range(size)]) / size
    if waves == "lattice":
        q = 2 * np.sin(q / 2)
    result = np.zeros((size, size))
    for i, y in enumerate(q):
        for j, x in enumerate(q):
            if i or j:
                angle = np.arctan2(y, x)
                result[i, j] = -(np.sin(2 * angle) ** 2 if shear == "simple" else np.cos(2 * angle) ** 2)
    return result


@pytest.mark.parametrize(("shear", "waves"), VARIANTS)
@pytest.mark.parametrize("size", [2, 5, 8, 31])
def test_green(size, shear, waves):
    reference = full(size, shear, waves)
    np.testing.assert_allclose(green(size, shear, waves), reference.T[: size // 2 + 1], atol=1e-15)
    response = green_function(size, shear, waves)
    np.testing.assert_allclose(response, np.fft.ifft2(reference).real, atol=1e-15)
    assert abs(response.sum()) < 1e-14                                                    # no net stress besides q = 0
    np.testing.assert_allclose(np.sum(response**2), np.mean(reference**2), rtol=1e-13)    # Parseval
    assert np.array_equal(response, np.roll(response[::-1], 1, axis=0))
    assert np.array_equal(response, np.roll(response[:, ::-1], 1, axis=1))


@pytest.mark.parametrize(("shear", "waves"), VARIANTS)
@pytest.mark.parametrize("size", [5, 8, 32])
def test_convolution_is_the_sum_over_slips(size, shear, waves):
    slip = np.random.default_rng(1).normal(size=(size, size))
    response = green_function(size, shear, waves)
    direct = sum(2 * slip[y, x] * np.roll(response, (y, x), axis=(0, 1)) for y in range(size) for x in range(size))
    convolution = Convolution(MPI.COMM_SELF, size, shear, waves)
    np.testing.assert_allclose(convolution(slip), direct, atol=1e-12)
    assert convolution.spread() == pytest.approx(np.sqrt(np.sum((2 * response) ** 2)), rel=1e-12)
    rows = kernel_rows(size, shear, waves, 3)
    for dy in range(size // 2 + 1):
        for column in range(size):
            np.testing.assert_array_equal(rows[dy, column: column + 3], np.roll(response[dy], -column)[:3])


def test_mean_response_of_a_slip_is_minus_one():
    """Σ = μ(γ − γ_p): with the kernel, the mean stress change of a slip is −2μ ε_0/N at any K."""
    from hpcglass.epm import Lattice, Model, Slip, named
    for bulk in (np.inf, 50.0):
        model = Model(size=8, modulus=20.0, bulk_modulus=bulk, thresholds=np.where(np.arange(64) == 27, 0.1, 9.0).reshape(8, 8),
                      renewal=named("normal", mean=9.0, std=1e-3), slip=Slip.fixed(0.01))
        lattice = Lattice(MPI.COMM_SELF, model)
        lattice.load(0.006)
        field = lattice.stress_field()
        assert lattice.slips == 1 and field.argmin() == 27
        assert field.mean() == pytest.approx(20.0 * 0.006 - 2 * 20.0 * 0.01 / 64, rel=1e-12)
        away = field - field.mean()
        around = np.roll(green_function(8), (3, 3), axis=(0, 1))
        np.testing.assert_allclose(away, 2 * 0.01 * effective_modulus(20.0, bulk) * around, atol=1e-14)


@pytest.mark.parametrize("waves", ["continuum", "lattice"])
def test_a_wide_inclusion_loses_mu_star_eps(waves):
    """Eshelby, 004 Eq. (1): a disc that slips by ε_0 loses the stress μ* ε_0 on average over the disc (in units of μ*: −ε_0)."""
    for shear in ("simple", "pure"):
        average = []
        for size in (256, 512):
            disc = wide_disc(size)
            average.append(np.sum(Convolution(MPI.COMM_SELF, size, shear, waves)(disc) * disc) / disc.sum())
        # images add a term in proportion to the disc's share of the area, a quarter as large in the larger sample
        assert (4 * average[1] - average[0]) / 3 == pytest.approx(-1.0, abs=0.01)
    disc = wide_disc(256)
    both = sum(Convolution(MPI.COMM_SELF, 256, shear, waves)(disc) for shear in ("simple", "pure"))
    np.testing.assert_allclose(both, -2.0 * (disc - disc.mean()), atol=1e-12)                                   # sin² + cos² = 1


def wide_disc(size):
    x = np.arange(size) - size // 2
    return (x[:, None] ** 2 + x**2 < 20.0**2).astype(float)


@pytest.mark.parametrize(("shear", "sign"), [("simple", 1.0), ("pure", -1.0)])
def test_far_field_is_eshelbys(shear, sign):
    """Picard et al.: Δσ = 2μ* ε_0 A cos 4θ/(π r²), here A = 1, 2ε_0 = 1, μ* = 1. This is the transform of the kernel (the part
    cos 4θ of −2 sin² 2θ has 4/(2π r²) as its transform); 004 Eq. (2) prints half of it."""
    size = 512
    response = green_function(size, shear, "lattice")
    n = np.minimum(np.arange(size), size - np.arange(size)).astype(float)
    y, x = np.meshgrid(n, n, indexing="ij")
    square = x**2 + y**2
    cosine = np.cos(4 * np.arctan2(y, x))
    for low, high in ((8, 16), (16, 32), (24, 48)):
        ring = (square >= low**2) & (square < high**2)
        prefactor = np.sum(response[ring] * cosine[ring] / square[ring]) / np.sum(cosine[ring] ** 2 / square[ring] ** 2)
        assert prefactor == pytest.approx(sign / np.pi, rel=0.005), (low, high)
        rest = response[ring] - prefactor * cosine[ring] / square[ring]
        assert np.sqrt(np.sum(rest**2) / np.sum(response[ring] ** 2)) < 0.03, (low, high)


@pytest.mark.parametrize("size", [5, 16, 19])
@pytest.mark.parametrize("tile", [3, 8])
def test_tile_bounds_hold(size, tile):
    """For every slip and tile the largest G is not above its bound."""
    response = green_function(size)
    bounds = tile_bounds(kernel_rows(size, "simple", "continuum", tile), tile)
    tiles = -(-size // tile)
    for row in range(size):
        for column in range(size):
            moved = np.roll(response, (row, column), axis=(0, 1))
            for ty in range(tiles):
                for tx in range(tiles):
                    largest = moved[ty * tile: (ty + 1) * tile, tx * tile: (tx + 1) * tile].max()
                    assert largest <= bounds[(ty * tile - row) % size, tiles - 1 + tx - column // tile]
    assert bounds.max() == response.max()
