"""Has this python the packages that belong to the machine's MPI, and an h5py? Used by tools/setup; standard library only.

Without an option: exit code 0 if all are there, else one line each on what is missing.
--site         lines for a .pth file: the directories they were found in
--constraints  pip constraints that keep binary compatibility with them
--installed    does this environment have every package that pyproject.toml names, in an acceptable version, and, with one more
               word, those of the tests?
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import sys
from importlib import metadata, util
from urllib.parse import unquote

PACKAGES = ("mpi4py", "petsc4py", "slepc4py", "h5py")


def add_debian_directories() -> None:
    """Debian keeps petsc4py and slepc4py beside each build of PETSc; take the newest with real scalars."""
    for package, root in (("petsc4py", "/usr/lib/petscdir"), ("slepc4py", "/usr/lib/slepcdir")):
        found = sorted(glob.glob(f"{root}/*/*-real/lib/python3*/dist-packages"))
        if found and sys.prefix == "/usr" and place(package) is None:
            sys.path.append(found[-1])


def missing() -> list[str]:
    """One sentence for each thing that is not there."""
    problems = []
    if sys.version_info < (3, 11):  # noqa: UP036 (any python may be asked)
        problems.append(f"is Python {sys.version.split()[0]}, and 3.11 is the oldest that works")
    problems += [f"has no {package}" for package in PACKAGES if place(package) is None]
    if not problems:
        os.environ["H5PY_ALWAYS_USE_MPI"] = "1"   # Debian's h5py chooses its parallel build by this outside mpirun
        try:
            importlib.import_module("h5py")       # any build will do, but it may be for another NumPy
        except Exception as error:
            problems.append(f"cannot import h5py: {error}")
    return problems


def place(package: str) -> str | None:
    """The directory a package is found in. One without a module of its own is none: a folder of some other package's parts."""
    spec = util.find_spec(package)
    return os.path.dirname(os.path.dirname(spec.origin)) if spec is not None and spec.origin is not None else None


def directories() -> list[str]:
    """Where the packages were found, without this python's own standard places."""
    return list(dict.fromkeys(found for found in map(place, PACKAGES) if found is not None))


def constraints() -> list[str]:
    """Packages compiled for NumPy 1 do not load with NumPy 2: stay below the next major version."""
    try:
        major = int(metadata.version("numpy").split(".")[0])
    except metadata.PackageNotFoundError:
        return []
    return [f"numpy<{major + 1}"]


def installed(root: str, parts: str) -> bool:
    """Whether pip has nothing to do: all requirements of pyproject.toml met, and hpcglass itself installed from `root`."""
    try:
        import tomllib

        from packaging.requirements import Requirement
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            project = tomllib.load(file)["project"]
        texts = project["dependencies"] + (project["optional-dependencies"]["test"] if parts else [])
        needs = [Requirement(text) for text in texts]
        met = all(need.specifier.contains(metadata.version(need.name), prereleases=True)
                  for need in needs if need.marker is None or need.marker.evaluate())
        origin = json.loads(metadata.distribution("hpcglass").read_text("direct_url.json") or "{}")
    except (ImportError, metadata.PackageNotFoundError):
        return False   # pip will see to it
    return met and unquote(origin.get("url", "")) == f"file://{root}"


def main() -> int:
    add_debian_directories()
    option = sys.argv[1] if len(sys.argv) > 1 else ""
    if option == "--site":
        print("\n".join(directories()))
    elif option == "--constraints":
        print("\n".join(constraints()))
    elif option == "--installed":
        return 0 if installed(sys.argv[2], sys.argv[3]) else 1
    else:
        problems = missing()
        for problem in problems:
            print(f"setup: {sys.executable} {problem}", file=sys.stderr)
        return 1 if problems else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
