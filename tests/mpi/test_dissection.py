"""Entries of the inverse of random sparse matrices by nested dissection, against dense algebra, on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest

from hpcglass.landscape.matrix.dissection import LEAF, dissect, selected_inverse


def sparse(n, d, seed, parts=1):
    """(place, start, columns, blocks, dense): rows near each other are coupled; parts far apart are not."""
    random = np.random.default_rng(seed)
    place = random.uniform(size=(n, d)) + 10.0 * (np.arange(n) % parts)[:, None]
    reach = (6.0 / n) ** (1 / d)
    near = np.linalg.norm(place[:, None] - place, axis=2) < reach * parts ** (1 / d)
    dense = np.where(near[:, None, :, None], random.normal(size=(n, d, n, d)), 0.0)
    dense = dense + dense.transpose(2, 3, 0, 1)
    flat = dense.reshape(n * d, n * d)
    flat[np.diag_indices(n * d)] = 1.0 + np.abs(flat).sum(axis=1)       # dominates: positive definite
    row, column = np.nonzero(near)
    return place, np.searchsorted(row, np.arange(n + 1)), column, dense[row, :, column], flat


@pytest.mark.parametrize(("n", "d", "parts"), [(1, 2, 1), (LEAF, 3, 1), (LEAF + 1, 2, 1), (700, 2, 1), (500, 3, 1), (600, 2, 3)])
def test_against_dense(world, n, d, parts):
    place, start, columns, blocks, dense = sparse(n, d, 5, parts)
    found = selected_inverse(world, place, start, columns, blocks)
    right = np.linalg.inv(dense).reshape(n, d, n, d)[np.repeat(np.arange(n), np.diff(start)), :, columns]
    assert np.abs(found - right).max() < 1e-13 * np.abs(right).max()


def test_places_only_matter_for_the_time(world):
    """Cut without regard to who is near whom, even all in one place."""
    place, start, columns, blocks, _ = sparse(300, 2, 6)
    right = selected_inverse(world, place, start, columns, blocks)
    for other in (np.zeros_like(place), place[::-1]):
        assert np.abs(selected_inverse(world, other, start, columns, blocks) - right).max() < 1e-13 * np.abs(right).max()


def test_fronts():
    """Each row is eliminated once; a boundary holds later rows only; children lie before parents."""
    place, start, columns, *_ = sparse(900, 2, 7)
    fronts = dissect(place, start, columns)
    assert sorted(np.concatenate([front.pivots for front in fronts]).tolist()) == list(range(900))
    number = np.empty(900, dtype=np.int64)
    for k, front in enumerate(fronts):
        number[front.pivots] = k
    assert len(fronts) > 20 and not len(fronts[-1].boundary)
    for k, front in enumerate(fronts):
        assert (number[front.boundary] > k).all() and all(child < k for child in front.children)
        assert len(front.pivots) < 200      # a separator is short, a leaf small


def test_saddle_is_refused_on_all_ranks(world):
    place, start, columns, blocks, _ = sparse(500, 2, 8)
    row = np.repeat(np.arange(500), np.diff(start))
    blocks[(row == 77) & (columns == 77)] *= -1.0
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        selected_inverse(world, place, start, columns, blocks)


def test_a_look_can_stop_it(world):
    def stop():
        raise InterruptedError

    place, start, columns, blocks, _ = sparse(500, 2, 8)
    with pytest.raises(InterruptedError):
        selected_inverse(world, place, start, columns, blocks, stop)
