"""Glasses, their exports, and what each client finds in them: one process per client in a session."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from client_native import NATIVE
from client_objects import OBJECTS
from client_page import GLASSES, ROOT, Job, blocks
from client_traps import TRAPS
from glasses import liquid_arrays

from hpcglass.io.formats.common import Configuration

PLACE = Path(os.environ.get("HPCGLASS_CLIENTS", ROOT / ".venv-clients")).resolve()
MOVIES = ("xyz", "dump", "gsd", "h5md", "vtkhdf")
SHEAR = """
[system]
model = "harmonic"
dimension = 3
particles = 120
[[stage]]
kind = "quench"
force_tolerance = 1e-6
[[stage]]
kind = "shear"
plane = "zx"
strain_step = 1e-2
max_strain = 3e-2
method = "fire"
force_tolerance = 1e-6
frames_every = 1
"""

LATTICE = """
[[stage]]
kind = "epm"
size = 12
shear_modulus = 2.0
slip = { c0 = 0.1 }
initial = { distribution = "weibull", mean = 0.3, cv = 0.3 }
record_every = 0.05
max_strain = 0.3
fields_at = [0.1, 0.3]
"""


@pytest.fixture(autouse=True)
def _free_communicators():
    """Nothing here holds one: no collection after each of many short tests."""


@pytest.fixture(scope="session")
def clients() -> Path:
    """The python of the environment that tools/clients makes."""
    if not (PLACE / "hpcglass-clients-stamp").exists():
        pytest.skip(f"no clients in {PLACE}: run tools/clients")
    return PLACE / "bin" / "python"


@pytest.fixture(scope="session")
def glasses() -> dict[str, Configuration]:
    """Jittered lattices with the sizes and species of their models."""
    made = {}
    for name, (model, dimension, strains) in GLASSES.items():
        _, box, position, diameter, species = liquid_arrays(model, 120, dimension)
        strain = np.eye(dimension)
        for place, value in strains.items():
            strain[place] = value
        made[name] = Configuration(position @ strain.T, strain @ box, diameter, species)
    return made


@pytest.fixture(scope="session")
def exports(glasses, tmp_path_factory) -> Path:
    """A directory with each glass as .h5 and in all formats of `export`, and a shear: shear.h5, shear.traj.h5, movie.*; and
    a lattice."""
    from hpcglass import registry
    from hpcglass.__main__ import main
    from hpcglass.io.import_h5 import write_h5

    directory = tmp_path_factory.mktemp("exports")
    for name, c in glasses.items():
        native = directory / f"{name}.h5"
        write_h5(c, registry.models()[GLASSES[name][0]], Path("glass"), native, "")
        for ending in ("xyz", "data", "dump", "gsd", "h5md", "vtkhdf"):
            assert main(["export", str(native), "-o", str(native.with_suffix(f".{ending}"))]) == 0
    (directory / "shear.toml").write_text(SHEAR)
    assert main(["run", str(directory / "shear.toml"), "--output", str(directory / "run")]) == 0
    for ending in MOVIES:
        words = ["-o", str(directory / f"movie.{ending}"), "--frame", "all", "--fields", "d2min"]
        assert main(["export", str(directory / "run" / "01-shear.h5"), *words]) == 0
    (directory / "lattice.toml").write_text(LATTICE)
    assert main(["run", str(directory / "lattice.toml"), "--output", str(directory / "lattice"), "--no-plots"]) == 0
    stage, out = str(directory / "lattice" / "00-epm.h5"), str(directory / "lattice.vtkhdf")
    assert main(["export", stage, "-o", out, "--frame", "all"]) == 0
    (directory / "run" / "01-shear.h5").rename(directory / "shear.h5")
    (directory / "run" / "01-shear.traj-0000.h5").rename(directory / "shear.traj.h5")
    return directory


def ask(python: Path, client: str, jobs: list[Job], directory: Path) -> dict[str, dict[str, np.ndarray]]:
    """Let one process of a client do its jobs; what each found, by name."""
    own = directory / client
    own.mkdir()
    given, found = own / "jobs.json", own / "found.npz"
    given.write_text(json.dumps([[job.name, str(directory / job.file), job.code] for job in jobs]), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "OMPI", "PMI", "H5PY"))}
    environment |= {"LD_LIBRARY_PATH": str(python.parents[1] / "lib"), "QT_QPA_PLATFORM": "offscreen",       # lib: MPI of LAMMPS
                    "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run([python, Path(__file__).with_name("run_blocks.py"), given, found], env=environment, cwd=own,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{client}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    results: dict[str, dict[str, np.ndarray]] = {job.name: {} for job in jobs}
    with np.load(found) as arrays:
        for name in arrays.files:
            job, _, variable = name.rpartition("/")
            while job not in results:       # a variable can be a path itself
                job, _, front = job.rpartition("/")
                variable = f"{front}/{variable}"
            results[job][variable] = arrays[name]
    return results


@pytest.fixture(scope="session")
def found(clients, exports) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """found[client][name of the job][variable]"""
    jobs: dict[str, list[Job]] = {}
    for job in [*blocks(), *TRAPS, *NATIVE, *OBJECTS]:
        jobs.setdefault(job.client, []).append(job)
    with ThreadPoolExecutor(2) as pool:
        answers = {client: pool.submit(ask, clients, client, some, exports) for client, some in jobs.items()}
        return {client: answer.result() for client, answer in answers.items()}
