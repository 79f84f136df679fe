"""Versions and abilities of all that hpcglass stands on, and whether MPI is in order."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from importlib import metadata
from typing import Any

from hpcglass import __version__, launcher

HELP = "versions, MPI, HDF5, PETSc, numba"
PACKAGES = ("numpy", "scipy", "pydantic", "matplotlib", "mpi4py", "h5py", "petsc4py", "slepc4py", "numba", "gsd")
SOLVERS = ("mumps", "superlu_dist", "hypre", "ml", "metis", "parmetis", "ptscotch", "scalapack", "suitesparse")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--no-mpi", action="store_true", help="look only at what is installed, load nothing")


def main(options: argparse.Namespace, world: Callable[[], Any]) -> int:
    facts = installed()
    rank = launcher.rank()
    if not options.no_mpi:
        comm = world()
        rank = comm.rank
        facts |= parallel(comm)
    if rank == 0:
        print(json.dumps(facts, indent=1) if options.json else "\n".join(f"{key:<22} {_show(v)}" for key, v in facts.items()))
    return 0


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def installed() -> dict[str, Any]:
    """Versions by their package records, without importing anything."""
    facts: dict[str, Any] = {"hpcglass": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        facts[name] = _version(name)
    facts["CPU"] = _cpu()
    facts["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts["launcher"] = f"{launcher.tasks()} tasks" if launcher.tasks() > 1 else "none or 1 task"
    facts["cache directory"] = os.environ.get("NUMBA_CACHE_DIR", "~/.cache/hpcglass")
    return facts


def _version(name: str) -> str:
    names = [name] if name != "h5py" else ["h5py", "h5py.-debian-h5py-mpi", "h5py.-debian-h5py-serial"]
    for candidate in names:
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return "not found"


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def parallel(comm: Any) -> dict[str, Any]:
    """What only the loaded libraries can tell."""
    from mpi4py import MPI

    version = " ".join(MPI.Get_library_version().strip("\0").splitlines()[0].strip(" ,").split())
    facts: dict[str, Any] = {
        "MPI library": version, "MPI standard": ".".join(map(str, MPI.Get_version())), "MPI ranks": comm.size}
    for look in (_hdf5, _petsc, _slepc, _numba):
        try:
            facts |= look()
        except ImportError as error:
            facts[look.__name__[1:]] = f"cannot be loaded: {error}"
    if not {"PETSc", "SLEPc"} <= facts.keys():
        facts["without them"] = "no expand, modes, bonds, shear along branches: docs/install.md"
    return facts


def _hdf5() -> dict[str, Any]:
    import h5py

    return {"HDF5": h5py.version.hdf5_version, "h5py is parallel": bool(h5py.get_config().mpi)}


def _petsc() -> dict[str, Any]:
    from petsc4py import PETSc

    number = ".".join(map(str, PETSc.Sys.getVersion()))
    scalar = "complex" if issubclass(PETSc.ScalarType, complex) else "real"
    facts: dict[str, Any] = {"PETSc": number, "PETSc scalar": f"{scalar} {PETSc.ScalarType().itemsize * 8} bit",
             "PETSc index": f"{PETSc.IntType().itemsize * 8} bit"}
    if hasattr(PETSc.Sys, "hasExternalPackage"):
        facts["PETSc packages"] = [name for name in SOLVERS if PETSc.Sys.hasExternalPackage(name)]
    return facts


def _slepc() -> dict[str, Any]:
    from slepc4py import SLEPc

    return {"SLEPc": ".".join(map(str, SLEPc.Sys.getVersion()))}


def _numba() -> dict[str, Any]:
    import numba

    from hpcglass.core import cache

    facts = {"numba threads": numba.config.NUMBA_NUM_THREADS, "cache directory": numba.config.CACHE_DIR}
    return facts | ({"cache, warning": cache.note} if cache.note else {})
