"""Whether the HDF5 library survives a file: read once by a program of its own, this file.

There are files with a few damaged bits on which the library loops for ever or ends the program (HDF5 1.10: a broken heap).
Files of ours are known by their hashes before HDF5 opens them; for those of others `survives` lets this program read
all that a reader would ask for, with a limit of time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 30.0          # for a small file, on a busy machine
BYTES_PER_SECOND = 20e6
DENSEST = 1032          # bytes that deflate, the best of HDF5's filters, can make of one
survived: set[tuple[int, ...]] = set()      # a file that did once and was not written since is not read again
LAUNCHERS = ("OMPI_", "PMI", "PRTE_", "MPI", "H5PY_ALWAYS_USE_MPI", "SLURM_")      # the program must not take itself for a rank


def survives(path: Path) -> str:
    """What happened to the program that read the file, or nothing if it came to its end.

    Damage that HDF5 reports is no matter here. Where no such program can be started, or h5py not imported in it, nothing is
    known and nothing said.
    """
    now = path.stat()
    version = now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
    if version in survived:
        return ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    limit = SECONDS + now.st_size / BYTES_PER_SECOND
    try:
        done = subprocess.run([sys.executable, __file__, str(path)], env=environment, stdin=subprocess.DEVNULL, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired as stopped:
        return f"the HDF5 library did not come to an end in {limit:.0f} s" if stopped.stdout else ""
    except OSError:
        return ""
    if done.returncode < 0 and done.stdout:
        return f"the HDF5 library ended the program, {done.returncode}"
    survived.add(version)
    return ""


def main(path: str) -> None:
    """Read every attribute and dataset (of one with frames the last)."""
    with contextlib.suppress(ImportError):
        import mpi4py

        mpi4py.rc.initialize = False
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    import h5py

    print("begins", flush=True)
    room = DENSEST * os.stat(path).st_size

    def look(item: Any) -> None:
        for name in item.attrs:
            with contextlib.suppress(Exception):
                item.attrs[name]
        with contextlib.suppress(Exception):
            if isinstance(item, h5py.Dataset):
                known: tuple[Any, ...] = item.dtype, item.external, item.is_virtual, item.id.get_storage_size()
                if item.dtype.kind in "iuf":
                    known = *known, item.fillvalue          # of a text it ends the program in h5py 3.7
                if known and item.nbytes < room:
                    item[-1] if item.ndim > 2 else item[()]

    with contextlib.suppress(Exception), h5py.File(path, "r") as file:
        look(file)
        file.visititems(lambda _, item: look(item))


if __name__ == "__main__":
    main(sys.argv[1])
