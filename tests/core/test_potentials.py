"""Every model: derivatives to 4th order against finite differences, smoothness, published coefficients, sizes."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from hpcglass.core.pairs import CHUNK, HIGHEST_ORDER, pair_scalar, pair_table
from hpcglass.moves.start import draw_sizes
from hpcglass.potentials.library import MODELS, inverse_power

MODEL_NAMES = sorted(MODELS)


def distances(model, points: int = 101):
    """Reduced distances inside each segment, away from its ends."""
    ends = [0.8 if model.name != "harmonic" else 0.3, *[segment.upto for segment in model.potential.segments]]
    return np.concatenate([np.linspace(a + 0.01, b - 0.01, points) for a, b in pairwise(ends)])


def compiled(model, order: int, x: np.ndarray) -> np.ndarray:
    """lambda^2n c_n / eps from the kernel that all forces use."""
    table, out = pair_table(model), np.empty(CHUNK)
    result = np.empty_like(x)
    for first in range(0, x.size, CHUNK):
        part = np.ascontiguousarray(x[first:first + CHUNK] ** 2)
        pair_scalar(table, order, part.size, part, np.empty((2, CHUNK)), out)
        result[first:first + CHUNK] = out[: part.size]
    return result


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize("order", range(1, HIGHEST_ORDER + 1))
def test_derivatives_by_finite_differences(name, order):
    """phi^(n) against a fourth-order central difference of phi^(n-1)."""
    model, h = MODELS[name], 1e-3
    phi = model.potential.derivative
    for x in distances(model, 23):
        if any(abs(x - segment.upto) < 3 * h for segment in model.potential.segments):
            continue
        f = [phi(x + k * h, order - 1) for k in (-2, -1, 1, 2)]
        numeric = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
        scale = max(abs(phi(x, order)), abs(phi(x, order - 1)), 1e-3)
        assert phi(x, order) == pytest.approx(numeric, abs=2e-6 * scale)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_pair_scalars_are_those_of_the_table(name):
    """c_0 .. c_4 of the compiled kernel against phi', phi'', ... by their formulas in phi', phi'', ..."""
    model = MODELS[name]
    x = distances(model)
    d = np.array([[model.potential.derivative(r, n) for n in range(5)] for r in x]).T
    expected = [d[0], d[1] / x, d[2] / x**2 - d[1] / x**3, d[3] / x**3 - 3 * d[2] / x**4 + 3 * d[1] / x**5,
                d[4] / x**4 - 6 * d[3] / x**5 + 15 * d[2] / x**6 - 15 * d[1] / x**7]
    for order in range(HIGHEST_ORDER + 1):
        scale = np.abs(expected[order]).max()
        assert np.abs(compiled(model, order, x) - expected[order]).max() < 1e-12 * scale


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_nothing_beyond_the_cutoff(name):
    model = MODELS[name]
    x = model.potential.cutoff * np.array([1.0, 1.0 + 1e-12, 1.1, 3.0])
    for order in range(HIGHEST_ORDER + 1):
        assert (compiled(model, order, x) == 0).all()


@pytest.mark.parametrize("name,order", [("ipl12", 2), ("ipl10", 3), ("ipl10-binary", 3), ("lj", 2), ("lj-binary", 2),
                                        ("harmonic", 1)])
def test_smooth_at_the_cutoff_and_between_segments(name, order):
    model = MODELS[name]
    segments = model.potential.segments
    for left, right in zip(segments, [*segments[1:], None], strict=True):
        for n in range(order + 1):
            jump = left.derivative(left.upto, n) - (right.derivative(left.upto, n) if right else 0.0)
            assert abs(jump) < 2e-13


def test_published_coefficients():
    assert inverse_power(12, 2, 1.25).segments[0].coefficients[1:] == pytest.approx(
        (-1.924145348608, 2.111062325330, -0.591097451092), abs=1e-12)
    assert MODELS["lj"].potential.segments[0].coefficients[2:] == pytest.approx(
        (0.452645093376, -0.310063084339, 0.054212721377), abs=1e-12)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_repulsive_flag_tells_the_truth(name):
    """Swap Monte Carlo rejects early where it is set: phi >= 0, phi' <= 0, and longer lambda raises the energy."""
    model = MODELS[name]
    x = np.linspace(0.3, model.potential.cutoff, 2000)
    values = np.array([[model.potential.derivative(r, n) for n in (0, 1)] for r in x])
    assert model.repulsive == bool((values[:, 0] >= -1e-12).all() and (values[:, 1] <= 1e-12).all())


def test_sizes_follow_their_distribution():
    """Quantiles: mean and moments of p(D) ~ D^-3 to 1e-3; random: mean within 5 sigma (false alarm 6e-7)."""
    sizes, n = MODELS["ipl12"].sizes, 20000
    ids = np.arange(n)
    quantile = draw_sizes(sizes, n, ids, "quantile", 1)[0]
    assert quantile.mean() == pytest.approx(1.0, abs=1e-3)
    assert quantile.min() / quantile.max() == pytest.approx(0.449, rel=1e-3)
    assert (quantile**2).mean() == pytest.approx(
        2 * math.log(sizes.largest / sizes.smallest) / (sizes.smallest**-2 - sizes.largest**-2), rel=1e-3)
    drawn = draw_sizes(sizes, n, ids, "random", 1)[0]
    assert abs(drawn.mean() - 1.0) < 5 * drawn.std() / math.sqrt(n)
    assert (np.sort(drawn) != np.sort(quantile)).any()


def test_species_come_in_their_proportions():
    sizes, n = MODELS["lj-binary"].sizes, 10000
    diameter, species = draw_sizes(sizes, n, np.arange(n), "quantile", 1)
    ratio = (species == 1).sum() / (species == 0).sum()
    assert ratio == pytest.approx((1 + math.sqrt(5)) / 4, rel=1e-3)
    assert (diameter == np.array(sizes.diameters)[species]).all()


def test_sizes_do_not_depend_on_who_draws_them():
    sizes = MODELS["ipl10"].sizes
    for how in ("quantile", "random"):
        everything = draw_sizes(sizes, 100, np.arange(100), how, 7)[0]
        assert (draw_sizes(sizes, 100, np.arange(40, 60), how, 7)[0] == everything[40:60]).all()
