"""Paper 004: coarse-graining into a lattice, by Tyukodi and others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from hpcglass.analysis.open_run import StageResults
from papers.entry import Campaign, Entry, Measured, Number, about, above, below, between
from papers.pictures import lattice_panels
from papers.results import Gallery, difference, mean, ratio

SOFT, HARD = "004-fig347a", "004-fig567b"
VARIANTS = ("c₁ = 0", "c₁ = 0, rejuvenation", "disordered", "rejuvenation")  # tasks of both inputs, in this order
TOGETHER = ("merge {task} --stage epm -o {out}-epm.h5 --no-plots", "plot {run} -o {out} --together")
# slips of the paper, Secs. 5.1 and 6.1: label of the stage -> c0, c1
SLIPS = {
    "c0": {"esl": 0.0626, "esl-rejuvenation": 0.0506, "gq": 0.0836, "gq-rejuvenation": 0.042},
    "c0-c1": {
        "esl": (0.0304, 0.0216),
        "esl-rejuvenation": (0.0276, 0.0206),
        "gq": (0.0344, 0.0164),
        "gq-rejuvenation": (0.0235, 0.0163),
    },
}

NAIVE = ("disordered, $c_1 = 0$", "rejuvenation, $c_1 = 0$", "", "")
CORRELATED = ("", "", "disordered, $c_1 > 0$", "rejuvenation, $c_1 > 0$")
STRESS, THRESHOLD = r"stress $\Sigma$", r"mean threshold $\langle\sigma_\mathrm{c}\rangle$"

CAMPAIGNS = (
    Campaign(SOFT, (), after=TOGETHER, minutes=1.5),
    Campaign(HARD, ("ensemble.samples=30",), after=TOGETHER, minutes=1.5),
    Campaign("004-calibration", ("accuracy=0.03", "most=48", "strain=1.0", "plateau=0.5"), minutes=3),
    Campaign(
        "004-fig12",
        (
            "N=2500",
            "ensemble.samples=2",
            "melting=10",
            "equilibration=100",
            "melt.time_step=0.01",
            "equilibrate.time_step=0.01",
            "cool.time_step=0.01",
            "flow=0.4",
            "plateau=0.25",
            "calibrate.size=6",
            "calibrate.accuracy=1.0",
            "calibrate.samples=4",
            "calibrate.most_samples=4",
            "sweep=[{T=0.351,T_end=0.351,cooling=1.0}]",
        ),
        minutes=15,
    ),
)


def curve(campaign: str, variant: int) -> Any:
    """Mean loading of the samples of a variant."""
    return lambda at: at[campaign].merged("epm", list(at[campaign].tasks)[variant]).tables["mean_loading"]


def plateau(campaign: str, variant: int) -> Any:
    """Mean stress of each sample beyond a strain of 0.5, mean over samples."""

    def of(at: Gallery) -> Measured:
        place, found = at[campaign], []
        for one in place.samples("epm", list(place.tasks)[variant]):
            table = one.tables["loading"]
            found.append(float(table["shear_stress"][table["strain"] > 0.5].mean()))
        return mean(found)

    return of


def largest(campaign: str, variant: int, column: str) -> Any:
    """Largest value of a mean curve, with its error there."""

    def of(at: Gallery) -> Measured:
        table = curve(campaign, variant)(at)
        k = int(table[column].argmax())
        return float(table[column][k]), float(table[f"{column}_error"][k])

    return of


def at_strain(campaign: str, variant: int, column: str, strain: float) -> Any:
    """Value of a mean curve at a strain."""

    def of(at: Gallery) -> Measured:
        table = curve(campaign, variant)(at)
        k = int(np.abs(table["strain"] - strain).argmin())
        return float(table[column][k]), float(table[f"{column}_error"][k])

    return of


def overshoot(campaign: str, variant: int) -> Any:
    """Peak of the mean curve over the plateau."""
    return lambda at: ratio(largest(campaign, variant, "shear_stress")(at), plateau(campaign, variant)(at))


def same(first: Any, second: Any) -> Any:
    return lambda at: ratio(first(at), second(at))


def fall_after_rise(at: Gallery) -> Measured:
    """Mean threshold of GQ with rejuvenation: largest value less that at a strain of 1."""
    return difference(largest(HARD, 3, "mean_threshold")(at), at_strain(HARD, 3, "mean_threshold", 1.0)(at))


def fitted(label: str, name: str) -> Any:
    """A slip that the calibration found."""

    def of(at: Gallery) -> Measured:
        found = next(at["004-calibration"].samples(label)).results
        return float(found[name]), float(found[f"{name}_error"])

    return of


def glasses(at: Gallery, stage: str) -> Iterator[StageResults]:
    """A stage of the glasses of Figs. 1 and 2."""
    place = at["004-fig12"]
    return place.samples(stage, place.only)


def of_atoms(name: str) -> Any:
    """A slip fitted to the loading of each glass of Fig. 1: mean, with the errors of the fits or the scatter, if larger."""

    def of(at: Gallery) -> Measured:
        found = [one.results for one in glasses(at, "calibrate")]
        value, scatter = mean(float(one[name]) for one in found)
        fits = math.sqrt(sum(float(one[f"{name}_error"]) ** 2 for one in found)) / len(found)
        return value, fits if math.isnan(scatter) else max(scatter, fits)

    return of


def slips(glass: str) -> tuple[Number, ...]:
    """c0 alone and the mean slip of the pair, of a glass with and without rejuvenation."""
    numbers = []
    for variant, words in ((glass, ""), (f"{glass}-rejuvenation", ", rejuvenation")):
        alone, (c0, c1) = SLIPS["c0"][variant], SLIPS["c0-c1"][variant]
        numbers += [
            Number(
                f"c₀ if c₁ = 0{words}",
                "Sec. 5.1" if glass == "esl" else "Sec. 6.1",
                fitted(f"{variant}-c0", "c0"),
                **about(alone, 0.0),
            ),
            Number(f"c₀{words}", "the same", fitted(f"{variant}-c0-c1", "c0"), **about(c0, 0.0)),
            Number(f"c₁{words}", "the same", fitted(f"{variant}-c0-c1", "c1"), **about(c1, 0.0)),
        ]
    return tuple(numbers)


def glass(stage: str, column: str) -> Any:
    """A number of the glasses of Figs. 1 and 2: mean over samples."""
    return lambda at: mean(one.tables["strength"][column][0] for one in glasses(at, stage))


def spread(at: Gallery) -> Measured:
    """Frozen shear stress of blocks: standard deviation, mean over samples."""
    return glass("strength", "delta_sigma")(at)


def ages(at: Gallery) -> Measured:
    """Age of ESL at the start of the loading."""
    return at_strain(SOFT, 3, "age", 0.0)(at)


def threshold(at: Gallery) -> Measured:
    """Mean yield stress of patches, mean over glasses."""
    return mean(np.nanmean(one.tables["sites"]["threshold"]) for one in glasses(at, "strength"))


def draw_glasses(at: Gallery) -> Any:
    """Stress of each glass and their mean."""
    from hpcglass.analysis.figures.style import BLUE, panels

    figure, (axes,) = panels(1, 3.6, 2.7)
    tables = [one.tables["loading"] for one in glasses(at, "shear")]
    for table in tables:
        axes.plot(table["strain"], table["shear_stress"], color="0.75", linewidth=0.7)
    rows = min(table.rows for table in tables)
    mean_stress = np.mean([table["shear_stress"][:rows] for table in tables], axis=0)
    axes.plot(tables[0]["strain"][:rows], mean_stress, color=BLUE, label=f"mean of {len(tables)} glasses")
    axes.set(xlabel=r"strain $\gamma$", ylabel=r"$\sigma_{xy}$ [energy/length$^2$]", ylim=(0.0, None))
    axes.legend()
    return figure


def draw_yield(at: Gallery) -> Any:
    """Distributions of the yield stress of patches and of the frozen stress of blocks."""
    from hpcglass.analysis.figures.style import BLUE, row

    figure, (left, right) = row(2, 3.3, 2.6)
    found = list(glasses(at, "strength"))
    for axes, table, column, label, bins in (
        (left, "sites", "threshold", r"$\sigma_\mathrm{c}$ of patches", 25),
        (right, "blocks", "stress", r"$\delta\sigma$ of blocks", 12),
    ):
        values = np.concatenate([one.tables[table][column] for one in found])
        axes.hist(values[np.isfinite(values)], bins, density=True, histtype="step", color=BLUE)
        axes.set(xlabel=f"{label} [energy/length$^2$]", ylabel="density")
    return figure


def distance(at: Gallery) -> Measured:
    """Frozen stress over the mean threshold."""
    return ratio(spread(at), threshold(at))


ENTRIES = (
    Entry(
        "004-fig1",
        "loading of a binary Lennard-Jones glass, fresh (ESL) and annealed (GQ)",
        ("004-fig12",),
        (
            Number("shear modulus of ESL", "Sec. 7.2", glass("strength", "shear_modulus"), **about(14.7, 0.7)),
            Number("bulk modulus of ESL", "Sec. 7.2", glass("strength", "bulk_modulus"), **about(52.0, 2.0)),
            Number("c₀, of our own atoms", "Sec. 5.1, ESL without rejuvenation", of_atoms("c0"), **about(0.0304, 0.0)),
            Number("c₁, of our own atoms", "the same", of_atoms("c1"), **about(0.0216, 0.0)),
        ),
        picture=draw_glasses,
        note="""Glasses of N = 2500, held at T = 0.351 for 100 units of time, not equilibrated: they are between the paper's
MCT and ESL, and softer. The slips are fitted to the loading of single glasses of six blocks across, which does not tell c₀ from
c₁; more glasses together: [calibration](calibration.md#paper-004-from-atoms-of-our-own). GQ (10⁶ units) is a job of days.""",
    ),
    Entry(
        "004-fig2",
        "local yield stresses and frozen stresses of glasses",
        ("004-fig12",),
        (
            Number("width of the frozen stress", "Fig. 2b", spread, **about(0.175, 0.02)),
            Number("mean yield stress of patches", "no number", threshold),
            Number("width of the frozen stress over the mean threshold", "Sec. 2.3", distance, **between(0.1, 0.2, "10 to 20 %")),
        ),
        picture=draw_yield,
    ),
    Entry(
        "004-fig3",
        "loading curves of a soft glass (ESL) in four variants of the lattice",
        (SOFT, "004-calibration"),
        (
            Number(
                "plateau, rejuvenation over disordered",
                "Fig. 3b",
                same(plateau(SOFT, 3), plateau(SOFT, 2)),
                **about(1.0, 0.05, "1"),
            ),
            Number("peak over plateau, c₁ = 0", "Fig. 3a", overshoot(SOFT, 0), **about(1.0, 0.03, "no peak")),
            Number("peak over plateau, rejuvenation", "Fig. 3b", overshoot(SOFT, 3), **above(1.0, "a discrete peak")),
            *slips("esl"),
        ),
        picture=lattice_panels(
            (
                (SOFT, "shear_stress", STRESS, NAIVE),
                (SOFT, "shear_stress", STRESS, CORRELATED),
            )
        ),
        note="""The fits' targets are the lattice's own answer to the paper's slips, with thresholds that have the paper's
moments: what is tested is that one plateau and one peak return all six numbers
([calibration](calibration.md#paper-004)).""",
    ),
    Entry(
        "004-fig4",
        "fluctuations of strain and mean threshold of ESL",
        (SOFT,),
        (
            Number(
                "standard deviation of strain at γ = 0.4, rejuvenation over disordered",
                "Fig. 4a",
                same(at_strain(SOFT, 3, "strain_std", 0.4), at_strain(SOFT, 2, "strain_std", 0.4)),
                **about(1.0, 0.05, "1: curves almost superimpose"),
            ),
            Number(
                "mean threshold at γ = 1 over that at 0, rejuvenation",
                "Fig. 4b, Sec. 5.3",
                same(at_strain(SOFT, 3, "mean_threshold", 1.0), at_strain(SOFT, 3, "mean_threshold", 0.0)),
                **about(1.10, 0.05, "1.1 (atoms; lattice “quasi-quantitative”)"),
            ),
            Number("age of the glass", "Eq. 7", ages, **about(0.14, 0.01)),
        ),
        picture=lattice_panels(
            (
                (SOFT, "strain_std", r"std of strain", CORRELATED),
                (SOFT, "mean_threshold", THRESHOLD, CORRELATED),
            )
        ),
        note="""The mean threshold rises by 22 %, not by 10 %: the paper's distribution is known here by two moments only, and a
Weibull distribution of these moments loses more weak sites.""",
    ),
    Entry(
        "004-fig5",
        "loading curves of a hard glass (GQ) in four variants of the lattice",
        (HARD, "004-calibration"),
        (
            Number("peak over plateau, c₁ = 0", "Fig. 5a", overshoot(HARD, 0), **between(1.0, 1.12, "a tiny bump")),
            Number("peak over plateau, c₁ = 0, rejuvenation", "Fig. 5a", overshoot(HARD, 1), **above(1.2, "well-defined peak")),
            Number(
                "peak, rejuvenation over disordered",
                "Fig. 5b",
                same(largest(HARD, 3, "shear_stress"), largest(HARD, 2, "shear_stress")),
                **about(1.0, 0.05, "1"),
            ),
            *slips("gq"),
        ),
        picture=lattice_panels(
            (
                (HARD, "shear_stress", STRESS, NAIVE),
                (HARD, "shear_stress", STRESS, CORRELATED),
            )
        ),
    ),
    Entry(
        "004-fig6",
        "localisation and mean threshold of GQ",
        (HARD,),
        (
            Number(
                "largest LOC, disordered over rejuvenation",
                "Fig. 6a",
                same(largest(HARD, 2, "localisation"), largest(HARD, 3, "localisation")),
                **below(1.0, "< 1: underestimated"),
            ),
            Number(
                "mean threshold, rejuvenation: largest value less that at γ = 1",
                "Fig. 6b",
                fall_after_rise,
                **above(0.0, "> 0: rises, then falls"),
            ),
            Number(
                "mean threshold at γ = 1 over that at 0, disordered",
                "Fig. 6b",
                same(at_strain(HARD, 2, "mean_threshold", 1.0), at_strain(HARD, 2, "mean_threshold", 0.0)),
                **above(1.0, "> 1: only grows"),
            ),
        ),
        picture=lattice_panels(
            (
                (HARD, "localisation", "localisation LOC", CORRELATED),
                (HARD, "mean_threshold", THRESHOLD, CORRELATED),
            )
        ),
    ),
    Entry(
        "004-fig7",
        "internal stress of ESL and GQ in the lattice",
        (SOFT, HARD),
        (
            Number(
                "standard deviation of the stress at γ = 1 over the frozen one (0.175), ESL",
                "Fig. 7a, Sec. 7.2: 2 to 3 times the atoms'",
                lambda at: scaled(at_strain(SOFT, 3, "stress_std", 1.0)(at)),
                **between(2.0, 4.0, "2 to 4"),
            ),
            Number(
                "the same, GQ",
                "Fig. 7b",
                lambda at: scaled(at_strain(HARD, 3, "stress_std", 1.0)(at)),
                **between(2.0, 4.0, "2 to 4"),
            ),
        ),
        picture=lattice_panels(
            (
                (SOFT, "stress_std", r"std of stress, ESL", CORRELATED),
                (HARD, "stress_std", r"std of stress, GQ", CORRELATED),
            )
        ),
    ),
)


def scaled(x: Measured) -> Measured:
    """In units of the width of the frozen stress."""
    return x[0] / 0.175, (x[1] / 0.175 if math.isfinite(x[1]) else math.nan)
