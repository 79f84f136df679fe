"""Blocks of the pseudo-inverse against dense algebra, on any number of ranks; what must be refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, glass, liquid_arrays, system, whole
from test_solve import dense, floating, load

from hpcglass.core.comm import largest, total
from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.contractions import pair_energies
from hpcglass.landscape.matrix import dissection, inverse
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.inverse import inverse_blocks, vibrality
from hpcglass.landscape.matrix.solve import Solver


def pseudo_inverse(s):
    """(N, d, N, d) H^+ of a one-rank system by dense algebra, in order of ids."""
    hessian, d = Hessian(s), s.dimension
    matrix = dense(hessian)
    matrix[np.repeat(hessian.loose, d)] = 0.0
    by_id = np.argsort(s.id[: s.n_owned])
    blocks = np.linalg.pinv(matrix, rcond=1e-9, hermitian=True).reshape(s.n_total, d, s.n_total, d)
    return blocks[by_id][:, :, by_id]


def ids_of_rows(s):
    """(N,) global id of each global row."""
    result = np.zeros(s.n_total, dtype=np.int64)
    result[s.first_row: s.first_row + s.n_owned] = s.id[: s.n_owned]
    return total(s.comm, result)


def peak(s, values):
    """max |value| over all ranks."""
    return largest(s.comm, float(np.abs(values).max(initial=0.0)))


def worst(s, blocks, expected):
    """Largest error of a set of blocks, relative to the largest entry of H^+."""
    ids = ids_of_rows(s)
    row = np.repeat(s.id[: s.n_owned], np.diff(blocks.start))
    return peak(s, blocks.blocks - expected[row, :, ids[blocks.columns]]) / np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_against_the_pseudo_inverse(world, alone, name):
    s, expected = glass(world, name), pseudo_inverse(glass(alone, name))
    hessian = Hessian(s)
    solver = Solver(hessian, "direct")
    before = solver.solve(load(s))
    blocks = inverse_blocks(hessian, solver)
    assert worst(s, blocks, expected) < 1e-12
    own = s.id[: s.n_owned]
    assert peak(s, blocks.diagonal - expected[own, :, own]) < 1e-12 * np.abs(expected).max()
    # the pattern: each interacting pair from both sides, and the diagonal
    pairs = pair_energies(s, np.zeros_like(s.box), [np.zeros((s.n_owned, s.dimension))])
    distinct = {(i, j) for i, j in pairs.ids.tolist() if i != j}
    count = np.zeros((s.n_total, s.n_total), dtype=np.int64)
    for i, j in distinct:
        count[i, j] = count[j, i] = 1
    count = np.minimum(total(world, count), 1)
    assert total(world, len(blocks.columns)) == count.sum() + s.n_total
    # the blocks of pairs, as the list of bonds names them
    found = blocks.between(s, pairs.rows)
    ends = s.id[pairs.rows]
    assert peak(s, found - expected[ends[:, 0], :, ends[:, 1]]) < 1e-12 * np.abs(expected).max()
    # the factors still solve
    assert peak(s, solver.solve(load(s)) - before) < 1e-12 * peak(s, before)
    assert solver.residual < 1e-12
    assert worst(s, inverse_blocks(hessian, solver), expected) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_vibrality(world, name):
    s = glass(world, name)
    with h5py.File(DATA / f"{name}.h5") as file:
        expected = file["reference/vibrality"][:]
    hessian = Hessian(s)
    for method in ("direct", "cg"):
        assert whole(s, vibrality(hessian, Solver(hessian, method))) == pytest.approx(expected, rel=1e-8)
    assert peak(s, vibrality(hessian) - np.trace(inverse_blocks(hessian).diagonal, axis1=1, axis2=2)) < 1e-12 * expected.max()


def test_loose_particles(world, alone):
    s, one = floating(world), floating(alone)
    hessian = Hessian(s)
    assert hessian.n_loose == 1
    error = 1e-12 if Solver(hessian).method == "direct" else 1e-10
    assert worst(s, inverse_blocks(hessian), pseudo_inverse(one)) < error
    values = whole(s, vibrality(hessian))
    assert values[400] == 0.0
    with h5py.File(DATA / "harmonic-3d.h5") as file:
        assert values[:400] == pytest.approx(file["reference/vibrality"][:], rel=1e-8)


def test_what_is_refused(world, monkeypatch):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    blocks = inverse_blocks(hessian)
    with pytest.raises(InputError, match="interacting pairs only"):
        blocks.between(s, np.array([[0, s.n_owned // 2]] if s.comm.rank == 0 else np.zeros((0, 2)), dtype=np.int64))
    solver = Solver(hessian, "direct")
    with monkeypatch.context() as patch:
        last = s.comm.rank == s.comm.size - 1       # on one rank alone
        patch.setattr(dissection, "_extend", _no_memory if last else dissection._extend)
        with pytest.raises(PhysicsError, match="no memory for entries of the inverse Hessian of 400 particles in 2D"):
            vibrality(hessian, solver)
    solver.solve(load(s))
    with monkeypatch.context() as patch:
        patch.setitem(inverse.LARGEST, 2, 399)
        with pytest.raises(InputError, match="400 particles in 2D are too many"):
            vibrality(hessian)
    s.rebuild()
    with pytest.raises(RuntimeError, match="epoch"):
        vibrality(hessian, solver=solver)
    liquid = system(world, *liquid_arrays("ipl12", 100, 2))
    with pytest.raises(PhysicsError, match="saddle"):
        vibrality(Hessian(liquid), solver=Solver(Hessian(liquid), "direct"))
    # the solver need not notice
    monkeypatch.setattr(inverse, "_shift", lambda hessian, solver, pinned: np.zeros((s.n_owned, 2, 2)))
    with pytest.raises(PhysicsError, match="saddle, not a minimum: its Hessian has negative eigenvalues"):
        vibrality(Hessian(liquid), solver=Solver(Hessian(liquid), "direct"))


def _no_memory(*_):
    raise MemoryError
