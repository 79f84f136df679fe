"""Every reader refuses a damaged file of ours, one under the name of another stage, and segments of another run."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import hpcglass
from hpcglass.__main__ import main
from hpcglass.analysis.open_run import read_stage
from hpcglass.config import Config
from hpcglass.errors import FileError
from hpcglass.io import grids, h5, provenance
from hpcglass.io.configuration import Frame, put
from hpcglass.io.contents import Contents
from hpcglass.io.trajectory import Trajectory
from hpcglass.stages.lattice.files import read_numbers
from hpcglass.stages.lattice.target import curve
from hpcglass.start import start

comm = MPI.COMM_SELF
N = 400
INPUT = """
seed = 1
[system]
model = "ipl12"
dimension = 2
file = "{path}"
[[stage]]
kind = "quench"
"""


RESOLVED = INPUT.format(path="x.xyz") + '[[stage]]\nkind = "shear"\nmax_strain = 0.1\n'


def stage_contents(index=0, name="inflate", sample=0, parents=()):
    """What many stages write, in one: a loading, an inflation, fields, a configuration."""
    random, contents = np.random.default_rng(index), Contents()
    provenance.put(contents, comm, "", RESOLVED, 1, list(parents), sample)
    side = N**0.5
    grid = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), -1).reshape(-1, 2)
    rows = {"position": grid + 0.1 * random.random((N, 2)), "image": np.zeros((N, 2), dtype=np.int32),
            "diameter": np.ones(N), "species": np.zeros(N, dtype=np.int32)}
    put(contents, comm, [Frame(0, 0.0, np.eye(2) * side, rows)])
    tables = {"loading": {"strain": np.linspace(0, 0.1, 30), "shear_stress": 6.39 + np.linspace(0, 1, 30)},
              "inflation": {name: [0.1] for name in ("d_0", "energy_change", "energy_elastic", "energy_plastic", "work")}}
    for table, columns in tables.items():
        contents.attribute(f"/results/{table}", columns="\n".join(columns))
        for column, values in columns.items():
            contents.value(f"/results/{table}/{column}", np.asarray(values, dtype=float), "energy", column)
    for key, value in (("r_in", 0.5), ("r_out", 9.5), ("centre", np.array([10.0, 10.0]))):
        contents.value(f"/results/{key}", value)
    contents.per_particle("/fields/position_before", comm, grid)
    contents.per_particle("/fields/displacement", comm, 0.01 * random.normal(size=(N, 2)))
    contents.attribute("/stage", index=index, name=name)
    contents.value("/stage/segments", "{}")
    return contents


@pytest.fixture
def path(tmp_path):
    (tmp_path / "run").mkdir()
    h5.write(comm, tmp_path / "run" / "00-inflate.h5", stage_contents())
    return tmp_path / "run" / "00-inflate.h5"


def command(*words):
    code = main([str(word) for word in words])
    if code:
        raise FileError(f"exit code {code}") if code == 4 else AssertionError(f"exit code {code}")


def read_start(path):
    config = Config.parse(INPUT.format(path=path), path)
    start(comm, config.system, config.glass(), 1)


TABLES = {      # readers of tables need not look at the particles
    "merge": lambda path: command("merge", path.parent, "--stage", "inflate", "-o", path.parent.parent / "m.h5", "--no-plots"),
    "target": lambda path: curve(path, protocol()),
    "thresholds": lambda path: read_numbers(comm, path, "results/loading/shear_stress"),
}
ALL = {
    "open": lambda path: hpcglass.open(path.parent)["inflate"],
    "read_stage": read_stage,
    "plot": lambda path: command("plot", path),
    "plot directory": lambda path: command("plot", path.parent),
    "export": lambda path: command("export", path, "-o", path.with_suffix(".xyz")),
    "import": lambda path: command("import", path, "--model", "ipl12", "-o", path.parent.parent / "i.h5"),
    "screening": lambda path: command("screening", path),
    "load": hpcglass.load,
    "start": read_start,
    "check": lambda path: command("check", path),
    "check directory": lambda path: command("check", path.parent),
}


def protocol():
    return type("Protocol", (), {"strain": np.array([0.0, 0.05]), "max_strain": 0.05, "onto": staticmethod(lambda x, y: y[:2])})()


def flip(path, dataset):
    with h5py.File(path) as file:
        place = file[dataset].id.get_offset()
    data = bytearray(path.read_bytes())
    data[place + 11 * 8 + 7] ^= 0x40        # the exponent: another number altogether
    path.write_bytes(data)


@pytest.mark.parametrize("name", [*TABLES, *ALL])
def test_a_flipped_bit_is_refused(name, path, capsys):
    read = {**TABLES, **ALL}[name]
    read(path)
    flip(path, "results/loading/shear_stress")
    with pytest.raises(FileError):
        read(path)
    capsys.readouterr()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dataset", ["fields/position_before", "particles/all/position/value"])
def test_so_is_one_in_the_rows_of_particles(name, dataset, path):
    flip(path, dataset)
    if name == "screening" and "all" in dataset:
        return                              # does not read them
    with pytest.raises(FileError):
        ALL[name](path)


@pytest.mark.parametrize("name", ["open", "read_stage", "plot", "merge", "target", "screening", "check", "check directory"])
def test_a_file_under_the_name_of_another_stage_is_refused(name, path):
    h5.write(comm, path, stage_contents(1, "shear"))
    with pytest.raises(FileError):
        {**TABLES, **ALL}[name](path)


GIVEN_A_RUN = ["open", "read_stage", "plot", "plot directory", "merge", "target", "screening", "check", "check directory"]


def refused_by(reader, path):
    try:
        {**TABLES, **ALL}[reader](path)
    except FileError:
        return True
    return False


@pytest.mark.parametrize("reader", GIVEN_A_RUN)
def test_a_whole_file_of_another_run_is_refused(reader, path, capsys):
    """Which another input, another sample and another stage before tell; the title may have changed, and a copy stays of use."""
    resolved = path.parent / "resolved.toml"
    resolved.write_text('title = "another"' + RESOLVED)
    assert not refused_by(reader, path)
    resolved.write_text(RESOLVED.replace("seed = 1", "seed = 2"))
    assert refused_by(reader, path)
    with pytest.raises(FileError, match=r"not of this run: it was made from another input .* \(seed: 2 -> 1\); put the right"):
        read_stage(path)
    for copy in (path.parent / "glass.h5", path.parent.parent / path.name):
        copy.write_bytes(path.read_bytes())
        assert not refused_by("check", copy) and read_stage(copy).results["r_in"] == 0.5
    resolved.unlink()
    sample = path.parent / "sample-0001"
    sample.mkdir()
    there = sample / path.name
    for number in (1, 0):
        h5.write(comm, there, stage_contents(sample=number))
        assert refused_by(reader, there) == (number != 1)


def test_a_stage_made_from_another_one_before_is_refused(path):
    """The file of the stage before may be away; one beside it must be that from which this was made."""
    after = path.with_name("01-shear.h5")
    seal = h5.write(comm, path, stage_contents())
    for parent, right in ((seal, True), (seal[::-1], False)):
        h5.write(comm, after, stage_contents(1, "shear", parents=[f"{path.name} {parent}"]))
        assert refused_by("read_stage", after) != right
    path.unlink()
    assert not refused_by("read_stage", after)


def lattice(directory):
    """A stage with two segments of fields on a lattice."""
    directory.mkdir()
    path = Trajectory(comm, directory, "00-epm", lambda contents: None)
    for step in range(2):
        field = np.arange(16.0).reshape(4, 4) + step
        path.append(grids.capture(comm, step, 0.1 * step, np.arange(4), {"stress": field}))
        path.flush()
    contents = Contents()
    contents.value("/results/sites", 16)
    contents.attribute("/stage", index=0, name="epm")
    contents.value("/stage/segments", path.to_json())
    h5.write(comm, directory / "00-epm.h5", contents)
    return directory


def test_segments_of_a_lattice(tmp_path):
    one, other = lattice(tmp_path / "one"), lattice(tmp_path / "other")
    stage = hpcglass.open(one)["epm"]
    assert stage.grids["stress"].shape == (2, 4, 4) and stage.grid_strain.tolist() == [0.0, 0.1]
    first, second = (one / f"00-epm.traj-000{k}.h5" for k in (0, 1))
    good = second.read_bytes()
    shutil.copy(first, second)
    with pytest.raises(FileError, match=r"traj-0001\.h5: whole, but not the file that 00-epm\.h5 was written with"):
        hpcglass.open(one)["epm"]
    second.write_bytes(good)
    flip(second, "grids/stress/value")
    with pytest.raises(FileError, match=r"traj-0001\.h5: the data of /grids/stress/value are damaged"):
        hpcglass.open(one)["epm"]
    second.unlink()
    with pytest.raises(FileError, match=r"traj-0001\.h5: no such file"):
        hpcglass.open(one)["epm"]
    first.unlink()
    assert hpcglass.open(one)["epm"].grids == {}        # the tables can be had without the fields
    assert hpcglass.open(other)["epm"].results["sites"] == 16
