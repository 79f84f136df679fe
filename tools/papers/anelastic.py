"""Fig. 5 of paper 003: events that unloading undoes, and the loop of one of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from papers.entry import Measured
from papers.results import Gallery, share

STABLE, STABLEST = "003-fig5", "0.085"
POINTS = 60  # of each way of the loop


def reversible(at: Gallery) -> Measured:
    """Share of first events that unloading undoes."""
    tables = [one.tables["events"] for one in at[STABLE, STABLEST].samples("shear")]
    firsts = np.array([table["reversible"][0] for table in tables if table.rows])
    known = firsts[np.isfinite(firsts)]
    return share(int(known.sum()), len(known))


def hysteretic(at: Gallery) -> Measured:
    """Share of the reversible events whose state before comes back only below the strain of the event."""
    found: list[float] = []
    for one in at[STABLE, STABLEST].samples("shear"):
        table = one.tables["events"]
        keep = (table["reversible"] == 1) & np.isfinite(table["gamma_c"])
        found += list(table["gamma_c"][keep] - table["recovering_strain"][keep])
    return share(sum(width > 0 for width in found), len(found))


def loop(at: Gallery) -> tuple[Any, Any]:
    """Strain and stress (2, POINTS), forward and back, around the first reversible event of the most stable glasses."""
    import hpcglass
    from hpcglass.geometries.periodic import deformation, simple_shear
    from hpcglass.moves.relax import to_minimum

    samples = at[STABLE, STABLEST].samples("shear")
    event = next(event for one in samples for event in one.events if event.row["reversible"] == 1)
    low, high = float(event.row["recovering_strain"]), float(event.after.strain)
    margin = max(0.5 * (high - low), 1e-4)
    glass, strain = hpcglass.load(event.before), event.before.strain
    found = []
    for path in (
        np.linspace(strain, low - margin, POINTS),
        np.linspace(low - margin, high + margin, POINTS),
        np.linspace(high + margin, low - margin, POINTS),
    ):
        stress = []
        for wanted in path:
            glass.deform(deformation(simple_shear(glass.dimension, "xy"), wanted - strain))
            strain = wanted
            stress.append(to_minimum(glass, "fire", tolerance=1e-10, max_evaluations=200_000)[1].stress[0, 1])
        found.append((path, np.array(stress)))
    return np.array([x for x, _ in found[1:]]), np.array([y for _, y in found[1:]])


def draw_loop(at: Gallery) -> Any:
    """Stress along the loop, and less the straight line of its forward branch, which hides it."""
    from hpcglass.analysis.figures.style import BLUE, RED, row

    figure, (left, right) = row(2, 3.2, 2.6)
    strain, stress = loop(at)
    slope, start = np.polyfit(strain[0][: POINTS // 4], stress[0][: POINTS // 4], 1)
    for k, (colour, text) in enumerate(((BLUE, "loading"), (RED, "unloading"))):
        left.plot(100 * strain[k], stress[k], color=colour, label=text)
        right.plot(100 * strain[k], stress[k] - slope * strain[k] - start, color=colour)
    left.set(xlabel=r"$\gamma$ [%]", ylabel=r"$\sigma_{xy}$")
    right.set(xlabel=r"$\gamma$ [%]", ylabel=r"$\sigma_{xy}$ less its elastic branch")
    left.legend()
    return figure
