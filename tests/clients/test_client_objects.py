"""A frame as an object of another library has the distances, sizes, species, neighbours and fields of the glass."""

from __future__ import annotations

import numpy as np
import pytest
from client_objects import OBJECTS
from client_page import FLAT
from test_client_page import SINGLE, distances

from hpcglass.analysis.structure.neighbours import pairs


@pytest.mark.parametrize("job", OBJECTS, ids=lambda job: f"{job.client}-{job.name}")
def test_objects(found, glasses, job):
    result = found[job.client][job.name]
    assert "error" not in result, str(result["error"])
    name = job.file.removesuffix(".h5")
    c, d = glasses[name], glasses[name].dimension
    position, edges = result["position"].astype(float), result["edges"].astype(float)
    assert result["periodic"].tolist() == [True, True, d == 3 or job.client == "freud"]      # its flat boxes say so
    if "flat" in result:
        assert bool(result["flat"]) == (name in FLAT)
    assert not position[:, d:].any()
    right = distances(c.position, c.box.T)
    exact = SINGLE * 10 if job.client == "freud" else 1e-12
    np.testing.assert_allclose(distances(position[:, :d], edges[:d, :d]), right, atol=exact)
    assert float(result["neighbours"]) == pytest.approx(len(pairs(c.position, c.box, 1.5).i) / len(c.position), abs=1e-9)
    if job.client == "freud":
        assert float(result["volume"]) == pytest.approx(abs(np.linalg.det(c.box)), rel=1e-5)
        _same_g(result["g"], c)
        return
    periods = np.linalg.solve(c.box, (position[:, :d] - c.position).T)         # not turned, but wrapped into the cell
    np.testing.assert_allclose(periods, np.rint(periods), atol=1e-12)
    np.testing.assert_allclose(edges[:d, :d], c.box.T)
    np.testing.assert_allclose(result["diameter"], c.diameter, rtol=1e-7)      # OVITO has them in single precision
    np.testing.assert_array_equal(result["kind"], c.species)
    np.testing.assert_array_equal(result["mine"], np.arange(len(c.position)) * 0.5)
    np.testing.assert_allclose(result["vector"], 2 * position[:, :d])


def _same_g(theirs, c):
    """freud's g(r) is ours, but for pairs that single precision puts into the next bin, and its N (N - 1)."""
    edges = np.linspace(0, 2, 21)
    n, d = len(c.position), c.dimension
    shell = np.diff(np.pi * edges**2 if d == 2 else 4 / 3 * np.pi * edges**3)
    count = np.histogram(np.sqrt(pairs(c.position, c.box, 2.0).length2), edges)[0]
    ours = count * abs(np.linalg.det(c.box)) / (n * n * shell)
    assert np.sum(np.abs(theirs / ours.clip(1e-9) - 1)[count > 0] > 0.02) <= 2
