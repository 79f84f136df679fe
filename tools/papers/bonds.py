"""What is taken from the runs of paper 002: spectra of bond modes, participation, decay."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from hpcglass.numbers.tails import fit_tail, resamplings, scatter
from papers.entry import Measured
from papers.results import NONE, Gallery, cell, mean, median, ratio, slope

TEMPERATURES = ("1.0", "0.6", "0.45")
SIZES, PACKINGS = ("125", "250", "500", "1000"), "002-fig7"
SPECTRA, SOFTEST = "002-fig1cd", "002-fig4"
ANNEALED, STABLE = "002-fig4-cold", "002-fig4-stable"  # T_p = 0.45 and 0.35; the glasses of SOFTEST have 1
LARGE, COLD = (SOFTEST, "2000"), (ANNEALED, "")  # of N = 2000
LARGEST = {
    SOFTEST: "2000",
    ANNEALED: "",
    STABLE: "",
    PACKINGS: "1000",
    SPECTRA: "",
}  # whose lambda_0 is the unit


def negative(x: Measured) -> Measured:
    return -x[0], x[1]


def least_participation(stage: str, column: str) -> Any:
    """N e of the softest mode of 2D glasses, mean over glasses."""

    def of(at: Gallery) -> Measured:
        table = "bond_modes" if stage == "bonds" else "modes"
        return mean(len(one.position) * float(one.tables[table][column][0]) for one in at["002-fig1ab"].samples(stage))

    return of


def bond_tail(campaign: str, member: str = "", fixed: int = 0, column: str = "exponent") -> Any:
    """Of the fit of the tail of P(lambda)."""
    return lambda at: cell(at[campaign, member].merged("bonds").tables["eigenvalue_tail"], column, fixed=fixed)


def unit(at: Gallery, campaign: str = SOFTEST) -> float:
    """lambda_0 of the largest glasses of a campaign: windows in it are the same for all sizes."""
    return float(at[campaign, LARGEST[campaign]].merged("bonds").results["eigenvalue_unit"])


def tail_above(campaign: str, member: str, low: float, quantity: str = "exponent") -> Any:
    """Exponent or prefactor of P(lambda) beyond `low` lambda_0, errors over glasses; none if a spectrum is not complete there."""

    def of(at: Gallery) -> Measured:
        samples = list(at[campaign, member].samples("bonds"))
        values = [one.tables["bond_modes"]["eigenvalue"] for one in samples]
        total = np.array([one.results["nonzero_count"] for one in samples])
        least = low * unit(at, campaign)
        if least < max(x.min() for x in values):
            return NONE
        edges = least * 10.0 ** (np.arange(61) / 20)
        counts = np.array([np.histogram(x, edges)[0] for x in values], float)
        fixed = 3.5 if quantity == "prefactor" else None

        def fit(weights: Any) -> float:
            return float(getattr(fit_tail(edges, weights @ counts, weights @ total, (least, None), fixed, "upper"), quantity))

        return fit(np.ones(len(values))), float(scatter([fit(w) for w in resamplings(len(values))]))

    return of


def middle(at: Gallery) -> Measured:
    """Exponent of P(lambda) between the stiff modes and the tail: half a decade above and one below the mean eigenvalue unit."""
    merged = at["002-fig3", "1.0"].merged("bonds")
    table = merged.tables["eigenvalue_density"]
    x = np.sqrt(table["low"] * table["high"]) / merged.results["eigenvalue_unit"]
    keep = (x > 0.6) & (x < 4.0)
    return slope(x[keep], table["density"][keep])


def softest_number(campaign: str, member: str, beyond: float = 0.0) -> Any:
    """N e of force modes: of the softest mode of each glass, median over glasses; or of all modes beyond `beyond` lambda_0."""

    def of(at: Gallery) -> Measured:
        least, found = beyond * unit(at, campaign) if beyond else 0.0, []
        for one in at[campaign, member].samples("bonds"):
            table = one.tables["bond_modes"]
            chosen = table["eigenvalue"] > least if beyond else slice(0, 1)
            found += list(len(one.position) * table["participation_force"][chosen])
        return median(found)

    return of


def length(member: str) -> Any:
    """Size of the softest mode of each glass: n^1/3 of the n particles of which it is, median over glasses."""

    def of(at: Gallery) -> Measured:
        n, error = softest_number("002-fig3", member)(at)
        return n ** (1 / 3), n ** (1 / 3) * error / (3 * n)

    return of


def prefactor(member: str) -> Any:
    """A_g from P(lambda), in the model's units."""
    return bond_tail("002-fig3", member, 1, "prefactor")


def softer_half(at: Gallery, place: tuple[str, str]) -> list[Any]:
    """Glasses whose softest mode is among the softer half of all softest modes."""
    samples = list(at[place].samples("bonds"))
    order = np.argsort([-one.tables["pseudo_harmonic"]["eigenvalue"][0] for one in samples])
    return [samples[k] for k in order[: (len(samples) + 1) // 2]]


def decay(place: tuple[str, str], kind: str, low: float = 3.3, high: float = 7.2) -> Any:
    """Exponent of the decay of the softest modes between two distances, beyond the core and within half of the box."""

    def of(at: Gallery) -> Measured:
        tables = [one.tables["decay"] for one in softer_half(at, place)]
        found = []
        for table in tables:
            keep = (table["distance"] > low) & (table["distance"] < high)
            found.append(slope(table["distance"][keep], table[kind][keep])[0])
        return mean(found)

    return of


def overlap(place: tuple[str, str], kind: str, which: str) -> Any:
    """1 - <V|V_PH> of the softest mode of each glass: median over the softer or the stiffer half, or the exponent in lambda."""

    def of(at: Gallery) -> Measured:
        samples = list(at[place].samples("bonds"))
        tables = [one.tables["pseudo_harmonic"] for one in samples]
        x, y = (np.array([table[name][0] for table in tables]) for name in ("eigenvalue", f"overlap_{kind}"))
        if which == "exponent":
            return slope(x, y)
        return median(y[x >= np.median(x)] if which == "softer" else y[x < np.median(x)])

    return of


def dipole_decay(at: Gallery) -> Measured:
    """Exponent of the response to a dipole, r from 4 to a fifth of the box, medians over particles; mean over the dipoles."""
    glass = next(at["002-fig2"].samples("bonds"))
    assert glass.position is not None and glass.box is not None
    box = np.diag(glass.box)
    found = []
    for k in range(glass.fields["dipole_responses"].shape[2]):
        size = np.linalg.norm(glass.fields["dipole_responses"][:, :, k], axis=1)
        away = glass.position - glass.position[size.argmax()]
        r = np.linalg.norm(away - box * np.round(away / box), axis=1)
        edges = np.geomspace(4.0, box.min() / 5, 8)
        middle = [np.median(size[(r > a) & (r < b)]) for a, b in pairwise(edges)]
        found.append(slope(np.sqrt(edges[1:] * edges[:-1]), middle)[0])
    return mean(found)


def intermediate(at: Gallery) -> Measured:
    """Participation of displacement over that of force modes, median over the profile's soft half."""
    table = at["002-fig6"].merged("bonds").tables["eigenvalue_participation"]
    half = len(table["eigenvalue"]) // 2
    return mean(table["participation_displacement"][half:] / table["participation_force"][half:])


def size_ratio(stage: str, table: str, column: str, small: str, large: str) -> Any:
    """A number of the small packings over that of the large ones."""

    def of(at: Gallery) -> Measured:
        a, b = (cell(at[PACKINGS, size].merged(stage).tables[table], column, fixed=1) for size in (small, large))
        return ratio(a, b)

    return of


def lowest(size: str) -> Any:
    """Mean over samples of the median of the first phonon band's frequencies: the six lowest modes of a 3D cell."""
    return lambda at: mean(np.median(one.tables["modes"]["omega2"][:12] ** 0.5) for one in at[PACKINGS, size].samples("modes"))


def draw_preparations(at: Gallery) -> Any:
    """P(lambda) and N e of force modes at each parent temperature, with the paper's two power laws."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, right) = row(2, 3.4, 2.8)
    for t, colour in zip(TEMPERATURES, (RED, GREEN, BLUE), strict=True):
        merged = at["002-fig3", t].merged("bonds")
        density, number = merged.tables["eigenvalue_density"], merged.tables["eigenvalue_participation"]
        keep = density["density"] > 0
        x, y, error = (density[column][keep] for column in ("scaled", "density_scaled", "density_error"))
        left.errorbar(x, y, error / density["density"][keep] * y, fmt="o", color=colour, markersize=2.5, linewidth=0.7)
        left.plot([], [], "o", color=colour, markersize=2.5, label=rf"$T_\mathrm{{p}} = {t}$")
        keep = np.isfinite(number["participation_force"])
        x, y, error = (number[column][keep] for column in ("eigenvalue", "participation_force", "participation_force_error"))
        right.errorbar(x / merged.results["eigenvalue_unit"], y, error, fmt="o", color=colour, markersize=2.5, linewidth=0.7)
        if t == TEMPERATURES[0]:
            for power, low, high in ((-2.0, 0.6, 4.0), (-3.5, 8.0, 40.0)):
                middle = math.sqrt(low * high)
                near = float(np.interp(middle, density["scaled"], density["density_scaled"]))
                line = np.array([low, high])
                words = r"$\lambda^{-2}$" if power == -2 else r"$\lambda^{-7/2}$"
                style = "--" if power == -2 else "-"
                left.plot(line, 2 * near * (line / middle) ** power, style, color="black", linewidth=0.9, label=words)
    left.set(xscale="log", yscale="log", xlabel=r"$\lambda/\lambda_0$", ylabel=r"$P(\lambda/\lambda_0)$")
    left.legend(fontsize=7)
    right.set(xscale="log", yscale="log", xlabel=r"$\lambda/\lambda_0$", ylabel="$Ne$ of force modes")
    return figure


def draw_annealing(at: Gallery, beyond: float = 15.0) -> Any:
    """A_g and xi over their values at the highest parent temperature; A_g also from P(lambda) beyond so many lambda_0."""
    from hpcglass.analysis.figures.style import BLUE, RED, row

    figure, (left, right) = row(2)
    temperature = [float(t) for t in TEMPERATURES]
    values = np.array([ratio(prefactor(t)(at), prefactor(TEMPERATURES[0])(at)) for t in TEMPERATURES])
    left.errorbar(temperature, values[:, 0], values[:, 1], color=BLUE, marker="o", label="N = 300, whole spectra")
    hot = tail_above(*LARGE, beyond, "prefactor")(at)
    values = np.array([ratio(tail_above(*place, beyond, "prefactor")(at), hot) for place in (LARGE, COLD, (STABLE, ""))])
    left.errorbar((1.0, 0.45, 0.35), values[:, 0], values[:, 1], color=RED, marker="s", label="N = 2000, soft ends")
    left.legend(fontsize="x-small")
    left.set(yscale="log", xlabel=r"$T_\mathrm{p}$", ylabel=r"$A_\mathrm{g}$ over that of $T_\mathrm{p} = 1$")
    values = np.array([ratio(length(t)(at), length(TEMPERATURES[0])(at)) for t in TEMPERATURES])
    right.errorbar(temperature, values[:, 0], values[:, 1], color=BLUE, marker="o")
    right.set(xlabel=r"$T_\mathrm{p}$", ylabel=r"$\xi$ over that of $T_\mathrm{p} = 1$")
    return figure


def draw_modes(at: Gallery) -> Any:
    """Decay of the softer half of the softest modes, and how far all of them are from their pseudo-harmonic partners."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, ORANGE, RED, row

    figure, (left, right) = row(2, 3.4, 2.9)
    tables = [one.tables["decay"] for one in softer_half(at, COLD)]
    rows = min(table.rows for table in tables)
    r = tables[0]["distance"][:rows]
    for kind, label, colour in (
        ("D", "$D$", BLUE),
        ("F", "$F$", RED),
        ("D_PH", r"$D_\mathrm{PH}$", GREEN),
        ("F_PH", r"$F_\mathrm{PH}$", ORANGE),
    ):
        y = np.exp(np.mean([np.log(table[kind][:rows]) for table in tables], axis=0))
        left.plot(r, y, "o-", color=colour, markersize=2.5, linewidth=0.7, label=label)
    line = np.array([3.3, 7.2])
    for power, height, style in ((-2, 0.05, "--"), (-9, 3e-3, ":")):
        left.plot(line, height * (line / line[0]) ** power, style, color="black", linewidth=0.9, label=f"$r^{{{power}}}$")
    left.set(xscale="log", yscale="log", xlabel="$r$ [length]", ylabel="median size of the vectors")
    left.set_xticks([1.5, 2, 3, 4, 6], ["1.5", "2", "3", "4", "6"])
    left.minorticks_off()
    left.legend(fontsize="x-small")
    every = [one.tables["pseudo_harmonic"] for one in at[COLD].samples("bonds")]
    x = np.array([table["eigenvalue"][0] for table in every]) / unit(at, ANNEALED)
    for kind, label, colour in (("displacement", "$D$", BLUE), ("force", "$F$", RED)):
        right.plot(x, [table[f"overlap_{kind}"][0] for table in every], "o", color=colour, markersize=3, label=label)
    line = np.array([30.0, 120.0])
    right.plot(line, 0.3 * (line / line[0]) ** -4, "--", color="black", linewidth=0.9, label=r"$\lambda^{-4}$")
    right.set(xscale="log", yscale="log", xlabel=r"$\lambda/\lambda_0$", ylabel="1 - overlap", ylim=(5e-5, 1.5))
    right.set_xticks([30, 100, 300, 1000], ["30", "100", "300", "1000"])
    right.minorticks_off()
    right.legend(fontsize="x-small")
    return figure
