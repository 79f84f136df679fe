"""Figures of the response to an inflated core: the profile with both theories, the field, and a sweep over many fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.files import full_name, save
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, RED, STYLE
from hpcglass.analysis.open_run import Table
from hpcglass.analysis.screening.annulus import Annulus, deviation_of_kappa, elastic, screened
from hpcglass.analysis.screening.files import Case
from hpcglass.analysis.screening.fit import Screening
from hpcglass.analysis.screening.radial import Profile
from hpcglass.analysis.screening.tables import Found

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 2000           # at most so many
INSET = 60.0            # largest misfit in the inset
TABLE_1 = (0.051, 0.229, 0.054, 0.109, 0.082, 0.042)   # kappa of single samples: inverse power law,
TABLE_2 = (0.058, 0.055, 0.042, 0.076, 0.105, 0.11)    # Lennard-Jones (A. Kumar et al., Tables I and II)
SYMBOLS = {"T_m": "$T_m$", "r_in": r"$r_\mathrm{in}$", "r_out": r"$r_\mathrm{out}$"}


def draw_all(found: Sequence[Found], table: Table, groups: Table, place: Path) -> list[Path]:
    """Draw a profile of each field, its map in 2D, and figures of all if there are several; return the files, next to `place`."""
    paths = [case.path for case, *_ in found]
    named = zip(found, figure_names(paths, place), strict=True)
    return [figure for one, name in named for figure in draw_field(one, name, place)] + draw_together(table, groups, paths, place)


def figure_names(paths: Sequence[Path], place: Path) -> list[str]:
    """What the figures of each field are called, so that they do not meet next to `place`."""
    names = [path.stem if path.parent == place.parent else full_name(path) for path in paths]
    return [name if names.count(name) == 1 else f"{name}-{k}" for k, name in enumerate(names)]


def draw_field(one: Found, name: str, place: Path) -> list[Path]:
    """Profile and, in 2D, map of a field."""
    case, profile, fit, _ = one
    draws: dict[str, Callable[[], Figure]] = {f"{name}-screening": lambda: draw_profile(profile, fit)}
    if case.annulus.dimension == 2:
        draws[f"{name}-displacement"] = lambda: draw_map(case, profile)
    return _saved(draws, place)


def draw_together(table: Table, groups: Table, paths: Sequence[Path], place: Path) -> list[Path]:
    """Figures of several fields; none of one."""
    if table.rows < 2:
        return []
    return _saved({f"{place.stem}-sweep": lambda: draw_sweep(table, paths),
                   f"{place.stem}-groups": lambda: draw_groups(table, groups)}, place)


def _saved(draws: Mapping[str, Callable[[], Figure]], place: Path) -> list[Path]:
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return [save(draw(), place.with_name(f"{name}.png")) for name, draw in draws.items()]


def draw_profile(profile: Profile, fit: Screening) -> Figure:
    """d_r/d_0 with its errors, elastic and screened solution; the misfit against κ as an inset."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axes = figure.subplots()
    annulus = profile.annulus
    r = np.geomspace(annulus.r_in, annulus.r_out, 800)
    weight = (r / annulus.r_in) ** (annulus.dimension - 1) / annulus.d_0
    scale = (profile.r / annulus.r_in) ** (annulus.dimension - 1) / annulus.d_0
    axes.errorbar(profile.r, scale * profile.d_r, abs(scale) * profile.error, fmt="o", color=BLUE, markersize=2.8, linewidth=0.7,
                  label="measured")
    axes.plot(r, weight * elastic(r, annulus), color=GREY, label="elastic")
    if fit.kappa > 0:
        name = rf"$\kappa = {_with_error(fit.kappa, fit.error)}$"
        axes.plot(r, weight * screened(r, fit.kappa, annulus), color=RED, label=name)
    if fit.scaled:
        axes.plot(r, fit.elastic_amplitude * weight * elastic(r, annulus), "--", color=GREY,
                  label=rf"elastic $\times\, {fit.elastic_amplitude:.2f}$")
    elif abs(fit.amplitude - 1) > 0.1:
        best = fit.amplitude * weight * screened(r, fit.kappa, annulus)
        axes.plot(r, best, ":", color=BLUE, linewidth=0.8, label=rf"the fit $\times\, {fit.amplitude:.2f}$")
    axes.axhline(0.0, color="black", linewidth=0.5)
    power = "" if annulus.dimension == 2 else "^2"
    axes.set(xlabel="$r$", ylabel=rf"$(r/r_\mathrm{{in}}){power}\; d_r / d_0$", xlim=(0, annulus.r_out))
    verdict = "screened" if fit.screened else "elastic"
    axes.set_title(f"{verdict}, $\\Delta = {fit.delta:.1f}$", loc="left")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.75 * (high - low))
    axes.legend(loc="upper left")
    inset = axes.inset_axes((0.6, 0.68, 0.4, 0.3))
    kappa, misfit = fit.scan.T
    top = float(min(max(INSET, 1.1 * fit.misfit_elastic), misfit[np.isfinite(misfit)].max()))
    inset.plot(kappa, np.minimum(misfit, 2 * top + 1), color=BLUE, linewidth=0.7)
    inset.plot(0, fit.misfit_elastic, "s", color=GREY, markersize=3, clip_on=False)
    inset.plot(fit.kappa, 0, "o", color=RED, markersize=3, clip_on=False)
    inset.set_ylim(0, top + 1)
    inset.set_xlim(0, min(float(kappa[-1]), 4 * max(fit.kappa, 4 / annulus.r_out)))
    inset.set_xlabel(r"$\kappa$", fontsize=7, labelpad=1)
    inset.set_ylabel("misfit", fontsize=7, labelpad=1)
    inset.tick_params(labelsize=6)
    return figure


def _with_error(value: float, error: float) -> str:
    """A number and its error, to the digits that the error leaves."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if 0 < error < np.inf else 3
    return rf"{value:.{digits}f} \pm {error:.{digits}f}"


def draw_map(case: Case, profile: Profile) -> Figure:
    """The displacement in 2D: arrows coloured by its size; beside it the angular harmonics of d_r and d_θ, relative to d_el."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 3.3), layout="constrained")
    field, radial, tangential = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    x, u = case.position - case.centre, case.displacement
    size = np.sqrt((u**2).sum(axis=1))
    moved = np.flatnonzero(size > 0)
    chosen = moved[:: len(moved) // ARROWS + 1]
    if len(chosen):
        top = float(np.quantile(size[chosen], 0.99))
        direction = u[chosen] / size[chosen, None]
        norm = LogNorm(top / 100, top, clip=True)
        arrows = field.quiver(*x[chosen].T, *direction.T, size[chosen], norm=norm, cmap="viridis_r", pivot="mid",
                              scale=40, width=0.003, headwidth=4)
        figure.colorbar(arrows, ax=field, shrink=0.7, pad=0.02, label="$|d|$")
    _walls(field, case.annulus)
    expected = np.abs(profile.average(elastic(profile.nodes, case.annulus)))
    for axes, values, name in ((radial, profile.radial, "d_r"), (tangential, profile.tangential, r"d_\theta")):
        amplitude = np.sqrt((values**2).sum(axis=2)) / expected[:, None]
        for m, color in ((0, "black"), (1, BLUE), (2, RED), (3, GREEN)):
            axes.plot(profile.r, amplitude[:, m], color=color, linewidth=0.9, label=f"$m = {m}$")
        axes.plot(profile.r, np.sqrt((amplitude[:, 4:] ** 2).mean(axis=1)), color=GREY, linewidth=0.9, label="$m = 4...8$, rms")
        axes.set(xlabel="$r$", title=rf"$|{name}|_m \,/\, d^\mathrm{{el}}_r$", yscale="log")
    figure.legend(*radial.get_legend_handles_labels(), fontsize=6, loc="outside lower right", ncols=5)
    return figure


def _walls(axes: Axes, annulus: Annulus) -> None:
    from matplotlib.patches import Circle

    for radius in (annulus.r_in, annulus.r_out):
        axes.add_patch(Circle((0, 0), radius, fill=False, linewidth=0.7))
    axes.set_aspect("equal")
    axes.set_xlim(-1.03 * annulus.r_out, 1.03 * annulus.r_out)
    axes.set_ylim(-1.03 * annulus.r_out, 1.03 * annulus.r_out)
    axes.set_axis_off()


def draw_sweep(table: Table, paths: Sequence[Path]) -> Figure:
    """κ and M against ΔE (Figs. 9 and 11), and M against κ with the theory of the first field's geometry (Fig. 10).

    Fields of one configuration, which is one file, are joined in the order of their ΔE.
    """
    from matplotlib.figure import Figure

    known = bool(np.isfinite(table["energy_change"]).any())
    figure = Figure(figsize=(2.6 * (1 + 2 * known), 2.6), layout="constrained")
    panels = figure.subplots(1, 1 + 2 * known, squeeze=False)[0]
    shown = table["screened"] == 1
    bars = np.stack([table["kappa"] - table["kappa_low"], table["kappa_high"] - table["kappa"]])
    for some, color, name in ((shown, RED, "screened"), (~shown, GREY, "elastic")):
        if not some.any():
            continue
        options = {"fmt": "o", "color": color, "markersize": 3, "linewidth": 0.7, "label": name}
        panels[-1].errorbar(table["kappa"][some], table["M"][some], table["M_error"][some], bars[:, some], **options)
        if known:
            energy = table["energy_change"][some]
            panels[0].errorbar(energy, table["kappa"][some], bars[:, some], **options)
            panels[1].errorbar(energy, table["M"][some], table["M_error"][some], **options)
    if known:
        for path in dict.fromkeys(paths):
            rows = np.flatnonzero([other == path for other in paths])
            rows = rows[np.argsort(table["energy_change"][rows])]
            for axes, name in ((panels[0], "kappa"), (panels[1], "M")):
                axes.plot(table["energy_change"][rows], table[name][rows], color=GREY, linewidth=0.5, alpha=0.6, zorder=0)
        panels[0].set(xlabel=r"$\Delta E$", ylabel=r"$\kappa$")
        panels[1].set(xlabel=r"$\Delta E$", ylabel="$M$")
    r_in, r_out, d_0, dimension = (float(table[name][0]) for name in ("r_in", "r_out", "d_0", "dimension"))
    first = Annulus(r_in, r_out, d_0, round(dimension))
    kappa = np.linspace(0, 1.15 * max(float(table["kappa"].max()), 3 / first.r_out), 1500)
    signed = deviation_of_kappa(kappa, first)[0]
    low, high = (f(np.append(table["M"], 0.0)) for f in (np.min, np.max))
    margin = 0.3 * (high - low) + 0.5
    signed[(signed < low - 2 * margin) | (signed > high + 2 * margin)] = np.nan       # not across the poles
    panels[-1].plot(kappa, signed, color=BLUE, linewidth=0.8, label="theory", zorder=0)
    panels[-1].set(xlabel=r"$\kappa$", ylabel="$M$", ylim=(low - margin, high + margin))
    panels[-1].legend(fontsize=6)
    return figure


def draw_groups(table: Table, groups: Table) -> Figure:
    """Share of screened fields against d_0, a colour for each set of inputs; and the distribution of κ of the screened ones.

    The marks above the distribution are the samples of the paper, Tables I and II.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.6, 2.6), layout="constrained")
    shares, distribution = figure.subplots(1, 2)
    names = [name for name in list(groups)[: list(groups).index("fields")] if name != "d_0"]
    names = [name for name in names if len(np.unique(groups[name])) > 1]
    keys = np.stack([groups[name] for name in names], axis=1) if names else np.empty((groups.rows, 0))
    sets = np.unique(keys, axis=0) if names else np.empty((1, 0))
    for k, values in enumerate(sets):
        rows = np.flatnonzero((keys == values).all(axis=1))
        y, low, high = (groups[name][rows] for name in ("screened_share", "screened_low", "screened_high"))
        bars = np.maximum(np.stack([y - low, high - y]), 0.0)
        text = ", ".join(f"{SYMBOLS.get(name, name)} = {value:.4g}" for name, value in zip(names, values, strict=True))
        color = BLUE if len(sets) == 1 else colormaps["viridis"](0.9 * k / (len(sets) - 1))
        shares.errorbar(groups["d_0"][rows], y, bars, fmt="o-", color=color, markersize=3, linewidth=0.7, label=text or None)
    shares.set(xlabel="$d_0$", ylabel="share screened", ylim=(-0.03, 1.03))
    if names and len(sets) <= 8:
        figure.legend(*shares.get_legend_handles_labels(), fontsize=6, loc="outside lower left", ncols=3)
    kappa = table["kappa"][table["screened"] == 1]
    top = 1.05 * max([*kappa, *TABLE_1, *TABLE_2])
    edges = np.linspace(0, top, 25)
    if len(kappa):
        distribution.hist(kappa, edges, color=BLUE, alpha=0.7, label=f"{len(kappa)} screened of {table.rows}")
    peak = max(1.0, float(np.histogram(kappa, edges)[0].max()))
    for values, color, text, height in ((TABLE_1, RED, "paper, Table I", 1.08), (TABLE_2, GREEN, "paper, Table II", 1.16)):
        distribution.plot(values, np.full(len(values), height * peak), "v", color=color, markersize=3.5, label=text)
    distribution.set(xlabel=r"$\kappa$", ylabel="fields", xlim=(0, top), ylim=(0, 1.25 * peak))
    distribution.yaxis.get_major_locator().set_params(integer=True)
    distribution.legend(fontsize=6)
    return figure
