"""Screened elasticity: theory against its differential equation, profiles, recovery of kappa, decisions, files, figures."""


from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import cg, spsolve
from scipy.spatial import Delaunay, cKDTree
from scipy.stats import binom

from hpcglass.analysis.screening.annulus import Annulus, cross, deviation_of_kappa, elastic, elastic_energy, poles, screened
from hpcglass.analysis.screening.fit import fit_screening, measure_deviation
from hpcglass.analysis.screening.radial import SECTORS, radial_profile
from hpcglass.errors import InputError

FLAT, SHELL = Annulus(0.65, 80.0, 0.1), Annulus(1.0, 25.0, 0.1, 3)
BOTH = pytest.mark.parametrize("annulus", [FLAT, SHELL], ids=["2D", "3D"])


def points(rng, annulus, number):
    """Uniform between the walls."""
    d = annulus.dimension
    r = (annulus.r_in**d + rng.random(number) * (annulus.r_out**d - annulus.r_in**d)) ** (1 / d)
    direction = rng.normal(size=(number, d))
    return direction * (r / np.linalg.norm(direction, axis=1))[:, None]


def events(rng, x, annulus, level, number=30):
    """Noise like that of glasses: particles move by 0.3 d_el each for itself, and plastic events, a quadrupole and a change of
    volume each, move all others. Between sectors it makes 10 to 30 % of d_el, and a few % in the average."""
    d, r = annulus.dimension, np.linalg.norm(x, axis=1)
    u = 0.3 * level * elastic(r, annulus)[:, None] * rng.normal(size=x.shape)
    size = level * annulus.d_0 * annulus.r_in ** (d - 1)
    for centre in points(rng, annulus, number):
        y, n = x - centre, rng.normal(size=d)
        square = (y**2).sum(axis=1)
        strength = 0.6 * ((y @ n) ** 2 / (n @ n) / square - 1 / d) + 0.05 * rng.normal()
        u += (size * strength / (square + 4.0) ** (d / 2))[:, None] * y     # cores of about the distance between particles
    return u


def field(x, kappa, annulus):
    r = np.linalg.norm(x, axis=1)
    return (screened(r, kappa, annulus) / r)[:, None] * x


# -------------------------------------------------------------------------------------------------- theory


@BOTH
@pytest.mark.parametrize("kappa", [0.0, 1e-9, 1e-5, 0.01, 0.23, 0.5])
def test_solutions_solve_the_equation_and_meet_the_walls(annulus, kappa):
    d = annulus.dimension
    assert screened([annulus.r_in, annulus.r_out], kappa, annulus) == pytest.approx([annulus.d_0, 0.0], abs=1e-15)
    r, h = np.linspace(2.0, annulus.r_out - 1, 50), 1e-2
    low, here, high = (screened(r + step, kappa, annulus) for step in (-h, 0.0, h))
    left = (high - 2 * here + low) / h**2 + (d - 1) * ((high - low) / (2 * h) / r - here / r**2)
    assert left == pytest.approx(-(kappa**2) * here, abs=1e-4 * abs(here).max())


@BOTH
def test_small_kappa_is_elastic(annulus):
    r = np.linspace(annulus.r_in, annulus.r_out, 30)[:-1]
    for kappa in (1e-300, 1e-12, 1e-10, 1e-7, 1e-6):
        assert screened(r, kappa, annulus) == pytest.approx(elastic(r, annulus), rel=1e-6)
    assert elastic(r, annulus)[1] == pytest.approx(annulus.d_0 * (annulus.r_in / r[1]) ** (annulus.dimension - 1), rel=0.01)


@BOTH
def test_all_poles_are_found(annulus):
    found = poles(annulus, 1.0)
    assert abs(cross(annulus.r_in, found, annulus)).max() < 1e-9
    k = np.linspace(1e-4, 1.0, 100_001)
    assert len(found) == np.count_nonzero(np.diff(np.sign(cross(annulus.r_in, k, annulus))))
    below, above = (screened(annulus.r_out / 3, found + side, annulus) for side in (-1e-8, 1e-8))
    assert (below * above < 0).all()


@BOTH
def test_deviation_of_theory(annulus):
    kappa = 0.12
    inner, outer = annulus.r_in, annulus.r_out
    ratio = [quad(lambda r, f=f: f(float(1 - screened(r, kappa, annulus) / elastic(r, annulus))) / (outer - inner), inner, outer,
                  epsabs=1e-9, limit=300)[0] for f in (float, abs)]
    signed, absolute = deviation_of_kappa([0.0, kappa], annulus)
    assert (signed[0], absolute[0]) == (0.0, 0.0)
    assert [signed[1], absolute[1]] == pytest.approx(ratio, rel=2e-4)
    assert deviation_of_kappa(2 / outer, annulus)[0] < 0        # weak screening: more displacement than elastic


@BOTH
def test_elastic_energy_is_the_integral_of_its_density(annulus):
    bulk, shear, d = 5.0, 2.0, annulus.dimension

    def density(r):
        h = 1e-5 * r
        slope, hoop = float(elastic(r + h, annulus) - elastic(r - h, annulus)) / (2 * h), float(elastic(r, annulus)) / r
        trace = slope + (d - 1) * hoop
        square = slope**2 + (d - 1) * hoop**2
        return (bulk / 2 * trace**2 + shear * (square - trace**2 / d)) * (2 * np.pi * r if d == 2 else 4 * np.pi * r**2)

    whole = quad(density, annulus.r_in, annulus.r_out, limit=200, points=[1.5, 4.0])[0]
    assert elastic_energy(annulus, bulk, shear) == pytest.approx(whole, rel=1e-5)
    more = elastic_energy(annulus, bulk, shear, 3.0) - whole
    sphere = np.pi if d == 2 else 4 * np.pi / 3
    assert more == pytest.approx(3 * sphere * ((annulus.r_in + annulus.d_0) ** d - annulus.r_in**d), rel=1e-4)


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 0.1), (0.0, 1.0, 0.1), (1.0, 2.0, 0.0), (1.0, 2.0, np.nan), (1.0, 2.0, 0.1, 4)])
def test_impossible_geometries_are_refused(wrong):
    with pytest.raises(InputError, match="annulus"):
        Annulus(*wrong)


# ------------------------------------------------------------------------------------------------- profile


def test_profile_and_harmonics_of_a_known_field():
    x = points(np.random.default_rng(1), FLAT, 20_000)
    r, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    radial = elastic(r, FLAT) + 0.02 * np.cos(2 * angle) + 0.03 * np.sin(8 * angle)
    swirl = 0.01 * np.sin(3 * angle)
    u = radial[:, None] * x / r[:, None] + swirl[:, None] * np.stack([-x[:, 1], x[:, 0]], axis=1) / r[:, None]
    profile = radial_profile(x + 3.0, u, (3.0, 3.0), FLAT, 20)
    far = profile.r > 10
    expected = np.zeros((9, 2))
    expected[2, 0], expected[8, 1] = 0.02, 0.03
    expected[0, 0] = profile.average(elastic(profile.nodes, FLAT))[-3]
    assert profile.radial[-3] == pytest.approx(expected, abs=1e-4)
    expected[:] = 0.0
    expected[3, 1] = 0.01
    assert profile.tangential[far] == pytest.approx(np.broadcast_to(expected, (far.sum(), 9, 2)), abs=2e-4)
    assert (profile.d_r - profile.average(elastic(profile.nodes, FLAT)))[far] == pytest.approx(0.0, abs=4e-3)


@BOTH
def test_errors_know_that_neighbours_move_together(annulus):
    """Blocks of a 24th of the circle (3D: of a third by an eighth of the sphere) move as one: the spread over 400 fields is the
    stated error, and its square more than five times that of independent particles.

    A variance from 400 fields is known to 7 %, and bins move together: 0.7 is four of these errors away from 1,
    1e-4 of false alarms.
    """
    rng = np.random.default_rng(2)
    x = points(rng, annulus, 3000)
    r, turn = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi)
    found = []
    for _ in range(400):
        block = np.floor((24 if annulus.dimension == 2 else 8) * ((turn + rng.random()) % 1)).astype(int)
        block = block if annulus.dimension == 2 else 3 * block + np.floor(1.5 * (1 + x[:, 2] / r)).astype(int)
        d_r = 3.0 + rng.normal(size=24)[block]
        found.append(radial_profile(x, (d_r / r)[:, None] * x, np.zeros(annulus.dimension), annulus, 6))
    spread = np.var([p.d_r for p in found], axis=0)[1:]
    stated = np.mean([p.error**2 for p in found], axis=0)[1:]
    assert 0.7 < (stated / spread).mean() < 1.3
    assert (spread[1:] > 5 / found[0].count[2:]).all()
    assert found[0].influence.shape[1] == SECTORS


@BOTH
def test_nodes_stand_for_the_particles_of_a_bin(annulus):
    """The mean of an oscillating solution over wide bins is that over their nodes, to 1e-3 of its size."""
    x = points(np.random.default_rng(9), annulus, 20_000)
    profile = radial_profile(x, field(x, 0.42, annulus), np.zeros(annulus.dimension), annulus, 16)
    theory = profile.average(screened(profile.nodes, 0.42, annulus))
    assert profile.d_r[1:] == pytest.approx(theory[1:], abs=1e-3 * abs(theory).max())


def test_bad_data_are_refused():
    x = points(np.random.default_rng(3), FLAT, 1000)
    with pytest.raises(InputError, match="do not fit"):
        radial_profile(x, x[:-1], (0, 0), FLAT)
    with pytest.raises(InputError, match="do not fit"):
        radial_profile(x, x, (0, 0, 0), FLAT)
    with pytest.raises(InputError, match="finite"):
        radial_profile(x, x * np.nan, (0, 0), FLAT)
    with pytest.raises(InputError, match="four bins"):
        radial_profile(x[:100], x[:100], (0, 0), FLAT)
    with pytest.raises(InputError, match="largest kappa"):
        fit_screening(radial_profile(x, x, (0, 0), FLAT, 10), -1.0)


# ------------------------------------------------------------------------------------------------- fit


@BOTH
@pytest.mark.parametrize("kappa", [0.042, 0.109, 0.229, 0.45])
def test_kappa_of_perfect_data(annulus, kappa):
    x = points(np.random.default_rng(4), annulus, 10_000)
    fit = fit_screening(radial_profile(x, field(x, kappa, annulus), np.zeros(annulus.dimension), annulus))
    assert fit.screened and fit.kappa == pytest.approx(kappa, rel=2e-3)
    assert fit.amplitude == pytest.approx(1.0, abs=0.02)
    assert (np.diff(fit.minima[:, 1]) >= 0).all() and fit.minima[0, 1] == pytest.approx(0.0, abs=1e-6)
    between = poles(annulus, fit.scan[-1, 0])       # at least one minimum between any two
    assert set(np.searchsorted(between, fit.minima[:, 0])) >= set(range(1, len(between)))


def noisy(rng, kappa, annulus):
    """The fit to a field with noise of its own."""
    x = points(rng, annulus, 4000)
    u = field(x, kappa, annulus) + events(rng, x, annulus, 1.0)
    return fit_screening(radial_profile(x, u, np.zeros(annulus.dimension), annulus), 0.6)


def test_kappa_within_its_errors():
    """250 fields, half of them in 3D, κ from 0 to 0.5, a third of them elastic.

    Of the 152 with κ r_out > 2 the true κ is in the stated interval of 68 %, and within one, two, three errors, as often as
    binomials of 0.683, 0.683, 0.92, 0.975 allow in 99.9 % of cases (0.954 and 0.997 would be Gaussian: samples are small, and so
    are the tails of few events). False alarms: less than 0.4 % for a new seed. Elastic fields, and those with κ r_out > 3, are
    told right in 95 % of either kind at least; the elastic interval reaches below κ r_out = 2 in as many.
    """
    rng, rows = np.random.default_rng(5), []
    for annulus in (FLAT, SHELL):
        for k in range(125):
            kappa = 0.0 if k % 3 == 0 else rng.uniform(0.0, 0.5)
            fit = noisy(rng, kappa, annulus)
            rows.append((kappa, annulus.r_out, fit.kappa, fit.low, fit.high, fit.screened))
    kappa, r_out, found, low, high, decision = np.array(rows).T
    seen, clear, none = kappa * r_out > 2, kappa * r_out > 3, kappa == 0
    inside = ((low <= kappa) & (kappa <= high))[seen]
    pull = (abs(found - kappa) / ((high - low) / 2))[seen]
    shares = [float(inside.mean()), *(float((pull < q).mean()) for q in (1, 2, 3))]
    right = [float((decision[none] == 0).mean()), float((decision[clear] == 1).mean())]
    print(f"{seen.sum()} fields: inside, within 1, 2, 3 errors", shares, "elastic, screened told right", right)
    for got, expected in zip(shares, (0.683, 0.683, 0.92, 0.975), strict=True):
        least, most = binom.interval(0.999, int(seen.sum()), expected)
        assert least <= got * seen.sum() <= most, (got, expected)
    assert min(right) >= 0.95
    assert (low[none] * r_out[none] < 2).mean() >= 0.95
    assert (abs(found - kappa)[seen] < 0.01).mean() > 0.97


@BOTH
def test_weak_screening(annulus):
    """At κ r_out = 1 the solutions differ by a tenth, less than the noise of a quarter: called elastic, and the interval
    contains it, as 68 % of them should: fewer than 6 of 15 has a probability of 1 %. At 3 they differ by a factor of 2 to 3, and
    are seen (measured: 0.99 of 80 in 2D; more than 2 of 15 missed then has a probability of 4e-4)."""
    rng = np.random.default_rng(12)
    weak, strong = ([noisy(rng, product / annulus.r_out, annulus) for _ in range(15)] for product in (1.0, 3.0))
    assert sum(fit.screened for fit in weak) <= 2 and sum(fit.screened for fit in strong) >= 13
    assert sum(fit.low <= 1 / annulus.r_out <= fit.high for fit in weak) >= 6


def test_near_elastic_medium():
    """A disordered network of springs between walls moves as elasticity says, within 4 %, and is called elastic."""
    rng = np.random.default_rng(6)
    annulus = Annulus(3.0, 30.0, 0.3)
    i, j = np.mgrid[-40:41, -40:41].reshape(2, -1)
    x = np.stack([i + j / 2, j * np.sqrt(3) / 2], axis=1) + rng.uniform(-0.15, 0.15, (i.size, 2))
    r = np.linalg.norm(x, axis=1)
    x, r = x[(r > 1.5) & (r < 31.5)], r[(r > 1.5) & (r < 31.5)]
    triangles = Delaunay(x).simplices
    pairs = np.unique(np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), axis=1), axis=0)
    pairs = pairs[np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) < 1.6]
    n = x[pairs[:, 1]] - x[pairs[:, 0]]
    n /= np.linalg.norm(n, axis=1)[:, None]
    rows = np.repeat(np.arange(len(pairs)), 4)
    columns = (2 * pairs[:, [0, 0, 1, 1]] + [0, 1, 0, 1]).ravel()
    S = coo_matrix((np.hstack([-n, n]).ravel(), (rows, columns)), shape=(len(pairs), 2 * len(x))).tocsr()
    H = (S.T.multiply(rng.uniform(0.7, 1.3, len(pairs))) @ S).tocsc()
    wall = np.repeat((r < annulus.r_in) | (r > annulus.r_out), 2)
    u = field(x, 0.0, annulus).ravel()
    u[~wall] = spsolve(H[~wall][:, ~wall], -H[~wall][:, wall] @ u[wall])
    profile = radial_profile(x, u.reshape(-1, 2), (0.0, 0.0), annulus, 20)
    expected = profile.average(elastic(profile.nodes, annulus))
    assert (profile.d_r / expected)[2:-1] == pytest.approx(1.0, abs=0.04)
    fit, deviation = fit_screening(profile), measure_deviation(profile)
    assert not fit.screened and fit.kappa * annulus.r_out < 1
    assert abs(deviation.signed) < 0.05 and deviation.absolute < 0.05


def test_near_elastic_medium_3d():
    """An fcc crystal of springs between walls: the average over the sphere is the elastic one, within 0.3 %.

    Springs k to the nearest neighbours and k/4 to the next ones make it isotropic, C_11 - C_12 = 2 C_44. Anisotropy would show to
    second order only, as a cubic medium answers a radial field with harmonics l = 4; with k for k/4 it is 2 to 18 %.
    """
    annulus = Annulus(3.0, 12.0, 0.3, 3)
    site = np.indices((45, 45, 45)).reshape(3, -1).T - 22
    x = site[site.sum(axis=1) % 2 == 0] / np.sqrt(2) - (0.1, 0.2, 0.3)      # no particle in the centre
    x = x[abs(np.linalg.norm(x, axis=1) - 7.5) < 6.0]                       # the walls are layers of thickness 1.5
    r = np.linalg.norm(x, axis=1)
    pairs = cKDTree(x).query_pairs(1.5, output_type="ndarray")
    n = x[pairs[:, 1]] - x[pairs[:, 0]]
    length = np.linalg.norm(n, axis=1)
    n /= length[:, None]
    rows, columns = np.repeat(np.arange(len(pairs)), 6), (3 * pairs[:, :, None] + np.arange(3)).ravel()
    S = coo_matrix((np.hstack([-n, n]).ravel(), (rows, columns)), shape=(len(pairs), 3 * len(x))).tocsr()
    H = (S.T.multiply(np.where(length < 1.2, 1.0, 0.25)) @ S).tocsr()
    wall = np.repeat((r < annulus.r_in) | (r > annulus.r_out), 3)
    u = field(x, 0.0, annulus).ravel()
    u[~wall], left = cg(H[~wall][:, ~wall], -H[~wall][:, wall] @ u[wall], rtol=1e-8)
    assert left == 0
    profile = radial_profile(x, u.reshape(-1, 3), (0.0, 0.0, 0.0), annulus, 20)
    r_in, r_out, r = annulus.r_in, annulus.r_out, profile.nodes
    expected = profile.average(0.3 * (r**3 - r_out**3) / (r_in**3 - r_out**3) * r_in**2 / r**2)
    assert profile.d_r / expected == pytest.approx(1.0, abs=0.003)
    fit, deviation = fit_screening(profile), measure_deviation(profile)
    assert not fit.screened and fit.kappa * annulus.r_out < 0.1
    assert abs(deviation.signed) < 0.001 and deviation.absolute < 0.002


@pytest.mark.parametrize("amplitude,kappa", [(2.0, 0.0), (1.0, 0.0), (1.0, 0.06)], ids=["larger core", "elastic", "screened"])
def test_a_larger_core_is_told_from_screening(amplitude, kappa):
    """Twice the elastic field, as of a core twice as large, asks for an amplitude, a screened one for kappa.

    Over 60 seeds misfit_scaled was -63 to -5.5 (larger core), -1.9 to 4.9 (elastic), 153 to 216 (screened), A right within 0.06.
    """
    rng, annulus = np.random.default_rng(9), Annulus(0.65, 60.0, 0.1)
    x = points(rng, annulus, 4000)
    u = amplitude * field(x, kappa, annulus) + events(rng, x, annulus, 0.3)
    fit = fit_screening(radial_profile(x, u, (0.0, 0.0), annulus))
    assert fit.scaled == (amplitude > 1)
    if kappa:
        assert fit.misfit_scaled > 50 and fit.screened
    else:
        assert fit.elastic_amplitude == pytest.approx(amplitude, abs=0.1)
    if fit.scaled:      # whatever delta says
        assert not replace(fit, delta=10.0).screened and replace(fit, delta=10.0, misfit_scaled=0.0).screened


def test_measured_deviation_is_that_of_theory():
    x = points(np.random.default_rng(7), FLAT, 40_000)
    for kappa in (0.02, 0.06):
        found = measure_deviation(radial_profile(x, field(x, kappa, FLAT), (0.0, 0.0), FLAT))
        signed, absolute = deviation_of_kappa(kappa, FLAT)
        assert [found.signed, found.absolute] == pytest.approx([float(signed), float(absolute)], rel=0.03)
