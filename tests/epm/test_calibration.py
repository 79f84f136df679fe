"""Calibration of lattices: the arithmetic with a made-up lattice that answers at once, then small real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcglass.epm import Lattice, Model, Slip, named
from hpcglass.epm.calibration import ARM, Calibration, Star, Target, Unknowns
from hpcglass.epm.loading import Curves, Protocol, load_samples
from hpcglass.errors import InputError, PhysicsError

PROTOCOL = Protocol(max_strain=1.0, step=0.02, plateau_from=0.4, window=0.04)
MOMENT = 2.0            # second moment of the thresholds of the made-up lattice
MEAN, SHARE = 0.08, 0.4


def exact(slip, protocol=PROTOCOL):
    """Mean curve of the made-up lattice."""
    mean = slip.c0 + MOMENT * slip.c1
    u, share = np.log(mean / 0.07), MOMENT * slip.c1 / mean
    strain = protocol.strain
    plateau = 0.6 - 0.5 * u + 0.1 * u * u - 0.1 * share
    return plateau * (1 - np.exp(-strain / 0.02)) + (0.1 + 0.5 * share - 0.1 * u) * np.exp(-(((strain - 0.12) / 0.06) ** 2))


class Made:
    """Curves with noise: partly of the sample, the same for all slips, partly of sample and slip, correlated along the curve."""

    def __init__(self, noise=0.05, seed=0, protocol=PROTOCOL):
        self.noise, self.seed, self.protocol, self.asked = noise, seed, protocol, []

    def __call__(self, slip, first, count):
        self.asked.append((slip, first, count))
        points = len(self.protocol.strain)
        rows = []
        for k in range(first, first + count):
            own = np.random.default_rng([self.seed, k])
            other = np.random.default_rng([self.seed, k, int(1e12 * slip.c0), int(1e12 * slip.c1)])
            rough = np.convolve(other.normal(size=points + 4), np.ones(5) / 5**0.5, "valid")
            rows.append(exact(slip, self.protocol) + self.noise * (own.normal() + rough))
        return np.array(rows)


def known(kind):
    """Unknowns of the made-up lattice, and slips to be found."""
    unknowns = Unknowns(kind, MOMENT)
    return unknowns, unknowns.slip(np.array([np.log(MEAN), SHARE][: unknowns.number]))


def search(made, kind, target, accuracy=0.01, samples=8, most=64, protocol=PROTOCOL):
    return Calibration(made, protocol, Unknowns(kind, MOMENT), target, accuracy, samples, most)


def test_plateau_and_peak_of_a_curve():
    protocol = Protocol(max_strain=0.5, step=0.1, plateau_from=0.3, window=0.2)
    stress = np.array([[0.0, 1.0, 5.0, 3.0, 2.0, 4.0], [0.0, 3.0, 7.0, 5.0, 2.0, 2.0]])
    curves = Curves(protocol, stress)
    # running means of three points of (0, 2, 6, 4): 8/3 at 0.1, 4 at 0.2
    assert curves.values == pytest.approx([3.0, 4.0])
    assert curves.peak_strain == pytest.approx(0.2)
    assert curves.rows == pytest.approx(np.array([[3.0, 3.0], [3.0, 5.0]]))
    assert curves.covariance == pytest.approx(np.array([[0.0, 0.0], [0.0, 1.0]]))
    assert curves.observables()["plateau_scatter"][0] == pytest.approx(np.std(stress[:, 3:]))
    assert np.isnan(Curves(protocol, stress[:1]).covariance).all()
    assert protocol.onto(np.array([0.0, 0.25, 1.0]), np.array([0.0, 1.0, 2.5])) == pytest.approx([0, 0.4, 0.8, 1.1, 1.3, 1.5])


@pytest.mark.parametrize("changed", [{"plateau_from": 1.0}, {"plateau_from": 0.01}, {"window": 0.5}, {"step": 0.0}])
def test_impossible_protocols(changed):
    with pytest.raises(InputError, match=r"must (leave|be between)"):
        replace(PROTOCOL, **changed)


def test_coefficients_have_the_mean_and_the_share():
    unknowns = Unknowns("c0_c1", MOMENT)
    x = np.array([np.log(MEAN), SHARE])
    c0, c1 = unknowns.coefficients(x)
    assert (c0 + c1 * MOMENT, c1 * MOMENT / MEAN) == pytest.approx((MEAN, SHARE))
    h = 1e-6
    numeric = [(unknowns.coefficients(x + h * axis) - unknowns.coefficients(x - h * axis)) / (2 * h) for axis in np.eye(2)]
    assert unknowns.jacobian(x) == pytest.approx(np.array(numeric).T, rel=1e-8)
    assert Unknowns("fixed", MOMENT).slip(x[:1]) == Slip.fixed(float(np.exp(x[0])))
    assert Unknowns("c0", MOMENT).slip(x[:1]) == Slip.exponential(float(np.exp(x[0])))


def test_surface_of_a_star_is_exact_for_parabolas():
    centre, rng = np.array([-2.5, 0.5]), np.random.default_rng(1)

    def stress(x):          # plateau and peak are linear in the curve: both are then quadratic in x
        return (1 + 0.3 * x[0] - 0.2 * x[0] ** 2 + 0.4 * x[1] + 0.3 * x[1] ** 2) * PROTOCOL.strain * np.ones((3, 1))

    star = Star(centre, [Curves(PROTOCOL, stress(x)) for x in Star.places(centre)])
    for d in rng.uniform(-2, 2, (4, 2)):
        assert star.surface(d) == pytest.approx(Curves(PROTOCOL, stress(centre + ARM * d)).values, rel=1e-12)
        h = 1e-5
        numeric = [(star.surface(d + h * axis) - star.surface(d - h * axis)) / (2 * h * ARM) for axis in np.eye(2)]
        assert star.slopes(d) == pytest.approx(np.array(numeric).T, rel=1e-7)
    assert star.covariance(np.zeros(2)) == pytest.approx(np.zeros((2, 2)))
    plane, d = Star(centre, star.points, curvature=0), np.array([0.3, -0.7])
    assert plane.slopes(d) == pytest.approx(star.slopes(np.zeros(2)))
    assert plane.surface(d) == pytest.approx(star.surface(np.zeros(2)) + ARM * star.slopes(np.zeros(2)) @ d)


def test_noise_that_bends_the_surface_off_the_target():
    """Parabolas that have their vertex before the target: the tangent plane takes over."""
    centre = np.array([-2.5, 0.5])
    shape = np.array([1.0, -0.4])[:, None] * np.ones(len(PROTOCOL.strain))

    def curves(x):
        bump = 1 + 0.2 * (x[0] - centre[0]) - 3.0 * (x[0] - centre[0]) ** 2
        stress = np.where(PROTOCOL.strain < 0.3, bump + 0.05 + 0.3 * x[1], bump)
        return Curves(PROTOCOL, stress * np.ones((2, 1)) + 1e-6 * shape)

    star = Star(centre, [curves(x) for x in Star.places(centre)])
    target = Target.numbers(1.01, 0.01, 1.22, 0.01)
    made = search(Made(0.0), "c0_c1", target)
    assert not made.meets(star, star.solve(target))
    plane = Star(centre, star.points, curvature=0)
    assert made.meets(plane, plane.solve(target))
    assert plane.solve(target) * ARM == pytest.approx([0.05, 0.01 / 0.3], rel=1e-4)
    made.bracket, made.star = lambda start: centre, lambda middle: star
    fit = made.run(0.1)
    assert (np.log(fit.mean_slip), fit.share) == pytest.approx(tuple(centre + [0.05, 0.01 / 0.3]), rel=1e-4)


@pytest.mark.parametrize("start", [0.005, 0.06, 0.5])
@pytest.mark.parametrize("kind", ["fixed", "c0", "c0_c1"])
def test_without_noise_the_slips_are_found_from_anywhere(kind, start):
    unknowns, slip = known(kind)
    target = Target.of(Curves(PROTOCOL, exact(slip) * np.ones((2, 1))))
    fit = search(Made(0.0), kind, target).run(start)
    # one unknown: the plateau is a parabola; two: what the star leaves out is of third order
    assert fit.coefficients == pytest.approx([slip.c0, slip.c1][: unknowns.number], rel=1e-9 if unknowns.number == 1 else 0.01)
    assert fit.reached
    assert fit.misfit < 1e-6
    assert fit.curve_misfit()[0] < 0.003
    assert fit.slip.random == (kind != "fixed")


@pytest.mark.parametrize("kind", ["c0", "c0_c1"])
def test_errors_cover_the_truth(kind):
    """150 targets of 24 samples each. One standard error holds the truth in 68 % of cases (67 % for 24 samples), two in 95 %.

    Bounds at four standard deviations of these shares: false alarms of all the bounds together, one in 5000 sets of seeds.
    """
    unknowns, slip = known(kind)
    truth = np.array([slip.c0, slip.c1][: unknowns.number])
    off, deviation = [], []
    for trial in range(150):
        target = Target.of(Curves(PROTOCOL, Made(seed=1000 + trial)(slip, 0, 24)))
        fit = search(Made(seed=trial), kind, target, accuracy=0.03, samples=24, most=48).run(0.08)
        off.append((fit.coefficients - truth) / fit.errors)
        deviation.append(fit.deviation[: unknowns.number])
    for kept in (np.array(off), np.array(deviation)):
        assert (np.abs((np.abs(kept) < 1).mean(axis=0) - 0.67) < 4 * 0.038).all()
        assert ((np.abs(kept) < 2).mean(axis=0) > 0.94 - 4 * 0.019).all()
        assert (np.abs(kept.mean(axis=0)) < 4 / 150**0.5 * 1.1).all()


def test_the_targets_own_error_is_in_the_result():
    unknowns, slip = known("c0")
    x = np.array([np.log(MEAN)])
    plateau = Curves(PROTOCOL, exact(slip)[None]).values[0]
    small, large = (search(Made(0.001), "c0", Target.numbers(plateau, error)).run(0.08) for error in (0.0, 0.03))
    h = 1e-4
    values = [Curves(PROTOCOL, exact(unknowns.slip(x + s * h))[None]).values[0] for s in (1, -1)]
    slope = (values[0] - values[1]) / (2 * h * MEAN)
    assert large.errors[0] == pytest.approx(0.03 / abs(slope), rel=0.02)
    assert small.errors[0] < 0.1 * large.errors[0]
    assert np.isnan(small.deviation[1])             # no target for the peak
    assert np.isnan(small.curve_misfit()).all()


def test_one_sample_as_a_target_scatters_as_those_of_the_lattice():
    _, slip = known("c0")
    target = Target.of(Curves(PROTOCOL, Made(seed=5)(slip, 0, 1)))
    fit = search(Made(), "c0", target, accuracy=0.005, samples=100, most=400).run(0.08)
    # the sample's own noise, and a small part of the rough one: 31 points of the plateau, 5 correlated
    assert fit.target.covariance[0, 0] ** 0.5 == pytest.approx(0.05 * (1 + 5 / 31) ** 0.5, rel=0.25)


def test_points_where_no_sample_has_slipped_do_not_count():
    """A single target, and lattices that are all alike at first: no error is known there."""
    _, slip = known("c0")
    curve = Made(seed=5)(slip, 0, 1)
    fit = search(Made(), "c0", Target.of(Curves(PROTOCOL, curve)), accuracy=0.1, samples=30).run(0.08)
    lattices = fit.predicted.stress.copy()
    lattices[:, :6] = lattices[0, :6]
    alike = replace(fit, predicted=Curves(PROTOCOL, lattices))
    assert 0.1 < alike.curve_misfit()[1] < 10
    assert np.isnan(replace(fit, predicted=Curves(PROTOCOL, np.repeat(lattices[:1], 4, axis=0))).curve_misfit()[1])


def test_samples_are_added_until_the_accuracy_is_reached():
    _, slip = known("c0")
    target = Target.numbers(Curves(PROTOCOL, exact(slip)[None]).values[0])
    made = Made()
    fit = search(made, "c0", target, accuracy=0.01, samples=8, most=1000).run(0.08)
    # (0.05/0.01/0.53)^2 (1 + 5/31) ~ 100 samples, and a little more or less by the guess of the scatter
    assert fit.reached
    assert 30 < fit.samples < 400
    assert fit.evaluations == sum(count for _, _, count in made.asked)
    assert min(first for _, first, _ in made.asked[-1:]) == 1000      # the prediction has samples of its own
    short = search(Made(), "c0", target, accuracy=0.001, samples=8, most=16).run(0.08)
    assert not short.reached
    assert short.samples == 16


def test_what_cannot_be_reached():
    with pytest.raises(PhysicsError, match="no slip gives a plateau of -5"):
        search(Made(0.0), "c0", Target.numbers(-5.0)).run(0.05)
    slip = Unknowns("c0_c1", MOMENT).slip(np.array([np.log(MEAN), 0.0]))
    plateau, peak = Curves(PROTOCOL, exact(slip)[None]).values
    fit = search(Made(0.005), "c0_c1", Target.numbers(plateau, 0.01, peak - 0.05, 0.01)).run(0.05)
    assert fit.share == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(fit.share_error)
    assert fit.misfit > 4.0
    assert fit.deviation[1] > 2.0                   # predicted less target: the lattice's peak is the higher one
    assert np.isfinite(fit.errors).all()


# ---------------------------------------------------------------------------------------------- lattices

MODEL = Model(size=8, modulus=20.0, thresholds=named("weibull", mean=1.5, cv=0.3), slip=Slip.fixed(0.05), internal_stress=0.1,
              seed=3)


def test_samples_are_lattices_one_after_the_other(alone):
    protocol = Protocol(0.2, 0.02, 0.1, 0.0)
    stress = load_samples(alone, MODEL, protocol.strain, 2, 3)
    lattice = Lattice(alone, replace(MODEL, seed=MODEL.seed + 3))
    for point, strain in enumerate(protocol.strain):
        lattice.load(strain)
        assert lattice.strain == strain
        assert stress[1, point] == lattice.stress
    assert not np.array_equal(stress[0], stress[2])


def test_a_sample_that_fails_is_named(alone):
    bad = replace(MODEL, thresholds=named("normal", mean=-1.0, std=0.1), slip=Slip.fixed(1e-9), internal_stress=0.0)
    with pytest.raises(PhysicsError, match=r"sample 5 with slips of c0 = 1e-09, c1 = 0: "):
        load_samples(alone, bad, PROTOCOL.strain, 5, 2)


@pytest.mark.parametrize(("kind", "slip"), [("fixed", Slip.fixed(0.05)), ("c0_c1", Slip.exponential(0.025, 0.012))])
def test_slips_of_a_lattice_are_found_again(alone, kind, slip):
    """Both numbers within four standard errors: one false alarm in 8000 for each."""
    protocol = Protocol(0.8, 0.02, 0.3, 0.04)
    moment = MODEL.renewing.mean**2 + MODEL.renewing.variance
    target = Target.of(Curves(protocol, load_samples(alone, replace(MODEL, slip=slip, seed=10**6), protocol.strain, 0, 60)))

    def evaluate(trial, first, count):
        return load_samples(alone, replace(MODEL, slip=trial), protocol.strain, first, count)

    fit = Calibration(evaluate, protocol, Unknowns(kind, moment), target, 0.03, 20, 80).run(0.04)
    truth = np.array([slip.c0, slip.c1][: len(fit.coefficients)])
    assert (np.abs(fit.coefficients - truth) < 4 * fit.errors).all()
    assert (np.abs(fit.deviation) < 4).all()
    assert fit.mean_slip_error < 0.1 * fit.mean_slip
    assert fit.curve_misfit()[1] < 4
