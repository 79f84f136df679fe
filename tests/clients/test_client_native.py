"""Stage files and trajectories as readers of HDF5 see them: each dataset, and what docs/clients.md tells users to type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest
from client_page import ROOT, blocks

NATIVE_BLOCKS = [job for job in blocks() if job.file == "shear.h5"]


@pytest.fixture(scope="module")
def native(exports):
    """Every dataset of shear.h5, by the library that wrote it."""
    data = {}
    with h5py.File(exports / "shear.h5") as source:
        source.visititems(lambda name, item: data.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return data


def same(value, right) -> bool:
    if isinstance(right, bytes):
        return str(value) == right.decode() or value == right
    return np.array_equal(value, right, equal_nan=right.dtype.kind == "f")


@pytest.mark.parametrize("name", ["shear.h5", "shear.traj.h5", "2d.h5", "run/00-quench.h5"])
def test_files_start_as_hdf5_files_do(exports, name):
    assert (exports / name).read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize("job", NATIVE_BLOCKS, ids=lambda job: job.client)
def test_what_the_page_says(found, native, job):
    result = found[job.client][job.name]
    assert "error" not in result, str(result["error"])
    np.testing.assert_array_equal(result["strain"], native["results/loading/strain"])
    np.testing.assert_array_equal(result["stress"], native["results/loading/shear_stress"])
    np.testing.assert_array_equal(result["position"], native["particles/all/position/value"][-1])
    np.testing.assert_array_equal(result["edges"], native["particles/all/box/edges/value"][-1])


@pytest.mark.parametrize(("client", "name"), [("h5py", "all"), ("netCDF4", "all"), ("h5netcdf", "all"),
                                              ("pyfive", "all"), ("h5netcdf", "all-pyfive")])
def test_every_dataset(found, native, client, name):
    result = found[client][name]
    assert "error" not in result, str(result["error"])
    data = {key.removeprefix("data/"): value for key, value in result.items() if key.startswith("data/")}
    assert data.keys() == native.keys() and len(data) > 40
    assert [key for key, value in native.items() if not same(data[key], value)] == []


def run(*command: str | object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_h5wasm(clients, exports, native):
    module = clients.parents[1] / "node_modules" / "h5wasm" / "dist" / "node" / "hdf5_hl.js"
    if shutil.which("node") is None or not module.exists():
        pytest.skip("no h5wasm: tools/clients takes it where there is npm")
    names = ["results/loading/strain", "particles/all/position/value", "particles/all/species", "provenance/input"]
    found = json.loads(run("node", ROOT / "tests/clients/read_h5wasm.mjs", module, exports / "shear.h5", *names))
    for name, (shape, value) in zip(names, found, strict=True):
        assert same(value if isinstance(value, str) else np.reshape(value, shape), native[name]), name


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="no h5dump: install hdf5-tools")
def test_hdf5_tools(exports, native):
    said = run("h5dump", "-y", "-m", "%.17g", "-d", "/results/loading/shear_stress", exports / "shear.h5")
    values = said[said.index("DATA {") + 6:].split("}")[0].split(",")
    assert [float(value) for value in values] == native["results/loading/shear_stress"].tolist()
    everything = run("h5dump", exports / "shear.h5")
    assert everything.count('DATASET "') == len(native)      # without quotes: references to dimension scales
    run("h5repack", exports / "shear.h5", exports / "repacked.h5")
    with h5py.File(exports / "repacked.h5") as source:
        assert [key for key, value in native.items() if not same(source[key][()], value)] == []


def turned(found, name):
    result = found["MDAnalysis"][name]
    assert "error" not in result, str(result["error"])
    return result


def test_mdanalysis_turns_the_cell_and_not_the_positions(found, exports):
    """A shear in the plane zx, whose first edge leaves the x axis: right with the page's transformation, and wrong without."""
    from test_client_page import distances

    with h5py.File(exports / "shear.traj.h5") as source:
        position, edges = source["particles/all/position/value"][-1], source["particles/all/box/edges/value"][-1]
        strain = source["particles/all/position/time"][-1]
    assert strain == pytest.approx(0.03) and edges[0, 2] > 0.1
    right = distances(position, edges)
    page, plain = turned(found, "4/shear.traj.h5"), turned(found, "turned")
    assert page["strain"] == pytest.approx(strain)
    np.testing.assert_allclose(distances(page["position"].astype(float), page["edges"].astype(float)), right, atol=1e-5)
    off = np.abs(distances(plain["position"].astype(float), plain["edges"].astype(float)) - right)
    assert off.max() > 0.05
