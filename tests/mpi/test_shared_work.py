"""Commands whose files the ranks share: the same bits and the same words on any number of ranks, a damaged file among them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.commands import parser
from hpcglass.core.comm import total
from hpcglass.errors import FileError, InputError
from hpcglass.io.reader import verify
from hpcglass.io.share import Ranks
from hpcglass.rundir import whole

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from samples import everything, spectrum, write_sample

comm = MPI.COMM_WORLD
CHANGING = ("/timing", "/provenance")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Six samples, the fourth damaged."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("ensemble")) if comm.rank == 0 else ""))
    if comm.rank == 0:
        for k in range(6):
            everything(path / f"sample-{k:04d}", 0.5, 1.0, k)
        spoil(path / "sample-0003" / "01-soft.h5")
    comm.Barrier()
    return path


def spoil(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def command(ranks, *words):
    options = parser.build().parse_args([str(word) for word in words])
    return options.main(options, ranks)


def on_all_and_alone(capsys, *words):
    """A command by all ranks, and by rank 0 alone; what each printed, with the name of the output left out."""
    printed = []
    for ranks, name in ((Ranks(comm), "by-all"), (Ranks(), "by-one")):
        if ranks.size > 1 or comm.rank == 0:
            code = command(ranks, *(str(word).replace("OUT", name) for word in words))
            printed.append((code, capsys.readouterr().out.replace(name, "OUT")))
        comm.Barrier()
    if comm.rank == 0:
        assert printed[0] == printed[-1]
    return printed[0][1]


def same(one, other):
    """Two files hold the same but for what tells of their making."""
    one, other = ({name: value for name, value in verify(path).items() if not name.startswith(CHANGING)} for path in (one, other))
    assert one == other and one


# ------------------------------------------------------------------ the mechanism


def answer(item):
    if item == 7:
        raise FileError("7 is damaged")
    return f"item {item}", [np.arange(item, dtype=np.int32), np.full((2, item), item / 3), np.array([item > 3])]


@pytest.mark.parametrize("limit", [1 << 28, 1])
def test_answers_come_in_the_order_of_the_items(limit, monkeypatch):
    monkeypatch.setattr("hpcglass.io.share.ROUND", limit)
    items, sizes = list(range(7)) + [20], [5, 900000, 1, 7, 40000, 3, 3, 100]
    for found in (list(Ranks(comm).each(answer, items, sizes)), list(Ranks(comm).each(answer, items))):
        assert [text for text, _ in found] == [f"item {item}" for item in items]
        for item, (_, arrays) in zip(items, found, strict=True):
            for array, expected in zip(arrays, answer(item)[1], strict=True):
                assert array.dtype == expected.dtype and array.shape == expected.shape and np.array_equal(array, expected)
    assert list(Ranks(comm).each(answer, [])) == []


def test_work_is_shared():
    mine = []
    list(Ranks(comm).each(lambda item: (mine.append(item) or "", []), list(range(12))))
    assert total(comm, len(mine)) == 12 and len(mine) == 12 // comm.size


def test_what_fails_on_one_rank_is_raised_on_all_where_its_answer_would_come():
    heard = []
    with pytest.raises(FileError, match=r"^7 is damaged$"):
        for text, _ in Ranks(comm).each(answer, [1, 2, 7, 3, 7]):
            heard.append(text)
    assert heard == ["item 1", "item 2"]
    assert total(comm, 1) == comm.size


def test_of_all_and_first():
    ranks = Ranks(comm)
    assert [text for text, _ in ranks.of_all(lambda: (f"rank {comm.rank}", []))] == [f"rank {k}" for k in range(comm.size)]
    assert ranks.first(lambda: f"from {comm.rank}") == "from 0"

    def fails():
        if comm.rank == comm.size - 1:
            raise InputError("no")
        return "", []

    with pytest.raises(InputError, match=r"^no$"):
        ranks.of_all(fails)
    with pytest.raises(InputError, match=r"^never$"):
        ranks.first(lambda: (_ for _ in ()).throw(InputError("never")))


# ------------------------------------------------------------------ the commands


def test_merge(ensemble, capsys):
    text = on_all_and_alone(capsys, "merge", ensemble, "--stage", "soft", "-o", ensemble / "OUT.h5", "--no-plots")
    if comm.rank == 0:
        assert "skipped: " in text and "sample-0003/01-soft.h5" in text and "of 5 of 6 samples" in text
        same(ensemble / "by-all.h5", ensemble / "by-one.h5")


def test_collect(ensemble, capsys):
    text = on_all_and_alone(capsys, "collect", ensemble, "-o", ensemble / "OUT.h5")
    if comm.rank == 0:
        assert "5 of 6 runs" in text and "skipped: " in text and "sample-0003/01-soft.h5" in text
        same(ensemble / "by-all.h5", ensemble / "by-one.h5")
    with pytest.raises(InputError, match="no run has a table 'nothing'"):
        command(Ranks(comm), "collect", ensemble, "-o", ensemble / "none.h5", "--table", "nothing")
    assert total(comm, 1) == comm.size


def test_what_one_collector_refuses_all_refuse(tmp_path_factory):
    """It is one rank's; the others hear of it."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("other")) if comm.rank == 0 else ""))
    if comm.rank == 0:
        for k, shift in enumerate((1.0, 1.3)):
            table = {"bond_distribution": {"value": shift * 10.0 ** (np.arange(5) / 10 + 0.05), "count_1": np.ones(5)}}
            write_sample(path / f"sample-{k:04d}", {**spectrum(np.arange(1.0, 5.0)), **table}, seed=k)
    comm.Barrier()
    with pytest.raises(InputError, match="the bins of bond_distribution"):
        command(Ranks(comm), "merge", path, "--stage", "soft", "-o", path / "OUT.h5", "--no-plots")
    assert total(comm, 1) == comm.size and not (path / "OUT.h5").exists()


def test_nothing_to_merge(ensemble):
    with pytest.raises(InputError, match="no sample has it"):
        command(Ranks(comm), "merge", ensemble, "--stage", "shear", "-o", ensemble / "none.h5")
    assert total(comm, 1) == comm.size


@pytest.mark.parametrize("large", [1 << 26, 2000])
def test_check(ensemble, large, monkeypatch):
    """Files are shared out, and of large ones blocks of rows."""
    monkeypatch.setattr(whole, "LARGE", large)
    found = whole.examine(comm, [ensemble])
    assert found == whole.examine(MPI.COMM_SELF, [ensemble]) == whole.examine(None, [ensemble])
    assert len(found.faults) == 1 and "sample-0003/01-soft.h5" in found.faults[0] and found.files >= 6


def test_large_datasets_are_verified_in_blocks(tmp_path_factory, monkeypatch):
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("large")) if comm.rank == 0 else ""))
    if comm.rank == 0:
        write_sample(path, {"loading": {"strain": [0.0, 0.1], "shear_stress": [0.0, 1.0]}}, particles=20000)
    comm.Barrier()
    monkeypatch.setattr(whole, "LARGE", 4096 * 16)
    assert whole.examine(comm, [path]).faults == []
    if comm.rank == 0:
        file = path / "01-soft.h5"
        data = bytearray(file.read_bytes())
        data[-16 * 4096 * 2] ^= 1
        file.write_bytes(data)
    comm.Barrier()
    faults = whole.examine(comm, [path]).faults
    assert len(faults) == 1 and "01-soft.h5: the data of /" in faults[0] and "are damaged or changed" in faults[0]
    assert faults == whole.examine(None, [path]).faults


def field(path, seed, kappa):
    """A displacement field as text."""
    from hpcglass.analysis.screening.annulus import Annulus, screened

    rng = np.random.default_rng(seed)
    r, angle = np.sqrt(rng.uniform(25.0, 1600.0, 3000)), rng.uniform(0, 2 * np.pi, 3000)
    d = screened(r, kappa, Annulus(5.0, 40.0, 0.5)) + 0.002 * rng.normal(size=3000)
    x, y = r * np.cos(angle), r * np.sin(angle)
    np.savetxt(path, np.column_stack([x, y, d * x / r, d * y / r]))


def test_screening(tmp_path_factory, capsys):
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("screening")) if comm.rank == 0 else ""))
    files = [path / f"field-{k}.txt" for k in range(2)]
    if comm.rank == 0:
        for k, file in enumerate(files):
            field(file, k, (0.0, 0.2)[k])
        (path / "by-all").mkdir()
        (path / "by-one").mkdir()
    comm.Barrier()
    geometry = ("--bins", 12, "--centre", 0, 0, "--r-in", 5, "--r-out", 40, "--d0", 0.5)
    text = on_all_and_alone(capsys, "screening", *files, *geometry, "-o", path / "OUT" / "table.h5", "--plot")
    if comm.rank == 0:
        same(path / "by-all" / "table.h5", path / "by-one" / "table.h5")
        assert [line for line in text.splitlines() if ".txt: d_0 " in line] == text.splitlines()[:2]
        assert {name.name for name in (path / "by-all").glob("*.png")} == {name.name for name in (path / "by-one").glob("*.png")}
        files[1].write_text("no numbers\n")
    comm.Barrier()
    with pytest.raises(InputError, match=r"field-1\.txt"):
        command(Ranks(comm), "screening", *files, *geometry)
    assert total(comm, 1) == comm.size


def test_plot(ensemble, tmp_path_factory, capsys):
    """Every file is drawn by one rank; one that is damaged is an error of all."""
    path = Path(comm.bcast(str(tmp_path_factory.mktemp("plots")) if comm.rank == 0 else ""))
    if comm.rank == 0:
        for k in range(2):
            strain = np.linspace(0, 0.1, 5)
            table = {"loading": {"strain": strain, "shear_stress": strain, "energy": strain, "pressure": strain}}
            write_sample(path / "run" / f"sample-{k:04d}", table, seed=k, kind="shear")
    comm.Barrier()
    text = on_all_and_alone(capsys, "plot", path / "run", "-o", path / "OUT")
    if comm.rank == 0:
        assert len(text.splitlines()) == len(list((path / "by-all").iterdir())) == len(list((path / "by-one").iterdir())) > 1
    with pytest.raises(FileError, match=r"sample-0003/01-soft\.h5"):
        command(Ranks(comm), "plot", ensemble / "sample-0003")
    assert total(comm, 1) == comm.size


def test_answers_of_files_are_plain_text(ensemble):
    """Nothing is pickled: an answer is JSON and arrays."""
    from hpcglass.analysis.ensembles.merge import contribution

    text, arrays = contribution(ensemble / "sample-0000" / "01-soft.h5")
    assert json.loads(text)["particles"] == 100 and all(isinstance(array, np.ndarray) for array in arrays)
