"""Dimension scales: a table's first column is its coordinate, for netCDF; the hash of the contents knows no addresses."""

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.io import h5, provenance
from hpcglass.io.contents import Contents
from hpcglass.io.reseal import reseal
from hpcglass.sealed.file import File, verify


def write(path, rows=5):
    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, "", "", 0, [])
    contents.attribute("/provenance", written="then")
    columns = {name: (np.arange(rows, dtype=float), "", name) for name in ("strain", "shear_stress", "energy")}
    contents.table("/results/loading", columns, "strain")
    contents.table("/results/long", columns)
    h5.write(MPI.COMM_SELF, path, contents)
    return path


@pytest.mark.parametrize("rows", [5, 0])
def test_the_first_column_is_the_coordinate(tmp_path, rows):
    with h5py.File(write(tmp_path / "a.h5", rows=rows)) as file:
        table = file["results/loading"]
        assert table["strain"].attrs["CLASS"] == b"DIMENSION_SCALE"
        assert [table[name].dims[0][0].name for name in ("shear_stress", "energy")] == ["/results/loading/strain"] * 2
        assert "CLASS" not in file["results/long/strain"].attrs


def test_readers_of_ours_do_not_see_them(tmp_path):
    with File(write(tmp_path / "a.h5")) as file:
        assert file.attributes("/results/loading/strain").keys() == {"units", "long_name", "sha256"}
        assert file.attributes("/results/loading/energy").keys() == {"units", "long_name", "sha256"}


def test_a_file_that_was_repacked_is_sealed_again_with_its_scales(tmp_path):
    old, new = write(tmp_path / "a.h5"), tmp_path / "b.h5"
    with h5py.File(old) as source, h5py.File(new, "w", libver=("v108", "v108")) as target:      # another layout
        target["provenance/seal"] = source["provenance/seal"][()]
        for name in ("h5md", "results"):
            source.copy(name, target)
        for name in source["provenance"]:
            if name != "seal":
                source.copy(f"provenance/{name}", target["provenance"])
        target["provenance"].attrs.update(source["provenance"].attrs)
    assert reseal(new) == "holds what was written; sealed again"
    assert verify(new).contents == verify(old).contents
    with h5py.File(new) as file:
        assert file["results/loading/energy"].dims[0][0].name == "/results/loading/strain"


def test_xarray_finds_the_coordinate(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with xarray.open_dataset(write(tmp_path / "a.h5"), group="results/loading", engine="h5netcdf", phony_dims="sort") as table:
        assert dict(table.sizes) == {"strain": 5} and list(table.coords) == ["strain"]
        assert float(table.shear_stress.sel(strain=3)) == 3
