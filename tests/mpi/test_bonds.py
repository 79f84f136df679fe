"""Bond operator: against reference spectra, the dense operator on bonds and an exact lattice, on any number of ranks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, all_pairs, arrays, glass, liquid_arrays, monodisperse, system, whole
from test_solve import dense, floating, product

from hpcglass.core import comm as ranks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape import bonds
from hpcglass.landscape.bonds import bond_counts, bond_forces, bond_spectrum, softest_bond_modes
from hpcglass.landscape.contractions import pair_energies
from hpcglass.landscape.matrix.hessian import Hessian, PETSc
from hpcglass.landscape.matrix.solve import Solver, factorise


def reference(name):
    """The part of the group `reference` that is about bonds."""
    with h5py.File(DATA / f"{name}.h5") as file:
        return {key: item[()] for key, item in file["reference"].items() if "bond" in key}


def alike(a, b):
    """Distance of two fields that may differ in sign."""
    return min(np.abs(a - b).max(), np.abs(a + b).max())


def on_all(comm, *arrays_):
    """Rows of all ranks, in rank order, on every rank."""
    rows = ranks.send_rows(comm, np.zeros(len(arrays_[0]), dtype=np.int64), *arrays_)
    return [ranks.broadcast(comm, array if comm.rank == 0 else None) for array in rows]


@pytest.mark.parametrize("name", NAMES)
def test_softest_modes_of_the_reference_glasses(world, name):
    s, expected = glass(world, name), reference(name)
    hessian = Hessian(s)
    modes = softest_bond_modes(hessian, 40)
    assert modes.eigenvalue == pytest.approx(expected["bond_operator_largest"], rel=1e-10)
    assert modes.residuals.max() < 1e-9
    displacement, force = whole(s, modes.displacement), whole(s, modes.force)
    assert alike(displacement[..., 0], expected["bond_operator_mode1_displacement"]) < 1e-9
    assert alike(force[..., 0], expected["bond_operator_mode1_force"]) < 1e-9
    for field, participation in ((displacement, modes.participation_displacement), (force, modes.participation_force)):
        square = (field**2).sum(axis=1)
        assert square.sum(axis=0) == pytest.approx(1.0, abs=1e-12)
        assert participation == pytest.approx(1.0 / (s.n_total * (square**2).sum(axis=0)), rel=1e-12)
        assert np.abs(field.sum(axis=0)).max() < 1e-10
    assert (displacement.max(axis=(0, 1)) >= -displacement.min(axis=(0, 1))).all()
    image = whole(s, product(hessian, np.ascontiguousarray(modes.displacement[..., 3])))
    assert np.abs(image / np.linalg.norm(image) - force[..., 3]).max() < 1e-12      # F is along +H D


@pytest.mark.parametrize("name", NAMES)
def test_full_spectrum_of_the_reference_glasses(world, name):
    s, expected = glass(world, name), reference(name)
    hessian = Hessian(s)
    modes = bond_spectrum(hessian)
    assert len(modes.eigenvalue) == expected["bond_operator_nonzero"] == modes.displacement.shape[2]
    assert modes.eigenvalue[:40] == pytest.approx(expected["bond_operator_largest"], rel=1e-10)
    assert modes.eigenvalue.sum() == pytest.approx(expected["bond_operator_trace"], rel=1e-12)
    assert modes.residuals.max() < 1e-10 and (np.diff(modes.eigenvalue) <= 0).all()
    assert bond_counts(hessian) == (expected["bonds"], expected["bond_operator_nonzero"])
    soft, first = softest_bond_modes(hessian, 3), modes.softest(3)
    for a, b in ((soft.eigenvalue, first.eigenvalue), (whole(s, soft.displacement), whole(s, first.displacement)),
                 (whole(s, soft.force), whole(s, first.force)), (soft.participation_force, first.participation_force)):
        assert np.abs(a - b).max() < 1e-8 * np.abs(a).max()


def test_values_alone(world):
    hessian = Hessian(glass(world, "ipl12-2d"))
    values = bond_spectrum(hessian, vectors=False)
    assert values.eigenvalue == pytest.approx(bond_spectrum(hessian).eigenvalue, rel=1e-11)
    assert values.displacement.shape[2] == 0 == len(values.residuals)


def test_against_the_operator_on_bonds(world, alone):
    """A = S H^+ S^T in full, S from pairs found by brute force."""
    plain = arrays("ipl10-2d")
    box, position = plain[1:3]
    pairs = np.array([pair[:2] for pair in all_pairs(*plain)])
    x = position[pairs[:, 1]] - position[pairs[:, 0]]
    x -= np.rint(x @ np.linalg.inv(box).T) @ box.T
    x /= np.linalg.norm(x, axis=1)[:, None]
    bond, n = np.arange(len(pairs)), len(position)
    change = np.zeros((len(pairs), n, 2))
    change[bond, pairs[:, 1]], change[bond, pairs[:, 0]] = x, -x
    one = glass(alone, "ipl10-2d")
    matrix = np.zeros((n, 2, n, 2))
    matrix[np.ix_(one.id[:n], [0, 1], one.id[:n], [0, 1])] = dense(Hessian(one)).reshape(n, 2, n, 2)
    inverse = np.linalg.pinv(matrix.reshape(2 * n, 2 * n), rcond=1e-10, hermitian=True)
    change = change.reshape(len(pairs), 2 * n)
    value, vector = np.linalg.eigh(change @ inverse @ change.T)
    value, vector = value[::-1], vector[:, ::-1]
    zero = value < 1e-10 * value[0]

    s = glass(world, "ipl10-2d")
    hessian = Hessian(s)
    modes = bond_spectrum(hessian)
    assert modes.eigenvalue == pytest.approx(value[~zero], rel=1e-9)
    assert bond_counts(hessian) == (len(pairs), len(pairs) - zero.sum())
    assert modes.eigenvalue.sum() == pytest.approx(np.trace(inverse @ change.T @ change), rel=1e-11)
    listed, force = bond_forces(hessian, modes)
    ids, force = on_all(world, listed.ids, force)
    order = np.lexsort(ids.T[::-1])
    assert (ids[order] == pairs).all()
    force = force[order]
    assert np.abs(force.T @ force - np.eye(force.shape[1])).max() < 1e-10
    assert np.abs(np.abs((force[:, :10] * vector[:, :10]).sum(axis=0)) - 1.0).max() < 1e-10
    # S^T f, with its sign, is F
    balance = np.einsum("b,ba->a", force[:, 0], change).reshape(n, 2)
    assert np.abs(balance / np.linalg.norm(balance) - whole(s, modes.force)[..., 0]).max() < 1e-10


def lattice(comm, vectors, repeats, spacing):
    """Harmonic discs of diameter 1 on a lattice: (system, cell, lattice points)."""
    cell = spacing * np.array(vectors).T
    points = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), -1).reshape(-1, 2) @ cell.T
    one, none = np.ones(len(points)), np.zeros(len(points), np.int32)
    return system(comm, monodisperse("harmonic"), cell * repeats, points, one, none), cell


def test_triangular_lattice(world):
    """Compressed springs on a lattice: H and S^T S are 2 x 2 matrices for each wave vector."""
    repeats, spacing = (9, 7), 0.96
    s, cell = lattice(world, [[1, 0], [0.5, np.sqrt(0.75)]], repeats, spacing)
    angle = np.arange(6) * np.pi / 3
    n = np.array([np.cos(angle), np.sin(angle)]).T
    along = np.einsum("na,nb->nab", n, n)
    stiffness = along + (1 - 1 / spacing) * (np.eye(2) - along)         # phi'' = 1, phi'/r = (r - 1)/r
    expected = []
    for index in np.ndindex(*repeats):
        wave = 2 * np.pi * np.linalg.inv(cell).T @ (np.array(index) / repeats)
        weight = 1 - np.cos(spacing * n @ wave)
        if any(index):
            bond, full = (np.einsum("n,nab->ab", weight, blocks) for blocks in (along, stiffness))
            expected += np.linalg.eigvals(np.linalg.solve(full, bond)).real.tolist()
    expected = np.sort(expected)[::-1]
    hessian = Hessian(s)
    assert bond_spectrum(hessian).eigenvalue == pytest.approx(expected, rel=1e-10)
    assert softest_bond_modes(hessian, 6).eigenvalue == pytest.approx(expected[:6], rel=1e-10)
    assert bond_counts(hessian) == (3 * 63, 2 * 63 - 2)


def test_counts_of_a_floppy_lattice(world):
    """Each row and each column of a square lattice is a chain that closes: one state of self stress, one floppy mode."""
    s, _ = lattice(world, [[1, 0], [0, 1]], (6, 5), 0.95)
    hessian = Hessian(s)
    assert bond_counts(hessian) == (60, 60 - 11)
    for solve in (bond_spectrum, lambda hessian: softest_bond_modes(hessian, 2)):
        with pytest.raises(PhysicsError, match="saddle"):
            solve(hessian)


def test_any_particle_may_be_pinned(world):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    first, whole_first = softest_bond_modes(hessian, 10), bond_spectrum(hessian)
    for particle in (7, s.n_total - 1):
        other = softest_bond_modes(hessian, 10, pinned=particle)
        assert other.eigenvalue == pytest.approx(first.eigenvalue, rel=1e-10)
        assert np.abs(whole(s, other.displacement - first.displacement)).max() < 1e-9
        assert bond_spectrum(hessian, pinned=particle).eigenvalue == pytest.approx(whole_first.eigenvalue, rel=1e-10)


@pytest.mark.parametrize("name", ["ipl12-2d", "harmonic-3d"])
def test_ranks_do_not_matter(world, alone, name):
    many, one = glass(world, name), glass(alone, name)
    a, b = softest_bond_modes(Hessian(many), 10), softest_bond_modes(Hessian(one), 10)
    assert a.eigenvalue == pytest.approx(b.eigenvalue, rel=1e-11)
    assert np.abs(whole(many, a.displacement) - whole(one, b.displacement)).max() < 1e-8
    assert np.abs(whole(many, a.force) - whole(one, b.force)).max() < 1e-8


def test_rattlers_take_no_part(world):
    s, expected = floating(world), reference("harmonic-3d")
    hessian = Hessian(s)
    assert hessian.n_loose == 1
    for modes in (softest_bond_modes(hessian, 40), bond_spectrum(hessian)):
        assert modes.eigenvalue[:40] == pytest.approx(expected["bond_operator_largest"], rel=1e-10)
        assert max(np.abs(whole(s, field)[400]).max() for field in (modes.displacement, modes.force)) < 1e-13
        moved = whole(s, modes.displacement)[..., 0]
        assert np.abs(moved.sum(axis=0)).max() < 1e-12
    assert bond_counts(hessian) == (expected["bonds"], expected["bond_operator_nonzero"])


@pytest.mark.few_ranks
def test_one_factorisation_and_few_solves(world, monkeypatch):
    """Twenty modes of ten thousand particles; a start from modes nearby helps."""
    hessian = Hessian(glass(world, "ipl12-2d-N10000"))
    if not PETSc.Log.isActive():
        PETSc.Log.begin()
    event, calls = PETSc.Log.Event("MatSolve"), []
    monkeypatch.setattr(bonds, "factorise", lambda *options: calls.append(1) or factorise(*options))

    def cost(**start):
        before = event.getPerfInfo()["count"], len(calls)
        modes = softest_bond_modes(hessian, 20, **start)
        return modes, len(calls) - before[1], event.getPerfInfo()["count"] - before[0]

    modes, factorisations, solves = cost()
    assert factorisations == 1
    if not solves:
        pytest.skip("this PETSc counts nothing")
    assert solves <= 150
    again, _, fewer = cost(start=modes.displacement)
    assert again.eigenvalue == pytest.approx(modes.eigenvalue, rel=1e-11) and fewer < 0.9 * solves


def test_what_is_refused(world, monkeypatch):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    for count in (0, 400):
        with pytest.raises(InputError, match="ask for 1 to 399"):
            softest_bond_modes(hessian, count)
    with pytest.raises(PhysicsError, match=r"residual .* > 1.0e-17"):
        bond_spectrum(hessian, tolerance=1e-17)
    with pytest.raises(PhysicsError, match=r"residual .* > 1.0e-17"):
        softest_bond_modes(hessian, 3, tolerance=1e-17)
    options = PETSc.Options()
    options["hpcglass_bonds_eps_max_it"] = 1
    try:
        with pytest.raises(PhysicsError, match=r"only \d+ of 90 bond modes converged .* in 1 rounds"):
            softest_bond_modes(hessian, 90)
    finally:
        del options["hpcglass_bonds_eps_max_it"]
    monkeypatch.setattr(bonds, "DENSE_LIMIT", 700)
    with pytest.raises(InputError, match="798 rows > 700"):
        bond_spectrum(hessian)
    s.rebuild()
    with pytest.raises(RuntimeError, match="make a new one"):
        softest_bond_modes(hessian, 3)


def test_no_solid(world):
    liquid = Hessian(system(world, *liquid_arrays("ipl12", 100, 2)))
    for solve in (bond_spectrum, lambda hessian: softest_bond_modes(hessian, 3)):
        with pytest.raises(PhysicsError, match=r"saddle.*negative eigenvalue"):
            solve(liquid)
    model, box, position, diameter, species = liquid_arrays("harmonic", 32, 2)
    patch = 0.9 * np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0)), -1).reshape(-1, 2)
    apart = system(world, model, 4 * box, np.vstack([patch, patch + 2 * np.diag(box)]), np.ones(32), species)
    with pytest.raises(PhysicsError, match="zero modes besides"):
        softest_bond_modes(Hessian(apart), 3)
    spread = system(world, model, 5 * box, 5 * position, diameter, species)
    with pytest.raises(PhysicsError, match="no two particles interact"):
        softest_bond_modes(Hessian(spread), 3)


def test_response_to_a_dipole(world, alone):
    """An entry of S H^+ S^T from its definition, and what pushing the pair apart does."""
    s, one = glass(world, "ipl10-2d"), glass(alone, "ipl10-2d")
    hessian = Hessian(s)
    solver = Solver(hessian)
    ids, response, field = bonds.dipole_response(hessian, 100, solver)
    last, _, _ = bonds.dipole_response(hessian, s.n_total, solver)
    listed = pair_energies(one, np.zeros((2, 2)), []).ids
    assert tuple(ids) == min(map(tuple, listed[listed[:, 0] >= 100]))
    assert tuple(last) == max(map(tuple, listed))
    plain = Hessian(one)
    x = whole(one, one.position)
    apart = np.linalg.solve(one.box, x[ids[1]] - x[ids[0]])
    unit = one.box @ (apart - np.rint(apart))
    unit /= np.linalg.norm(unit)
    load = np.zeros((one.n_total, 2))
    load[ids[0]], load[ids[1]] = -unit, unit
    ours = np.linalg.pinv(dense(plain), hermitian=True, rcond=1e-10) @ load[one.id[: one.n_owned]].ravel()
    expected = whole(one, ours.reshape(-1, 2))
    error = 1e-10 if solver.method == "direct" else 1e-9
    assert np.abs(whole(s, field) - expected).max() < error * np.abs(expected).max()
    assert response == pytest.approx(float((load * expected).sum()), rel=error)
