"""Crystals, lattices of springs, tiles: all copies of multiple levels are among the softest modes, or the program says so."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import arrays, glass, monodisperse, system, whole
from test_lattices import one_sphere

from hpcglass.errors import PhysicsError
from hpcglass.landscape import bonds as bonds_module
from hpcglass.landscape.bonds import bond_spectrum, softest_bond_modes
from hpcglass.landscape.matrix import shift_invert
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.matrix.multiple import last_level, search
from hpcglass.landscape.modes import lowest_modes, modes_in_interval, spectrum


def crystal(comm, model, cell, basis, cells):
    """Particles of diameter 1 at fractional positions `basis` in so many copies of a cell along each edge."""
    d = len(cell)
    corners = np.array(list(np.ndindex(*[cells] * d)))
    fractions = (corners[:, None] + np.array(basis, dtype=float)).reshape(-1, d)
    return system(comm, model, cells * np.array(cell, dtype=float), fractions @ np.array(cell).T, np.ones(len(fractions)),
                  np.zeros(len(fractions), np.int32))


def tiles(comm, name, count):
    """A reference glass repeated along x, with the walls of each tile in the same places."""
    model, box, position, diameter, species = arrays(name)
    wide = box * np.array([count] + [1] * (len(box) - 1))
    return system(comm, model, wide, np.concatenate([position + k * box[:, 0] for k in range(count)]),
                  np.tile(diameter, count), np.tile(species, count))


FACES = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
SYSTEMS = {
    "triangular": lambda comm: crystal(comm, one_sphere(), [[0.97, 0.485], [0.0, 0.97 * np.sqrt(0.75)]], [[0, 0]], 9),
    "square": lambda comm: crystal(comm, one_sphere(), [[1 - 1e-9, 0], [0, 1 - 1e-9]], [[0, 0]], 10),
    "fcc": lambda comm: crystal(comm, monodisperse("lj"), (4 / 1.05) ** (1 / 3) * np.eye(3), FACES, 4),
    "tiles": lambda comm: tiles(comm, "ipl10-2d", 2)}


def check(s, modes, expected):
    """The lowest of all modes, orthonormal."""
    count = len(modes.frequency2)
    assert not modes.uncounted
    assert modes.frequency2 == pytest.approx(expected[:count], abs=1e-9 * expected[-1])
    flat = whole(s, modes.vectors).reshape(-1, count)
    assert np.abs(flat.T @ flat - np.eye(count)).max() < 1e-9


@pytest.mark.parametrize("name", SYSTEMS)
def test_lowest_modes_are_those_of_the_whole_spectrum(world, name):
    """Whether their number cuts a level or not. Without the count, triangles and fcc fail."""
    s = SYSTEMS[name](world)
    hessian = Hessian(s)
    expected = spectrum(hessian, 1e-6).frequency2
    for count in (7, 10, 19, 25, 37):
        check(s, lowest_modes(hessian, count), expected)


@pytest.mark.parametrize("name", ["triangular", "fcc"])
def test_interval_of_multiple_levels(world, name):
    s = SYSTEMS[name](world)
    hessian = Hessian(s)
    every = spectrum(hessian)
    gaps = np.flatnonzero(np.diff(every.frequency[:60]) > 1e-3) + 1
    last = gaps[-1]
    modes = modes_in_interval(hessian, 0.0, 0.5 * (every.frequency[last - 1] + every.frequency[last]))
    assert modes.frequency2 == pytest.approx(every.frequency2[:last], rel=1e-9)


@pytest.mark.parametrize("name", ["triangular", "fcc", "tiles"])
def test_softest_bond_modes_are_those_of_the_whole_spectrum(world, name):
    s = SYSTEMS[name](world)
    hessian = Hessian(s)
    expected = bond_spectrum(hessian, vectors=False).eigenvalue
    for count in (7, 10, 19):
        modes = softest_bond_modes(hessian, count)
        assert not modes.uncounted
        assert modes.eigenvalue == pytest.approx(expected[:count], rel=1e-9)
        stiff = np.einsum("nak,nal->kl", whole(s, modes.displacement), whole(s, modes.force))
        assert np.abs(stiff - np.diag(np.diag(stiff))).max() < 1e-7         # orthogonal in the product of H


@pytest.mark.needs("mumps")
@pytest.mark.needs("cholmod")
def test_where_nobody_can_count_another_start_is_tried(alone, monkeypatch):
    """Without MUMPS, or without memory for its factors: the same modes, and what was not verified."""
    hessian = Hessian(SYSTEMS["triangular"](alone))
    expected = spectrum(hessian).frequency2
    for why in ("without MUMPS", "no memory"):
        with monkeypatch.context() as patch:
            if why == "without MUMPS":
                patch.setattr(shift_invert, "packages", lambda _: ["cholmod"])
            else:
                def refuse(*_):
                    raise PhysicsError("no memory")
                patch.setattr(shift_invert, "inertia", refuse)
                patch.setattr(bonds_module, "inertia", refuse)
            for count in (10, 19):
                modes = lowest_modes(hessian, count)
                assert modes.frequency2 == pytest.approx(expected[:count], rel=1e-9)
                assert why in modes.uncounted
            if why == "no memory":
                modes = softest_bond_modes(hessian, 10)
                assert modes.eigenvalue == pytest.approx(bond_spectrum(hessian, vectors=False).eigenvalue[:10], rel=1e-9)
                assert why in modes.uncounted


def test_what_is_never_found_is_an_error(world, monkeypatch):
    hessian = Hessian(glass(world, "ipl12-2d"))
    count = shift_invert.count_below
    monkeypatch.setattr(shift_invert, "count_below", lambda *options: count(*options) + 2)
    with pytest.raises(PhysicsError, match=r"of the modes with omega\^2 < .*, 11 by inertia, 9 were found"):
        lowest_modes(hessian, 10)
    above = bonds_module._count_above
    monkeypatch.setattr(bonds_module, "_count_above", lambda *options: above(*options) + 1)
    with pytest.raises(PhysicsError, match=r"of the bond modes with lambda > .*, 5 by inertia, 4 were found"):
        softest_bond_modes(hessian, 5)


def test_last_level():
    """Copies of the last level are not counted: any of them will do."""
    assert last_level(np.array([1.0, 2.0, 3.0]), 0.1) == (pytest.approx(2.9), 2)
    assert last_level(np.array([1.0, 2.9, 3.0, 3.05]), 0.1) == (pytest.approx(2.8), 1)
    assert last_level(np.array([3.0, 3.1]), 0.1) == (pytest.approx(2.9), 0)


def test_search_asks_for_what_is_missing():
    asked = []

    def look(known, count, number):
        asked.append((known.shape[2], count, number))
        return np.zeros((1, 1, [2, 0, 1, 1][len(asked) - 1]))

    found, missing = search(np.zeros((1, 1, 3)), 4, look)
    assert found.shape[2] == 7 and missing == 0
    assert asked == [(3, 4, 1), (5, 2, 2), (5, 2, 3), (6, 1, 4)]
