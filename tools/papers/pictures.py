"""Pictures of entries that the figures of a run do not have: panels of a paper's figure, curves of several runs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from papers.results import Gallery, cell

LEAST = 1e-3  # density below which there is one particle or none


def shaded(axes: Any, x: Any, y: Any, error: Any, **options: Any) -> None:
    """A curve in the band of its errors; where that goes to zero or below, to half of the curve."""
    (line,) = axes.plot(x, y, **options)
    axes.fill_between(
        x, np.where((y > 0) & (error >= y), y / 2, y - error), y + error, color=line.get_color(), alpha=0.25, linewidth=0
    )


def lattice_panels(panels: Sequence[tuple[str, str, str, Sequence[str]]]) -> Callable[[Gallery], Any]:
    """Draws mean curves of lattices: for each panel a campaign, a column of `mean_loading`, its label, and names of the tasks.

    A task whose name is empty is left out.
    """

    def draw(at: Gallery) -> Any:
        from hpcglass.analysis.figures.style import BLUE, GREEN, ORANGE, RED, row

        figure, drawn = row(len(panels), 3.3, 2.7)
        for letter, axes, (campaign, column, label, names) in zip("abcdef", drawn, panels, strict=False):
            place = at[campaign]
            colours = iter((BLUE, RED, GREEN, ORANGE))
            for task, name in zip(place.tasks, names, strict=True):
                if name:
                    table = place.merged("epm", task).tables["mean_loading"]
                    error = np.nan_to_num(table[f"{column}_error"])
                    shaded(axes, table["strain"], table[column], error, color=next(colours), label=name)
            axes.set(xlabel=r"strain $\gamma$", ylabel=label)
            axes.set_title(f"({letter})", loc="left")
            axes.legend()
        return figure

    return draw


def loadings(campaign: str, task: Callable[[Any, float], str], temperatures: Sequence[float]) -> Callable[[Gallery], Any]:
    """Draws Fig. 1 of paper 003: a glass of each preparation, strains of first events, stress drops along the strain."""

    def draw(at: Gallery) -> Any:
        from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

        figure, (left, middle, right) = row(3, 3.0, 2.6)
        place = at[campaign]
        groups = place.file("predict.h5").tables["prediction_groups"]
        first = place.file("predict.h5").tables["prediction_first"]
        for temperature, colour in zip(temperatures, (BLUE, GREEN, RED), strict=False):
            name = task(place, temperature)
            one = next(place.samples("shear", name)).tables["loading"]
            words = rf"$T_\mathrm{{ini}} = {temperature:g}$"
            left.plot(one["strain"], one["shear_stress"], color=colour, linewidth=0.8, label=words)
            group = int(groups["group"][np.abs(groups["T_p"] - temperature).argmin()])
            for least, filled in ((0.0, colour), (0.01, "white")):
                value, error = cell(first, "strain", group=group, kind=0, least_energy=least)
                middle.errorbar(temperature, value, error, marker="o", color=colour, markerfacecolor=filled)
            table = place.merged("shear", name).tables["event_rate"]
            keep = table["stress_drop"] > 0
            x, y, error = (table[column][keep] for column in ("strain", "stress_drop", "stress_drop_error"))
            right.errorbar(x, y, np.nan_to_num(error), color=colour, marker="o", markersize=2.5, linewidth=0.7)
        left.set(xlabel=r"$\gamma$", ylabel=r"$\sigma_{xy}$ [energy/length$^2$]")
        left.legend()
        middle.plot([], [], "o", color="0.4", label="all")
        middle.plot([], [], "o", color="0.4", markerfacecolor="white", label=r"dissipate $\geq$ 0.01")
        middle.set(xlabel=r"$T_\mathrm{ini}$", ylabel=r"$\langle\gamma_\mathrm{min}\rangle$", yscale="log")
        middle.legend()
        right.set(xlabel=r"$\gamma$", ylabel=r"$\langle\Delta\sigma\rangle$ [energy/length$^2$]", yscale="log")
        return figure

    return draw


def density(at: Gallery, campaign: str, name: str, group: int, strain: float) -> tuple[Any, Any, Any]:
    """Values of an indicator, its density there and the error, of a preparation at a strain."""
    file = at[campaign].file("predict.h5")
    table = file.tables["prediction_distribution"]
    keep = (table["group"] == group) & np.isclose(table["strain"], strain) & (table["density"] > 0)
    keep &= table["indicator"] == str(file.results["distributed"]).split("\n").index(name)
    x, y, error = (table[column][keep] for column in ("value", "density", "density_error"))
    return x, y, np.nan_to_num(error)


def densities(
    campaign: str, group: Callable[[Any, str, float], int], temperatures: Sequence[float], names: Sequence[tuple[str, str]]
) -> Callable[[Gallery], Any]:
    """Draws distributions of indicators (name, label) as cast, all preparations together."""

    def draw(at: Gallery) -> Any:
        from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

        figure, drawn = row(len(names), 3.3, 2.7)
        for axes, (name, label) in zip(drawn, names, strict=True):
            for temperature, colour in zip(temperatures, (BLUE, GREEN, RED), strict=False):
                found = density(at, campaign, name, group(at[campaign], "predict.h5", temperature), 0.0)
                shaded(axes, *found, color=colour, label=rf"$T_\mathrm{{ini}} = {temperature:g}$")
            axes.set(xlabel=label, ylabel="density", yscale="log", ylim=(LEAST, None))
        drawn[0].legend()
        return figure

    return draw


def softening(
    campaign: str, task: Callable[[Any, float], str], temperatures: Sequence[float], strains: Sequence[float]
) -> Callable[[Gallery], Any]:
    """Draws how many particles are weaker than a residual strength, at several strains; a panel for each preparation."""

    def draw(at: Gallery) -> Any:
        from hpcglass.analysis.figures.style import BLUE, GREEN, RED, row

        figure, drawn = row(len(temperatures), 3.3, 2.7)
        for axes, temperature in zip(drawn, temperatures, strict=True):
            samples = list(at[campaign].samples("indicators", task(at[campaign], temperature)))
            for k, (strain, colour) in enumerate(zip(strains, (BLUE, GREEN, RED), strict=False)):
                x = np.sort(np.concatenate([one.fields["delta_tau_y"][:, k] for one in samples]))
                x = x[np.isfinite(x)]
                axes.plot(x, (np.arange(len(x)) + 0.5) / len(x), color=colour, label=rf"$\gamma = {strain:g}$")
            axes.set(
                xlabel=r"$\Delta\tau_y$ [energy/length$^2$]", ylabel="share of particles below", xlim=(0.0, 0.8), ylim=(0, 1)
            )
            axes.set_title(rf"$T_\mathrm{{ini}} = {temperature:g}$")
        drawn[0].legend()
        return figure

    return draw


def draw_spectra(at: Gallery) -> Any:
    """Fig. 1 of paper 002: softest vibrational mode and softest bond mode of a 2D glass, D(omega) and P(lambda) of 3D ones."""
    from hpcglass.analysis.figures.style import BLUE, grid

    figure, (vibration, bond, left, right) = grid(4, 2, 3.3, 2.9)
    for axes, stage, field, title in (
        (vibration, "modes", "modes", "(a) softest vibrational mode"),
        (bond, "bonds", "displacement_modes", "(b) softest mode of the bond operator"),
    ):
        glass = next(at["002-fig1ab"].samples(stage))
        x, y = np.asarray(glass.position).T
        mode = glass.fields[field][:, :, 0]
        size = np.linalg.norm(mode, axis=1)
        mode = mode / np.percentile(size, 99.5)  # arrows of a few spacings
        axes.quiver(x, y, *mode.T, color=BLUE, angles="xy", scale_units="xy", scale=0.25, width=0.003, headwidth=3)
        axes.set(aspect="equal", xticks=(), yticks=())
        axes.set_title(title, loc="left")
    place = at["002-fig1cd"]
    for axes, stage, column, label, power, title, ticks in (
        (left, "modes", "omega", r"$\omega/\omega_0$", 4.0, "(c)", (0.05, 0.1, 0.2, 0.4)),
        (right, "bonds", "eigenvalue", r"$\lambda/\lambda_0$", -3.5, "(d)", (20, 50, 100, 200)),
    ):
        table = place.merged(stage).tables[f"{column}_density"]
        keep = table["density_scaled"] > 0
        x, y = table["scaled"][keep], table["density_scaled"][keep]
        error = (table["density_error"] / table["density"])[keep] * y
        axes.errorbar(x, y, np.nan_to_num(error), fmt="o", color=BLUE, markersize=3, linewidth=0.7)
        tail = x < x[y.argmax()] / 2 if power > 0 else x > 3 * x[y.argmax()]
        middle = float(np.exp(np.mean(np.log(x[tail]))))
        height = float(np.exp(np.interp(np.log(middle), np.log(x), np.log(y))))
        line = middle * np.array([0.4, 2.5])
        name = r"$\omega^4$" if power > 0 else r"$\lambda^{-7/2}$"
        axes.plot(line, height * (line / middle) ** power, "--", color="black", linewidth=0.9, label=name)
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="density")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_title(title, loc="left")
        axes.legend()
    return figure
