"""The elastic medium that preconditions conjugate gradients: symmetric, positive, exact for long waves; the same minima."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, liquid, system, whole

from hpcglass.core import comm as ranks
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.moves import medium, relax
from hpcglass.moves.medium import Medium, moduli, spacing
from hpcglass.moves.minimise import minimise
from hpcglass.moves.relax import to_minimum
from hpcglass.potentials.library import MODELS

K, M, MU = 700.0, 50.0, 15.0


def noise(s, number):
    """The same rows on any number of ranks."""
    return np.sin((s.id[: s.n_owned, None] + 1.0) * (number + np.arange(1.0, s.dimension + 1)))


@pytest.mark.parametrize(("dimension", "tilt"), [(2, ()), (2, (0.4,)), (3, (0.3, -0.2, 0.1))])
def test_symmetric_positive_and_the_same_on_ranks(world, alone, dimension, tilt):
    answers = []
    for comm in (world, alone):
        s = liquid(comm, "ipl12" if dimension == 2 else "ipl10", 1500, dimension, tilt)
        p = Medium(s, K, M, MU)
        a, b = noise(s, 1), noise(s, 2)
        pa, pb = p.answer(a), p.answer(b)
        products = ranks.total(comm, np.array([np.vdot(b, pa), np.vdot(a, pb), np.vdot(a, pa), np.vdot(a, a)]))
        assert products[0] == pytest.approx(products[1], abs=1e-11 * products[2])
        assert products[2] > products[3] * (1 + 1e-3)
        answers.append(whole(s, pa))
    assert np.abs(answers[0] - answers[1]).max() < 1e-11 * np.abs(answers[1]).max()


@pytest.mark.parametrize("dimension", [2, 3])
def test_long_waves_exactly(world, dimension):
    """Forces F = e sin(q.x) on a crystal: z = F (1 + K n / (m q^2)), n the density, m = M along q and mu across it, but for the
    linear interpolation, which loses (q h)^2/6 twice at most for a grid of spacing h."""
    cells = (60, 48) if dimension == 2 else (24, 18, 15)
    place = np.stack(np.meshgrid(*[np.arange(c) + 0.25 for c in cells], indexing="ij"), -1).reshape(-1, dimension)
    model = MODELS["ipl12" if dimension == 2 else "ipl10"]
    s = system(world, model, np.diag(np.array(cells, float)), place, np.ones(len(place)), np.zeros(len(place), np.int32))
    p = Medium(s, K, M, MU)
    h = max(np.array(cells) / p.shape)
    for axis in range(dimension):
        q = 2 * np.pi / cells[axis]
        for along in range(dimension):
            force = np.sin(q * s.position[:, axis])[:, None] * np.eye(dimension)[along]
            modulus = M if along == axis else MU
            gain = K / (modulus * q**2)
            error = np.abs(p.answer(force) - force - gain * force).max(initial=0.0)
            assert ranks.largest(world, error) < gain * 1.1 * (q * h) ** 2 / 3


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d", "lj-binary-2d"])
def test_moduli_are_the_curvature_of_plane_waves(world, name):
    """Against U itself: v.Hv = [U(+) - 2 U(0) + U(-)]/h^2 for the two waves; and 0 < mu < M."""
    from hpcglass.landscape.forces import evaluate

    s = glass(world, name)
    found = moduli(s, K)
    wave = 2 * np.pi * np.linalg.inv(s.box).T[:, 0]
    along = wave / np.linalg.norm(wave)
    across = np.array([-along[1], along[0], *[0.0] * (s.dimension - 2)])
    assert s.dimension == 2 or abs(across @ along) < 1e-12
    for modulus, direction in zip(found, (along, across), strict=True):
        field = np.sin(s.position @ wave)[:, None] * direction / np.linalg.norm(direction)
        energies = []
        for step in (-1e-3, 0.0, 1e-3):
            t = glass(world, name)
            t.move(field, step)
            t.update()
            energies.append(evaluate(t).energy)
        curvature = (energies[0] - 2 * energies[1] + energies[2]) / 1e-6
        square = ranks.total(world, float(np.vdot(field, field)))
        assert modulus == pytest.approx(curvature / square * s.n_total / s.volume / (wave @ wave), rel=1e-2)
    assert 0 < found[1] < found[0]


def test_moduli_of_what_has_none(world):
    """Nothing touches: the least there may be, so that the medium is defined."""
    place = 5.0 * np.stack(np.meshgrid(*[np.arange(12)] * 2, indexing="ij"), -1).reshape(-1, 2)
    s = system(world, MODELS["ipl12"], 60.0 * np.eye(2), place + 0.5, np.ones(144), np.zeros(144, np.int32))
    least = medium.SOFTEST * K * 144 / 3600 * spacing(s) ** 2
    assert moduli(s, K) == pytest.approx((least, least))


@pytest.mark.few_ranks
def test_fewer_evaluations_and_the_same_minimum(world):
    """An elastic step of the glass of 10 000 takes less than half as many as conjugate gradients."""
    counts, places = {}, {}
    for method in ("cg", "pcg"):
        s = glass(world, "ipl12-2d-N10000")
        s.deform(deformation(simple_shear(2, "xy"), 1e-5))
        report = minimise(s, method, 1e-8, 100_000)
        assert report.converged
        counts[method], places[method] = report.evaluations, whole(s, s.unwrapped())
    apart = places["pcg"] - places["cg"]
    assert np.abs(apart - apart.mean(axis=0)).max() < 1e-6
    assert counts["pcg"] < 0.5 * counts["cg"]


@pytest.mark.few_ranks
def test_large_glasses_are_preconditioned_at_the_end(world, monkeypatch):
    """"cg" becomes "pcg" at 0.1 of the force scale; cut before and after, it goes on to the bit."""
    from hpcglass.core.system import System

    monkeypatch.setattr(relax, "LARGE", 1)
    whole_run, saved = glass(world, "ipl12-2d"), {}
    whole_run.move(0.05 * noise(whole_run, 3))

    def watch(count, largest, state):
        if state["way"] not in saved:
            saved[state["way"]] = (whole_run.state(), dict(state), largest / state["scale"])
        return count + 10

    report, mechanics = to_minimum(whole_run, "cg", 1e-10, 100_000, watch)
    assert sorted(saved) == [0, 1] and saved[1][2] < 2 * relax.WAVES < saved[0][2]
    assert report.max_force <= 1e-10 * mechanics.force_scale
    for state, numbers, _ in saved.values():
        resumed = System.from_state(world, whole_run.model, *state)
        again, _ = to_minimum(resumed, "cg", 1e-10, 100_000, None, numbers)
        assert again.evaluations == report.evaluations
        assert (resumed.displacement == whole_run.displacement).all()


def test_an_answer_follows_the_list(world):
    """Weights are made anew with each list: after one in another order and at other places, as those of a new medium."""
    s = liquid(world, "ipl12", 900, 2)
    p = Medium(s, K, M, MU)
    before = whole(s, p.answer(noise(s, 1)))
    s.move(np.full((s.n_owned, 2), 0.37 * s.box[0, 0]))
    s.rebuild()
    after, right = whole(s, p.answer(noise(s, 1))), whole(s, Medium(s, K, M, MU).answer(noise(s, 1)))
    assert np.abs(after - right).max() < 1e-11 * np.abs(right).max() < np.abs(after - before).max()
