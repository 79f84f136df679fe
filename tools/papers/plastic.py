"""What is taken from the runs of paper 003: first events, scores, memory, softening, events that unloading undoes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from papers.entry import Measured
from papers.results import NONE, Gallery, Member, cell, difference, mean, median, row, share

POLY = "003-fig4"
BAND = "003-fig8-10"
STABLE, STABLEST = "003-fig5", "0.085"
POINTS = 60  # of each way of the loop of Fig. 5
FINITE_SIZE = 1.0 / (1.0 + 2.0 / 3.0)  # gamma_min ~ N^-1/(1 + theta), theta = 2/3: Sec. III D
PAPER = 1e4  # particles of the paper's glasses


def task(place: Member, temperature: float) -> str:
    """The task of a sweep over parent temperatures."""
    return next(name for name in place.tasks if name.split(",")[0] == f"T_p={temperature:g}")


def first_strain(temperature: float, least: float = 0.0) -> Any:
    """Mean strain of the first event that dissipates at least so much."""

    def of(at: Gallery) -> Measured:
        place = at[POLY]
        table = place.file("predict.h5").tables["prediction_first"]
        return cell(table, "strain", group=preparation(place, "predict.h5", temperature), kind=0, least_energy=least)

    return of


def in_the_papers_size(temperature: float) -> Any:
    """Mean strain of the first event, taken from the size of the glasses to the paper's."""

    def of(at: Gallery) -> Measured:
        value, error = first_strain(temperature)(at)
        glass = next(at[POLY].samples("shear", task(at[POLY], temperature)))
        factor = (len(glass.position) / PAPER) ** FINITE_SIZE
        return value * factor, error * factor

    return of


def dissipation(temperature: float, strain: float) -> Any:
    """Energy dissipated per volume up to a strain, mean over samples."""

    def of(at: Gallery) -> Measured:
        found = []
        for one in at[POLY].samples("shear", task(at[POLY], temperature)):
            table = one.tables["loading"]
            found.append(float(table["dissipation_density"][np.abs(table["strain"] - strain).argmin()]))
        return mean(found)

    return of


def drop(temperature: float) -> Any:
    """Mean stress drop of a sample's events, mean over samples."""

    def of(at: Gallery) -> Measured:
        events = [one.tables["events"] for one in at[POLY].samples("shear", task(at[POLY], temperature))]
        return mean(np.mean(table["stress_drop"]) for table in events if table.rows)

    return of


def preparation(place: Member, name: str, temperature: float) -> int:
    """Number of a preparation in the tables of `predict`."""
    table = place.file(name).tables["prediction_groups"]
    if "T_p" not in table:
        return 0
    return int(table["group"][np.abs(table["T_p"] - temperature).argmin()])


def score(campaign: str, indicator: str, temperature: float = math.nan, kind: int = 0, least: float = 0.0) -> Any:
    """C_min of an indicator: first event, of the glass as cast (kind 0), moved (3, 4), or at the onset (1)."""

    def of(at: Gallery) -> Measured:
        place = at[campaign]
        group = 0 if math.isnan(temperature) else preparation(place, "predict.h5", temperature)
        found = row(place.file("predict.h5").tables["prediction_first"], group=group, kind=kind, least_energy=least)
        return found[f"C_{indicator}"], found[f"error_{indicator}"]

    return of


def approaching(indicator: str, distance: float, temperature: float) -> Any:
    """C_Delta_gamma, so much strain before an event."""

    def of(at: Gallery) -> Measured:
        place = at[POLY]
        table = place.file("approach.h5").tables["prediction_before"]
        found = row(table, group=preparation(place, "approach.h5", temperature), distance=distance, least_energy=0.01)
        return found[f"C_{indicator}"], found[f"error_{indicator}"]

    return of


def memory(indicator: str, temperature: float) -> Any:
    """C_gamma in the last bin of strain less that in the first bin that has one, events that dissipate at least 0.01."""

    def of(at: Gallery) -> Measured:
        place = at[POLY]
        table = place.file("predict.h5").tables["prediction_strain"]
        keep = (
            (table["group"] == preparation(place, "predict.h5", temperature))
            & (table["least_energy"] == 0.01)
            & np.isfinite(table[f"error_{indicator}"])
        )
        c, error = table[f"C_{indicator}"][keep], table[f"error_{indicator}"][keep]
        return difference((c[-1], error[-1]), (c[0], error[0])) if len(c) > 1 else NONE

    return of


@cache
def overlaps(at: Gallery) -> list[tuple[float, float]]:
    """gamma_c - gamma and 1 - |Psi_c . Psi|, Psi the softest mode of the last stable state before each sample's first event."""
    import hpcglass
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.modes import lowest_modes

    found = []
    for name in at[POLY].tasks:
        for one in at[POLY].samples("shear", name):
            for event in one.events[:1]:
                gap = float(event.row["gamma_c"]) - event.before.strain
                if math.isfinite(gap):
                    glass = hpcglass.load(event.before)
                    mode = lowest_modes(Hessian(glass), 1).vectors[..., 0]
                    found.append((gap, 1.0 - abs(float((mode * event.mode[glass.id[: glass.n_owned]]).sum()))))
    return found


def overlap_within(low: float, high: float) -> Any:
    """Median over events whose last stable state is so far from gamma_c."""
    return lambda at: median(lost for gap, lost in overlaps(at) if low < gap <= high)


def draw_overlaps(at: Gallery) -> Any:
    """1 - |Psi_c . Psi| against the strain that is left."""
    from hpcglass.analysis.figures.style import BLUE, panels

    figure, (axes,) = panels(1, 3.6, 2.6)
    gap, lost = np.array(overlaps(at)).T
    axes.plot(gap, lost, "o", color=BLUE, markersize=4)
    axes.axhline(0.1, color="0.7", linewidth=0.8)
    axes.set(
        xscale="log", yscale="log", xlabel=r"$\gamma_\mathrm{c} - \gamma$", ylabel=r"$1 - |\Psi_\mathrm{c} \cdot \Psi_\gamma|$"
    )
    return figure


def soft_share(indicator: str, limit: float, temperature: float, sign: int, over_modulus: bool = False) -> Any:
    """Share of the particles beyond a limit, as cast, mean over samples."""

    def of(at: Gallery) -> Measured:
        place, found = at[POLY], []
        name = task(place, temperature)
        for one, loading in zip(place.samples("indicators", name), place.samples("shear", name), strict=True):
            values = one.fields[indicator].reshape(one.fields[indicator].shape[0], -1)[:, 0]
            if over_modulus:
                table = loading.tables["loading"]
                values = (
                    values * (table["strain"][10] - table["strain"][0]) / (table["shear_stress"][10] - table["shear_stress"][0])
                )
            found.append(float(np.nanmean(sign * values > sign * limit)))
        return mean(found)

    return of


def median_strength(temperature: float, column: int) -> Any:
    """Median of the residual strength at a strain, mean over samples."""

    def of(at: Gallery) -> Measured:
        place = at[BAND]
        glasses = place.samples("indicators", task(place, temperature))
        return mean(np.nanmedian(one.fields["delta_tau_y"][:, column]) for one in glasses)

    return of


def in_band(indicator: str, strain: float) -> Any:
    """Mean rank inside the band at a strain, stable glasses."""

    def of(at: Gallery) -> Measured:
        place = at[BAND]
        found = row(
            place.file("predict.h5").tables["prediction_band"], group=preparation(place, "predict.h5", 0.085), strain=strain
        )
        return found[f"r_{indicator}"], found[f"error_{indicator}"]

    return of


def firsts(at: Gallery, temperature: str, least: float = 0.0) -> Any:
    """Of the first event of each glass that dissipates at least so much, and of which it is known: does unloading undo it?"""
    found = []
    for one in at[STABLE, temperature].samples("shear"):
        table = one.tables["events"]
        found += list(table["reversible"][table["energy_drop"] >= least][:1])
    return np.array([value > 0 for value in found if np.isfinite(value)])


def reversible(temperature: str, least: float = 0.0) -> Any:
    """Share of first events that unloading undoes."""

    def of(at: Gallery) -> Measured:
        found = firsts(at, temperature, least)
        return share(int(found.sum()), len(found))

    return of


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
    """Stress along the loop, and less the line of its forward branch, which hides it; share of reversible first events."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, middle, right) = row(3, 3.0, 2.6)
    strain, stress = loop(at)
    slope, start = np.polyfit(strain[0][: POINTS // 4], stress[0][: POINTS // 4], 1)
    for k, (colour, text) in enumerate(((BLUE, "loading"), (RED, "unloading"))):
        left.plot(100 * strain[k], stress[k], color=colour, label=text)
        middle.plot(100 * strain[k], stress[k] - slope * strain[k] - start, color=colour)
    left.set(xlabel=r"$\gamma$ [%]", ylabel=r"$\sigma_{xy}$")
    middle.set(xlabel=r"$\gamma$ [%]", ylabel=r"$\sigma_{xy}$ less its elastic branch")
    left.legend(loc="upper left")
    temperatures = ("0.3", "0.12", "0.085")
    for least, colour, text in ((0.0, GREEN, "all"), (0.01, RED, r"dissipate $\geq$ 0.01")):
        values, errors = np.transpose([reversible(t, least)(at) for t in temperatures])
        right.errorbar([float(t) for t in temperatures], values, errors, color=colour, marker="o", markersize=3, label=text)
    right.set(xlabel=r"$T_\mathrm{ini}$", ylabel="share of first events\nthat are reversible", ylim=(0, 1.05))
    right.legend()
    return figure
