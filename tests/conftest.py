"""Shared by all tests: communicators and the reference glasses of tests/data.

Tests in tests/mpi run on any number of ranks: all ranks execute the same asserts on values that are equal everywhere.

Where PETSc is not installed, or was built without a package, the tests that need it are skipped and say so. That nothing else
needs it is tested everywhere (tests/commands/test_without_petsc.py).
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from hpcglass import launcher
from hpcglass.errors import InputError
from hpcglass.petsc import lacking, not_installed

# what the program sets itself, here from the start
for name, value in {"H5PY_ALWAYS_USE_MPI": "1", "HDF5_USE_FILE_LOCKING": "FALSE", "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}.items():
    os.environ.setdefault(name, value)
os.environ.setdefault("MPLBACKEND", "Agg")
# Open MPI in a process that no launcher started, as that which starts the workers of `pytest -n` where a conftest imports mpi4py,
# leaves variables to its children, with which any mpirun that those start fails without a word
if os.environ.get("OMPI_MCA_ess") == "singleton":
    for name in list(os.environ):
        if name.startswith(("PMIX_", "OMPI_MCA_ess", "OMPI_MCA_orte_", "OMPI_MCA_pmix", "OMPI_APP_CTX", "ORTE_SCHIZO")):
            del os.environ[name]

DATA = Path(__file__).parent / "data"
BEGAN = time.monotonic()


def pytest_addoption(parser):
    parser.addoption("--begin-within", type=float, metavar="SECONDS",
                     help="skip what has not begun by then, and slow tests that have not by half of it")


def _skip_if_late(item):
    """With --begin-within; the same on all ranks."""
    within = item.config.getoption("--begin-within")
    if within is None:
        return
    late = time.monotonic() - BEGAN > (within / 2 if item.get_closest_marker("slow") else within)
    if launcher.tasks() > 1:
        from mpi4py import MPI

        late = MPI.COMM_WORLD.bcast(late)
    if late:
        pytest.skip("no time left")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A file of tests that imports what is not installed."""
    report = yield
    if report.failed and (absent := [name for name in not_installed() if f"No module named '{name}'" in str(report.longrepr)]):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, f"Skipped: {absent[0]} is not installed")
    return report


def _unless_lacking():
    """The body of a hook: a test that PETSc cannot do here is skipped."""
    try:
        return (yield)
    except ModuleNotFoundError as error:
        if error.name not in not_installed():
            raise
        pytest.skip(f"{error.name} is not installed")
    except InputError as error:
        reasons = [lacking((name,)) for name in ("mumps", "cholmod")]
        if not any(reasons) or not any(words in str(error) for words in ("this PETSc was built without", "not installed")):
            raise
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    _skip_if_late(item)
    for marker in item.iter_markers("needs"):
        if why := lacking(marker.args):
            pytest.skip(why)
    return (yield from _unless_lacking())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    return (yield from _unless_lacking())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.end_of_ranks = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Several ranks end together, by MPI alone.

    What PETSc does at the end of Python is collective: three ranks once waited for each other there, after all tests had passed.
    """
    MPI = getattr(sys.modules.get("mpi4py"), "MPI", None)
    if MPI is None or not MPI.Is_initialized() or MPI.COMM_WORLD.size == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    MPI.COMM_WORLD.Barrier()
    MPI.Finalize()
    os._exit(getattr(config, "end_of_ranks", 1))


@pytest.fixture(scope="session")
def world():
    """All ranks of this run."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture(scope="session")
def alone():
    """Each rank by itself: the one-rank answer, in the same test."""
    from mpi4py import MPI

    return MPI.COMM_SELF


@pytest.fixture(autouse=True, scope="module")
def _long_lived():
    """What is there before a file's first test, libraries above all, is not looked through after each of them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _free_communicators():
    """Communicators held by objects under test are freed together, not when a rank's garbage collector likes."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_was():
    """Many tests share a process, and some call whole commands in it: the next test finds what this one found."""
    before = _process()
    yield
    now = _process()
    assert {key: (before.get(key), now.get(key)) for key in before.keys() | now.keys() if before.get(key) != now.get(key)} == {}


def _process():
    """What a test could leave behind: directory, environment, signal handlers."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {"directory": os.getcwd(), **environment, **{number: signal.getsignal(number) for number in signal.valid_signals()}}


@pytest.fixture(scope="session")
def data() -> Path:
    """Directory of the reference glasses."""
    return DATA
