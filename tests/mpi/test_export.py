"""Exports into HDF5 by any number of ranks: each reads and writes its rows, and what the file holds is the same."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pytest
from glasses import liquid_arrays
from mpi4py import MPI

from hpcglass.commands import export, parser
from hpcglass.commands.parts import frames as chosen_frames
from hpcglass.errors import FileError, InputError
from hpcglass.io import configuration, h5
from hpcglass.io.contents import Contents
from hpcglass.io.convert import writer
from hpcglass.io.formats import plain
from hpcglass.io.order import GRANULE, span
from hpcglass.io.share import Ranks

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
    source = chosen_frames.nonaffine

    def broken(*arguments):
        if last:
            raise FileError("cannot read")
        return source(*arguments)

    monkeypatch.setattr(chosen_frames, "nonaffine", broken)
    with pytest.raises(FileError, match="cannot read"):
        run(comm, trajectory, out.name)


def motion(k):
    """What `trajectory` moves its particles besides the cell from frame k - 1 to frame k."""
    rng = np.random.default_rng(3)
    steps = [rng.normal(0, 0.05, (PARTICLES, 2)) for _ in range(k)]
    return steps[-1] @ np.array([[1.0, 0.0], [0.1 * k, 1.0]]).T


def test_the_nonaffine_displacement(trajectory):
    out = run(comm, trajectory, "moved.h5md", fields=["displacement"])
    found = everything(out)["particles/all/displacement/value"]
    assert found.shape == (3, PARTICLES, 3) and not found[0].any() and not found[..., 2].any()
    for k in (1, 2):        # the format turns the cell, and vectors with it
        assert np.linalg.norm(found[k], axis=1) == pytest.approx(np.linalg.norm(motion(k), axis=1), abs=1e-9)


def profile(ranks, trajectory, name, *words):
    out = trajectory.parent / name
    options = parser.build().parse_args(["profile", str(trajectory), "-o", str(out), *words])
    assert options.main(options, ranks) == 0
    comm.Barrier()
    return np.genfromtxt(out, delimiter=",", names=True), out.read_bytes()


def test_profiles_are_the_same_on_any_number_of_ranks(trajectory):
    table, text = profile(Ranks(comm), trajectory, "y.csv", "--across", "y", "--slabs", "7")
    if comm.rank == 0:
        single = trajectory.parent / "alone.csv"
        options = parser.build().parse_args(["profile", str(trajectory), "-o", str(single), "--across", "y", "--slabs", "7"])
        assert options.main(options, Ranks()) == 0 and single.read_bytes() == text
    assert table["frame"].tolist() == [1] * 7 + [2] * 7 and table["time"].tolist() == [0.1] * 7 + [0.2] * 7
    with h5py.File(trajectory) as file:
        edges, position = (file[f"particles/all/{name}/value"][2] for name in ("box/edges", "position"))
    slab = np.floor(7 * (position @ np.linalg.inv(edges) % 1.0)[:, 1]).astype(int)
    rows = table[table["frame"] == 2]
    square = (motion(2) ** 2).sum(axis=1)
    for k in range(7):
        assert rows["particles"][k] == (slab == k).sum() > 100
        assert rows["mean_square"][k] == pytest.approx(square[slab == k].mean(), rel=1e-9)
        assert rows["mean_x"][k] == pytest.approx(motion(2)[slab == k, 0].mean(), abs=1e-12)
    assert np.diff(rows["position"]) == pytest.approx(rows["position"][0] * 2)


def test_profiles_of_fields(trajectory):
    table, _ = profile(Ranks(comm), trajectory, "d.csv", "--across", "x", "--field", "d2min", "--every", "2")
    assert set(table["frame"]) == {2} and (table["mean"] > 1e-3).all() and table["particles"].sum() == PARTICLES
    table, _ = profile(Ranks(comm), trajectory, "m.csv", "--across", "x", "--field", "mode", "--frame", "0")
    assert set(table["frame"]) == {0} and {"mean_x", "mean_y"} < set(table.dtype.names)
    for words, said in ((["--across", "z"], "two dimensions"), (["--across", "x", "--frame", "0"], "no frame before it"),
                        (["--across", "x", "--field", "none"], "no such field")):
        with pytest.raises(InputError, match=said):
            profile(Ranks(comm), trajectory, "no.csv", *words)
