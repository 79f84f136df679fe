"""What docs/clients.md tells users to type gives what is in the glass: positions, cell, periodicity, sizes, species, pairs."""

from __future__ import annotations

import itertools
import re

import h5py
import numpy as np
import pytest
from client_page import FLAT, GLASSES, PAGE, ROOT, blocks

from hpcglass.io.formats.common import restricted

EXPORTS = [job for job in blocks() if job.file.rpartition(".")[0] in GLASSES]
MOVIES = [job for job in blocks() if job.file.startswith("movie.")]
SINGLE = 2e-6       # of single precision, in positions up to 20
DOUBLE = {("OVITO", "xyz"), ("OVITO", "data"), ("OVITO", "dump"), ("ASE", "xyz"), ("extxyz", "xyz"), ("LAMMPS", "data"),
          ("VTK", "vtkhdf")}
NEIGHBOURS = {"OVITO", "ASE", "LAMMPS", "freud", "MDAnalysis"}


def distances(position, edges):
    """Minimum-image distances of all pairs (N, N), whatever the axes and the choice of the edges (rows)."""
    position, box = restricted(position, np.ascontiguousarray(edges.T), reduce=True)
    fraction = np.linalg.solve(box, position.T).T
    difference = fraction[:, None] - fraction[None]
    difference -= np.round(difference)
    images = itertools.product((-1, 0, 1), repeat=len(box))
    return np.sqrt(np.min([(((difference + np.array(k)) @ box.T) ** 2).sum(axis=-1) for k in images], axis=0))


@pytest.fixture(scope="module")
def right(glasses):
    return {name: distances(c.position, c.box.T) for name, c in glasses.items()}


@pytest.mark.parametrize("job", EXPORTS, ids=lambda job: f"{job.client}-{job.name}")
def test_exports(found, glasses, right, job):
    result = found[job.client][job.name]
    assert "error" not in result, str(result["error"])
    name, _, ending = job.file.rpartition(".")
    c, d = glasses[name], glasses[name].dimension
    position, edges = result["position"].astype(float), result["edges"].astype(float)
    if name in FLAT:
        assert not position[:, 2:].any() and not edges[2, :2].any() and not edges[:2, 2].any()
        assert ending not in ("data", "dump", "h5md") or edges[2, 2] >= 10      # images in z are out of reach
        position, edges = position[:, :2], edges[:2, :2]
    exact = 1e-12 if (job.client, ending) in DOUBLE else SINGLE * 10
    assert abs(np.linalg.det(edges)) == pytest.approx(len(position) / c.density, rel=exact)
    np.testing.assert_allclose(distances(position, edges), right[name], atol=exact)
    if ending in ("xyz", "vtkhdf"):         # not turned; OVITO reads one number in ten wrong in its last bit
        last_bit = 2**-52 if job.client == "OVITO" else 0
        np.testing.assert_allclose(position, c.position, rtol=last_bit)
        np.testing.assert_allclose(edges, c.box.T, rtol=last_bit)
    if "periodic" in result:
        assert result["periodic"].tolist()[:d] == [True] * d
        assert ending not in ("xyz", "dump", "vtkhdf") or result["periodic"][2] == (d == 3)
    if "diameter" in result:
        np.testing.assert_allclose(result["diameter"], c.diameter, rtol=1e-6)
    if "kind" in result:
        from_0 = (job.client, ending) == ("OVITO", "gsd")
        np.testing.assert_array_equal(result["kind"] + from_0, c.species + 1)
    if "mass" in result:
        np.testing.assert_allclose(result["mass"], 1, rtol=1e-12)
    if "neighbours" in result:
        assert result["neighbours"] == pytest.approx(((right[name] < 1.5).sum() - len(position)) / len(position), abs=1e-9)
    if "area" in result:
        assert result["area"] == pytest.approx(len(position) / c.density)


@pytest.mark.parametrize("job", MOVIES, ids=lambda job: f"{job.client}-{job.name}")
def test_movies(found, exports, job):
    """The last frame of a shear in the plane zx, and D2min since the frame before."""
    result = found[job.client][job.name]
    assert "error" not in result, str(result["error"])
    with h5py.File(exports / "shear.traj.h5") as source:
        position, edges = source["particles/all/position/value"][-1], source["particles/all/box/edges/value"][-1]
        strain, diameter = source["particles/all/position/time"][-1], source["particles/all/diameter"][:]
    with h5py.File(exports / "movie.vtkhdf") as source:
        d2min = source["VTKHDF/PointData/d2min"][-len(position):]
    exact = 1e-11 if (job.client, job.file.rpartition(".")[2]) in DOUBLE else SINGLE * 10
    np.testing.assert_allclose(distances(result["position"].astype(float), result["edges"].astype(float)),
                               distances(position, edges), atol=exact)
    np.testing.assert_allclose(result["d2min"], d2min, rtol=1e-6, atol=1e-12)
    assert d2min.max() > 0 and edges[0, 2] > 0.1
    assert "diameter" not in result or np.allclose(result["diameter"], diameter, rtol=1e-6)
    assert "strain" not in result or float(result["strain"]) == pytest.approx(strain)


def test_lattice(found, exports):
    """Stress of the last frame, a row of equal y after the other."""
    from hpcglass.analysis.open_run import read_stage

    (job,) = (job for job in blocks() if job.file == "lattice.vtkhdf")
    result, stage = found[job.client][job.name], read_stage(exports / "lattice" / "00-epm.h5")
    assert "error" not in result, str(result["error"])
    assert stage.grids["stress"].shape == (2, 12, 12) and stage.grids["stress"][-1].std() > 0
    np.testing.assert_array_equal(result["stress"], stage.grids["stress"][-1])
    np.testing.assert_allclose(result["strains"], stage.grid_strain)


def test_every_client_finds_neighbours():
    page = PAGE.read_text(encoding="utf-8")
    assert {job.client for job in EXPORTS if "neighbours = " in job.code} == NEIGHBOURS
    assert {job.client for job in EXPORTS} == NEIGHBOURS | {"extxyz", "gsd", "VTK"}
    assert page.count("```python\nfile = ") == page.count("```python")


def test_the_page_names_the_versions_that_are_tried():
    page = PAGE.read_text(encoding="utf-8")
    pins = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "tests/clients/requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    said = [".".join(version.split(".")[:3]) for name, version in pins if name != "mpich"]
    assert [version for version in said if version not in page] == []
