"""Saddles: that they are some, what they cost, what they connect and foretell; against dense and plain ways, and references."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, arrays, glass, system, whole
from scipy.optimize import minimize

from hpcglass.cavity.skyline import layout
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.periodic import simple_shear
from hpcglass.indicators.bonds import interacting
from hpcglass.indicators.glass import Choices, Glass
from hpcglass.indicators.saddles import SHARE, saddles
from hpcglass.landscape.forces import evaluate
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.saddles import pull
from hpcglass.saddles.descent import energy
from hpcglass.saddles.disc import evaluate as of_disc
from hpcglass.saddles.disc import product
from hpcglass.saddles.factors import factorise, solve
from hpcglass.saddles.sampling import WHOLE, Start, refine, sample
from hpcglass.saddles.search import Saddle, Search, critical_strain
from hpcglass.saddles.whole import Whole
from hpcglass.stages.base import GivenUp

pytestmark = pytest.mark.few_ranks       # ranks share the starts, each of which is one rank's


def reference(name):
    with h5py.File(DATA / f"saddles-{name}.h5") as file:
        return {key: item[()] for key, item in file.items()}, dict(file.attrs)


def begun(s, pairs, size=1):
    """Starts at some of the interacting pairs."""
    bonds = interacting(s)
    result = []
    for number, pair in enumerate(pairs):
        i, j = bonds.rows[pair]
        if j < s.n_owned:
            result.append(Start(1, int(i), number % size, np.array([i, j]), np.stack([-bonds.vector[pair], bonds.vector[pair]])))
    return result


@pytest.mark.parametrize("d", [2, 3])
def test_indefinite_factors(d):
    rng, n = np.random.default_rng(d), 12
    first = np.maximum(np.arange(n) - rng.integers(0, 5, n), 0)
    offset, inverse = np.empty(n * d, np.int64), np.empty(n * d)
    matrix = rng.normal(size=layout(first, d, offset))
    dense = np.zeros((n * d, n * d))
    for row in range(n * d):
        for column in range(d * first[row // d], row + 1):
            dense[row, column] = dense[column, row] = matrix[offset[row] + column]
    right = int((np.linalg.eigvalsh(dense) < 0).sum())
    assert 1 < right < n * d
    stopped = factorise(n, d, first, offset, matrix.copy(), inverse, right - 1)
    assert stopped == right
    assert factorise(n, d, first, offset, matrix, inverse, 1000) == right
    b = rng.normal(size=n * d)
    x = b.copy()
    solve(n, d, first, offset, matrix, inverse, x)
    assert np.abs(dense @ x - b).max() < 1e-8


@pytest.mark.parametrize("name", ["ipl12-2d", "harmonic-3d"])
def test_a_saddle_is_one(alone, name):
    """One negative eigenvalue (dense), no forces, and downhill on one side lies the minimum, by another program's descent."""
    s = glass(alone, name)
    search = Search(s, 6.0)
    found = sample(alone, search, begun(s, range(0, 400, 40)), lambda what: None)
    assert np.mean(found.flag == pull.SADDLE) > 0.4 and found.connected.sum() > 2
    trial = next(iter(found.saddles))
    one, table, memory = found.saddles[trial], s.table, search.memory
    patch = search.patch(one.core)
    n, d = patch.n_free, s.dimension
    there = patch.y.copy()
    there[:n] += one.motion
    pairs = pull.listed_for(table, n, there, there.copy(), patch.diameter, patch.species, search.sample.shell, -1, memory)
    assert of_disc(table, n, there, pairs, memory, True) < 1e-9
    dense = np.empty((n * d, n * d))
    for k in range(n * d):
        product(n, d, pairs, memory, np.eye(n * d)[k], dense[k])
    values, vectors = np.linalg.eigh(0.5 * (dense + dense.T))
    assert values[0] == pytest.approx(one.eigenvalue, rel=1e-3) and values[1] > 0.0
    assert found.eigenvalue[trial] == one.eigenvalue and found.barrier[trial] == one.barrier > 0.0

    def of(x):
        y = np.concatenate([x.reshape(n, d), patch.y[n:]])
        pairs = pull.listed_for(table, n, y, y.copy(), patch.diameter, patch.species, search.sample.shell, -1, memory)
        of_disc(table, n, y, pairs, memory, False)
        gradient = -memory.force[: n * d].copy()
        return energy(table, pairs, memory), gradient

    start = of(patch.y[:n].ravel())[0]
    assert of(there[:n].ravel())[0] - start == pytest.approx(one.barrier, rel=1e-8)
    # short steps downhill, as plain as can be, until a minimiser has no choice
    ends = []
    for sign in (1.0, -1.0):
        x = there[:n].ravel() + sign * 0.02 * vectors[:, 0]
        for _ in range(3000):
            x = x - 5e-4 * of(x)[1] * min(1.0, 20.0 / np.abs(of(x)[1]).max())
        x = minimize(of, x, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "maxiter": 2000}).x
        ends.append(np.abs(x - patch.y[:n].ravel()).max())
    assert min(ends) < 1e-4 < max(ends)


def dense_saddle(s, motion):
    """Newton's method on all particles with a dense Hessian: (motion, energy, stress, eigenvalues)."""
    for _ in range(60):
        moved = system(s.comm, s.model, s.box, (s.reference + s.displacement)[: s.n_owned] + motion,
                       s.diameter[: s.n_owned], s.species[: s.n_owned])
        order = np.argsort(moved.id[: moved.n_owned])
        here = evaluate(moved)
        force = here.forces[order].ravel()
        hessian = Hessian(moved)
        n, d = moved.n_owned, moved.dimension
        rows, columns, values = hessian.matrix.getValuesCSR()
        matrix = np.zeros((n * d, n * d))
        for row in range(n * d):
            matrix[row, columns[rows[row]: rows[row + 1]]] = values[rows[row]: rows[row + 1]]
        full = (order[:, None] * d + np.arange(d)).ravel()
        matrix = matrix[np.ix_(full, full)]
        if np.abs(force).max() < 1e-10:
            return motion, here.energy, here.stress, np.linalg.eigvalsh(matrix)
        across = np.tile(np.eye(d), (n, 1)) / np.sqrt(n)
        step = np.linalg.solve(matrix + across @ across.T, force).reshape(n, d)
        motion = motion + step * min(1.0, 0.1 / np.abs(step).max())
    raise AssertionError("no saddle")


def test_refined_saddles_are_those_of_a_dense_search(alone):
    s = glass(alone, "ipl12-2d")
    found = sample(alone, Search(s, 8.0), begun(s, range(0, 500, 50)), lambda what: None)
    near, refined = Whole(s), 0
    for one in list(found.saddles.values()):
        best = near.refined(one)
        if best is None:
            continue
        refined += 1
        start = np.zeros((s.n_owned, 2))
        start[one.rows] = one.motion
        motion, level, stress, values = dense_saddle(s, start)
        minimum = evaluate(s)
        assert best.barrier == pytest.approx(level - minimum.energy, rel=1e-8) and best.barrier < one.barrier
        assert np.abs(best.stress - s.volume * (stress - minimum.stress)).max() < 1e-7
        assert values[0] < -1e-3 and values[1] > -1e-8          # one, and two translations
        off = motion - best.motion
        assert np.abs(off - off.mean(axis=0)).max() < 1e-7
        if refined == 2:
            break
    assert refined == 2
    near.destroy()


def test_reference_saddles(alone):
    """Those that random starts of an independent program found: from their positions, and by pulling there."""
    right, _ = reference("ipl10-2d")
    box, position = arrays("ipl10-2d")[1:3]
    s, inverse = glass(alone, "ipl10-2d"), np.linalg.inv(box)
    near = Whole(s)
    for row, there in zip(right["art"], right["art_positions"], strict=True):
        motion = (there - position) @ inverse.T
        motion = (motion - np.rint(motion)) @ box.T
        motion -= motion.mean(axis=0)
        one = near.refined(Saddle(pull.SADDLE, rows=np.arange(s.n_owned), motion=motion[s.id[: s.n_owned]]))
        assert one is not None and one.barrier == pytest.approx(row[1], rel=1e-7)
        assert one.stress[0, 1] / s.volume == pytest.approx(row[2], rel=1e-6)
        assert critical_strain(one.barrier, one.stress, simple_shear(2, "xy")) == pytest.approx(row[3], rel=1e-6)
    near.destroy()


def test_it_foretells_an_instability(alone):
    """The softest way out of a large glass against the strain of its first instability, located by another program: B27 is 6 %
    off, as far from the fold as that."""
    s = glass(alone, "ipl12-2d-N10000")
    with h5py.File(DATA / "ipl12-2d-N10000.h5") as file:
        exact = float(file["reference/aqs_simple_shear/gamma_c"][1])       # before it there is a micro-instability
    bonds = interacting(s)
    near = np.flatnonzero((s.id[bonds.rows] == 2963).any(axis=1) & (bonds.rows[:, 1] < s.n_owned))
    found = sample(alone, Search(s, 8.0), begun(s, near), lambda what: None)
    gradient = simple_shear(2, "xy")
    kept = found.distinct()
    softest = kept[np.argmin(found.strains(kept, gradient))]
    found = refine(alone, Search(s, 8.0), found, [int(softest)], lambda what: None)
    assert found.refined[softest] == WHOLE and found.barrier[softest] == pytest.approx(0.00216, rel=5e-3)
    assert found.strains(np.array([softest]), gradient)[0] == pytest.approx(exact, rel=0.08)


def test_saddles_at_a_fold(alone):
    """Beside an instability, where minimum and saddle are about to meet: the reference's barrier and stress."""
    right, _ = reference("ipl10-2d")
    model, box, _, diameter, species = arrays("ipl10-2d")
    strain, barrier, stress, foretold = right["critical"][-1]
    sheared = (np.eye(2) + strain * simple_shear(2, "xy")) @ box
    s = system(alone, model, sheared, right["critical_minimum_position"], diameter, species)
    motion = (right["critical_saddle_position"] - right["critical_minimum_position"]) @ np.linalg.inv(sheared).T
    motion = (motion - np.rint(motion)) @ sheared.T
    near = Whole(s)
    one = near.refined(Saddle(pull.SADDLE, rows=np.arange(s.n_owned), motion=(motion - motion.mean(axis=0))[s.id[: s.n_owned]]))
    near.destroy()
    assert one is not None and one.barrier == pytest.approx(barrier, rel=1e-6)
    assert one.stress[0, 1] / s.volume == pytest.approx(stress, rel=1e-5)
    assert critical_strain(one.barrier, one.stress, simple_shear(2, "xy")) == pytest.approx(foretold, rel=1e-5)


def test_the_field(world, alone):
    """The same on any number of ranks; the least strain of those who take part; who does not is NaN."""
    choices = Choices(saddle_starts=("bonds", "random"), saddle_cell=7.0, saddle_refined=1)
    one, several = Glass(glass(alone, "ipl12-2d"), choices), Glass(glass(world, "ipl12-2d"), choices)
    right, found = whole(one.system, saddles(one)), whole(several.system, saddles(several))
    assert np.array_equal(np.isnan(right), np.isnan(found)) and np.array_equal(np.isinf(right), np.isinf(found))
    finite = np.isfinite(right)
    assert finite.any() and np.isnan(right).any() and np.allclose(right[finite], found[finite], rtol=1e-6)
    rows, columns = several.tables["saddles"]
    table = dict(zip(columns, rows.T, strict=True))
    assert len(rows) == several.results["saddles_distinct"][0] and table["gamma_c"].tolist() == sorted(table["gamma_c"])
    assert set(table["start"]) <= {1.0, 2.0} and np.isin(table["core_id"], np.flatnonzero(~np.isnan(found))).all()
    assert np.nanmin(found) == table["gamma_c"][0]
    assert several.results["saddles_visited"][0] == pytest.approx(1.0 - np.isnan(found).mean())


def test_who_takes_part():
    one = Saddle(pull.SADDLE, rows=np.array([4, 9, 7]), motion=np.array([[0.0, 0.1], [0.3, 0.0], [0.0, 0.08]]))
    assert one.core == 9 and one.movers(SHARE).tolist() == [4, 9]
    assert one.participation == pytest.approx(0.1064**2 / (1e-4 + 81e-4 + 0.08**4))


def test_critical_strains():
    """B27, of any shear; one that raises the barrier never opens it."""
    stress = np.array([[[1.0, -2.0], [-2.0, 0.5]], [[0.0, 2.0], [2.0, 0.0]]])
    strains = critical_strain(np.array([0.4, 0.4]), stress, simple_shear(2, "xy"))
    assert strains[0] == pytest.approx(0.3) and np.isinf(strains[1])
    assert critical_strain(np.array(0.4), stress[1], -simple_shear(2, "xy")) == pytest.approx(0.3)


def test_refused(alone):
    s = glass(alone, "harmonic-3d")
    s.deform(np.diag([0.5, 0.5, 0.5]))
    s.update()
    with pytest.raises(InputError, match="no room in this cell"):
        Search(s, 8.0)
    shaken = glass(alone, "ipl10-2d")
    shaken.move(0.2 * np.sin(np.arange(2.0 * shaken.n_owned)).reshape(-1, 2))
    shaken.update()
    with pytest.raises(PhysicsError, match="no stable minimum"):
        Whole(shaken)
    found = sample(alone, Search(shaken, 8.0), begun(shaken, [5]), lambda what: None)
    assert set(found.flag) <= {pull.UNSTABLE, pull.OTHER, pull.ENDLESS} and not found.connected.any()


def test_it_can_be_stopped(alone):
    def asked():
        raise GivenUp

    s = glass(alone, "ipl12-2d")
    with pytest.raises(GivenUp):
        saddles(Glass(s, Choices(saddle_starts=("bonds",)), look=asked))
