"""Exports into HDF5 by any number of ranks: each reads and writes its rows, and what the file holds is the same."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pytest
from glasses import liquid_arrays
from mpi4py import MPI

from hpcglass.commands import export
from hpcglass.errors import FileError, InputError
from hpcglass.io import configuration, h5
from hpcglass.io.contents import Contents
from hpcglass.io.convert import writer
from hpcglass.io.formats import plain
from hpcglass.io.order import GRANULE, span

comm = MPI.COMM_WORLD
PARTICLES = 2 * GRANULE + 17


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    """A segment of three frames, sheared in the plane yx; one directory for all ranks."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("export")) if comm.rank == 0 else "")) / "02-shear.traj-0000.h5"
    _, box, position, diameter, species = liquid_arrays("ipl12", PARTICLES, 2)
    rng, rows, frames = np.random.default_rng(3), slice(*span(comm, PARTICLES)), []
    for step in range(3):
        strain = np.array([[1.0, 0.0], [0.1 * step, 1.0]])
        period = np.floor(np.linalg.solve(box, position.T).T)
        frames.append(configuration.Frame(step, 0.1 * step, strain @ box, {
            "position": ((position - period @ box.T) @ strain.T)[rows], "image": period.astype(np.int32)[rows],
            "diameter": diameter[rows], "species": species[rows], "critical_mode": np.cos(position)[rows]}))
        position = position + rng.normal(0, 0.05, position.shape)
    contents = Contents()
    configuration.put(contents, comm, frames)
    contents.value("/provenance/resolved_input", '[system]\nmodel = "ipl12"\n')
    h5.write(comm, path, contents)
    return path


def run(communicator, trajectory, name, **options):
    """`export` of the trajectory, by some ranks."""
    out = trajectory.parent / name
    given = {"frame": "all", "every": None, "events": False, "fields": ["d2min", "mode"], "to": None, **options}
    export.export(Namespace(file=trajectory, output=out, **given), writer(out), communicator)
    return out


def everything(path):
    """All datasets and attributes."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update(
            {name: item[()]} if isinstance(item, h5py.Dataset) else {f"{name}@{key}": item.attrs[key] for key in item.attrs}))
    return found


@pytest.mark.parametrize("mode", ["", "serial"])
@pytest.mark.parametrize("ending", ["vtkhdf", "h5md"])
def test_the_same_on_any_number_of_ranks(trajectory, ending, mode, monkeypatch):
    monkeypatch.setenv("HPCGLASS_IO", mode)
    out = run(comm, trajectory, f"all.{ending}")
    alone = trajectory.parent / f"alone.{ending}"
    if comm.rank == 0:
        run(MPI.COMM_SELF, trajectory, alone.name)
    comm.Barrier()
    many, one = everything(out), everything(alone)
    assert many.keys() == one.keys() and len(many) > 15
    assert [name for name in one if not np.array_equal(many[name], one[name])] == []
    name = "VTKHDF/PointData/{}" if ending == "vtkhdf" else "particles/all/{}/value"
    assert many[name.format("critical_mode")].reshape(-1, 3).shape == (3 * PARTICLES, 3)
    assert many[name.format("d2min")].reshape(3, -1)[1:].mean(axis=1).min() > 1e-3
    assert out.stat().st_size == alone.stat().st_size


def test_what_fails_on_one_rank_is_raised_on_all(trajectory, monkeypatch):
    out = trajectory.parent / "failed.vtkhdf"
    last = comm.rank == comm.size - 1
    monkeypatch.setattr(plain.h5, "write_rows", lambda *arguments: OSError(28, "disk full") if last else None)
    with pytest.raises(FileError, match="disk full"):
        run(comm, trajectory, out.name)
    comm.Barrier()
    assert not out.exists() and not list(trajectory.parent.glob(".*.part"))
    monkeypatch.undo()
    with pytest.raises(InputError, match="there is no table of events"):
        run(comm, trajectory, out.name, frame=None, events=True)
    source = export.nonaffine

    def broken(*arguments):
        if last:
            raise FileError("cannot read")
        return source(*arguments)

    monkeypatch.setattr(export, "nonaffine", broken)
    with pytest.raises(FileError, match="cannot read"):
        run(comm, trajectory, out.name)
