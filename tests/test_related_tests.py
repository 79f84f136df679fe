"""tools/related_tests finds the tests that `tools/test --quick` runs."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tool():
    loader = SourceFileLoader("related_tests", str(ROOT / "tools" / "related_tests"))
    spec = spec_from_loader("related_tests", loader)
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def everything(tool):
    return tool.Tests()


@pytest.mark.parametrize(("file", "near", "test"), [
    ("tests/io/test_small_parts.py", 0, "tests/io/test_small_parts.py"),
    ("inputs/papers/000-fig1.toml", 0, "tests/inputs/test_inputs.py::test_input_runs[000-fig1]"),
    ("hpcglass/numbers/bands.py", 1, "tests/numbers/test_bands.py"),                # imported
    ("hpcglass/stages/lattice/calibrate.py", 1, "tests/mpi/test_calibrate_stage.py"),     # of the same name
    ("hpcglass/moves/swap/kernels.py", 1, "tests/mpi/test_swap.py"),
    ("tests/glasses.py", 1, "tests/mpi/test_forces.py"),
    ("hpcglass/commands/plot.py", 2, "tests/analysis/test_figures.py"),             # by the name of its command
    ("tests/data/harmonic-3d.h5", 2, "tests/mpi/test_bonds.py"),
    ("tests/mpi/conftest.py", 2, "tests/mpi/test_forces.py"),
    ("hpcglass/core/system.py", 2, "tests/mpi/test_expansion.py"),                  # through tests/glasses.py
    ("docs/tutorial.md", 2, "tests/docs/test_pages.py"),
    ("jobscripts/run.sbatch", 2, "tests/jobscripts/test_run_script.py"),
    ("tools/launch", 2, "tests/commands/test_guard.py"),
    ("hpcglass/core/neighbours.py", 3, "tests/mpi/test_system.py"),                 # through core/system.py
])
def test_what_is_related(everything, file, near, test):
    assert (ROOT / file).exists()
    assert (near, test) in everything.related([file])


def test_nearest_first_and_each_once(everything):
    found = everything.related(["hpcglass/moves/swap/run.py", "hpcglass/core/comm.py", "tests/mpi/test_swap.py"])
    assert found == sorted(found) and found[0] == (0, "tests/mpi/test_swap.py")
    assert len({test for _, test in found}) == len(found)
    assert all((ROOT / test).exists() for _, test in found)
    assert everything.related(["hpcglass/numbers/" + "nothing.py", "LICENSE" + ".txt"]) == []
