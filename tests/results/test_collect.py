"""`hpcglass collect`: the same rows in each format."""

import csv

import numpy as np
import pytest
from inprocess import hpcglass

import hpcglass as hg


def test_h5_is_opened_and_checked_like_any_other(sweep, tmp_path):
    done = hpcglass("collect", sweep, directory=tmp_path)
    assert done.returncode == 0 and "30 rows of shear/loading" in done.stdout, done.stderr
    assert "6 of 6 runs" in done.stdout and "not done: T_p=0.2,d_0=1: waiting" in done.stdout
    found, direct = hg.open(sweep / "collected.h5"), hg.open(sweep)
    assert list(found.tables) == ["shear/events", "shear/loading", "shear/results"]
    for key, table in direct.rows().items():
        assert list(found.tables[key]) == list(table) and found.tables[key].units == table.units
        for name in table:
            np.testing.assert_array_equal(found.tables[key][name], table[name])
    assert found.missing == ["T_p=0.2,d_0=1: waiting"] and found.skipped == []
    assert hpcglass("check", sweep).returncode == 0
    assert len(hg.open(sweep)) == 4                     # it is no task
    drawn = hpcglass("plot", sweep / "collected.h5")
    assert drawn.returncode == 2 and "has the tables of many runs" in drawn.stderr


def test_texts_come_back(sweep, tmp_path):
    assert hpcglass("collect", tmp_path, "--table", "loading", "-o", tmp_path / "all.h5").returncode == 0
    assert set(hg.open(tmp_path / "all.h5").tables["shear/loading"]["directory"]) == {"T"}


def test_csv(sweep, tmp_path):
    done = hpcglass("collect", sweep, "--stage", "shear", "--table", "loading", "-o", "all.csv", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    direct = hg.open(sweep).columns("loading")
    assert list(rows[0]) == list(direct) and len(rows) == 30
    np.testing.assert_array_equal([float(row["shear_stress"]) for row in rows], direct["shear_stress"])
    assert hpcglass("collect", sweep, "-o", "all.csv", directory=tmp_path).returncode == 0
    assert {path.name for path in tmp_path.glob("*.csv")} == {
        "all.csv", *(f"all-shear-{name}.csv" for name in ("loading", "events", "results"))}


def test_netcdf(sweep, tmp_path):
    xarray = pytest.importorskip("xarray")
    assert hpcglass("collect", sweep, "-o", tmp_path / "all.nc").returncode == 0
    with xarray.open_dataset(tmp_path / "all.nc", group="shear/loading", engine="h5netcdf") as data:
        assert dict(data.sizes) == {"T_p": 2, "d_0": 2, "sample": 2, "strain": 5}
        assert int(np.isfinite(data.shear_stress).sum()) == 30


def test_damaged_files_are_left_out_and_named(sweep, tmp_path):
    path = sweep / "T_p=0.1,d_0=1" / "sample-0000" / "01-shear.h5"
    path.write_bytes(path.read_bytes()[:-100])
    done = hpcglass("collect", sweep, "-o", "all.h5", directory=tmp_path)
    assert done.returncode == 0 and "5 of 6 runs" in done.stdout and "skipped: " in done.stdout
    assert "truncated" in hg.open(tmp_path / "all.h5").skipped[0]


@pytest.mark.parametrize("words,said", [
    (["-o", "all.txt"], "must end in .h5, .csv, .parquet or .nc"), (["-o", "no/all.h5"], "there is no directory no"),
    (["--table", "nothing"], "no run has a table 'nothing'"), (["--stage", "swap"], "no run has a table of stage 'swap'")])
def test_wrong_words(sweep, words, said):
    done = hpcglass("collect", ".", *words, directory=sweep)
    assert done.returncode == 2 and said in done.stderr


def test_parquet(sweep, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert hpcglass("collect", tmp_path, "--table", "loading", "-o", tmp_path / "all.parquet").returncode == 0
    frame, direct = pandas.read_parquet(tmp_path / "all.parquet"), hg.open(tmp_path).columns("loading")
    assert list(frame) == list(direct) and set(frame.directory) == {"T"}
    np.testing.assert_array_equal(frame.shear_stress, direct["shear_stress"])
