"""Paper 004, the glasses themselves (Figs. 1, 2): moduli, loading, yield and frozen stresses, and the slips that go with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from hpcglass.analysis.open_run import StageResults
from papers.entry import Campaign, Measured
from papers.pictures import shaded
from papers.results import NONE, Gallery, mean, ratio

GLASSES, SLIPS = "004-fig12", "004-fig1-slips"
PLATEAU, WINDOW = 0.3, 0.02  # strain where it begins; over which the curve is averaged before its peak is looked for
TASKS = {"ESL": "T=0.351,T_end=0.351,cooling=1", "GQ": "T=0.351,T_end=0.03,cooling=10000"}  # GQ of the paper: 10^6

NOTE = """Ten glasses of ESL and four of GQ (the paper: twenty), N = 2500 instead of 10⁴, equilibrated at T = 0.351 for 1000
units of time, GQ cooled during 10⁴ units instead of 10⁶; without the input's last stage, which fits the slips of single
glasses. Better equilibrated glasses come nearer to the paper: after 100 units of time the mean yield stress of ESL is 0.81
instead of 0.94 ([calibration](calibration.md#paper-004-from-atoms-of-our-own)). GQ is cooled too fast to have the paper's
modulus and thresholds."""


def keys(glass: str) -> tuple[str, ...]:
    """Those that give the slips of a preparation."""
    run = f"../../results/gallery/measured/{GLASSES}/run/{TASKS[glass]}"
    return tuple(
        key
        for stage in ("single", "pair")
        for key in (
            f'{stage}.target={{runs=["{run}"],stage="shear"}}',
            f'{stage}.initial={{glass="{run}",stage="strength",sites=true}}',
        )
    )


CAMPAIGNS = (
    Campaign(
        GLASSES,
        (
            "N=2500",
            "ensemble.samples=10",
            "melting=10",
            "equilibration=1000",
            "melt.time_step=0.01",
            "equilibrate.time_step=0.01",
            "cool.time_step=0.01",
            "flow=0.6",
            "sweep=[{T=0.351,T_end=0.351,cooling=1.0},{T=0.351,T_end=0.03,cooling=10000.0}]",
        ),
        minutes=150,
    ),
    Campaign(SLIPS, ("size=6", "strain=0.6", f"plateau={PLATEAU}"), tuple((glass, keys(glass)) for glass in TASKS), minutes=3),
)


def glasses(at: Gallery, which: str, stage: str) -> Iterator[StageResults]:
    """A stage of the finished glasses of a preparation."""
    place = at[GLASSES]
    name = TASKS[which] if TASKS[which] in place.tasks else place.only
    return place.samples(stage, name)


def count(at: Gallery, which: str) -> int:
    """Finished glasses of a preparation."""
    return sum(1 for _ in glasses(at, which, "strength"))


def of_glass(which: str, column: str) -> Any:
    """A number of the stage `strength`, mean over samples."""
    return lambda at: mean(one.tables["strength"][column][0] for one in glasses(at, which, "strength"))


def threshold(which: str, power: int = 1) -> Any:
    """Moment of the yield stress of patches: mean of a glass, mean over glasses."""
    return lambda at: mean(np.nanmean(one.tables["sites"]["threshold"] ** power) for one in glasses(at, which, "strength"))


def frozen(which: str) -> Any:
    """Frozen stress over the mean threshold."""
    return lambda at: ratio(of_glass(which, "delta_sigma")(at), threshold(which)(at))


def curves(at: Gallery, which: str) -> tuple[Any, Any]:
    """Strain, and the stress of each glass (glasses, strains)."""
    tables = [one.tables["loading"] for one in glasses(at, which, "shear")]
    rows = min(table.rows for table in tables)
    return tables[0]["strain"][:rows], np.array([table["shear_stress"][:rows] for table in tables])


def plateau(which: str) -> Any:
    """Mean stress beyond PLATEAU, mean over glasses."""

    def of(at: Gallery) -> Measured:
        strain, stress = curves(at, which)
        return mean(stress[:, strain > PLATEAU].mean(axis=1))

    return of


def overshoot(strain: Any, stress: Any) -> float:
    """Peak over plateau of the mean of several curves, as a stage `calibrate` measures both."""
    wide = max(1, round(WINDOW / (strain[1] - strain[0])))
    before = stress.mean(axis=0)[strain <= PLATEAU]
    return float(np.convolve(before, np.full(wide, 1 / wide), "valid").max() / stress[:, strain > PLATEAU].mean())


def peak(which: str) -> Any:
    """Peak over plateau, with the error of the jackknife over glasses."""

    def of(at: Gallery) -> Measured:
        strain, stress = curves(at, which)
        n = len(stress)
        if n < 2:
            return NONE
        again = np.array([overshoot(strain, np.delete(stress, k, axis=0)) for k in range(n)])
        return overshoot(strain, stress), math.sqrt((n - 1) * again.var())

    return of


def slip(which: str, label: str, name: str) -> Any:
    """A slip fitted to all glasses of a preparation together."""

    def of(at: Gallery) -> Measured:
        found = next(at[SLIPS, which].samples(label)).results
        return float(found[name]), float(found[f"{name}_error"])

    return of


def draw_glasses(at: Gallery) -> Any:
    """Stress of each glass, and the mean of each preparation in the band of its error."""
    from hpcglass.analysis.figures.style import BLUE, RED, panels

    figure, (axes,) = panels(1, 4.2, 2.9)
    for which, colour in (("ESL", BLUE), ("GQ", RED)):
        strain, stress = curves(at, which)
        axes.plot(strain, stress.T, color=colour, linewidth=0.4, alpha=0.25)
        error = stress.std(axis=0, ddof=1) / math.sqrt(len(stress)) if len(stress) > 1 else np.zeros(len(strain))
        shaded(axes, strain, stress.mean(axis=0), error, color=colour, label=f"{which}, mean of {len(stress)}")
    axes.set(xlabel=r"strain $\gamma$", ylabel=r"$\sigma_{xy}$ [energy/length$^2$]", ylim=(0.0, None))
    axes.legend()
    return figure


def draw_yield(at: Gallery) -> Any:
    """Distributions of the yield stress of patches and of the frozen stress of blocks."""
    from hpcglass.analysis.figures.style import BLUE, RED, row

    figure, (left, right) = row(2, 3.3, 2.6)
    for axes, table, column, label, edges in (
        (left, "sites", "threshold", r"$\sigma_\mathrm{c}$ of patches", np.linspace(-0.5, 3.0, 36)),
        (right, "blocks", "stress", r"$\delta\sigma$ of blocks", np.linspace(-0.6, 0.6, 17)),
    ):
        for which, colour in (("ESL", BLUE), ("GQ", RED)):
            each = [one.tables[table][column] for one in glasses(at, which, "strength")]
            values = np.concatenate([x - (np.nanmean(x) if column == "stress" else 0.0) for x in each])  # fluctuations
            axes.hist(values[np.isfinite(values)], edges, density=True, histtype="step", color=colour, label=which)
        axes.set(xlabel=f"{label} [energy/length$^2$]", ylabel="density")
    x = np.linspace(-0.6, 0.6, 200)
    right.plot(
        x,
        np.exp(-((x / 0.175) ** 2) / 2) / (0.175 * math.sqrt(2 * math.pi)),
        "--",
        color="black",
        linewidth=0.9,
        label="paper: width 0.175",
    )
    right.set_ylim(0, 4.2)
    left.legend()
    right.legend(loc="upper left", fontsize="x-small")
    return figure
