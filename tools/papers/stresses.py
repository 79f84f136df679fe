"""What is taken from the runs of paper 001: tails, yield stresses, loadings and bands of lattices, expansions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpcglass.numbers.tails import fit_tail, jackknife
from papers.entry import Measured
from papers.results import NONE, Gallery, Member, cell, difference, mean, ratio, slope

SOFT = (1e-2, 1e-4)  # tails are fitted between the values that these shares of the pairs exceed


def tail(order: int) -> Any:
    """Exponent of the tail of P(|phi_n|) in a window of shares, with its jackknife error over samples."""

    def of(at: Gallery) -> Measured:
        tables = [one.tables["bond_distribution"] for one in at["001-fig1a"].samples("expand")]
        bins = [np.rint(10 * np.log10(table["value"]) - 0.5).astype(int) for table in tables]  # the k of 10^(k/10)
        first = min(k.min() for k in bins)
        counts = np.zeros((len(tables), max(k.max() for k in bins) - first + 1))
        for number, (table, k) in enumerate(zip(tables, bins, strict=True)):
            counts[number, k - first] = table[f"count_{order}"]
        edges = 10.0 ** ((first + np.arange(counts.shape[1] + 1)) / 10)
        above = counts.sum(axis=0)[::-1].cumsum()[::-1] / counts.sum()
        low, high = (float(edges[np.searchsorted(-above, -part)]) for part in SOFT)

        def exponent(kept: Any) -> Any:
            return fit_tail(edges, counts[kept].sum(axis=0), window=(low, high)).exponent

        return exponent(np.ones(len(tables), bool)), float(jackknife(exponent, len(tables)))

    return of


def prefactor(member: str) -> Any:
    """A of P(|phi_gamma|) ~ A x^-7/2."""
    return lambda at: cell(at["001-fig1b", member].merged("expand").tables["bond_tail"], "prefactor", order=1, fixed=1)


def product_range(at: Gallery) -> Measured:
    """Largest modulus of the product field over the median."""
    field = np.abs(next(at["001-fig2"].samples("expand")).fields["bond_product"])
    return float(field.max() / np.median(field)), math.nan


def trials(at: Gallery, stage: str) -> Any:
    """Table of the cavities of Fig. 3 by one method."""
    return next(at["001-fig3"].samples(stage)).tables["trials"]


def same_modulus(at: Gallery) -> Measured:
    """Largest relative difference of the moduli at zero strain of the two methods."""
    exact, series = trials(at, "exact"), trials(at, "series")
    return float(np.max(np.abs(series["modulus"] / exact["modulus"] - 1))), math.nan


def yields(at: Gallery, low: float, high: float) -> Measured:
    """Yield stress by the expansion over the exact one, mean over trials that yield between two strains."""
    exact, series = trials(at, "exact"), trials(at, "series")
    keep = (exact["flag"] == 0) & (series["flag"] == 0) & (exact["gamma_c"] > low) & (exact["gamma_c"] < high)
    return mean(series["tau_c"][keep] / exact["tau_c"][keep])


def strengths(method: str, column: str, temperature: str) -> Any:
    """Mean over samples of the mean, or of the standard deviation over blocks, of the local yield stress."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig4", temperature]
        return mean(one.tables["strength"][column][0] for one in place.samples(method, place.only))

    return of


def squared(x: Measured) -> Measured:
    return x[0] ** 2, 2 * abs(x[0]) * x[1]


def over(column: str, temperature: str) -> Any:
    """Bond micromechanics over frozen matrix; of the standard deviation the square, the variance."""

    def of(at: Gallery) -> Measured:
        found = ratio(strengths("series", column, temperature)(at), strengths("exact", column, temperature)(at))
        return squared(found) if column.startswith("std") else found

    return of


def steady(campaign: str, task: str, column: str) -> Any:
    """Steady stress of a merged loading: its mean, or its standard deviation."""

    def of(at: Gallery) -> Measured:
        found = at[campaign].merged("epm", task).results
        return found[column], found.get(f"{column}_error", math.nan)

    return of


def size_of_fluctuations(at: Gallery) -> Measured:
    return ratio(
        steady("001-fig5ab-epm", "L=20", "steady_stress_std")(at), steady("001-fig5ab-epm", "L=40", "steady_stress_std")(at)
    )


def peak(number: int) -> Any:
    """Largest mean stress of a preparation of Fig. 5c: 0 poorly annealed, 1 mildly, 2 very stable."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig5c-epm"]
        table = place.merged("epm", list(place.tasks)[number]).tables["mean_loading"]
        k = int(table["shear_stress"].argmax())
        return float(table["shear_stress"][k]), float(table["shear_stress_error"][k])

    return of


def widths(place: Member, task: str, strain: float) -> list[float]:
    """Width of the band [blocks] of each sample that has one, at the record next to a strain."""
    found = []
    for one in place.samples("epm", task):
        table = one.tables["activity"]
        k = int(np.abs(table["strain"] - strain).argmin())
        if table["band"][k] > 0:
            found.append(float(table["width"][k]))
    return found


def band(number: int) -> Any:
    """Width of the band of Fig. 6 at 12 %."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig6-epm"]
        return mean(widths(place, list(place.tasks)[number], 0.12))

    return of


def homogeneous(at: Gallery) -> Measured:
    """Bands of the poorly annealed lattice of Fig. 6: none expected."""
    place = at["001-fig6-epm"]
    return float(len(widths(place, next(iter(place.tasks)), 0.12))), math.nan


def growth(number: int) -> Any:
    """Exponent of w against strain from 1 on, while w is less than half of the lattice; mean over samples."""

    def of(at: Gallery) -> Measured:
        place, found = at["001-fig7cd-epm"], []
        for one in place.samples("epm", list(place.tasks)[number]):
            table, half = one.tables["activity"], one.params["size"] / 2
            keep = (table["strain"] >= 1.0) & (table["band"] > 0) & (table["width"] < half)
            if keep.sum() > 10:
                found.append(slope(table["strain"][keep], table["width"][keep])[0])
        return mean(found)

    return of


def with_size(at: Gallery) -> Measured:
    """Exponent of w against L at a strain of 0.15."""
    place = at["001-fig9-epm"]
    sizes, values = [], []
    for task in place.tasks:
        w, error = mean(widths(place, task, 0.15))
        sizes.append(float(task.partition("=")[2]))
        values.append((w, error))
    if not values:
        return NONE
    w, error = np.array(values).T
    return slope(sizes, w, error)


def series(stage: str, observable: str, strain: float) -> Any:
    """Largest deviation of the expansion from strained minima up to a strain, over the change there."""

    def of(at: Gallery) -> Measured:
        table = next(at["001-fig8"].samples(stage)).tables["comparison"]
        keep = np.abs(table["strain"]) <= strain * 1.001
        exact, expansion = table[observable][keep], table[f"{observable}_expansion"][keep]
        return float(np.abs(expansion - exact).max() / np.abs(exact - exact[0]).max()), math.nan

    return of


def overshoot(at: Gallery) -> Measured:
    return difference(peak(2)(at), steady("001-fig5ab-epm", "L=40", "steady_stress")(at))


def coarse(values: Any, by: int = 6) -> Any:
    """Means of so many neighbouring bins, which are of equal width."""
    return values[: len(values) // by * by].reshape(-1, by).mean(axis=1)


def draw_strengths(at: Gallery) -> Any:
    """Distributions of the blocks' yield stress, and their mean and variance against the parent temperature, by both methods."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, middle, right) = row(3, 2.9, 2.5)
    present = [t for t in ("0.7", "0.4", "0.2") if at["001-fig4", t].run.exists()]
    for temperature, colour in zip(present, (BLUE, RED, GREEN), strict=False):
        for method, marker, filled in (("series", "o", colour), ("exact", "s", "white")):
            place = at["001-fig4", temperature]
            table = place.merged(method, place.only).tables["sigma_y_density"]
            x, y = (coarse(table[column]) for column in ("value", "density"))
            left.plot(x[y > 0], y[y > 0], marker, color=colour, markerfacecolor=filled, markersize=4)
        left.plot([], [], color=colour, label=rf"$T_\mathrm{{p}}$ = {temperature}")
    left.set(xlabel=r"$\sigma_\mathrm{Y}$", ylabel=r"$P(\sigma_\mathrm{Y})$", yscale="log", ylim=(None, 30.0))
    left.legend(ncols=len(present), loc="upper center", columnspacing=1.0, handlelength=1.2)
    for method, marker, filled in (("series", "o", BLUE), ("exact", "s", "white")):
        name = {"series": "bond micromechanics", "exact": "frozen matrix"}[method]
        for axes, column, power in ((middle, "mean_sigma_y", 1), (right, "std_sigma_y", 2)):
            found = [strengths(method, column, t)(at) for t in present]
            y = [value**power for value, _ in found]
            error = [power * value ** (power - 1) * spread for value, spread in found]
            axes.errorbar([float(t) for t in present], y, error, marker=marker, color=BLUE, markerfacecolor=filled, label=name)
    middle.set(xlabel=r"$T_\mathrm{p}$", ylabel=r"mean of $\sigma_\mathrm{Y}$")
    middle.legend()
    right.set(xlabel=r"$T_\mathrm{p}$", ylabel=r"variance of $\sigma_\mathrm{Y}$")
    return figure
