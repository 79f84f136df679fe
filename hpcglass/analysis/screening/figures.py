"""Figures of the response to an inflated core: the profile with both theories, the field, and a sweep over many fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcglass.analysis.figures.cells import color_bar, length_bar
from hpcglass.analysis.figures.files import PLAIN, Look, full_name, save
from hpcglass.analysis.figures.style import BLUE, GREEN, GREY, MARKERS, RED, SERIES, STYLE, named, panels, row
from hpcglass.analysis.open_run import Table
from hpcglass.analysis.screening.annulus import Annulus, deviation_of_kappa, elastic, screened
from hpcglass.analysis.screening.files import Case
from hpcglass.analysis.screening.fit import Screening
from hpcglass.analysis.screening.radial import Profile
from hpcglass.analysis.screening.tables import Found
from hpcglass.words import PLUS_MINUS, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 2000           # at most so many
INSET = 60.0            # largest misfit in the inset
DODGE = 0.04            # of the range of d_0: points of several sets beside each other


def draw_all(found: Sequence[Found], table: Table, groups: Table, place: Path,
             look: Look = PLAIN) -> list[Path]:
    """Draw a profile of each field, its map in 2D, and figures of all if there are several; return the files, next to `place`.

    look : format, resolution, width, and whether the data behind a figure go beside it
    """
    paths = [case.path for case, *_ in found]
    named = zip(found, figure_names(paths, place), strict=True)
    return [figure for one, name in named for figure in draw_field(one, name, place, look)] + draw_together(
        table, groups, paths, place, look)


def figure_names(paths: Sequence[Path], place: Path) -> list[str]:
    """What the figures of each field are called, so that they do not meet next to `place`."""
    names = [path.stem if path.parent == place.parent else full_name(path) for path in paths]
    return [name if names.count(name) == 1 else f"{name}-{k}" for k, name in enumerate(names)]


def draw_field(one: Found, name: str, place: Path, look: Look = PLAIN) -> list[Path]:
    """Profile and, in 2D, map of a field."""
    case, profile, fit, _ = one
    draws: dict[str, Callable[[], Figure]] = {f"{name}-screening": lambda: draw_profile(profile, fit)}
    if case.annulus.dimension == 2:
        draws[f"{name}-displacement"] = lambda: draw_map(case, profile)
    return _saved(draws, place, look)


def draw_together(table: Table, groups: Table, paths: Sequence[Path], place: Path, look: Look = PLAIN) -> list[Path]:
    """Figures of several fields; none of one."""
    if table.rows < 2:
        return []
    return _saved({f"{place.stem}-sweep": lambda: draw_sweep(table, paths),
                   f"{place.stem}-groups": lambda: draw_groups(table, groups)}, place, look)


def _saved(draws: Mapping[str, Callable[[], Figure]], place: Path, look: Look) -> list[Path]:
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return [file for name, draw in draws.items() for file in save(draw(), place.with_name(name), look)]


def draw_profile(profile: Profile, fit: Screening) -> Figure:
    """d_r/d_0 with its errors, elastic and screened solution; the misfit against κ as an inset."""
    figure, (axes,) = panels(1, width=4.6, height=3.4)
    annulus = profile.annulus
    r = np.geomspace(annulus.r_in, annulus.r_out, 800)
    weight = (r / annulus.r_in) ** (annulus.dimension - 1) / annulus.d_0
    scale = (profile.r / annulus.r_in) ** (annulus.dimension - 1) / annulus.d_0
    axes.errorbar(profile.r, scale * profile.d_r, abs(scale) * profile.error, fmt="o", color=BLUE, markersize=2.8, linewidth=0.7,
                  label="measured")
    axes.plot(r, weight * elastic(r, annulus), color=GREY, label="elastic")
    if fit.kappa > 0:
        name = rf"$\kappa = {measured(fit.kappa, fit.error, PLUS_MINUS)}$"
        axes.plot(r, weight * screened(r, fit.kappa, annulus), color=RED, label=name)
    if fit.scaled:
        axes.plot(r, fit.elastic_amplitude * weight * elastic(r, annulus), "--", color=GREY,
                  label=rf"elastic $\times\, {fit.elastic_amplitude:.2f}$")
    elif abs(fit.amplitude - 1) > 0.1:
        best = fit.amplitude * weight * screened(r, fit.kappa, annulus)
        axes.plot(r, best, ":", color=BLUE, linewidth=0.8, label=rf"the fit $\times\, {fit.amplitude:.2f}$")
    axes.axhline(0.0, color="black", linewidth=0.5)
    power = "" if annulus.dimension == 2 else "^2"
    axes.set(xlabel="$r$ [length]", ylabel=rf"$(r/r_\mathrm{{in}}){power}\; d_r / d_0$", xlim=(0, annulus.r_out))
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


def draw_map(case: Case, profile: Profile) -> Figure:
    """The displacement in 2D: arrows coloured by its size; beside it the angular harmonics of d_r and d_θ, relative to d_el."""
    from matplotlib.colors import LogNorm
    figure, (field, radial, tangential) = row(3, 2.6, 3.3)
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
        color_bar(figure, arrows, field, "$|d|$", "length", size[chosen])
    _walls(field, case.annulus)
    expected = np.abs(profile.average(elastic(profile.nodes, case.annulus)))
    for axes, values, name in ((radial, profile.radial, "d_r"), (tangential, profile.tangential, r"d_\theta")):
        amplitude = np.sqrt((values**2).sum(axis=2)) / expected[:, None]
        for m, color in ((0, "black"), (1, BLUE), (2, RED), (3, GREEN)):
            axes.plot(profile.r, amplitude[:, m], color=color, linewidth=0.9, label=f"$m = {m}$")
        axes.plot(profile.r, np.sqrt((amplitude[:, 4:] ** 2).mean(axis=1)), color=GREY, linewidth=0.9, label="$m = 4...8$, rms")
        axes.set(xlabel="$r$ [length]", title=rf"$|{name}|_m \,/\, d^\mathrm{{el}}_r$", yscale="log")
    figure.legend(*radial.get_legend_handles_labels(), fontsize=7, loc="outside lower right", ncols=3)
    return figure


def _walls(axes: Axes, annulus: Annulus) -> None:
    from matplotlib.patches import Circle

    for radius in (annulus.r_in, annulus.r_out):
        axes.add_patch(Circle((0, 0), radius, fill=False, linewidth=0.7))
    axes.set_aspect("equal")
    axes.set_xlim(-1.03 * annulus.r_out, 1.03 * annulus.r_out)
    axes.set_ylim(-1.03 * annulus.r_out, 1.03 * annulus.r_out)
    axes.set_axis_off()
    length_bar(axes)


def draw_sweep(table: Table, paths: Sequence[Path]) -> Figure:
    """κ and M against ΔE (Figs. 9 and 11), and M against κ with the theory of the first field's geometry (Fig. 10).

    Fields of one configuration, which is one file, are joined in the order of their ΔE.
    """
    known = bool(np.isfinite(table["energy_change"]).any())
    figure, drawn = row(1 + 2 * known, 2.6, 2.7)
    shown = table["screened"] == 1
    bars = np.stack([table["kappa"] - table["kappa_low"], table["kappa_high"] - table["kappa"]])
    for some, color, name in ((shown, RED, "screened"), (~shown, GREY, "elastic")):
        if not some.any():
            continue
        options = {"fmt": "o", "color": color, "markersize": 3, "linewidth": 0.7, "label": name}
        drawn[-1].errorbar(table["kappa"][some], table["M"][some], table["M_error"][some], bars[:, some], **options)
        if known:
            energy = table["energy_change"][some]
            drawn[0].errorbar(energy, table["kappa"][some], bars[:, some], **options)
            drawn[1].errorbar(energy, table["M"][some], table["M_error"][some], **options)
    if known:
        for path in dict.fromkeys(paths):
            rows = np.flatnonzero([other == path for other in paths])
            rows = rows[np.argsort(table["energy_change"][rows])]
            for axes, name in ((drawn[0], "kappa"), (drawn[1], "M")):
                axes.plot(table["energy_change"][rows], table[name][rows], color=GREY, linewidth=0.5, alpha=0.6, zorder=0)
        drawn[0].set(xlabel=r"$\Delta E$ [energy]", ylabel=r"$\kappa$ [1/length]")
        drawn[1].set(xlabel=r"$\Delta E$ [energy]", ylabel="$M$")
    r_in, r_out, d_0, dimension = (float(table[name][0]) for name in ("r_in", "r_out", "d_0", "dimension"))
    first = Annulus(r_in, r_out, d_0, round(dimension))
    kappa = np.linspace(0, 1.15 * max(float(table["kappa"].max()), 3 / first.r_out), 1500)
    signed = deviation_of_kappa(kappa, first)[0]
    low, high = (f(np.append(table["M"], 0.0)) for f in (np.min, np.max))
    margin = 0.3 * (high - low) + 0.5
    signed[(signed < low - 2 * margin) | (signed > high + 2 * margin)] = np.nan       # not across the poles
    drawn[-1].plot(kappa, signed, color=BLUE, linewidth=0.8, label="theory", zorder=0)
    drawn[-1].set(xlabel=r"$\kappa$ [1/length]", ylabel="$M$", ylim=(low - margin, high + margin))
    drawn[-1].legend(fontsize=6)
    return figure


def draw_groups(table: Table, groups: Table) -> Figure:
    """Share of screened fields against d_0, for each set of inputs; and the distribution of κ, screened ones in front."""
    from matplotlib import colormaps

    figure, (shares, distribution) = row(2, 3.3, 2.8)
    names = [name for name in list(groups)[: list(groups).index("fields")] if name != "d_0"]
    names = [name for name in names if len(np.unique(groups[name])) > 1]
    keys = np.stack([groups[name] for name in names], axis=1) if names else np.empty((groups.rows, 0))
    sets = np.unique(keys, axis=0) if names else np.empty((1, 0))
    apart = DODGE * float(np.ptp(groups["d_0"]) or groups["d_0"][0])
    for k, values in enumerate(sets):
        rows = np.flatnonzero((keys == values).all(axis=1))
        y, low, high = (groups[name][rows] for name in ("screened_share", "screened_low", "screened_high"))
        bars = np.maximum(np.stack([y - low, high - y]), 0.0)
        text = ", ".join(named(name, float(value)) for name, value in zip(names, values, strict=True))
        color = SERIES[k] if len(sets) <= len(SERIES) else colormaps["viridis"](0.9 * k / (len(sets) - 1))
        x = groups["d_0"][rows] + apart * (k - 0.5 * (len(sets) - 1)) / len(sets)       # equal shares do not hide each other
        shares.errorbar(x, y, bars, fmt=f"{MARKERS[k % len(MARKERS)]}-", color=color, markersize=3.5, linewidth=0.7,
                        label=text or None)
    shares.set(xlabel="$d_0$ [length]", ylabel="share screened", ylim=(-0.05, 1.05))
    if names and len(sets) <= 8:
        figure.legend(*shares.get_legend_handles_labels(), fontsize=7, loc="outside lower left", ncols=3)
    screened = table["screened"] == 1
    edges = np.linspace(0, 1.05 * max(float(table["kappa"].max()), 1e-12), 25)
    parts = [(screened, RED, "screened"), (~screened, "0.8", "elastic (best $\\kappa$)")]
    distribution.hist([table["kappa"][some] for some, *_ in parts], edges, stacked=True, color=[color for _, color, _ in parts],
                      label=[f"{some.sum()} {text}" for some, _, text in parts])
    distribution.set(xlabel=r"$\kappa$ [1/length]", ylabel="fields", xlim=(0, edges[-1]))
    distribution.yaxis.get_major_locator().set_params(integer=True)
    distribution.set_ylim(0, 1.3 * distribution.get_ylim()[1])
    distribution.legend(loc="upper left")
    return figure
