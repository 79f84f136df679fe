"""Depth inside a convex hull, and the density away from it."""

import numpy as np
import pytest

from hpcglass.numbers.hull import within


def test_a_lattice():
    """Density of a square lattice, exact away from the rim; N/V of the hull is 10 % too high."""
    x, y = np.meshgrid(np.arange(21.0), np.arange(31.0))
    depth, density = within(np.stack([x.ravel(), y.ravel()], axis=1) + 100.0, share=0.15)
    assert depth.min() == pytest.approx(0.0, abs=1e-12) and depth.max() == pytest.approx(10.0)
    assert depth.reshape(31, 21)[5, 3] == pytest.approx(3.0)
    assert density == pytest.approx(1.0, rel=1e-9)          # 1.5 deep: 17 x 27 points in 17 x 27
    assert 21 * 31 / (20.0 * 30.0) > 1.08


def test_random_points_in_a_ball():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20000, 3))
    points *= (rng.random(20000) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    depth, density = within(points)
    assert density == pytest.approx(20000 / (4 * np.pi / 3), rel=0.03)
    assert np.abs(depth - (1 - np.linalg.norm(points, axis=1))).max() < 0.06


def test_no_hull():
    with pytest.raises(ValueError, match="no hull"):
        within(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    with pytest.raises(ValueError, match="no hull"):
        within(np.zeros((2, 2)))
