"""A sweep as one object: what there is, what is missing and why, one table over all of it."""

import shutil
import sys

import numpy as np
import pytest
from inprocess import hpcglass
from sweeps import GRID, STRAIN, stress, write_case, write_sample

import hpcglass as hg
from hpcglass.analysis.open_run import Run
from hpcglass.errors import FileError, InputError
from hpcglass.results.sweep import Sweep
from hpcglass.sealed.file import File


def test_tasks_and_what_is_missing(sweep, monkeypatch):
    monkeypatch.setattr(File, "__init__", None)         # no file is opened for it
    found = hg.open(sweep)
    assert isinstance(found, Sweep) and len(found) == 4 and found.parameters == GRID
    assert [task.name for task in found.tasks] == ["T_p=0.1,d_0=0", "T_p=0.1,d_0=1", "T_p=0.2,d_0=0", "T_p=0.2,d_0=1"]
    assert [(task.name, task.state) for task in found.missing] == [("T_p=0.2,d_0=1", "waiting")] and found.failed == {}
    assert len(found.cases) == 6 and len(found.select(T_p=0.2)) == 2


def test_failed_tasks_say_why(sweep):
    (sweep / "T_p=0.2,d_0=1").mkdir()
    (sweep / "T_p=0.2,d_0=1" / "log.txt").write_text("2026-01-31 12:00:00  error: the box is too small\n")
    assert hg.open(sweep).failed == {"T_p=0.2,d_0=1": "the box is too small"}


def test_samples_that_are_missing_are_named(sweep):
    task = sweep / "T_p=0.1,d_0=1"
    (task / "DONE").unlink()
    (task / "resolved.toml").write_text("[ensemble]\nsamples = 5\n")
    shutil.rmtree(task / "sample-0000")
    found = hg.open(sweep).missing[0]
    assert (found.name, found.missing_samples) == (task.name, [0, 2, 3, 4])
    assert found.status == "waiting (samples 0, 2, 3, 4 missing)"
    done = hpcglass("collect", task, "--table", "loading", "-o", sweep / "one.csv")
    assert "not done: T_p=0.1,d_0=1: waiting (samples 0, 2, 3, 4 missing)" in done.stdout


def test_tasks_that_the_grid_does_not_have(sweep):
    shutil.copytree(sweep / "T_p=0.1,d_0=0", sweep / "T_p=1e-05,d_0=3")
    assert hg.open(sweep).tasks[-1].values == {"T_p": 1e-05, "d_0": 3}
    (sweep / "grid.toml").unlink()                      # as of older versions: by their names
    assert [task.values["d_0"] for task in hg.open(sweep).tasks] == [3, 0, 1, 0]


def test_one_table(sweep):
    table = hg.open(sweep).columns("loading")
    assert list(table) == ["T_p", "d_0", "sample", "strain", "shear_stress"] and table.rows == 30
    assert table["sample"].dtype.kind == table["d_0"].dtype.kind == "i" and table.units["shear_stress"] == "energy"
    for T_p, d_0, sample in [(0.1, 1, 1), (0.2, 0, 0)]:
        mine = (table["T_p"] == T_p) & (table["d_0"] == d_0) & (table["sample"] == sample)
        np.testing.assert_array_equal(table["shear_stress"][mine], stress(T_p, d_0, sample))


def test_numbers_are_a_row_of_each_run(sweep):
    table = hg.open(sweep).columns("results")
    assert list(table) == ["T_p", "d_0", "sample", "energy", "stress_xx", "stress_xy", "stress_yx", "stress_yy"]
    np.testing.assert_allclose(table["energy"], table["T_p"] + table["sample"])
    assert set(table["stress_yy"]) == {3.0}


def test_columns_that_some_runs_have_not_are_nan(sweep):
    case = sweep / "T_p=0.2,d_0=0" / "sample-0001"
    shutil.rmtree(case)
    write_sample(case, {"loading": {"strain": STRAIN, "more": STRAIN}}, name="01-shear")
    table = hg.open(sweep).columns("loading")
    assert np.isfinite(table["more"]).sum() == 5 and np.isnan(table["shear_stress"]).sum() == 5 and table.rows == 30


def test_an_ensemble_and_a_run_are_tables_too(sweep):
    ensemble = hg.open(sweep / "T_p=0.1,d_0=0")
    assert isinstance(ensemble, Run) and ensemble.columns("loading").rows == 10
    assert hg.open(ensemble.samples[1].directory).columns("loading")["sample"].tolist() == [0] * 5


def test_a_directory_of_sweeps(sweep, tmp_path):
    write_case(tmp_path / "single", 0.1, 0, 0)
    found = hg.open(tmp_path)
    assert found.parameters == {"directory": ["T", "single"], **GRID}
    table = found.columns("loading")
    assert list(table)[:4] == ["directory", "T_p", "d_0", "sample"] and table.rows == 35
    assert np.isnan(table["T_p"][table["directory"] == "single"]).all()


def test_wrong_questions_are_answered(sweep, tmp_path):
    with pytest.raises(InputError, match=r"no run has a table 'loadin', did you mean 'loading'?.*shear/events"):
        hg.open(sweep).columns("loadin")
    write_case(sweep / "T_p=0.1,d_0=0" / "sample-0002", 0.1, 0, 2)
    (sweep / "T_p=0.1,d_0=0" / "sample-0002" / "01-shear.h5").rename(sweep / "T_p=0.1,d_0=0" / "sample-0002" / "02-back.h5")
    with pytest.raises(InputError, match="for the stages shear, back: choose one"):
        hg.open(sweep).columns("loading")
    assert hg.open(sweep).columns("loading", stage="back").rows == 5
    with pytest.raises(InputError, match="no such directory"):
        hg.open(tmp_path / "nothing")


def test_damaged_files_are_refused_or_named(sweep):
    path = sweep / "T_p=0.1,d_0=1" / "sample-0000" / "01-shear.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match="truncated"):
        hg.open(sweep).columns("loading")
    skipped = []
    assert hg.open(sweep).rows("loading", skipped=skipped)["shear/loading"].rows == 25 and "truncated" in skipped[0]


@pytest.mark.parametrize("package,ask", [("pandas", lambda found: found.table("loading")),
                                         ("xarray", lambda found: found.to_xarray("loading"))])
def test_without_the_extra_packages(sweep, monkeypatch, package, ask):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs the package {package}.*pip install 'hpcglass\[analysis\]'"):
        ask(hg.open(sweep))


def test_pandas(sweep):
    pytest.importorskip("pandas")
    frame = hg.open(sweep).table("events")
    assert frame.groupby(["T_p", "d_0", "sample"]).size().tolist() == [1, 2, 2, 3, 1, 2]
    assert frame.attrs["units"]["strain"] == "energy"


def test_xarray_has_the_parameters_as_dimensions_and_reads_what_it_must(sweep, monkeypatch):
    pytest.importorskip("xarray")
    data = hg.open(sweep).to_xarray("loading")
    assert dict(data.sizes) == {"T_p": 2, "d_0": 2, "sample": 2, "strain": 5} and data.shear_stress.attrs["units"] == "energy"
    opened, init = [], File.__init__
    monkeypatch.setattr(File, "__init__", lambda self, path, **more: (opened.append(path), init(self, path, **more))[1])
    one = data.shear_stress.sel(T_p=0.1, d_0=1, sample=1)
    np.testing.assert_array_equal(one.values, stress(0.1, 1, 1))
    assert len(opened) == 1
    assert data.shear_stress.isel(strain=-1).sel(d_0=0).values == pytest.approx(
        np.array([[stress(T_p, 0, k)[-1] for k in (0, 1)] for T_p in (0.1, 0.2)]))
    assert np.isnan(data.shear_stress.sel(T_p=0.2, d_0=1).values).all()
    np.testing.assert_allclose(data.shear_stress.sel(T_p=0.1, strain=slice(0.02, 0.06)).values[1, 0], stress(0.1, 1, 0)[1:3])


def test_xarray_of_rows_that_differ_in_number(sweep):
    pytest.importorskip("xarray")
    data = hg.open(sweep).to_xarray("events")
    assert dict(data.sizes) == {"T_p": 2, "d_0": 2, "sample": 2, "row": 3}
    assert np.isfinite(data.strain).sum("row").values.tolist() == [[[1, 2], [2, 3]], [[1, 2], [0, 0]]]


def test_a_tree_of_all_stages(sweep):
    pytest.importorskip("xarray")
    tree = hg.open(sweep).to_xarray()
    assert set(tree.groups) == {"/", "/shear", "/shear/loading", "/shear/events", "/shear/results"}
    assert float(tree["shear/results"].energy.sel(T_p=0.2, d_0=0, sample=1)) == 1.2


def test_a_list_of_tasks_where_a_grid_would_be_empty(tmp_path):
    pytest.importorskip("xarray")
    for k in range(6):
        write_case(tmp_path / f"T_p={0.1 * k + 0.1},d_0={k}", 0.1 * k + 0.1, k, 0)
    data = hg.open(tmp_path).to_xarray("loading")
    assert data.shear_stress.dims == ("task", "sample", "strain") and data.d_0.values.tolist() == list(range(6))
    np.testing.assert_array_equal(data.shear_stress[3, 0].values, stress(0.4, 3, 0))


def test_what_a_notebook_shows(sweep):
    found = hg.open(sweep)
    shown = found._repr_html_()
    assert "3 done, 1 waiting" in shown and shown.count("<tr>") == 5
    assert "sample-0001" in found[0]._repr_html_()
    table = found.columns("loading")
    assert "20 more rows" in table._repr_html_() and "shear_stress [energy]" in table._repr_html_()
    table.units["strain"] = "<b>"
    assert "&lt;b&gt;" in table._repr_html_()
    stage = found[0].samples[0]["shear"]
    assert repr(stage).startswith("StageResults('") and "loading (" in repr(stage) and len(repr(stage)) < 400
    assert "rows: strain" in stage._repr_html_() and "energy" in stage._repr_html_()
