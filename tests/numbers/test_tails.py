"""Power laws of known exponent and prefactor, plateaus of known height, errors that cover."""

import numpy as np
import pytest

from hpcglass.numbers.tails import (
    centres,
    fit_tail,
    histogram_median,
    jackknife,
    log_edges,
    log_histogram,
    plateau,
    plateau_length,
    resamplings,
    scatter,
)

EDGES = log_edges(-3, 6)


def power_law(rng, count, exponent, low=1.0, high=np.inf):
    """Draws from P ~ x^-exponent on [low, high] by the inverse of the cumulative distribution."""
    s = 1.0 - exponent
    ends = low**s, 0.0 if np.isinf(high) else high**s
    return (ends[0] + (ends[1] - ends[0]) * rng.random(count)) ** (1 / s)


def mass(low, high, s):
    """Integral of x^s."""
    return np.log(high / low) if s == -1 else (high ** (s + 1) - low ** (s + 1)) / (s + 1)


def exact(exponent, low, high, count=1e6, sign=-1):
    """Counts without noise of a power law on [low, high]; zero elsewhere."""
    inside = (EDGES[:-1] >= low * 0.999) & (EDGES[1:] <= high * 1.001)
    return np.where(inside, count * mass(EDGES[:-1], EDGES[1:], sign * exponent) / mass(low, high, sign * exponent), 0.0)


def test_edges_are_those_of_the_absolute_grid():
    assert len(log_edges(-2, 3)) == 51
    assert np.array_equal(log_edges(-1, 1), log_edges(-3, 2)[20:41])       # so that histograms add up
    np.testing.assert_allclose(log_edges(0, 1, 2), [1, 10**0.5, 10], rtol=1e-15)
    np.testing.assert_allclose(centres(log_edges(0, 1, 1)), [10**0.5])


def test_histogram_counts_what_is_inside():
    counts = log_histogram([0.5, 1.0, 1.2, 9.99, 10.0, 50.0, np.nan, np.inf, -1.0, 0.0], log_edges(0, 1, 1))
    assert counts.tolist() == [4.0]           # the last edge belongs to the last bin


@pytest.mark.parametrize("exponent", [3.5, 11 / 6, 1.5, 1.0])
def test_exact_counts_give_exponent_and_prefactor_back(exponent):
    counts = exact(exponent, 1.0, 1e3)
    tail = fit_tail(EDGES, counts, total=4e6, window=(1.0, 1e3))
    assert tail.exponent == pytest.approx(exponent, abs=1e-9)
    assert tail.prefactor == pytest.approx(0.25 / mass(1.0, 1e3, -exponent), rel=1e-9)
    assert tail.window == pytest.approx((1.0, 1e3)) and tail.count == pytest.approx(1e6)
    assert tail.distance < 1e-12
    fixed = fit_tail(EDGES, counts, total=4e6, window=(1.0, 1e3), exponent=exponent)
    assert fixed.prefactor == pytest.approx(tail.prefactor, rel=1e-9)
    assert fixed.exponent_error == 0.0
    assert fixed.prefactor_error == pytest.approx(fixed.prefactor * np.sqrt(1e-6 - 0.25e-6), rel=1e-9)


def test_lower_tail_of_exact_counts():
    counts = exact(4.0, 1e-2, 1.0, sign=1)
    tail = fit_tail(EDGES, counts, total=2e6, window=(1e-2, 1.0), side="lower")
    assert tail.exponent == pytest.approx(4.0, abs=1e-9)
    assert tail.prefactor == pytest.approx(0.5 * 5 / (1 - 1e-10), rel=1e-9)


def test_error_of_the_exponent_is_that_of_the_curvature():
    """Against a numerical second derivative of the log-likelihood, written out independently."""
    rng = np.random.default_rng(5)
    counts = log_histogram(power_law(rng, 500, 2.5), EDGES)
    tail = fit_tail(EDGES, counts, window=(1.0, 1e4))
    used = slice(30, 70)

    def log_likelihood(beta):
        p = mass(EDGES[:-1], EDGES[1:], -beta)[used] / mass(1.0, 1e4, -beta)
        return counts[used] @ np.log(p)

    h = 1e-3
    values = [log_likelihood(tail.exponent + k * h) for k in (-1, 0, 1)]
    assert values[1] == max(values)
    assert tail.exponent_error == pytest.approx((-(values[0] - 2 * values[1] + values[2]) / h**2) ** -0.5, rel=1e-4)


@pytest.mark.parametrize("exponent, high, side", [(3.5, np.inf, "upper"), (1.5, 100.0, "upper"), (4.0, 1.0, "lower")])
def test_errors_cover(exponent, high, side):
    """200 sets of 400 values, 30 % of all: |pull| < 1 in 68.3 %, mean pull 0; four checks at 4 sigma: false alarm 3e-4."""
    rng = np.random.default_rng(11)
    pulls = []
    for _ in range(200):
        total = 1333
        n = rng.binomial(total, 0.3)
        if side == "upper":
            values, window = power_law(rng, n, exponent, 1.0, high), (1.0, 1e6 if np.isinf(high) else high)
            prefactor = 0.3 / mass(1.0, 1e9 if np.isinf(high) else high, -exponent)
        else:
            values, window = rng.random(n) ** 0.2, (1e-3, 1.0)
            prefactor = 0.3 * 5.0
        tail = fit_tail(EDGES, log_histogram(values, EDGES), total, window, side=side)
        fixed = fit_tail(EDGES, log_histogram(values, EDGES), total, window, exponent, side)
        pulls.append([(tail.exponent - exponent) / tail.exponent_error, (fixed.prefactor - prefactor) / fixed.prefactor_error])
    pulls = np.array(pulls)
    assert (np.abs((np.abs(pulls) < 1).mean(axis=0) - 0.683) < 4 * np.sqrt(0.683 * 0.317 / 200)).all()
    assert (np.abs(pulls.mean(axis=0)) < 4 / np.sqrt(200) + 0.1).all()       # 0.1: the bias of an estimator from few values


def test_free_prefactor_covers_too():
    """|pull| < 2 in 95.4 % of 200; 4 sigma: false alarm 6e-5."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(200):
        n = rng.binomial(2000, 0.4)
        tail = fit_tail(EDGES, log_histogram(power_law(rng, n, 3.5, 10.0), EDGES), 2000, (10.0, None))
        inside += abs(tail.prefactor - 0.4 * 2.5 * 10**2.5) < 2 * tail.prefactor_error
    assert abs(inside / 200 - 0.954) < 4 * np.sqrt(0.954 * 0.046 / 200)


def broken_law(rng, count):
    """P ~ x^-2 on [1, 10], x^-7/2 above, continuous; draws by inversion of the two parts."""
    shares = np.array([mass(1.0, 10.0, -2.0), 10**1.5 * mass(10.0, np.inf, -3.5)])
    upper = rng.random(count) < shares[1] / shares.sum()
    return np.where(upper, power_law(rng, count, 3.5, 10.0), power_law(rng, count, 2.0, 1.0, 10.0)), 10**1.5 / shares.sum()


def test_the_window_is_found_above_a_flatter_middle():
    """Six spectra: windows begin at the break or up to a factor 4 above, pulls below 4; in 200 seeds there was no false alarm."""
    for seed in range(6):
        values, prefactor = broken_law(np.random.default_rng(seed), 60_000)
        counts = log_histogram(values, EDGES)
        tail = fit_tail(EDGES, counts)
        assert 8.0 < tail.window[0] < 40.0
        assert abs(tail.exponent - 3.5) < 4 * tail.exponent_error
        fixed = fit_tail(EDGES, counts, exponent=3.5)
        assert 8.0 < fixed.window[0] < 40.0
        assert abs(fixed.prefactor - prefactor) < 4 * fixed.prefactor_error
        middle = fit_tail(EDGES, counts, window=(1.0, 10.0))
        assert abs(middle.exponent - 2.0) < 4 * middle.exponent_error


def test_the_window_of_a_lower_tail_is_found():
    """x^4 below 1 and flat above: the largest x is found within a factor 1.6; in 200 seeds there was no false alarm."""
    rng = np.random.default_rng(8)
    values = np.append(rng.random(2000) ** 0.2, rng.uniform(1.0, 3.0, 20_000))
    tail = fit_tail(EDGES, log_histogram(values, EDGES), side="lower")
    assert 0.6 < tail.window[1] < 1.3
    assert abs(tail.exponent - 4.0) < 4 * tail.exponent_error


def test_windows_with_one_open_end():
    counts = exact(2.0, 1.0, 1e3)
    tail = fit_tail(EDGES, counts, window=(None, 100.0))
    assert tail.window == pytest.approx((1.0, 100.0)) and tail.exponent == pytest.approx(2.0, abs=1e-9)
    tail = fit_tail(EDGES, counts, window=(11.0, None))                      # bins that are cut do not count
    assert tail.window[0] == pytest.approx(10**1.1) and tail.window[1] == EDGES[-1]


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0, 5.0], list(np.geomspace(1, 10, 30))])
def test_thin_data_give_nan(values):
    counts = log_histogram(values, EDGES)
    for side in ("upper", "lower"):
        tail = fit_tail(EDGES, counts, side=side)
        assert np.isnan([tail.exponent, tail.prefactor, tail.distance, *tail.window]).all()
        assert tail.count == len(values)
        assert fit_tail(EDGES, counts, window=(100.0, 1000.0), side=side).count == 0
        assert np.isnan(fit_tail(EDGES, counts, window=(100.0, 1000.0), exponent=2.0, side=side).prefactor)
        assert np.isnan(fit_tail(EDGES, counts, window=(3.0, 2.0), side=side).exponent)


def profile(x, height=20.0, break_at=10.0):
    """A participation number: flat above `break_at`, rising as 1/x below it, down to a maximum at 0.1, and falling below that."""
    return height * np.minimum(np.maximum(break_at / x, 1.0), np.where(x < 0.1, 1e4 * x**2, np.inf))


def test_plateau_and_the_point_above_it():
    x = centres(log_edges(-2, 3))
    value, at = plateau(x, profile(x))
    assert value == 20.0
    assert at == pytest.approx(10 / 1.15, rel=0.02)          # linear in ln x between points a tenth of a decade apart
    noisy = profile(x) * np.where(np.arange(len(x)) % 7 == 3, 1.3, 1.0)        # lone outliers do not end it
    assert plateau(x, noisy) == (20.0, pytest.approx(at, rel=0.15))
    holes = profile(x)
    holes[::4] = np.nan
    assert plateau(x, holes)[0] == 20.0


def test_plateaus_that_are_not_seen():
    x = centres(log_edges(0, 1))
    value, at = plateau(x, np.full(10, 7.0))
    assert value == 7.0 and np.isnan(at)          # it never rises
    assert np.isnan(plateau(x[:3], [1.0, 1, 1])).all()
    assert np.isnan(plateau([], [])).all()
    assert np.isnan(plateau(x, 1 / x)).all()      # the end of a slope


def test_plateau_length_and_its_error():
    """Samples whose modes share a factor of scatter 0.2: the error is 0.2/sqrt(40) within 35 % (seen: 0.8 to 1.2)."""
    rng = np.random.default_rng(2)
    eigenvalue = power_law(rng, 40_000, 3.5, 1.0)
    sample = np.arange(40_000) % 40
    number = profile(eigenvalue, break_at=2.0) * np.exp(0.2 * rng.normal(size=40_000))
    alone = plateau_length(eigenvalue, number, 1.1, 3)
    assert alone.value == pytest.approx(20.0, rel=0.03)
    assert alone.participants == 1.15 * alone.value and alone.length == 1.1 * alone.participants ** (1 / 3)
    assert alone.at == pytest.approx(2 / 1.15, rel=0.1)
    assert np.isnan(alone.value_error)
    shared = plateau_length(eigenvalue, number * np.exp(0.2 * rng.normal(size=40))[sample], 1.1, 3, sample)
    assert shared.value_error == pytest.approx(20 * 0.2 / np.sqrt(40), rel=0.35)
    assert shared.length_error == pytest.approx(shared.length * shared.value_error / shared.value / 3, rel=0.1)
    few = plateau_length([1.0, 2.0], [3.0, 4.0], 1.0, 2)
    assert np.isnan([few.value, few.length]).all()


def test_medians_of_histograms():
    rng = np.random.default_rng(6)
    values = rng.lognormal(2.0, 1.0, (3, 999))
    edges = log_edges(-3, 5, 100)
    counts = np.array([log_histogram(row, edges) for row in values])
    np.testing.assert_allclose(histogram_median(counts, edges), np.median(values, axis=1), rtol=0.012)
    assert np.isnan(histogram_median(counts, edges, least=1000)).all()
    assert np.isnan(histogram_median(np.zeros((2, 5)), log_edges(0, 1, 5))).all()


def test_errors_from_samples():
    values = np.array([1.0, 4.0, 2.0, 7.0])
    assert jackknife(lambda kept: values[kept].mean(), 4) == pytest.approx(values.std(ddof=1) / 2)
    assert np.isnan(jackknife(lambda kept: values[:1][kept].mean(), 1))
    weights = resamplings(4)
    assert weights.shape == (200, 4) and (weights.sum(axis=1) == 4).all()
    assert np.array_equal(weights, resamplings(4))
    assert scatter([1.0, 2.0, 4.0]) == pytest.approx(np.std([1, 2, 4], ddof=1))
    np.testing.assert_allclose(scatter([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [np.nan, 5.0, 1.0]]), [2**0.5, 0.0, np.nan])
    assert np.isnan(scatter([len(w) for w in resamplings(1)]))         # a single sample has no scatter
