"""What is taken from the runs of paper 001: tails, yield stresses, loadings of lattices, expansions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpcglass.numbers.tails import fit_tail, jackknife
from papers.entry import Measured
from papers.pictures import shaded
from papers.results import Gallery, Member, cell, difference, mean, ratio

SOFT = (1e-2, 1e-4)  # tails are fitted between the values that these shares of the pairs exceed


def counted(at: Gallery, order: int) -> tuple[Any, Any]:
    """Edges (n + 1,) of the bins of |phi_n| and the counts (samples, n) in them."""
    tables = [one.tables["bond_distribution"] for one in at["001-fig1a"].samples("expand")]
    bins = [np.rint(10 * np.log10(table["value"]) - 0.5).astype(int) for table in tables]  # the k of 10^(k/10)
    first = min(k.min() for k in bins)
    counts = np.zeros((len(tables), max(k.max() for k in bins) - first + 1))
    for number, (table, k) in enumerate(zip(tables, bins, strict=True)):
        counts[number, k - first] = table[f"count_{order}"]
    return 10.0 ** ((first + np.arange(counts.shape[1] + 1)) / 10), counts


def window(edges: Any, counts: Any) -> tuple[float, float]:
    """The values that the shares SOFT of the pairs exceed."""
    above = counts.sum(axis=0)[::-1].cumsum()[::-1] / counts.sum()
    low, high = (float(edges[np.searchsorted(-above, -part)]) for part in SOFT)
    return low, high


def tail(order: int) -> Any:
    """Exponent of the tail of P(|phi_n|) in a window of shares, with its jackknife error over samples."""

    def of(at: Gallery) -> Measured:
        edges, counts = counted(at, order)
        limits = window(edges, counts)

        def exponent(kept: Any) -> Any:
            return fit_tail(edges, counts[kept].sum(axis=0), window=limits).exponent

        return exponent(np.ones(len(counts), bool)), float(jackknife(exponent, len(counts)))

    return of


def draw_tails(at: Gallery) -> Any:
    """Tails of P(|phi_n|) over their fitted windows, with the paper's exponents; A_g against the parent temperature."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, right) = row(2, 3.5, 2.8)
    names = ((1, 7 / 2, BLUE, r"$\varphi_\gamma$", "7/2"), (2, 11 / 6, RED, r"$\varphi_{\gamma\gamma}$", "11/6"))
    for order, power, colour, name, words in (*names, (3, 3 / 2, GREEN, r"$\varphi_{\gamma\gamma\gamma}$", "3/2")):
        edges, counts = counted(at, order)
        x, total = np.sqrt(edges[1:] * edges[:-1]), counts.sum(axis=0)
        low, high = window(edges, counts)
        y = total / (total.sum() * np.diff(edges)) * low
        keep = (total > 0) & (x > low / 100)
        left.plot(x[keep] / low, y[keep], "o", color=colour, markersize=2.5, label=name)
        first = np.flatnonzero(x > low)[0]
        line = np.array([low, high])
        left.plot(line / low, y[first] * (line / x[first]) ** -power, color=colour, label=rf"$-{words}$")
    left.set(xscale="log", yscale="log", xlabel=r"$|\varphi_n|$ over that which 1 % exceed", ylabel="density, reduced")
    left.legend(ncols=1, fontsize=7)
    present = [t for t in ("1.0", "0.6", "0.45") if at["001-fig1b", t].run.exists()]
    values = np.array([ratio(prefactor(t)(at), prefactor(present[0])(at)) for t in present])
    values[0, 1] = 0.0
    right.errorbar([float(t) for t in present], values[:, 0], values[:, 1], marker="o", color=BLUE)
    right.set(xlabel=r"$T_\mathrm{p}$", ylabel=r"$A_\mathrm{g}$ over that of $T_\mathrm{p} = 1$", yscale="log")
    return figure


def prefactor(member: str) -> Any:
    """A of P(|phi_gamma|) ~ A x^-7/2."""
    return lambda at: cell(at["001-fig1b", member].merged("expand").tables["bond_tail"], "prefactor", order=1, fixed=1)


def product_range(at: Gallery) -> Measured:
    """Largest modulus of the product field over the median, mean over the quadrants of the glass."""
    glass = next(at["001-fig2"].samples("expand"))
    assert glass.position is not None and glass.box is not None
    quadrant = (2 * np.linalg.solve(glass.box, glass.position.T)).astype(int) % 2
    field = np.abs(glass.fields["bond_product"])
    parts = [field[(quadrant[0] == i) & (quadrant[1] == j)] for i in (0, 1) for j in (0, 1)]
    return mean(part.max() / np.median(part) for part in parts)


def trials(at: Gallery, stage: str) -> Any:
    """Table of the cavities of Fig. 3 by one method."""
    return next(at["001-fig3"].samples(stage)).tables["trials"]


def same_modulus(at: Gallery) -> Measured:
    """Largest relative difference of the moduli at zero strain of the two methods."""
    exact, series = trials(at, "exact"), trials(at, "series")
    return float(np.max(np.abs(series["modulus"] / exact["modulus"] - 1))), math.nan


def reached(at: Gallery, low: float, high: float) -> Any:
    """Change of stress up to the exact yield strain by the expansion over the exact one; trials yielding between two strains."""
    exact, series = trials(at, "exact"), trials(at, "series")
    strain = exact["gamma_c"]
    change = series["modulus"] * strain + series["second"] * strain**2 / 2 + series["third"] * strain**3 / 6
    keep = (exact["flag"] == 0) & (strain > low) & (strain < high)
    return (change / (exact["tau_c"] - exact["tau_0"]))[keep]


def deviations(at: Gallery) -> Measured:
    """Mean modulus of the relative deviation of the stress reached, beyond a strain of 0.05 less below."""
    return difference(*(mean(np.abs(reached(at, *ends) - 1)) for ends in ((0.05, 1.0), (0.0, 0.05))))


def yields(at: Gallery) -> Any:
    """Strength tau_c - tau_0 by the expansion and exactly (2, trials), where both yield."""
    exact, series = trials(at, "exact"), trials(at, "series")
    keep = (exact["flag"] == 0) & (series["flag"] == 0)
    return np.array([(one["tau_c"] - one["tau_0"])[keep] for one in (series, exact)])


def draw_cavities(at: Gallery) -> Any:
    """Stress of some cavities by the expansion, where the exact one yields; strengths by both methods."""
    from hpcglass.analysis.figures.style import SERIES, row

    figure, (left, right) = row(2, 3.3, 2.8)
    exact, series = trials(at, "exact"), trials(at, "series")
    sites = np.unique(exact["site"][exact["flag"] == 0])[::9][:4]
    for site, colour in zip(sites, SERIES, strict=False):
        for k in np.flatnonzero(exact["site"] == site):
            way = -1.0 if exact["angle"][k] > 45 else 1.0  # backward
            strain = np.linspace(0.0, min(1.2 * exact["gamma_c"][k], 0.15), 100)
            stress = series["modulus"][k] * strain + series["second"][k] * strain**2 / 2 + series["third"][k] * strain**3 / 6
            left.plot(way * strain, way * (series["tau_0"][k] + stress), "--", color=colour)
            left.plot(way * exact["gamma_c"][k], way * exact["tau_c"][k], "o", color=colour, markersize=4)
    left.plot([], [], "--", color="0.4", label="third order")
    left.plot([], [], "o", color="0.4", markersize=4, label="frozen matrix yields")
    left.set(xlabel=r"$\gamma$", ylabel=r"$\sigma_{xy}$ [energy/length$^2$]", xticks=(-0.1, 0.0, 0.1))
    left.legend()
    ours, theirs = yields(at)
    right.plot(theirs, ours, "o", color=SERIES[0], markersize=3)
    right.plot([0, 2.5], [0, 2.5], color="0.7", linewidth=0.8)
    right.set(xlabel=r"$\tau_\mathrm{c} - \tau_0$, frozen matrix", ylabel=r"$\tau_\mathrm{c} - \tau_0$, third order")
    return figure


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


GLASS = (0.289, 0.011)  # stress at which four glasses of T_p = 0.7 flow: inputs/papers/001-slip-glasses.toml


def steady(place: Member, task: str) -> Measured:
    """Steady stress of the lattices of a task, and its error over samples."""
    found = place.merged("epm", task).results
    return found["steady_stress"], found.get("steady_stress_error", math.nan)


def size_of_stress(at: Gallery) -> Measured:
    """Steady stress of L = 20 over that of L = 40."""
    return ratio(*(steady(at["001-fig5ab-epm"], task) for task in ("L=20", "L=40")))


def over_glass(at: Gallery) -> Measured:
    """Steady stress of lattices with the paper's slip over that of our glasses."""
    return ratio(steady(at["001-fig5ab-epm"], "L=20"), GLASS)


def forgets(run: str, temperature: float) -> Any:
    """Steady stress after one parent temperature over that after 0.7."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig5c-epm", run]
        return ratio(*(steady(place, place.of(one)) for one in (temperature, 0.7)))

    return of


def slip(method: str) -> Any:
    """Slip with which lattices flow at the stress of our glasses."""

    def of(at: Gallery) -> Measured:
        found = next(at["001-slip"].samples(method)).results
        return float(found["fixed"]), float(found["fixed_error"])

    return of


def fluctuations(task: str) -> Any:
    """Standard deviation of the steady stress in the course of a loading, mean over samples."""

    def of(at: Gallery) -> Measured:
        place, found = at["001-fig5ab-epm"], []
        start = place.merged("epm", task).results["steady_from"]
        for one in place.samples("epm", task):
            table = one.tables["loading"]
            found.append(float(table["shear_stress"][table["strain"] >= start].std()))
        return mean(found)

    return of


def peak(method: str, temperature: float) -> Any:
    """Largest mean stress of Fig. 5c."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig5c-epm", method]
        table = place.merged("epm", place.of(temperature)).tables["mean_loading"]
        k = int(table["shear_stress"].argmax())
        return float(table["shear_stress"][k]), float(table["shear_stress_error"][k])

    return of


def overshoot(temperature: float) -> Any:
    """Peak by frozen matrix above the steady stress of L = 40."""
    return lambda at: difference(peak("frozen", temperature)(at), steady(at["001-fig5ab-epm"], "L=40"))


def series(stage: str, observable: str, strain: float) -> Any:
    """Largest deviation of the expansion from strained minima up to a strain, over the change there."""

    def of(at: Gallery) -> Measured:
        table = next(at["001-fig8"].samples(stage)).tables["comparison"]
        keep = np.abs(table["strain"]) <= strain * 1.001
        exact, expansion = table[observable][keep], table[f"{observable}_expansion"][keep]
        return float(np.abs(expansion - exact).max() / np.abs(exact - exact[0]).max()), math.nan

    return of


def draw_loading(at: Gallery) -> Any:
    """Loading curves: two sizes, poorly annealed; three parent temperatures by both methods; on the way to the steady state."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, middle, right) = row(3, 3.2, 2.8)
    for size, colour in ((20, BLUE), (40, RED)):
        table = at["001-fig5ab-epm"].merged("epm", f"L={size}").tables["mean_loading"]
        shaded(
            left,
            table["strain"],
            table["shear_stress"],
            np.nan_to_num(table["shear_stress_error"]),
            color=colour,
            label=f"$L = {size}$",
        )
    value, error = GLASS
    left.axhspan(value - error, value + error, color="0.8", linewidth=0, label="our glasses flow")
    for axes, runs in ((middle, (("frozen", "-"), ("micromechanics", "--"))), (right, (("steady", "-"),))):
        for member, style in runs:
            place = at["001-fig5c-epm", member]
            for temperature, colour in ((0.7, BLUE), (0.4, RED), (0.2, GREEN)):
                table = place.merged("epm", place.of(temperature)).tables["mean_loading"]
                words = rf"$T_\mathrm{{p}} = {temperature}$" if style == "-" else None
                axes.plot(table["strain"], table["shear_stress"], style, color=colour, linewidth=0.9, label=words)
    middle.plot([], [], "--", color="0.4", label="micromechanics")
    right.set(ylim=(0.2, 0.45))
    for letter, axes in zip("abc", (left, middle, right), strict=True):
        axes.set(xlabel=r"strain $\gamma$", ylabel=r"stress $\Sigma$")
        axes.set_title(f"({letter})", loc="left")
        axes.legend(fontsize=7)
    return figure


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
