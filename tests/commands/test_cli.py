"""The commands, called as a user does."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hpcglass import registry
from hpcglass.__main__ import main
from hpcglass.commands.validate import duration, size

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
INPUT = """
[parameters]
T = 0.3
[system]
model = "ipl12"
particles = 1000
[[stage]]
kind = "swap"
temperature = "$T"
sweeps = 100
[[stage]]
kind = "shear"
max_strain = 0.1
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.toml"
    path.write_text(INPUT)
    return path


LIGHT = [["--help"], ["--version"], ["validate", "INPUT"], ["validate", "INPUT", "--json"], ["info", "--no-mpi"],
         ["list", "models"], ["list", "stages"], ["list", "input"], ["status", "."]]


@pytest.mark.parametrize("command", LIGHT, ids=" ".join)
def test_light_commands_load_no_heavy_library(command, source):
    arguments = [str(source) if word == "INPUT" else word for word in command]
    code = f"""
import sys
from hpcglass.__main__ import main
try:
    main({arguments!r})
except SystemExit:
    pass
heavy = {{"mpi4py", "petsc4py", "slepc4py", "numba", "numpy", "h5py", "scipy", "matplotlib"}} & set(sys.modules)
sys.exit(f"loaded {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", LIGHT[:1] + LIGHT[2:3] + LIGHT[4:7], ids=" ".join)
def test_light_commands_take_less_than_half_a_second(command, source):
    """Of the processor, which other programs on the machine do not change much."""
    arguments = [str(source) if word == "INPUT" else word for word in command]

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    best = 9.0
    for _ in range(3):
        began = spent()
        subprocess.run([sys.executable, "-m", "hpcglass", *arguments], capture_output=True, check=True, cwd=ROOT,
                       env=ENVIRONMENT)
        best = min(best, spent() - began)
    assert best < 0.5


def test_validate_says_valid_and_what_is_needed(source, capsys):
    assert main(["validate", str(source), "--ranks", "4"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("valid: swap, shear of 1000 particles of ipl12 in 2D")
    assert "250 on 4 ranks" in said
    for word in ("memory", "disk", "time", "files"):
        assert word in said


def test_validate_as_json(source, capsys):
    assert main(["validate", str(source), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["valid"] and facts["particles"] == 1000
    # ipl12 2D: pi/2 rho (1.25 * 1 + 0.3)^2
    assert facts["neighbours"] == pytest.approx(3.77, abs=0.01)
    assert main(["validate", str(source), "--json", "--set", "swap.sweeps=0"]) == 2
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"valid": False, "problems": ['--set swap.sweeps=0: stage[0].sweeps = 0: must be > 0']}


def test_validate_tries_every_value_of_a_sweep(source, capsys):
    source.write_text(INPUT + "[sweep]\nT = [0.1, -0.2]\n")
    assert main(["validate", str(source)]) == 2
    said = capsys.readouterr().err
    assert "with T = -0.2 the input is wrong" in said
    assert "must be > 0" in said


def test_estimates_grow_as_they_should(source, capsys):
    def facts(*arguments):
        assert main(["validate", str(source), "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    small, large = facts(), facts("--set", "system.particles=1e6")
    assert large["disk"] > 500 * small["disk"]
    assert large["memory_per_rank"] > 2 * small["memory_per_rank"]
    assert facts("--set", "ensemble.samples=5")["disk"] == pytest.approx(5 * small["disk"])


def test_list_models(capsys):
    assert main(["list", "models"]) == 0
    said = capsys.readouterr().out
    assert main(["list", "models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(registry.models())
    assert all(row["name"] in said for row in rows)


def test_list_stages_has_every_key_with_a_description(capsys):
    assert main(["list", "stages", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["kind"] for row in rows] == list(registry.stages())
    for row in rows:
        assert row["summary"]
        for key in row["keys"]:
            assert key["description"], key
            assert ("default" in key) != key["required"]
    assert main(["list", "input"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("[system]", "particles", "nonadditivity", "ranks_per_sample", "seed"))
    assert main(["list", "stages"]) == 0
    assert "max_strain       required" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "required: COMMAND"),
    (["rnu", "x"], "unknown command 'rnu', did you mean 'run'?"),
    (["list", "modles"], "did you mean 'models'?"),
    (["run"], "required: INPUT"),
    (["run", "in.toml", "--frehs"], "unrecognized arguments: --frehs"),
])
def test_wrong_command_lines_exit_with_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_a_wrong_input_exits_with_2_before_mpi_is_loaded(source):
    code = f"""
import sys
from hpcglass.__main__ import main
code = main(["run", {str(source)!r}, "--set", "system.model=none"])
sys.exit(99 if "mpi4py" in sys.modules or "numpy" in sys.modules else code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_is_a_file_is_refused(source, capsys):
    assert main(["run", str(source), "--output", str(source)]) == 2
    assert "is a file, not a directory" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m hpcglass list stages | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT)
    assert done.stdout.endswith("\n0\n")
    assert done.stderr == ""


def test_info_without_mpi(capsys):
    assert main(["info", "--no-mpi", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["numpy"] != "not found"
    assert facts["cores"] >= 1


def test_info_knows_the_libraries():
    done = subprocess.run([sys.executable, "-m", "hpcglass", "info", "--json"], capture_output=True, text=True, cwd=ROOT,
                          env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["MPI ranks"] == 1
    assert "without them" in facts or facts["PETSc scalar"].startswith("real")
    assert isinstance(facts["h5py is parallel"], bool)


def test_status(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    assert main(["status", str(run)]) == 2
    assert "no run was ever started here" in capsys.readouterr().err
    (run / "resolved.toml").write_text(INPUT)
    (run / "log.txt").write_text("2026-01-01 10:00:00  00-swap: starts\n2026-01-01 10:01:00  sweep 50 of 100\n")
    (run / "00-swap.h5").touch()
    (run / "checkpoint-a.h5").touch()
    assert main(["status", str(run)]) == 0
    assert capsys.readouterr().out.endswith("run: unfinished, 1/2 stages; 2026-01-01 10:01:00  sweep 50 of 100\n")
    (run / ".lock").write_text('{"pid": 12, "host": "here"}')
    assert main(["status", str(run)]) == 0
    assert "unfinished, held by process 12 on here, which cannot be asked from here, 1/2 stages" in capsys.readouterr().out
    (run / "01-shear.h5").touch()
    (run / "DONE").touch()
    sample = run / "sample-0000"
    sample.mkdir()
    assert main(["status", "--json", str(run)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["finished", "unfinished"]
    assert (rows[0]["samples"], rows[0]["finished_samples"]) == (1, 0)
    assert rows[0]["finished_stages"] == ["00-swap.h5", "01-shear.h5"]
    assert rows[1]["stages"] == ["swap", "shear"]


def test_words_for_sizes_and_times():
    assert [size(x) for x in (10, 2.5e6, 3e15)] == ["10 B", "2.5 MB", "3e+03 TB"]
    assert [duration(x) for x in (1.5, 600, 7200 * 3, 1e6)] == ["1.5 s", "10 min", "6 h", "11.6 days"]
