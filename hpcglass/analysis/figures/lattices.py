"""Figures of several lattices together, one curve for each, as papers 001 (Sec. V) and 004 draw them.

>>> draw("results/004-fig567b")         # a sweep; its figures lie in that directory

A task of the sweep, of one sample or an ensemble, is a curve. What is drawn depends on what there is: stress and fluctuations
against strain; distributions of the steady stress; profiles and widths of bands; maps of slips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.analysis.ensembles.collectors import Numbers
from hpcglass.analysis.ensembles.merge import merge
from hpcglass.analysis.figures.files import PLAIN, Look, save
from hpcglass.analysis.figures.lattice import highest_localisation
from hpcglass.analysis.figures.style import BLUE, MARKERS, RED, SERIES, STYLE, grid, row
from hpcglass.analysis.open_run import StageResults, Table, read_stage
from hpcglass.errors import InputError
from hpcglass.words import PLUS_MINUS, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {"variance": r"variance of strain $\langle\delta\gamma^2\rangle$", "localisation": "localisation LOC",
          "mean_threshold": r"mean threshold $\langle\sigma_c\rangle$", "stress_std": r"std of stress $\Delta\sigma$"}
PROFILES = 9            # of a lattice in a figure, at most
GROWTH = 10.0           # ratio of strains over which the growth of a band can be judged


@dataclass
class Loaded:
    """A task: the tables and numbers of its samples merged, the keys of its stage, and its first sample."""

    stage: dict[str, Any]
    tables: dict[str, Table]
    numbers: Numbers
    sample: StageResults
    label: str = field(default="", init=False)

    @property
    def threshold(self) -> float:
        """Mean threshold at the start, of the input if it is there."""
        return float(self.stage["initial"].get("mean") or self.tables["mean_loading"]["mean_threshold"][0])

    @property
    def correlated(self) -> bool:
        """Whether slips grow with thresholds."""
        return float(self.stage["slip"].get("c1", 0.0)) > 0

    @property
    def rejuvenates(self) -> bool:
        """Whether blocks that have slipped get other thresholds than the first ones."""
        return self.stage.get("renewal", self.stage["initial"]) != self.stage["initial"]

    @property
    def band_profile(self) -> Table | None:
        """P(x), the mean over samples, or that of the first sample if the band of each lies across the shear."""
        for table in (self.tables.get("mean_band_profile"), self.sample.tables.get("band_profile")):
            if table is not None and table.rows and (table["activity"] > 0).any() and self.widths is not None:
                return table
        return None

    @property
    def widths(self) -> Table | None:
        """Rows of the activity in which half of the samples or more have a band."""
        table = self.tables.get("mean_activity")
        if table is None:
            return None
        seen = np.isfinite(table["width"]) & (table["along"] + table["across"] >= 0.5) & (table["strain"] > 0)
        return Table({name: values[seen] for name, values in table.items()}, {}, {}) if seen.any() else None


def draw(directory: str | Path, stage: str = "epm", output: str | Path | None = None,
         look: Look = PLAIN) -> list[Path]:
    """Draw all tasks of a sweep of lattices together.

    Parameters
    ----------
    directory : of the sweep; tasks without a finished sample are left out
    stage : label of the stage
    output : directory of the figures; by default that of the sweep
    look : format, resolution, width, and whether the data behind a figure go beside it

    Returns
    -------
    list of Path
        The figures.

    Raises
    ------
    InputError
        There is no loaded lattice in the directory.
    """
    import matplotlib

    lattices = read(Path(directory), stage)
    with matplotlib.rc_context(STYLE):
        return [file for name, make in figures(lattices)
                for file in save(make(), Path(output or directory) / f"together-{name}", look)]


def read(directory: Path, stage: str) -> list[Loaded]:
    """All tasks of a sweep, the largest thresholds last, with labels that tell them apart."""
    lattices = []
    for task in sorted({path.parent for path in directory.glob("*/resolved.toml")}):
        if not any(task.rglob("??-*.h5")):
            continue
        ensemble = merge([task], stage)
        tables, numbers = ensemble.finish()
        first = ensemble.first
        if first is not None and "mean_threshold" in tables.get("mean_loading", ()):
            lattices.append(Loaded(first.params, tables, numbers, read_stage(first.path)))
    if not lattices:
        raise InputError(f"{directory}: there is no sweep with a loaded lattice in it")
    lattices.sort(key=lambda one: (one.threshold, one.stage["size"], one.correlated, one.rejuvenates))
    for one in lattices:
        parts = [f"$L = {one.stage['size']}$"] if len({other.stage["size"] for other in lattices}) > 1 else []
        parts += [rf"$\langle\sigma_c\rangle = {one.threshold:.3g}$"] if len({other.threshold for other in lattices}) > 1 else []
        parts = parts or ["rejuvenation" if one.rejuvenates else "disordered"]
        parts += ["$c_1 > 0$" if one.correlated else "$c_1 = 0$"] if len({other.correlated for other in lattices}) > 1 else []
        one.label = ", ".join(parts)
    return lattices


def figures(lattices: Sequence[Loaded]) -> list[tuple[str, Callable[[], Figure]]]:
    """(name, function that draws) of what there is to be drawn."""
    drawn: list[tuple[str, Callable[[], Figure]]] = [("curves", partial(draw_curves, lattices))]
    if sum("steady_stress_density" in one.tables for one in lattices) > 1:
        drawn.append(("steady", partial(draw_steady, lattices)))
    if any(one.widths for one in lattices):
        drawn.append(("bands", partial(draw_bands, lattices)))
    if len(sizes(lattices)) > 2:
        drawn.append(("sizes", partial(draw_sizes, lattices)))
    if all(one.sample.grids for one in lattices):
        drawn.append(("maps", partial(draw_maps, lattices)))
    return drawn


def sizes(lattices: Sequence[Loaded]) -> list[Loaded]:
    """Those with a band at the largest strain, if they differ in size."""
    found = [one for one in lattices if one.widths and one.widths["strain"][-1] == one.tables["mean_activity"]["strain"][-1]]
    return found if len({one.stage["size"] for one in found}) == len(found) else []


def lettered(count: int, width: float = 2.7, height: float = 2.4) -> tuple[Figure, list[Axes]]:
    """Panels side by side, with letters if there are several."""
    figure, panels = row(count, width, height)
    for letter, axes in zip("abcdefgh", panels if count > 1 else (), strict=False):
        axes.set_title(f"({letter})", loc="left")
    return figure, panels


def curve(axes: Axes, one: Loaded, column: str, color: Any) -> None:
    """A mean against strain, with its standard error as a band."""
    table = one.tables["mean_loading"]
    name = "strain_std" if column == "variance" else column
    y, error = table[name], np.nan_to_num(table[f"{name}_error"])
    if column == "variance":
        y, error = y**2, 2 * y * error
    axes.plot(table["strain"], y, color=color, linewidth=0.9, label=one.label)
    axes.fill_between(table["strain"], y - error, y + error, color=color, alpha=0.25, linewidth=0)


def draw_curves(lattices: Sequence[Loaded]) -> Figure:
    """Stress, without and with correlation of slips and thresholds (004, Figs. 3 and 5; 001, Fig. 5c); below, of those with
    correlation if there are any, what 004 shows in Figs. 4, 6 and 7."""
    groups = [group for group in ([one for one in lattices if one.correlated is kind] for kind in (False, True)) if group]
    figure, panels = grid(6, 3, 2.7, 2.4)
    top = max(float(one.tables["mean_loading"]["shear_stress"].max()) for one in lattices)
    for axes, group in zip(panels, groups, strict=False):
        for k, one in enumerate(group):
            curve(axes, one, "shear_stress", SERIES[k % len(SERIES)])
        axes.set(ylabel=r"stress $\Sigma$", ylim=(0, 1.05 * top))
        axes.legend(fontsize=7)
    rest = panels[len(groups):]
    for axes, (column, name) in zip(rest, PANELS.items(), strict=False):
        for k, one in enumerate(groups[-1]):
            curve(axes, one, column, SERIES[k % len(SERIES)])
        axes.set_ylabel(name)
        top = max(highest_localisation(one.tables["mean_loading"], one.stage["size"] ** 2) for one in groups[-1])
        axes.set_ylim(None if column == "mean_threshold" else 0, top if column == "localisation" else None)
    for axes in rest[len(PANELS):]:
        axes.set_axis_off()
    for letter, axes in zip("abcdef", panels, strict=True):
        if axes.axison:
            axes.set_title(f"({letter})", loc="left")
            axes.set_xlabel(r"strain $\gamma$")
    return figure


def draw_steady(lattices: Sequence[Loaded]) -> Figure:
    """Distributions of the steady stress (001, Fig. 5b)."""
    figure, (axes,) = lettered(1, 4.2, 2.8)
    for k, one in enumerate(lattices):
        if "steady_stress_density" not in one.tables:
            continue
        table = one.tables["steady_stress_density"]
        mean, error, spread = (one.numbers[f"steady_stress{name}"][0] for name in ("", "_error", "_std"))
        text = rf"{one.label}: ${measured(mean, error, PLUS_MINUS)}$, std ${spread:.2g}$"
        axes.errorbar(table["stress"], table["density"], np.nan_to_num(table["density_error"]), fmt=MARKERS[k % 6] + "-",
                      color=SERIES[k % 6], markersize=2.8, linewidth=0.7, label=text)
    axes.set(xlabel=r"stress $\sigma_s$ in the steady state", ylabel=r"$P(\sigma_s)$")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(fontsize=7)
    return figure


def draw_bands(lattices: Sequence[Loaded]) -> Figure:
    """Profiles P(x) of slips around a band, wider and higher with strain, and the band's width (001, Figs. 7c and d)."""
    profiles = {k: profile for k, one in enumerate(lattices) if (profile := one.band_profile) is not None}
    figure, panels = lettered(2 if profiles else 1, 3.4, 2.8)
    if profiles:
        draw_profiles(panels[0], profiles)
    axes, ends = panels[-1], []
    for k, one in enumerate(lattices):
        if (table := one.widths) is not None:
            chosen = thinned(table["strain"])
            axes.errorbar(table["strain"][chosen], table["width"][chosen], np.nan_to_num(table["width_error"][chosen]),
                          fmt=MARKERS[k % 6], color=SERIES[k % 6], markersize=2.8, linewidth=0.7, label=one.label)
            ends.append((table["width"][-1], table["strain"][-1], table["strain"][0]))
    width, end, begin = min(ends)
    if end > GROWTH * begin:
        guide = np.array([max(begin, end / 30), end])
        axes.plot(guide, 0.75 * width * (guide / end) ** 0.5, ":", color="black", linewidth=0.8, label=r"$\gamma^{0.5}$")
    axes.set(xscale="log", yscale="log", xlabel=r"strain $\gamma$", ylabel="width $w$ [sites]")
    axes.legend(fontsize=7)
    return figure


def draw_profiles(axes: Axes, profiles: dict[int, Table]) -> None:
    """P(x) at the last strains that all lattices have; the last one is darkest."""
    lit = [table["strain"][table["activity"] > 0] for table in profiles.values()]
    common = set.intersection(*({float(f"{strain:.9g}") for strain in strains} for strains in lit))
    strains = sorted(common)[-PROFILES:]
    for k, table in profiles.items():
        for strain in strains:
            here = np.isclose(table["strain"], strain, rtol=1e-8)
            activity = np.where(table["activity"][here] > 0, table["activity"][here], np.nan)
            axes.plot(table["x"][here], activity, color=SERIES[k % 6], linewidth=0.8, alpha=1.0 if strain == strains[-1] else 0.4)
    axes.set(xlabel="distance from the band $x$ [sites]", ylabel="slips per site $P(x)$", yscale="log")
    axes.set_title(r"$\gamma = " + ", ".join(f"{strain:.3g}" for strain in strains) + "$", fontsize=7)


def thinned(strain: Any) -> Any:
    """Rows to be drawn: some twenty a decade."""
    return np.unique((20 * np.log10(strain)).round(), return_index=True)[1]


def draw_sizes(lattices: Sequence[Loaded]) -> Figure:
    """Width of the band at the largest strain against the size of the lattice, with the power law through it (001, Fig. 9)."""
    figure, (axes,) = lettered(1, 3.6, 2.8)
    size = np.array([one.stage["size"] for one in sizes(lattices)], dtype=np.float64)
    tables = [one.tables["mean_activity"] for one in sizes(lattices)]
    width = np.array([table["width"][-1] for table in tables])
    error = np.array([table["width_error"][-1] for table in tables])
    axes.errorbar(size, width, np.nan_to_num(error), fmt="o", color=BLUE, markersize=3.5, linewidth=0.8)
    weight = width / np.where(np.isfinite(error) & (error > 0), error, np.nan)
    good = np.isfinite(weight)
    if good.sum() > 2:
        (slope, height), covariance = np.polyfit(np.log(size[good]), np.log(width[good]), 1, w=weight[good], cov="unscaled")
        off = weight[good] * (np.log(width[good]) - slope * np.log(size[good]) - height)
        scatter = max(1.0, float(off @ off) / (good.sum() - 2)) ** 0.5      # about the line: if larger, it is the error
        axes.plot(np.sort(size), np.exp(height) * np.sort(size)**slope, "--", color=RED, linewidth=0.9,
                  label=rf"$L^\alpha$, $\alpha = {measured(slope, scatter * covariance[0, 0] ** 0.5, PLUS_MINUS)}$")
        axes.legend(loc="upper left")
    strain = f"{tables[0]['strain'][-1]:.3g}"
    axes.set(xscale="log", yscale="log", xlabel="size $L$", ylabel=rf"width $w$ at $\gamma = {strain}$ [sites]")
    axes.set_xticks(size, [f"{n:.0f}" for n in size])
    axes.set_xticks([], minor=True)
    return figure


def draw_maps(lattices: Sequence[Loaded]) -> Figure:
    """Slips of each block of the first samples at the last strain that was kept; white blocks never slipped (001, Fig. 6)."""
    from matplotlib.colors import LogNorm

    events = [np.where(one.sample.grids["events"][-1] > 0, one.sample.grids["events"][-1], np.nan) for one in lattices]
    style = {"cmap": "viridis_r", "norm": LogNorm(1, max(2.0, max(float(np.nanmax(frame)) for frame in events)))}
    figure, panels = lettered(len(lattices), 2.3, 2.5)
    for axes, one, frame in zip(panels, lattices, events, strict=True):
        image = axes.imshow(frame, origin="lower", interpolation="nearest", rasterized=True, **style)
        axes.set(xticks=[], yticks=[], title="", xlabel=rf"$\gamma = {one.sample.grid_strain[-1]:.3g}$, "
                 rf"{100 * np.isfinite(frame).mean():.0f} % slipped")
        axes.set_title(one.label, fontsize=8)
        axes.spines[["top", "right"]].set_visible(True)
    figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.01, label="slips")
    return figure
