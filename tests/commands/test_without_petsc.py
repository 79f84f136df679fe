"""A Python without PETSc: what needs no linear solver runs, what does is refused before anything starts.

It is hidden by an entry in `sys.modules` in a process of its own; where it is not installed at all, nothing need be hidden.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpcglass import petsc as packages
from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.solvers import refuse_lacking, refuse_missing
from hpcglass.stages.base import Solvers

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = ("import sys; sys.modules.update(petsc4py=None, slepc4py=None); from hpcglass.__main__ import main; "
          "sys.exit(main(sys.argv[1:]))")
GLASS = '[system]\nmodel = "ipl12"\ndimension = 2\nparticles = 150\n'
MD = '[[stage]]\nkind = "md"\ntime = 0.01\ntemperature = 0.1\n'
SWAP = '[[stage]]\nkind = "swap"\ntemperature = 0.3\nsweeps = 5\n'
QUENCH = '[[stage]]\nkind = "quench"\n'
SHEAR = '[[stage]]\nkind = "shear"\nstrain_step = 1e-4\nmax_strain = 2e-4\n'


def without_petsc(tmp_path, text, command="run"):
    source = tmp_path / "in.toml"
    source.write_text(text)
    arguments = [command, source] + ["--output", tmp_path / "out", "--no-plots"] * (command == "run")
    done = subprocess.run([sys.executable, "-c", HIDDEN, *map(str, arguments)], capture_output=True, text=True, timeout=900,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    return done.returncode, done.stdout + done.stderr


def test_sampling_quench_and_shear_need_none(tmp_path):
    """Small steps, where branches would be followed: by descents, and the log says why."""
    code, said = without_petsc(tmp_path, GLASS + SWAP + QUENCH + SHEAR + MD)
    assert code == 0, said
    assert "following branches would be faster, but petsc4py and slepc4py are not installed" in said
    assert "by descents (fire)" in said


@pytest.mark.parametrize("command", ["run", "validate"])
def test_what_needs_solvers_is_refused_before_anything_starts(tmp_path, command):
    stages = [*(f'[[stage]]\nkind = "{kind}"\n' for kind in ("expand", "modes", "bonds")), SHEAR + 'method = "branch"\n',
              SHEAR + "locate = true\n"]
    code, said = without_petsc(tmp_path, GLASS + QUENCH + "".join(stages), command)
    assert code == 2 and "Traceback" not in said
    for k, kind in enumerate(["expand", "modes", "bonds", "shear", "shear"]):
        assert f"in.toml: stage[{k + 1}]: {kind} needs linear solvers, and petsc4py and slepc4py are not installed" in said
    assert "stage[0]" not in said and 'without method = "branch" it goes by descents' in said
    assert "tools/setup --from-pypi --petsc" in said
    assert not (tmp_path / "out").exists()


def config(tmp_path, stage):
    (tmp_path / "in.toml").write_text(GLASS + QUENCH + f"[[stage]]\n{stage}\n")
    return Config.load(tmp_path / "in.toml")


@pytest.mark.parametrize(("stage", "ranks", "needed"), [
    ('kind = "expand"', 2, ()), ('kind = "expand"\nmethod = "direct"', 2, ("mumps",)), ('kind = "modes"\nall = true', 2, ()),
    ('kind = "modes"\ncount = 3', 1, ("cholmod", "mumps")), ('kind = "modes"\ncount = 3', 2, ("mumps",)),
    ('kind = "modes"\nrange = [0.1, 0.2]', 1, ("mumps",)), ('kind = "bonds"', 1, ("mumps",)),
    (SHEAR[10:] + "locate = true", 2, ("cholmod", "mumps")), (SHEAR[10:], 2, None)])
def test_packages_of_petsc_are_asked_for_at_the_start(tmp_path, monkeypatch, stage, ranks, needed):
    from hpcglass import solvers

    monkeypatch.setattr(solvers, "lacking", lambda any_of: f"there is no {'/'.join(any_of)}" if any_of else "")
    asked = config(tmp_path, stage)
    assert asked.stage[1].solvers(ranks) == (None if needed is None else Solvers(needed, asked.stage[1].solvers(ranks).instead))
    if needed:
        with pytest.raises(InputError, match=rf"stage\[1\]: {asked.stage[1].kind} needs linear solvers, and there is no "
                                             f"{'/'.join(needed)}"):
            refuse_lacking(asked, ranks)
    else:
        refuse_lacking(asked, ranks)


def test_half_of_it_is_not_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "slepc4py" else object())
    with pytest.raises(InputError, match=r"^in.toml: stage\[1\]: modes needs linear solvers, and slepc4py is not installed"):
        refuse_missing(config(tmp_path, 'kind = "modes"'), "in.toml")


def test_a_petsc_that_cannot_be_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "petsc4py", None)
    with pytest.raises(InputError, match="petsc4py cannot be loaded"):
        refuse_lacking(config(tmp_path, 'kind = "expand"'), 1)
