"""Shear bands of paper 001: widths of profiles, their exponents in strain and in size, pictures.

The paper does not say how it measures a width. Two are used here: `width` of the table `activity`, w = (ΣP)²/(nΣP²) times the
period (docs/shear.md), which has no parameter and counts all activity, also that outside of a band; and `half_width`, which
leaves out what has happened everywhere, and hangs on the noise of the largest slab instead.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

import hpcglass
from papers.entry import Measured
from papers.results import NONE, Gallery, Member, mean, share, slope

QUARTER = 4  # the background is the mean over the quarter of the slabs where there is least activity


def half_width(profile: Any, period: float) -> float:
    """Full width at half maximum of a periodic profile above its background [length].

    Neighbouring slabs are joined by straight lines; the band ends on either side of the largest slab where these first come down
    to the middle between maximum and background.

    Parameters
    ----------
    profile : (n,) activity in slabs of equal width

    Returns
    -------
    float
        NaN if all slabs are alike.

    >>> half_width([0, 0, 1, 1, 1, 0, 0, 0], 8.0), half_width([1, 1, 1, 4, 7, 4, 1, 1], 16.0)
    (3.0, 4.0)
    """
    p = np.asarray(profile, float)
    n, top = len(p), int(np.argmax(p))
    p = np.roll(p, -top)
    p = p - np.sort(p)[: max(1, n // QUARTER)].mean()
    half = p[0] / 2
    if half <= 0:
        return math.nan

    def end(side: Any) -> float:
        k = int(np.argmax(side < half))  # the background is below half: there is one
        return k - 1 + (side[k - 1] - half) / (side[k - 1] - side[k])

    return (end(p) + end(np.roll(p[::-1], 1))) * period / n


def half_widths(one: Any, low: float = 0.0, high: float = math.inf, along: bool = False) -> tuple[Any, Any]:
    """Strains between two at which the profile is kept and there is a band, and its half width there.

    Parameters
    ----------
    one : what a stage `shear` or `epm` wrote
    along : bands along the shear only, as those of particles across it are turned by it
    """
    profile, table = one.tables["band_profile"], one.tables["activity"]
    strains, widths = [], []
    for strain in np.unique(profile["strain"]):
        k = int(np.abs(table["strain"] - strain).argmin())
        if low * (1 - 1e-9) <= strain <= high * (1 + 1e-9) and table["band"][k] in ((1,) if along else (1, 2)):
            here = profile["strain"] == strain
            x = profile["x"][here]
            strains.append(float(strain))
            widths.append(half_width(profile["activity"][here], len(x) * (x[1] - x[0])))
    return np.array(strains), np.array(widths)


def samples(run: Path, stage: str) -> list[tuple[str, Any]]:
    """A stage of all finished samples of a run, of an ensemble or of a sweep, by the name of their directories."""
    places = sorted(path.parent for path in run.rglob("DONE") if not list(path.parent.glob("sample-*")))
    return [(place.relative_to(run).as_posix(), hpcglass.open(place)[stage]) for place in places]


def widths(place: Member, task: str, strain: float) -> list[float]:
    """Width w of the band [blocks] of each lattice that has one, at the record next to a strain."""
    found = []
    for one in place.samples("epm", task):
        table = one.tables["activity"]
        k = int(np.abs(table["strain"] - strain).argmin())
        if table["band"][k] > 0:
            found.append(float(table["width"][k]))
    return found


def band(member: str, temperature: float) -> Any:
    """Half width of the bands of Fig. 6 at 12 % [blocks], mean over the lattices that have one."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig6-epm", member]
        found = [half_widths(one, 0.12, 0.12)[1] for one in place.samples("epm", place.of(temperature))]
        return mean(np.concatenate(found))

    return of


def with_band(member: str, temperature: float) -> Any:
    """Share of the lattices of Fig. 6 that have a band at 12 %."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig6-epm", member]
        task = place.of(temperature)
        return share(len(widths(place, task, 0.12)), sum(1 for _ in place.samples("epm", task)))

    return of


def with_size(member: str) -> Any:
    """Exponent of w against L at a strain of 0.15, by the means over the samples of each size."""

    def of(at: Gallery) -> Measured:
        sizes, found = by_size(at["001-fig9-epm", member])
        return slope(sizes, *np.array(found).T) if sizes else NONE

    return of


def by_size(place: Member) -> tuple[list[float], list[Measured]]:
    """Sizes and mean widths w of Fig. 9 with their errors."""
    return [float(task.partition("=")[2]) for task in place.tasks], [mean(widths(place, task, 0.15)) for task in place.tasks]


def growth(member: str, temperature: float) -> Any:
    """Exponent of w against strain from 1 on, while w is less than half of the lattice; mean over lattices."""

    def of(at: Gallery) -> Measured:
        place, found = at["001-fig7cd-epm", member], []
        for one in place.samples("epm", place.of(temperature)):
            table, most = one.tables["activity"], one.params["size"] / 2
            keep = (table["strain"] >= 1.0) & (table["band"] > 0) & (table["width"] < most)
            if keep.sum() > 10:
                found.append(slope(table["strain"][keep], table["width"][keep])[0])
        return mean(found)

    return of


def half_growth(member: str, temperature: float, low: float, high: float) -> Any:
    """Exponent of the half width against strain between two; mean over lattices."""

    def of(at: Gallery) -> Measured:
        place = at["001-fig7cd-epm", member]
        found = [half_widths(one, low, high) for one in place.samples("epm", place.of(temperature))]
        return mean(slope(*one)[0] for one in found if len(one[0]) > 2)

    return of


def draw_maps(at: Gallery) -> Any:
    """Slips of each block of a lattice at 12 %: rows are thresholds, columns parent temperatures; white blocks never slipped."""
    from matplotlib.colors import LogNorm

    from hpcglass.analysis.figures.style import grid

    shown = (("micromechanics", "micromechanics, 0.065"), ("frozen", "frozen matrix, 0.065"), ("fitted", "frozen matrix, 0.089"))
    figure, panels = grid(9, 3, 2.1, 1.85, maps=True)
    for k, (axes, temperature) in enumerate(zip(panels, 3 * (0.7, 0.4, 0.2), strict=True)):
        member, name = shown[k // 3]
        place = at["001-fig6-epm", member]
        events = next(place.samples("epm", place.of(temperature))).grids["events"][-1].astype(float)
        image = axes.imshow(
            np.where(events > 0, events, np.nan), norm=LogNorm(1, 30), cmap="viridis_r", origin="lower", interpolation="nearest"
        )
        axes.set(xticks=(), yticks=(), ylabel=name if k % 3 == 0 else "")
        axes.spines[["top", "right"]].set_visible(True)
        if k < 3:
            axes.set_title(rf"$T_\mathrm{{p}} = {temperature}$")
    figure.colorbar(image, ax=panels, shrink=0.5, label="slips").set_ticks([1, 3, 10, 30], labels=["1", "3", "10", "30"])
    return figure


STRAINS = (0.2, 0.6, 2.0, 10.0)  # of profiles that are drawn


def draw_growth(at: Gallery) -> Any:
    """Profiles around the band, mean over lattices; w and half width against strain, by three kinds of lattices."""
    from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

    figure, (left, middle, right) = row(3, 3.3, 2.9)
    for temperature, colour in ((0.4, RED), (0.2, GREEN)):
        place = at["001-fig7cd-epm", "micromechanics"]
        tables = [one.tables["band_profile"] for one in place.samples("epm", place.of(temperature))]
        for k, strain in enumerate(STRAINS):
            rows = [np.isclose(table["strain"], strain) for table in tables]
            p = np.mean([table["activity"][here] for table, here in zip(tables, rows, strict=True)], axis=0)
            words = rf"$T_\mathrm{{p}} = {temperature}$" if k == len(STRAINS) - 1 else None
            left.plot(tables[0]["x"][rows[0]], p, color=colour, alpha=0.25 * (k + 1), linewidth=0.8, label=words)
    left.set(xlabel="distance from the band [sites]", ylabel="slips per site $P(x)$", yscale="log")
    left.set_title(r"$\gamma = " + ", ".join(f"{strain:g}" for strain in STRAINS) + "$", fontsize=7)
    left.legend(fontsize=7)
    for axes, temperature in ((middle, 0.2), (right, 0.4)):
        for member, name, colour in (
            ("micromechanics", "micromechanics", BLUE),
            ("frozen", "frozen matrix", RED),
            ("fitted", "micromechanics, slip 0.095", GREEN),
        ):
            place = at["001-fig7cd-epm", member]
            lattices = list(place.samples("epm", place.of(temperature)))
            for find, style in ((by_record, "-"), (half_widths, "o")):
                strain, w, error = averaged([find(one) for one in lattices])
                keep = np.isfinite(w) & (strain >= 0.2)
                axes.errorbar(
                    strain[keep],
                    w[keep],
                    np.nan_to_num(error[keep]) if style == "o" else None,
                    fmt=style,
                    color=colour,
                    markersize=3,
                    linewidth=0.9,
                    label=name if style == "-" else None,
                )
        line = np.array([1.0, 10.0])
        axes.plot(line, (2.0 if temperature == 0.2 else 10.0) * line**0.5, "k:", linewidth=0.9, label=r"$\gamma^{0.5}$")
        axes.plot([], [], "o", color="0.5", markersize=3, label="half width (lines: $w$)")
        axes.set(xscale="log", yscale="log", xlabel=r"strain $\gamma$", ylabel="width [sites]")
        ticks(axes.yaxis, (2, 5, 10, 20) if temperature == 0.2 else (5, 10, 20, 50))
        axes.set_title(rf"$T_\mathrm{{p}} = {temperature}$", fontsize=8)
    right.legend(fontsize=6, loc="lower right")
    return figure


def ticks(axis: Any, values: Any) -> None:
    """Label a logarithmic axis at these values only."""
    axis.set_ticks(values, [f"{value:g}" for value in values])
    axis.set_ticks([], minor=True)


def by_record(one: Any) -> tuple[Any, Any]:
    """Strains of all records with a band, and w there, while it is less than half of the lattice."""
    table = one.tables["activity"]
    keep = (table["band"] > 0) & (table["width"] < one.params["size"] / 2)
    return table["strain"][keep], table["width"][keep]


def averaged(curves: list[tuple[Any, Any]]) -> tuple[Any, Any, Any]:
    """Mean curve and its error, at the strains that more than half of the lattices have."""
    strains = np.unique(np.concatenate([strain for strain, _ in curves]).round(6))
    at_each = [[w[np.isclose(strain, x)] for strain, w in curves] for x in strains]
    found = [
        (x, *mean(np.concatenate(values)))
        for x, values in zip(strains, at_each, strict=True)
        if 2 * sum(map(len, values)) > len(curves)
    ]
    return tuple(np.array(found).reshape(-1, 3).T)


def draw_sizes(at: Gallery) -> Any:
    """Width w against the size of the lattice by both kinds of thresholds, with the power laws through them."""
    from hpcglass.analysis.figures.style import BLUE, RED, row

    figure, (axes,) = row(1, 3.6, 2.8)
    for member, name, marker, colour in (
        ("micromechanics", "bond micromechanics", "o", BLUE),
        ("frozen", "frozen matrix", "s", RED),
    ):
        sizes, found = by_size(at["001-fig9-epm", member])
        if sizes:
            w, error = np.array(found).T
            alpha, spread = slope(sizes, w, error)
            weight = (w / error) ** 2
            height = np.exp((weight * (np.log(w) - alpha * np.log(sizes))).sum() / weight.sum())
            axes.errorbar(sizes, w, error, fmt=marker, color=colour, markersize=3.5, linewidth=0.8)
            words = rf"{name}, $\alpha = {alpha:.2f} \pm {spread:.2f}$"
            axes.plot(sizes, height * np.array(sizes) ** alpha, "--", color=colour, linewidth=0.9, label=words)
    axes.set(xscale="log", yscale="log", xlabel="size $L$", ylabel=r"width $w$ at $\gamma = 0.15$ [sites]")
    ticks(axes.xaxis, (16, 32, 64, 128, 256))
    ticks(axes.yaxis, (1, 2, 4, 8))
    axes.legend(loc="upper left", fontsize=7)
    return figure
