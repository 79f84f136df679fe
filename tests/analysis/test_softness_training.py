"""Labels of softness from critical modes, and the plane between them."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.analysis.softness.labels import d2min_of_mode, extrema
from hpcglass.analysis.softness.training import train
from hpcglass.analysis.structure.neighbours import pairs
from hpcglass.errors import InputError


def lattice(n=12):
    """A square lattice, nearest neighbours."""
    position = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2).astype(float) + 0.5
    return position, pairs(position, n * np.eye(2), 1.1)


def test_extrema_look_two_contacts_far():
    _, found = lattice()
    values = np.random.default_rng(1).random(144)
    values[40], values[42], values[64], values[100] = 3.0, 2.0, 2.5, -1.0      # 42 and 64 are two contacts from 40
    soft, stiff = extrema(values, found.i, found.j)
    assert 40 in soft and 42 not in soft and 64 not in soft and 100 in stiff
    near = np.zeros((144, 144), dtype=bool)
    near[found.i, found.j] = True
    near |= near @ near
    np.fill_diagonal(near, False)
    assert soft.tolist() == [k for k in range(144) if values[k] > values[near[k]].max()]
    assert stiff.tolist() == [k for k in range(144) if values[k] < values[near[k]].min()]


def test_equal_values_are_no_extrema():
    _, found = lattice()
    assert [len(one) for one in extrema(np.zeros(144), found.i, found.j)] == [0, 0]


def test_d2min_of_a_mode():
    """An affine field has none; a single moved particle has most, by hand; whatever the field's size."""
    position, found = lattice()
    middle = position - 6.0
    inside = (np.abs(middle) < 4.0).all(axis=1)
    affine = middle @ np.array([[0.1, 0.3], [-0.2, 0.05]])
    assert np.abs(d2min_of_mode(found, affine)[inside]).max() < 1e-13
    mode = np.zeros((144, 2))
    mode[66] = 1e-3, 0.0
    values = d2min_of_mode(found, mode)
    assert values.argmax() == 66 and values[66] == pytest.approx(4e-6)      # all four bonds change alike: no map does that
    assert values[67] == pytest.approx(0.5e-6) and values[0] == 0.0         # one of four, opposite to which nothing changes


def samples(shift, number=8, each=150, shuffled=False, seed=0):
    """Two clouds of neighbourhoods, apart along one of five functions; a sixth is constant."""
    random = np.random.default_rng(seed)
    result = []
    for _ in range(number):
        labels = np.repeat([1.0, 0.0], each)
        functions = random.normal(size=(2 * each, 6)) * [1.0, 10.0, 0.1, 1.0, 1.0, 0.0] + [0.0, 5.0, 0.0, 0.0, 0.0, 3.0]
        functions[:, 1] += 10.0 * shift * labels
        result.append((functions, random.permutation(labels) if shuffled else labels))
    return result


def test_a_plane_between_clouds():
    found = train("some", samples(4.0))
    assert found.accuracy > 0.96 and found.trained == 1800 and found.held_out == 600       # Phi(2) = 0.977
    assert np.abs(found.plane.weight).argmax() == 1 and found.plane.weight[1] > 0.0
    again = train("some", samples(4.0))
    assert np.array_equal(found.plane.weight, again.plane.weight) and found.accuracy == again.accuracy
    functions, labels = samples(4.0, seed=5)[0]
    assert ((found.plane.softness(functions) > 0) == (labels > 0.5)).mean() > 0.95


def test_shuffled_labels_teach_nothing():
    """0.5 within its error: of ten trainings, 0.6 are expected beyond two errors of 1/2 / sqrt(examples)."""
    right = np.array([train("some", samples(4.0, shuffled=True, seed=seed)).accuracy for seed in range(10)])
    error = 0.5 / np.sqrt(600)
    assert abs(right.mean() - 0.5) < 4.0 * error / np.sqrt(10) and (np.abs(right - 0.5) > 2.0 * error).sum() <= 3


def test_as_many_soft_as_stiff():
    functions = np.arange(20.0).reshape(10, 2)
    labels = np.array([1.0] * 7 + [0.0] * 3)
    found = train("some", [(functions, labels)] * 3, every=3)
    assert found.trained == 12 and found.held_out == 6


def test_refused():
    with pytest.raises(InputError, match="two samples"):
        train("some", samples(1.0, number=1))
    with pytest.raises(InputError, match="no soft and stiff"):
        train("some", [(np.zeros((4, 2)), np.ones(4))] * 3)
