"""Linear systems with the Hessian: against dense algebra, both methods, any number of ranks, and what must be refused."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import NAMES, arrays, glass, liquid_arrays, system, whole

from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.matrix import solve
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import Solver, choose, factorise, pin


def load(s):
    """A right-hand side with a mean, the same on any number of ranks."""
    return 0.3 + np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, s.dimension + 1))


def product(hessian, rows):
    """(n_owned, d) H v."""
    x, y = hessian.vector(rows), hessian.vector()
    hessian.matrix.mult(x, y)
    return hessian.rows(y)


def dense(hessian):
    """The matrix of a one-rank Hessian."""
    pointer, index, values = hessian.matrix.getValuesCSR()
    result = np.zeros((len(pointer) - 1,) * 2)
    for row in range(len(result)):
        result[row, index[pointer[row]:pointer[row + 1]]] = values[pointer[row]:pointer[row + 1]]
    return result


def least_squares(hessian, rows):
    """H^+ b of a one-rank Hessian by dense algebra."""
    return (np.linalg.pinv(dense(hessian), rcond=1e-9, hermitian=True) @ rows.ravel()).reshape(rows.shape)


def floating(comm):
    """The harmonic packing with one tiny sphere more, number 400, in its largest hole, where it touches nothing."""
    model, box, position, diameter, species = arrays("harmonic-3d")
    tries = np.random.default_rng(5).random((3000, 3))
    apart = tries[:, None] - position @ np.linalg.inv(box).T
    distance = np.linalg.norm((apart - np.rint(apart)) @ box.T, axis=-1)
    hole = tries[(distance - diameter / 2).min(axis=1).argmax()] @ box.T
    diameter, species = np.append(diameter, 1e-3), np.append(species, 0).astype(np.int32)
    return system(comm, model, box, np.vstack([position, hole]), diameter, species)


@pytest.mark.parametrize("method", ["direct", "cg"])
@pytest.mark.parametrize("name", NAMES)
def test_against_the_pseudo_inverse(world, alone, name, method):
    s = glass(world, name)
    solver = Solver(Hessian(s), method)
    answer = whole(s, solver.solve(load(s)))
    one = glass(alone, name)
    expected = whole(one, least_squares(Hessian(one), load(one)))
    assert np.abs(answer - expected).max() < (1e-10 if method == "direct" else 1e-8) * np.abs(expected).max()
    assert np.abs(answer.mean(axis=0)).max() < 1e-13 * np.abs(answer).max()
    assert solver.residual < (1e-12 if method == "direct" else 1e-10)
    assert solver.negative == (0 if method == "direct" else None)
    assert solver.iterations == 1 if method == "direct" else 20 < solver.iterations < 130
    solver.destroy()


@pytest.mark.needs("mumps")
def test_residual_is_that_of_the_plain_system(world):
    s = glass(world, "ipl10-3d")
    hessian = Hessian(s)
    solver = Solver(hessian)
    assert solver.method == "direct"
    right = whole(s, load(s))
    right -= right.mean(axis=0)
    image = whole(s, product(hessian, solver.solve(load(s))))
    residual = np.linalg.norm(image - right) / np.linalg.norm(right)
    assert residual < 1e-12
    assert np.abs(solver.solve(np.zeros((s.n_owned, 3)))).max(initial=0.0) == 0.0


def test_any_particle_may_be_pinned(world):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    right = load(s) - whole(s, load(s)).mean(axis=0)
    answers = []
    for particle in (0, 7, s.n_total - 1):
        pinned = pin(hessian.matrix, particle, 2)
        ksp, factor = factorise(pinned, "")
        assert factor.getInertia() == (0, 0, 2 * s.n_total)
        rows = right.copy()
        rows[np.arange(s.first_row, s.first_row + s.n_owned) == particle] = 0.0
        x = hessian.vector()
        ksp.solve(hessian.vector(rows), x)
        moved = whole(s, hessian.rows(x))
        answers.append(moved - moved.mean(axis=0))
    assert np.ptp(answers, axis=0).max() < 1e-10 * np.abs(answers[0]).max()


def test_a_saddle_is_called_a_saddle(world, alone):
    plain = liquid_arrays("ipl12", 100, 2)
    negative = int((np.linalg.eigvalsh(dense(Hessian(system(alone, *plain)))) < -1e-9).sum())
    assert negative > 0
    s = system(world, *plain)
    solver = Solver(Hessian(s), "direct")
    assert solver.negative == negative
    with pytest.raises(PhysicsError, match=rf"saddle.* {negative} negative eigenvalue"):
        solver.solve(load(s))
    with pytest.raises(PhysicsError, match=r"saddle.*negative curvature"):
        Solver(Hessian(s), "cg").solve(load(s))


@pytest.mark.parametrize("method", ["direct", "cg"])
def test_loose_particles_stay_put(world, alone, method):
    """One particle without contact: as if it were not there."""
    s, one = floating(world), glass(alone, "harmonic-3d")
    hessian = Hessian(s)
    assert hessian.n_loose == 1
    solver = Solver(hessian, method)
    answer = whole(s, solver.solve(load(s)))
    assert solver.residual < 1e-10
    assert np.abs(answer[400]).max() == 0.0
    expected = whole(one, least_squares(Hessian(one), load(one)))
    assert np.abs(answer[:400] - expected).max() < 1e-8 * np.abs(expected).max()


def test_parts_that_do_not_touch(world):
    """Two bound pairs: each can turn and move by itself."""
    model = arrays("lj-binary-2d")[0]
    length = 2 ** (1 / 6) * model.mixing.length[0][0]
    position = np.array([[3.0, 3.0], [3.0 + length, 3.0], [9.0, 9.0], [9.0 + length, 9.0]])
    s = system(world, model, 12 * np.eye(2), position, np.full(4, length), np.zeros(4, np.int32))
    with pytest.raises(PhysicsError, match="zero modes besides"):
        Solver(Hessian(s), "direct").solve(load(s))


def test_what_is_refused(world, monkeypatch):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    with pytest.raises(InputError, match="unknown method 'lu'"):
        Solver(hessian, "lu")
    solver = Solver(hessian)
    broken = load(s)
    broken[s.id[: s.n_owned] == 3] = np.nan
    with pytest.raises(PhysicsError, match="failed"):
        solver.solve(broken)
    monkeypatch.setattr(solve, "ITERATIONS", 3)
    with pytest.raises(PhysicsError, match="reason -3 after 3 iterations"):
        Solver(hessian, "cg").solve(load(s))
    s.rebuild()
    with pytest.raises(RuntimeError, match="epoch"):
        solver.solve(load(s))


def test_less_accuracy_takes_fewer_iterations(world):
    s = glass(world, "ipl10-3d")
    solver = Solver(Hessian(s), "cg")
    exact = solver.solve(load(s))
    many, fine = solver.iterations, solver.residual
    rough = solver.solve(load(s), accuracy=1e-5)
    assert fine < 1e-10 < 1e-7 < solver.residual < 1e-5 and solver.iterations < 0.8 * many
    assert np.abs(rough - exact).max(initial=0.0) < 1e-2 * np.abs(whole(s, exact)).max()
    solver.solve(load(s))
    assert solver.iterations == many and solver.residual == pytest.approx(fine, rel=0.1)


def test_an_empty_hessian(world):
    model, box, position, diameter, species = liquid_arrays("harmonic", 9, 2)
    with pytest.raises(PhysicsError, match="no two particles interact"):
        Solver(Hessian(system(world, model, 5 * box, 5 * position, diameter, species)))


@pytest.mark.needs("mumps")
def test_choice_by_size():
    assert [choose("auto", n, d) for n, d in ((200_000, 2), (300_000, 2), (4_000, 3), (6_000, 3))] == ["direct", "cg"] * 2
    assert choose("auto", 12_000, 3, right_hand_sides=30) == "direct"
    assert choose("auto", 200_000, 3, right_hand_sides=10_000) == "cg"
    assert choose("cg", 10, 2) == "cg"


class Asked(Exception):
    """Somebody wants to stop."""


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d"])
def test_a_look_ends_conjugate_gradients(world, monkeypatch, name):
    """Asked within a solve, the exception comes out as it is, and nothing of it is left in the next solver."""
    calls = []

    def look():
        calls.append(None)
        if len(calls) == 3:
            raise Asked

    monkeypatch.setattr(solve, "LOOK_EVERY", 2)
    s = glass(world, name)
    solver = Solver(Hessian(s, look), "cg")
    with pytest.raises(Asked):
        solver.solve(load(s))
    solver.destroy()
    assert len(calls) == 3
    again = Solver(Hessian(s), "cg")
    again.solve(load(s))
    assert again.residual < 1e-9
