"""g(r), S(q), bonds: compared with sums over all images and all vectors, in 2D and 3D, tilted, with sizes and species."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

import hpcglass as hg
from hpcglass.analysis.structure.neighbours import interacting, pairs
from hpcglass.errors import InputError
from hpcglass.potentials.library import MODELS

rng = np.random.default_rng(3)


@dataclass
class Glass:
    """What the functions ask of a frame."""

    position: np.ndarray
    box: np.ndarray
    diameter: np.ndarray
    species: np.ndarray
    model: object
    walls: np.ndarray | None = None
    path: str = "glass.h5"

    particles = property(lambda self: len(self.position))
    dimension = property(lambda self: len(self.box))
    volume = property(lambda self: abs(np.linalg.det(self.box)))


BOXES = {"2d": np.array([[5.0, 1.9], [0.3, 4.0]]), "3d": np.array([[3.0, 1.2, -0.6], [0.2, 2.8, 0.9], [0.4, -0.3, 3.1]])}


@pytest.fixture(params=[(name, model) for name in BOXES for model in ("ipl12", "lj-binary")], ids=lambda p: "-".join(p))
def glass(request):
    name, model = request.param
    box, count = BOXES[name], 24
    species = (np.arange(count) % 3 == 0).astype(np.int32) if model == "lj-binary" else np.zeros(count, np.int32)
    diameter = rng.uniform(0.7, 1.6, count) if model == "ipl12" else np.array(MODELS[model].sizes.diameters)[species]
    position = rng.uniform(-0.5, 1.5, (count, len(box))) @ box.T        # not all of them in the cell
    return Glass(position, box, diameter, species, MODELS[model])


def all_images(glass, cutoff, most=4):
    """(i, j, distance) of all ordered pairs with images."""
    found = []
    for shift in product(range(-most, most + 1), repeat=glass.dimension):
        difference = glass.position[None] - glass.position[:, None] + glass.box @ np.array(shift)
        distance = np.linalg.norm(difference, axis=-1)
        i, j = np.nonzero((distance < cutoff) & ((distance > 1e-9) | ~np.eye(glass.particles, dtype=bool)))
        found.append(np.column_stack([i, j, distance[i, j]]))
    return np.concatenate(found)


@pytest.mark.parametrize("cutoff", [1.3, 4.5])
def test_pairs_with_all_images(glass, cutoff):
    found = pairs(glass.position, glass.box, cutoff)
    mine = np.column_stack([found.i, found.j, np.sqrt(found.length2)])
    right = all_images(glass, cutoff)
    assert len(mine) == len(right)
    mine, right = (rows[np.lexsort(np.round(rows.T[::-1], 9))] for rows in (mine, right))
    np.testing.assert_allclose(mine, right, atol=1e-12)
    np.testing.assert_allclose(glass.position[found.j] + found.periods @ glass.box.T - glass.position[found.i], found.vector)


def test_interacting_pairs_by_the_mixing_rule(glass):
    i, j, distance = all_images(glass, 6.0).T
    i, j, mixing = i.astype(int), j.astype(int), glass.model.mixing
    if mixing.by_species:
        length = np.array(mixing.length)[glass.species[i], glass.species[j]]
    else:
        a, b = glass.diameter[i], glass.diameter[j]
        length = (a + b) / 2 * (1 - mixing.nonadditivity * np.abs(a - b))
    near = distance < glass.model.potential.cutoff * length
    assert len(interacting(glass).i) == near.sum() > 0
    table = hg.analysis.bonds(glass)
    assert 2 * table.rows == near.sum() and (table["i"] <= table["j"]).all()
    np.testing.assert_allclose(np.sort(table["scaled"]), np.sort((distance / length)[near])[::2])
    np.testing.assert_array_equal(hg.analysis.coordination(glass), np.bincount(i[near], minlength=glass.particles))


def test_radial_distribution(glass):
    edges = np.linspace(0, 4.5, 31)
    distance = all_images(glass, 4.5)[:, 2]
    shell = np.diff(np.pi * edges**2 if glass.dimension == 2 else 4 / 3 * np.pi * edges**3)
    table = hg.analysis.radial_distribution(glass, 4.5, 30)
    n = glass.particles
    np.testing.assert_allclose(table["g"], np.histogram(distance, edges)[0] * glass.volume / (n * n * shell), atol=1e-12)
    if glass.species.any():
        count = np.bincount(glass.species)
        weights = {"g_00": count[0] ** 2, "g_01": 2 * count[0] * count[1], "g_11": count[1] ** 2}
        np.testing.assert_allclose(sum(weights[name] * table[name] for name in weights) / n**2, table["g"], atol=1e-12)
    else:
        assert list(table) == ["r", "g"]


def test_structure_factor(glass):
    q_max, bins = 9.0, 7
    reciprocal = 2 * np.pi * np.linalg.inv(glass.box)
    vectors = np.array(list(product(range(-8, 9), repeat=glass.dimension))) @ reciprocal
    length = np.linalg.norm(vectors, axis=1)
    vectors, length = (values[(length > 0) & (length <= q_max)] for values in (vectors, length))
    shell = np.minimum((length / q_max * bins).astype(int), bins - 1)
    table = hg.analysis.structure_factor(glass, q_max, bins)
    there = np.unique(shell)

    def right(weight):
        s = np.abs(np.exp(1j * glass.position @ vectors.T).T @ weight) ** 2 / (weight @ weight)
        return np.array([s[shell == k].mean() for k in there])

    np.testing.assert_allclose(table["s"], right(np.ones(glass.particles)), rtol=1e-9)
    np.testing.assert_allclose(table["q"], [length[shell == k].mean() for k in there])
    np.testing.assert_array_equal(2 * table["vectors"], [np.sum(shell == k) for k in there])
    weighted = hg.analysis.structure_factor(glass, q_max, bins, weights=glass.diameter**2)
    np.testing.assert_allclose(weighted["s"], right(glass.diameter**2), rtol=1e-9)
    if glass.species.any():
        count = np.bincount(glass.species)
        whole = sum((1 + (a != b)) * np.sqrt(count[a] * count[b]) * table[f"s_{a}{b}"] for a, b in ((0, 0), (0, 1), (1, 1)))
        np.testing.assert_allclose(whole / glass.particles, table["s"], rtol=1e-9, atol=1e-12)


def lattice(edges, basis, repeats):
    grid = np.array(list(product(range(repeats), repeat=len(edges))))
    fraction = (grid[:, None] + np.array(basis)[None]).reshape(-1, len(edges)) / repeats
    box = repeats * np.array(edges).T
    ones = np.ones(len(fraction))
    return Glass(fraction @ box.T, box, ones, ones.astype(np.int32) * 0, MODELS["ipl12"])


def test_bond_order_of_crystals():
    triangular = lattice([[1, 0], [0.5, 3**0.5 / 2]], [[0, 0]], 5)
    np.testing.assert_allclose(hg.analysis.bond_order(triangular, 6, cutoff=1.2), 1)
    assert (hg.analysis.coordination(triangular, 1.2) == 6).all()
    fcc = lattice(2**0.5 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], 3)
    np.testing.assert_allclose(hg.analysis.bond_order(fcc, 6, cutoff=1.2), 0.57452, atol=1e-5)
    np.testing.assert_allclose(hg.analysis.bond_order(fcc, 4, cutoff=1.2), 0.19094, atol=1e-5)
    assert (hg.analysis.bond_order(fcc, 6, cutoff=0.5) == 0).all()


@pytest.mark.parametrize("ask", [lambda glass: hg.analysis.radial_distribution(glass, 2.0),
                                 lambda glass: hg.analysis.structure_factor(glass, 9.0)])
def test_walls_are_refused(glass, ask):
    glass.walls = np.array([0.0] * glass.dimension + [1.0, 2.0])
    with pytest.raises(InputError, match="between walls"):
        ask(glass)


def test_cells_without_so_small_a_vector(glass):
    with pytest.raises(InputError, match="no wave vector as short"):
        hg.analysis.structure_factor(glass, 0.1)
