"""Stages that need more linear algebra than this machine has are refused before anything long starts."""

from __future__ import annotations

from pathlib import Path

from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.petsc import lacking, not_installed, said

REMEDY = "docs/install.md says how to get them; `tools/setup --from-pypi --petsc` builds PETSc and SLEPc without root"


def refuse_missing(config: Config, path: str | Path) -> None:
    """Whether petsc4py and slepc4py are there at all; loads nothing.

    Raises
    ------
    InputError
        One line for each stage that needs them, and what would do without.
    """
    absent = not_installed()
    needs = [(index, stage.kind, need) for index, stage in enumerate(config.stage) if absent and (need := stage.solvers(1))]
    _refuse([(index, kind, said(absent), need.instead) for index, kind, need in needs], f"{path}: ")


def refuse_lacking(config: Config, ranks: int) -> None:
    """Whether PETSc can be loaded and has what the stages need on so many ranks of a sample. Loads it if any stage needs it.

    Raises
    ------
    InputError
        One line for each stage that lacks something, and what would do without.
    """
    needs = [(index, stage.kind, need) for index, stage in enumerate(config.stage) if (need := stage.solvers(ranks))]
    _refuse([(index, kind, reason, need.instead) for index, kind, need in needs if (reason := lacking(need.any_of))])


def begin_together(config: Config) -> None:
    """Load PETSc and SLEPc, if there are particles and they can be loaded, before ranks go different ways. Collective.

    They begin on all ranks of the job together, and the first group that needs them would wait for ever for a rank that has no
    sample, or whose sample has failed.
    """
    if config.system is not None and not lacking():
        import hpcglass.landscape.matrix.shift_invert  # noqa: F401  (and with it `hessian`)


def _refuse(problems: list[tuple[int, str, str, str]], where: str = "") -> None:
    if problems:
        lines = [f"{where}stage[{index}]: {kind} needs linear solvers, and {reason}{f'; {instead}' * bool(instead)}"
                 for index, kind, reason, instead in problems]
        raise InputError("\n".join([*lines, REMEDY]))
