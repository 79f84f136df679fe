"""Every dataset of a native file, as each reader of HDF5 in Python gives it."""

from __future__ import annotations

from client_page import Job

NETCDF = """
def leaves(group, path=""):
    for name, variable in group.variables.items():
        yield path + name, variable
    for name, below in group.groups.items():
        yield from leaves(below, f"{path}{name}/")
"""
H5PY = """
import h5py
data = {}
with h5py.File(file) as source:
    source.visititems(lambda name, item: data.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
"""
H5NETCDF = NETCDF + """
import h5netcdf
with h5netcdf.File(file, "r", phony_dims="sort", backend=%r) as source:
    data = {name: variable[...] for name, variable in leaves(source)}
"""

NATIVE = [
    Job("h5py", "all", "shear.h5", H5PY),
    Job("netCDF4", "all", "shear.h5", NETCDF + """
import netCDF4
with netCDF4.Dataset(file) as source:
    source.set_auto_mask(False)
    data = {name: variable[...] for name, variable in leaves(source)}
"""),
    Job("h5netcdf", "all", "shear.h5", H5NETCDF % "h5py"),
    Job("h5netcdf", "all-pyfive", "shear.h5", H5NETCDF % "pyfive"),
    Job("pyfive", "all", "shear.h5", """
import pyfive
data = {}
pyfive.File(file).visititems(lambda name, item: data.update({name: item[()]}) if isinstance(item, pyfive.Dataset) else None)
"""),
]
