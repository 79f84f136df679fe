"""Files written and read by any number of ranks: same bytes, same hashes, and errors that all ranks share."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.core.comm import total
from hpcglass.core.system import System
from hpcglass.errors import FileError, InputError, PhysicsError
from hpcglass.io import checkpoint, configuration, h5
from hpcglass.io.agree import agree, everybody_comes, together
from hpcglass.io.contents import Contents
from hpcglass.io.order import GRANULE, by_id, span
from hpcglass.io.reader import Reader, verify
from hpcglass.io.record import Record
from hpcglass.io.trajectory import Trajectory, check_segments, frames_of, set_aside_surplus
from hpcglass.potentials.library import MODELS
from hpcglass.rundir import guard

comm = MPI.COMM_WORLD


@pytest.fixture
def directory(tmp_path_factory):
    """One directory for all ranks."""
    path = str(tmp_path_factory.mktemp("shared")) if comm.rank == 0 else ""
    return Path(comm.bcast(path))


def shuffled(particles: int, size: int, rank: int) -> np.ndarray:
    """Ids in no order; the last rank of several has none."""
    ids = np.random.default_rng(5).permutation(particles)
    holders = max(size - 1, 1)
    return ids[rank::holders] if rank < holders else ids[:0]


def contents_of(group: MPI.Comm, particles: int) -> Contents:
    """A bit of everything; the same data on any number of ranks."""
    ids = shuffled(particles, group.size, group.rank)
    vector, flag = by_id(group, ids, np.stack([np.sin(ids), np.cos(ids)], axis=1), (ids % 3).astype(np.int32))
    contents = Contents()
    contents.per_particle("/particles/vector/value", group, [vector, 2 * vector, vector[:, ::-1]], "length", "three frames")
    contents.per_particle("/particles/flag", group, flag)
    contents.value("/results/number", 0.1, "energy", "a number")
    contents.value("/results/column", np.arange(7.0))
    contents.value("/results/nothing", np.empty(0))
    contents.value("/provenance/input", "Größe = 1\n")
    contents.attribute("/h5md", version=[1, 1], names=["x", "y"])
    return contents


@pytest.mark.parametrize("mode", ["", "serial"])
@pytest.mark.parametrize("particles", [1, 100, GRANULE, 3 * GRANULE + 17])
def test_file_does_not_depend_on_the_ranks(particles, mode, directory, monkeypatch):
    monkeypatch.setenv("HPCGLASS_IO", mode)
    h5.write(comm, directory / "all.h5", contents_of(comm, particles))
    if comm.rank == 0:
        h5.write(MPI.COMM_SELF, directory / "one.h5", contents_of(MPI.COMM_SELF, particles))
    comm.Barrier()
    hashes = verify(directory / "one.h5", comm)
    assert hashes == verify(directory / "one.h5") == verify(directory / "all.h5", comm) and len(hashes) == 6
    with Reader(comm, directory / "all.h5") as file:
        rows = np.arange(*span(comm, particles))
        assert np.array_equal(file.rows("/particles/flag"), rows % 3)
        assert np.array_equal(file.rows("/particles/vector/value", 1), 2 * np.stack([np.sin(rows), np.cos(rows)], axis=1))
        assert np.array_equal(file.rows("/particles/vector/value"), np.stack([np.cos(rows), np.sin(rows)], axis=1))
        assert file.value("/results/number") == 0.1 and file.value("/provenance/input") == "Größe = 1\n"
        assert file.attributes("/results/number") == {"units": "energy", "long_name": "a number",
                                                      "sha256": hashes["/results/number"]}


def test_lost_and_doubled_particles():
    ids = shuffled(50, comm.size, comm.rank)
    first = ids[:1] if comm.rank == 0 else ids[:0]
    for wrong in (np.concatenate([ids, first]), np.where(ids == ids[:1].sum(), 7, ids) if comm.rank == 0 else ids,
                  ids + (10**9 if comm.rank == 0 else 0)):
        with pytest.raises(PhysicsError, match="lost or doubled"):
            by_id(comm, wrong, wrong)


@pytest.mark.parametrize("error,kind,text", [
    (FileError("a file"), FileError, "a file"),
    (PhysicsError("a state"), PhysicsError, "a state"),
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), FileError, "writing x: No space left on device"),
])
def test_all_ranks_raise_what_one_met(error, kind, text):
    with pytest.raises(kind) as caught, together(comm, "writing x"):
        if comm.rank == comm.size - 1:
            raise error
    assert str(caught.value) == text
    agree(comm)
    assert everybody_comes(comm)


@pytest.mark.parametrize("mode", ["", "serial"])
def test_failed_write_leaves_the_old_file(mode, directory, monkeypatch):
    monkeypatch.setenv("HPCGLASS_IO", mode)
    path = directory / "file.h5"
    h5.write(comm, path, contents_of(comm, 100))
    before = path.read_bytes()
    comm.Barrier()
    real = h5.write_rows

    def full(*arguments):
        error = real(*arguments)
        return OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)) if comm.rank == comm.size - 1 else error

    monkeypatch.setattr(h5, "write_rows", full)
    with pytest.raises(FileError, match="Disk quota exceeded"):
        h5.write(comm, path, contents_of(comm, 200))
    comm.Barrier()
    assert path.read_bytes() == before and os.listdir(directory) == ["file.h5"]


def test_no_room_is_noticed_before_writing(directory, monkeypatch):
    monkeypatch.setattr(h5.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(FileError, match=r"MB needed, 0\.0 MB free"):
        h5.write(comm, directory / "file.h5", contents_of(comm, 100))
    comm.Barrier()
    assert os.listdir(directory) == []


def test_damage_in_any_part_is_seen_by_all_ranks(directory):
    path = directory / "file.h5"
    h5.write(comm, path, contents_of(comm, 3 * GRANULE))
    data = path.read_bytes()
    comm.Barrier()
    for place in [*range(0, 4000, 97), *range(4000, len(data), len(data) // 40)]:
        if comm.rank == 0:
            path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1:])
        comm.Barrier()
        with pytest.raises(FileError, match=r"file\.h5"):
            verify(path, comm)
        comm.Barrier()


# ---------------------------------------------------------------------- systems


def random_system(group: MPI.Comm, particles: int = 200, dimension: int = 2) -> System:
    random = np.random.default_rng(1)
    box = np.eye(dimension) * 12.0
    box[0, 1] = 1.5
    position, diameter = random.random((particles, dimension)) @ box.T, random.uniform(0.8, 1.4, particles)
    ids = shuffled(particles, group.size, group.rank)
    rows = {"id": ids, "position": position[ids], "diameter": diameter[ids], "species": np.zeros(len(ids), dtype=np.int32)}
    system = System(group, MODELS["ipl12"], box, rows)
    walk(system, 3)
    return system


def walk(system: System, steps: int) -> None:
    for step in range(steps):
        kicks = np.random.default_rng(step).normal(size=(system.n_total, system.dimension))
        system.move(0.1 * kicks[system.id[: system.n_owned]])
        system.update()


def same_bits(one: System, other: System) -> bool:
    """Same particles in the same order on every rank, ghosts and pairs included."""
    names = ("id", "reference", "displacement", "image", "diameter", "species", "box")
    equal = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    return total(one.comm, int(not (equal and np.array_equal(one.pairs.index, other.pairs.index)))) == 0


@pytest.mark.parametrize("dimension", [2, 3])
def test_configuration_comes_back_with_the_same_bits(dimension, directory):
    system = random_system(comm, dimension=dimension)
    contents = Contents()
    configuration.put(contents, comm, [configuration.capture(system, 3, 0.3)])
    h5.write(comm, directory / "glass.h5", contents)
    with Reader(comm, directory / "glass.h5") as file:
        again = System(comm, system.model, *configuration.read(file))
        assert file.value("/particles/all/box/edges/value").tolist() == [system.box.T.tolist()]
        assert file.attributes("/particles/all/box")["boundary"].tolist() == ["periodic"] * dimension
    assert same_bits(again, system.renewed())
    walk(again, 2)
    walk(renewed := system.renewed(), 2)
    assert same_bits(again, renewed)


def test_checkpoint_comes_back_with_the_same_bits(directory):
    system = random_system(comm)
    system.fields["velocity"] = np.sin(system.id[: system.n_owned])[:, None] * [1.0, 2.0]
    record = Record()
    record.table("walk", {"step": ("", "step")}).append(step=0.1)
    record.results["energy"] = (1.5, "energy", "")
    ids = system.id[: system.n_owned]
    record.fields["d2min"] = (by_id(comm, ids, ids * 0.5)[0], "length^2", "")
    state = ({"count": 3, "gain": 0.1, "on": True, "key": 2**64 - 1, "name": "fire", "trace": np.arange(3.0)},
             {"force": np.cos(ids)})
    checkpoint.write(comm, directory / "checkpoint-a.h5", 1, 40, 7, system, state, record, {}, lambda contents: contents.value(
        "/provenance/resolved_input", "seed = 1\n"))
    found = checkpoint.newest(comm, directory, 1, pytest.fail)
    assert found is not None and (found.step, found.number, found.resolved) == (40, 7, "seed = 1\n")
    again, (scalars, fields, rows) = found.restore(comm, system.model)
    assert rows is None
    assert same_bits(again, system) and np.array_equal(again.fields["velocity"], system.fields["velocity"])
    assert total(comm, int((fields["force"] != np.cos(again.id[: again.n_owned])).sum())) == 0
    assert scalars.pop("trace").tolist() == state[0].pop("trace").tolist() and scalars == state[0]
    assert [type(scalars[name]) for name in ("count", "gain", "on", "name")] == [int, float, bool, str]
    assert found.record.tables["walk"].rows["step"].tolist() == [0.1] and found.record.results == record.results
    walk(system, 4)
    walk(again, 4)
    assert same_bits(again, system)
    told: list[str] = []
    assert checkpoint.newest(comm, directory, 0, told.append) is None       # an earlier stage is done again: nothing is lost
    assert len(told) == 1 and os.listdir(directory) == ["checkpoint-a.h5.surplus-1"]


def test_damaged_checkpoint_gives_way_to_the_other(directory):
    system = random_system(comm)
    for number in (1, 2):
        checkpoint.write(comm, directory / checkpoint.NAMES[number % 2], 0, 10 * number, number, system, ({}, {}), Record(), {},
                         lambda contents: contents.value("/provenance/resolved_input", ""))
    assert checkpoint.newest(comm, directory, 0, pytest.fail).step == 20
    if comm.rank == 0:
        os.truncate(directory / checkpoint.NAMES[0], 3000)
    comm.Barrier()
    told: list[str] = []
    assert checkpoint.newest(comm, directory, 0, told.append).step == 10
    assert len(told) == 1 and "checkpoint-a.h5" in told[0] and "not used" in told[0]


def test_segments(directory):
    """Frames come back in order; constant diameters are stored once; surplus segments are set aside."""
    system = random_system(comm)
    path = Trajectory(comm, directory, "00-walk", lambda contents: None)
    for step in range(5):
        path.append(configuration.capture(system, step, 0.1 * step, exact=False, speed=np.sin(system.id[: system.n_owned])))
        walk(system, 1)
        if step == 2:
            path.flush()
            kept = dict(path.segments)
    path.flush()
    comm.Barrier()
    check_segments(comm, directory, path.segments)
    steps, speeds = frames_of(directory, "00-walk", "speed")
    assert steps.tolist() == [0, 1, 2, 3, 4] and speeds.shape == (5, 200)
    assert np.array_equal(speeds[3], np.sin(np.arange(200)))
    with Reader(comm, directory / "00-walk.traj-0000.h5") as file:
        assert file.hashes.keys() >= {"/particles/all/diameter", "/particles/all/position/value"}
        assert "/particles/all/position_low" not in file
    comm.Barrier()
    moved = set_aside_surplus(comm, directory, "00-walk", kept)
    comm.Barrier()
    assert (moved == ["00-walk.traj-0001.h5"]) == (comm.rank == 0)
    assert sorted(os.listdir(directory)) == ["00-walk.traj-0000.h5", "00-walk.traj-0001.h5.surplus-1"]
    comm.Barrier()
    if comm.rank == 0:
        os.remove(directory / "00-walk.traj-0000.h5")
    comm.Barrier()
    with pytest.raises(FileError, match="no such file"):
        check_segments(comm, directory, kept)


def test_guard_names_the_particle():
    system = random_system(comm)
    assert guard.looks_finite(system)
    guard.check_finite(system, {"force": np.ones(system.n_owned)}, "00-md, step 3")
    force = np.where(system.id[: system.n_owned] == 42, np.inf, 1.0)
    with pytest.raises(PhysicsError, match=r"^00-md, step 3: force of particle 42 is \(inf\) at position \([-\d., ]+\);"):
        guard.check_finite(system, {"force": force}, "00-md, step 3")
    mine = np.flatnonzero(np.isin(system.id[: system.n_owned], [17, 130]))
    system.displacement[mine, 1] = np.nan
    assert total(comm, int(not guard.looks_finite(system))) in (1, 2)
    with pytest.raises(PhysicsError, match=r"position of particle 17 is \([\d.]+, nan\) \(and of 1 more\)"):
        guard.check_finite(system, {}, "step")


def test_checkpoints_hold_plain_values_only():
    system = random_system(comm)
    with pytest.raises(TypeError, match="state is a dict"):
        checkpoint.write(comm, Path("nowhere"), 0, 0, 0, system, ({"state": {"a": 1}}, {}), Record(), {}, lambda contents: None)


def test_input_error_is_not_a_file_error():
    with pytest.raises(InputError), together(comm, "reading"):
        raise InputError("no such key")
