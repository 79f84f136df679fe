"""The strain expansion against reference glasses, truly strained states and sum rules; the elastic moduli."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, all_pairs, glass, liquid_arrays, system, whole
from recorder import Recorder

from hpcglass.core.comm import total
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.periodic import deformation, pure_shear, simple_shear
from hpcglass.landscape.contractions import along_path, pair_energies
from hpcglass.landscape.expansion import bond_expansion, default_solver, elastic_moduli, strain_expansion
from hpcglass.landscape.forces import evaluate, forces
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.solve import Solver
from hpcglass.stages.expand.run import Expand, ExpandParams

STRAINS = {"simple_shear": lambda d: simple_shear(d, "xy"), "dilation": np.eye}


def close(values, reference, tolerance=1e-8):
    """Relative to the norm of the reference."""
    return np.linalg.norm(values - reference) <= tolerance * np.linalg.norm(reference)


def bonds_of_all(world, bonds):
    """((b, 2) ids, (n, b) phi) of all ranks in order of ids and first derivative, on every rank."""
    count = total(world, np.eye(world.size, dtype=np.int64)[world.rank] * bonds.phi.shape[1])
    first = int(count[: world.rank].sum())
    rows = np.zeros((int(count.sum()), 2 + len(bonds.phi)))
    rows[first:first + bonds.phi.shape[1]] = np.column_stack([bonds.ids, bonds.phi.T])
    rows = total(world, rows)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    return rows[:, :2].astype(np.int64), rows[:, 2:].T


@pytest.mark.parametrize("strain", STRAINS)
@pytest.mark.parametrize("name", NAMES)
def test_reference_expansion(world, name, strain):
    s = glass(world, name)
    expansion = strain_expansion(s, STRAINS[strain](s.dimension))
    ids, phi = bonds_of_all(world, bond_expansion(s, expansion))
    with h5py.File(DATA / f"{name}.h5") as file:
        reference = file[f"reference/expansion_{strain}"]
        for rows, field in zip(expansion.fields, ("velocity", "acceleration", "jerk"), strict=True):
            assert close(whole(s, rows), reference[field][:])
        assert np.abs(expansion.energy - reference["U"][:]).max() <= 1e-8 * np.abs(reference["U"][:]).max()
        scale = max(np.abs(reference["sigma_xy"][:]).max(), np.abs(reference["sigma_trace"][:]).max())
        assert np.abs(expansion.sigma[:, 0, 1] - reference["sigma_xy"][:]).max() <= 1e-8 * scale
        assert np.abs(np.einsum("naa->n", expansion.sigma) - reference["sigma_trace"][:]).max() <= 1e-8 * scale
        expected = np.array([reference["bond_i"][:], reference["bond_j"][:]]).T
        expected.sort(axis=1)
        order = np.lexsort((expected[:, 1], expected[:, 0]))
        assert (ids == expected[order]).all()
        for mine, theirs in zip(phi, reference["bond_phi"][:, order], strict=True):
            assert close(mine, theirs)


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_two_solves_give_the_stress_to_third_order(world, name, order):
    s = glass(world, name)
    solver = default_solver(s)
    gradient = pure_shear(s.dimension, "xy") + simple_shear(s.dimension, "xy")
    full = strain_expansion(s, gradient, 3, solver)
    part = strain_expansion(s, gradient, order, solver)
    known = min(order + 1, 3)
    assert len(part.fields) == order and part.sigma.shape[0] == order + 1
    assert part.sigma_along.size == known + 1
    assert part.sigma_along == pytest.approx(full.sigma_along[: known + 1], rel=1e-8)
    assert part.energy == pytest.approx(full.energy[:known], rel=1e-8)


def relaxed(world, name, gradient, strain):
    """The minimum reached from a reference glass after a strain, by Newton's method."""
    s = glass(world, name)
    s.deform(deformation(gradient, strain))
    for _ in range(6):
        s.update()
        s.move(default_solver(s).solve(forces(s)))
    s.update()
    return s


@pytest.mark.parametrize("name,strain,h", [("ipl12-2d", "simple_shear", 2e-5), ("ipl10-2d", "dilation", 1e-4),
                                           ("ipl10-3d", "simple_shear", 2e-5), ("ipl10-3d", "dilation", 1e-4)])
def test_against_strained_states(world, name, strain, h):
    """Energy and true stress of strained minima, whose differences need no derivative of the potential."""
    s = glass(world, name)
    gradient = STRAINS[strain](s.dimension)
    expansion = strain_expansion(s, gradient, 3)
    states = [relaxed(world, name, gradient, m * h) for m in (-2, -1, 0, 1, 2)]
    weights = np.array([[1, -8, 0, 8, -1], [-1, 16, -30, 16, -1], [-6, 12, 0, -12, 6]]) / 12.0
    results = [evaluate(state) for state in states]
    stress = np.array([result.stress for result in results])
    for n, tolerance in enumerate((1e-7, 1e-5, 3e-3), start=1):
        numeric = np.einsum("m,mab->ab", weights[n - 1], stress) / h**n
        assert close(expansion.cauchy[n], numeric, tolerance), n
    energy = np.array([result.energy for result in results])
    assert expansion.energy[0] == pytest.approx(weights[0] @ energy / h, rel=1e-7)
    # higher orders from dU/dg = V sigma : A, as third differences of energies are mostly round-off
    slope = np.array([state.volume for state in states]) * np.einsum("mab,ab->m", stress, gradient)
    assert expansion.energy[1] == pytest.approx(weights[0] @ slope / h, rel=1e-7)
    assert expansion.energy[2] == pytest.approx(weights[1] @ slope / h**2, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_of_a_straight_path(world, name):
    """A = 0 and one field: dU/dx along x + g v, by differences of the order below."""
    s = glass(world, name)
    v = 0.1 * np.sin(1.0 + s.id[: s.n_owned, None] * np.arange(1.0, s.dimension + 1))
    still = np.zeros((s.dimension, s.dimension))
    paths = [along_path(s, still, [v], n) for n in (1, 2, 3)]
    h, sides = 1e-4, []
    for sign in (-1, 1):
        t = glass(world, name)
        t.move(0.1 * np.sin(1.0 + t.id[: t.n_owned, None] * np.arange(1.0, t.dimension + 1)), sign * h)
        t.update()
        w = 0.1 * np.sin(1.0 + t.id[: t.n_owned, None] * np.arange(1.0, t.dimension + 1))
        sides.append([whole(t, -forces(t))] + [whole(t, along_path(t, still, [w], n).gradient) for n in (1, 2)])
    for n, path in enumerate(paths):
        numeric = (sides[1][n] - sides[0][n]) / (2 * h)
        # harmonic and LJ: pairs that cross a cut-off or a joint of segments within h
        assert close(whole(s, path.gradient), numeric, 1e-4 if name.startswith("ipl") else 2e-2), n


@pytest.mark.parametrize("name", NAMES)
def test_moduli(world, name):
    s = glass(world, name)
    moduli = elastic_moduli(s)
    c = moduli.tensor
    for turn in ("abcd->bacd", "abcd->abdc", "abcd->cdab"):
        assert np.abs(np.einsum(turn, c) - c).max() <= 1e-9 * np.abs(c).max()
    born = moduli.born      # Cauchy's relations of central forces
    assert np.abs(born - np.einsum("abcd->acbd", born)).max() <= 1e-11 * np.abs(born).max()
    with h5py.File(DATA / f"{name}.h5") as file:
        sheared = file["reference/expansion_simple_shear/sigma_xy"][1]
        trace = file["reference/expansion_dilation/sigma_trace"][:]
    d = s.dimension
    assert moduli.shear(0, 1) == pytest.approx(sheared, rel=1e-8)
    assert moduli.bulk == pytest.approx((trace[1] - d * trace[0]) / d**2, rel=1e-8)
    if d == 2:
        rotated = [shear_at(moduli, angle) for angle in np.linspace(0, np.pi / 2, 721)]
        assert (min(rotated), max(rotated)) == pytest.approx(moduli.shear_extremes, rel=1e-5)
    else:
        with pytest.raises(InputError, match="2D only"):
            _ = moduli.shear_extremes


def shear_at(moduli, angle):
    """Modulus of shear without rotation in a frame turned by an angle."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    c = np.einsum("ai,bj,ck,dl,abcd->ijkl", turn, turn, turn, turn, moduli.tensor, optimize=True)
    return c[0, 1, 0, 1] + 0.5 * np.trace(moduli.stress)


def test_affine_order_one_is_the_hessian(world):
    """f_1 of a velocity alone is H v."""
    s = glass(world, "ipl10-3d")
    hessian = Hessian(s)
    v = np.cos(s.id[: s.n_owned, None] * np.array([1.0, 2.0, 3.0]))
    x, y = hessian.vector(v), hessian.vector()
    hessian.matrix.mult(x, y)
    path = along_path(s, np.zeros((3, 3)), [v], 1)
    assert np.abs(whole(s, path.gradient - hessian.rows(y))).max() < 1e-11


@pytest.mark.parametrize("name,particles,dimension", [("ipl12", 5, 2), ("lj-binary", 4, 2), ("ipl10", 3, 3), ("ipl10", 200, 2)])
def test_each_pair_once(world, name, particles, dimension):
    """Cells in which a pair meets through several images, a particle with its own image among them."""
    plain = liquid_arrays(name, particles, dimension)
    s = system(world, *plain)
    gradient = simple_shear(dimension, "xy") + 0.3 * np.eye(dimension)
    ids, phi = bonds_of_all(world, pair_energies(s, gradient, [np.zeros((s.n_owned, dimension))] * 2))
    pairs = [pair[:2] for pair in all_pairs(*plain)]
    own = [pair for pair in pairs if pair[0] == pair[1]]        # met from both sides there
    assert [tuple(pair) for pair in ids] == sorted([pair for pair in pairs if pair[0] < pair[1]] + own[::2])
    path = along_path(s, gradient, [], 2)
    assert phi.sum(axis=1) == pytest.approx(path.energy[1:], rel=1e-12)
    assert path.virial[0] == pytest.approx(evaluate(s).stress * s.volume, rel=1e-12, abs=1e-11)


@pytest.mark.parametrize("name,mode", [("ipl10-2d", "simple"), ("ipl10-3d", "dilation")])
def test_stage(world, name, mode):
    s, recorder = glass(world, name), Recorder()
    Expand(ExpandParams(mode=mode)).run(s, recorder)
    strain = {"simple": "simple_shear"}.get(mode, mode)
    with h5py.File(DATA / f"{name}.h5") as file:
        reference = file[f"reference/expansion_{strain}"]
        phi, n = reference["bond_phi"][:], len(reference["velocity"])
        i, j = reference["bond_i"][:], reference["bond_j"][:]
        assert close(whole(s, recorder.fields["velocity"]), reference["velocity"][:])
        assert recorder.results["energy_derivatives"] == pytest.approx(reference["U"][:], rel=1e-8)
    product = np.bincount(i, phi[0] * phi[1] / 2, n) + np.bincount(j, phi[0] * phi[1] / 2, n)
    assert close(whole(s, recorder.fields["bond_product"]), product)
    rows = recorder.tables["bond_distribution"]
    value = np.array([row["value"] for row in rows])
    edges = np.append(value * 10**-0.05, value[-1] * 10**0.05)
    for k, bonds in enumerate(np.abs(phi)):
        expected = np.histogram(bonds, edges)[0]
        assert expected.sum() == bonds.size
        assert np.abs([row[f"count_{k + 1}"] for row in rows] - expected).sum() <= 2     # round-off at an edge
        density = np.array([row[f"density_{k + 1}"] for row in rows])
        assert density @ np.diff(edges) == pytest.approx(1.0, rel=1e-2)
        fit = recorder.tables["bond_tails"][k]
        assert fit["expected"] == pytest.approx((7 / 2, 11 / 6, 3 / 2)[k])
        inside = (bonds >= fit["low"]) & (bonds < fit["high"])
        assert fit["count"] == pytest.approx(inside.sum(), abs=2) or np.isnan(fit["exponent"])
    if mode == "dilation":
        pressure = -np.einsum("naa->n", recorder.results["stress_derivatives"]) / 3
        assert recorder.results["bulk_modulus"] == pytest.approx(-pressure[1] / 3, rel=1e-8)
    else:
        assert recorder.results["shear_modulus_xy"] == pytest.approx(recorder.results["stress_derivatives"][1, 0, 1], rel=1e-8)


def test_pair_table(world):
    s, recorder = glass(world, "ipl10-2d"), Recorder()
    Expand(ExpandParams(bonds=True, moduli=False)).run(s, recorder)
    ids, columns = recorder.bonds["bonds"]
    order = np.lexsort(ids.T[::-1])
    with h5py.File(DATA / "ipl10-2d.h5") as file:
        reference = file["reference/expansion_simple_shear"]
        first, second, phi = reference["bond_i"][:], reference["bond_j"][:], reference["bond_phi"][:]
        position, box = file["configuration/position"][:], file["configuration/box"][:]
    expected = {(min(i, j), max(i, j)): phi[:, k] for k, (i, j) in enumerate(zip(first, second, strict=True))}
    assert total(s.comm, len(ids)) == len(expected)
    for n in (1, 2, 3):
        theirs = np.array([expected[tuple(pair)][n - 1] for pair in ids]).reshape(-1)
        assert columns[f"phi_{n}"][0] == pytest.approx(theirs, rel=1e-6, abs=1e-7 * np.abs(phi[n - 1]).max())
    apart = position[ids[order, 1]] - position[ids[order, 0]]
    fraction = apart @ np.linalg.inv(box).T
    assert columns["vector"][0][order] == pytest.approx((fraction - np.rint(fraction)) @ box.T, abs=1e-12)


@pytest.mark.few_ranks
@pytest.mark.parametrize("name,params,strain", [
    ("ipl10-2d", {"mode": "simple"}, -4e-4), ("ipl10-2d", {"mode": "dilation"}, -8e-3),
    # neither can be diagonalised
    ("ipl10-2d", {"gradient": ((0.3, 0.7), (0.0, 0.3))}, 1.6e-3),
    ("ipl10-3d", {"gradient": ((0.0, 1.0, 0.5), (0.0, 0.0, 0.4), (0.0, 0.0, 0.0))}, 2e-4)])
def test_comparison_with_strained_states(world, name, params, strain):
    """The error of the series grows with the first power that it lacks, and the configuration comes back to the bit."""
    s, recorder = glass(world, name), Recorder()
    scalars, rows = s.state()
    Expand(ExpandParams(**params, moduli=False, compare=strain, compare_steps=2)).run(s, recorder)
    after, now = s.state()
    assert all(np.array_equal(scalars[name], after[name]) for name in scalars)
    assert rows.keys() == now.keys()
    assert all(np.array_equal(rows[name], now[name]) for name in rows)
    half, whole_ = recorder.tables["comparison"]
    assert [row["strain"] for row in (half, whole_)] == pytest.approx([strain / 2, strain])
    for name in ("stress_xy", "pressure"):
        for kind, power in (("linear", 2), ("expansion", 4)):
            errors = [abs(row[name] - row[f"{name}_{kind}"]) for row in (half, whole_)]
            assert errors[1] / errors[0] == pytest.approx(2**power, rel=0.35)
        assert errors[1] < 1e-3 * abs(whole_[name] - whole_[f"{name}_linear"])


class Stopped(Exception):
    """Stands for a kill."""


class Stopping(Recorder):
    """Stops at one safe point."""

    def __init__(self, step, total):
        super().__init__()
        self.stop = step, total

    def safe_point(self, step, total, snapshot, note=""):
        super().safe_point(step, total, snapshot, note)
        if (step, total) == self.stop:
            raise Stopped


@pytest.mark.few_ranks
@pytest.mark.parametrize("stop", [(2, 3), (2, 4)], ids=["between orders", "in the comparison"])
def test_goes_on_from_a_snapshot(world, stop):
    params = ExpandParams(moduli=False, compare=4e-4, compare_steps=4)
    straight = Recorder()
    Expand(params).run(glass(world, "ipl12-2d"), straight)
    s, first, again = glass(world, "ipl12-2d"), Stopping(*stop), Recorder()
    with pytest.raises(Stopped):
        Expand(params).run(s, first)
    again.restored, again.results, again.tables = first.last, first.results, first.tables
    Expand(params).run(s, again)
    assert again.results.keys() == straight.results.keys()
    exact = world.size == 1         # MUMPS on several ranks adds up in the order in which messages come
    for name, value in straight.results.items():
        tolerance = 0.0 if exact else 1e-8 * np.abs(value).max(initial=0.0)
        assert np.abs(again.results[name] - value).max(initial=0.0) <= tolerance, name
    ours, theirs = again.tables["comparison"], straight.tables["comparison"]
    assert len(ours) == len(theirs) == 4
    for row, expected in zip(ours, theirs, strict=True):
        assert row == expected if exact else row == pytest.approx(expected, rel=1e-8)


def test_any_gradient(world):
    s, a, b = glass(world, "ipl10-3d"), Recorder(), Recorder()
    Expand(ExpandParams(plane="yz", order=1, moduli=False)).run(s, a)
    Expand(ExpandParams(gradient=((0, 0, 0), (0, 0, 1.0), (0, 0, 0)), order=1, moduli=False)).run(s, b)
    assert a.results["stress_derivatives"] == pytest.approx(b.results["stress_derivatives"], rel=1e-11, abs=1e-10)
    assert "velocity gradient [[0.0" in b.message


@pytest.mark.parametrize("name", ["ipl10-2d", "ipl10-3d"])
def test_moduli_of_rough_solutions(world, name):
    """Errors of the linear solves enter by their squares."""
    s = glass(world, name)
    exact, rough = (elastic_moduli(s, Solver(Hessian(s), method)) for method in ("direct", "cg"))
    assert np.abs(rough.tensor - exact.tensor).max() < 1e-9 * np.abs(exact.tensor).max()
    assert rough.tensor == pytest.approx(rough.tensor.transpose(2, 3, 0, 1), rel=1e-12, abs=1e-12)
    assert rough.tensor == pytest.approx(rough.tensor.transpose(1, 0, 2, 3), rel=1e-12, abs=1e-12)


def test_what_cannot_be(world):
    s = glass(world, "ipl12-2d")
    with pytest.raises(InputError, match="2 x 2"):
        strain_expansion(s, np.eye(3))
    with pytest.raises(InputError, match="order"):
        strain_expansion(s, np.eye(2), 4)
    s.move(np.cos(s.id[: s.n_owned, None] * np.array([1.0, 2.0])), 0.01)
    s.update()
    with pytest.raises(PhysicsError, match="quench it first"):
        strain_expansion(s, np.eye(2))
