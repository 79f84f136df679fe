"""A glass really strained, step by step, beside what its expansion says (D. Richard, "Connecting ...", Figs. 3c and 8)."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from hpcglass.core.system import System
from hpcglass.geometries import periodic
from hpcglass.moves.relax import paced, to_minimum
from hpcglass.stages.base import Context, GivenUp, Snapshot

START = ("reference", "displacement", "image")
TOLERANCE, MAX_EVALUATIONS = 1e-10, 2_000_000


def compare(system: System, context: Context, gradient: Any, derivatives: Any, largest: float, steps: int) -> None:
    """/results/comparison: stress of strained minima, and of the series to first and to the highest order.

    The system is as it was afterwards, to the bit.

    Parameters
    ----------
    derivatives : (n + 1, d, d) derivatives 0..n of the true stress by the strain
    largest : strain of the last of `steps` states
    """
    d = system.dimension
    entries = {f"stress_{'xyz'[a]}{'xyz'[b]}": (a, b) for a in range(d) for b in range(a, d)}
    columns = {"strain": ("", "strain"), "energy": ("energy", "potential energy"),
               "evaluations": ("", "force evaluations of the step")}
    for kind, words in (("", "strained minimum"), ("_linear", "expansion to first order"),
                        ("_expansion", f"expansion to order {len(derivatives) - 1}")):
        columns |= {f"{name}{kind}": ("energy/length^d", f"{name.replace('_', ' ')}, {words}") for name in (*entries, "pressure")}
    table = context.table("comparison", **columns)
    box = _remember(system, context)
    begin = int(context.restored.scalars["strained"]) if context.restored and "strained" in context.restored.scalars else 0
    step_map = periodic.deformation(gradient, largest / steps)

    def safe_point(strained: int) -> None:
        context.safe_point(strained, steps, lambda: Snapshot({"strained": strained, "derivatives": derivatives, **box}),
                           note=f"strained by {strained * largest / steps:.4g}")

    for step in range(begin + 1, steps + 1):
        safe_point(step - 1)
        strain, before = step * largest / steps, system.state()
        system.deform(step_map)
        try:
            with context.timer("strain"):
                report, mechanics = to_minimum(system, "fire", TOLERANCE, MAX_EVALUATIONS, paced(system, context.look))
        except GivenUp:
            system.restore(*before)
            safe_point(step - 1)
            raise
        row = {"strain": strain, "energy": mechanics.energy, "evaluations": float(report.evaluations)}
        for kind, stress in (("", mechanics.stress), ("_linear", series(derivatives[:2], strain)),
                             ("_expansion", series(derivatives, strain))):
            row |= {f"{name}{kind}": float(stress[place]) for name, place in entries.items()}
            row[f"pressure{kind}"] = -float(np.trace(stress)) / d
        table.append(**row)
    _return(system, box)


def series(derivatives: Any, strain: float) -> Any:
    """sum_n derivatives[n] strain^n / n!."""
    return sum(term * strain**n / factorial(n) for n, term in enumerate(derivatives))


def _remember(system: System, context: Context) -> dict[str, Any]:
    """Let the start travel with the particles; returns the numbers that belong to it."""
    names = ("box", "box_at_build", "origin", "skin")
    if context.restored and "strained" in context.restored.scalars:
        return {f"start {name}": context.restored.scalars[f"start {name}"] for name in names}
    scalars, rows = system.state()
    system.fields |= {f"start {name}": rows[name] for name in START}
    return {f"start {name}": np.array(scalars[name]) for name in names}


def _return(system: System, box: dict[str, Any]) -> None:
    own = slice(0, system.n_owned)
    rows = {name: system.fields.pop(f"start {name}") for name in START}
    rows |= {"id": system.id[own], "diameter": system.diameter[own], "species": system.species[own]}
    system.restore({name.removeprefix("start "): value for name, value in box.items()}, rows)
