"""Paper 000, which glasses are screened: fifty, inflated by 8 to 40 % of r_in, by density and by softness around the core."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import hpcglass
from hpcglass.analysis.screening.files import find_files
from hpcglass.analysis.screening.fit import EVIDENCE
from papers.entry import Measured
from papers.results import Gallery, share

CAMPAIGN = "000-decision"
NEAR = 5.0  # around the core [length]
REARRANGED = -0.01  # energy that is not given back when the wall returns, at least
LARGE = 3.0  # kappa r_out of all samples of the paper's tables


def glasses(at: Gallery) -> list[Any]:
    """The run of each glass, in the order of the rows of screening.h5."""
    return [hpcglass.open(path.parent) for path in find_files([at[CAMPAIGN].run])]


@cache
def fields(at: Gallery, column: str) -> Any:
    """A column of the fields, (glasses, inflations)."""
    table = at[CAMPAIGN].file("screening.h5").tables["screening"]
    return table[column].reshape(-1, len(np.unique(table["d_0"])))


@cache
def density(at: Gallery) -> Any:
    """Particles per area of each glass, rounded to what the input says."""
    found = []
    for glass in glasses(at):
        r_in, r_out = glass["modes"].walls[-2:]
        found.append(len(glass["modes"].position) / (np.pi * (r_out**2 - r_in**2)))
    return np.round(found, 2)


@cache
def softness(at: Gallery) -> Any:
    """Largest partial vibrality, sum over the 50 lowest modes of |psi_i|^2/omega^2, around the core of each glass."""
    found = []
    for glass in glasses(at):
        modes = glass["modes"]
        r = np.linalg.norm(modes.position - modes.walls[:2], axis=1)
        found.append(np.nanmax(modes.fields["partial_vibrality"][r < modes.walls[-2] + NEAR]))
    return np.array(found)


def share_of(chosen: Any) -> Measured:
    """Share of the true ones."""
    return share(int(chosen.sum()), chosen.size)


def screened(low: float, high: float) -> Any:
    """Share of the fields with d_0/r_in in [low, high] that are called screened; fields of a glass are counted as independent."""

    def of(at: Gallery) -> Measured:
        part = fields(at, "d_0") / fields(at, "r_in")
        return share_of(fields(at, "screened")[(low <= part) & (part <= high)] > 0)

    return of


def beyond(at: Gallery) -> Measured:
    """Share of the glasses with kappa r_out > 3 in a field that is called screened."""
    return share_of(((fields(at, "screened") > 0) & (fields(at, "kappa") * fields(at, "r_out") > LARGE)).any(axis=1))


def rearranged(at: Gallery) -> Measured:
    """Share of the glasses that had an event at the largest inflation."""
    return share_of(fields(at, "energy_plastic")[:, -1] < REARRANGED)


def by_softness(column: str) -> Any:
    """Spearman's correlation over glasses of one density of a column, mean over inflations, with the softness around the core."""

    def of(at: Gallery) -> Measured:
        from scipy.stats import rankdata

        soft, values, rho = softness(at), fields(at, column).mean(axis=1), density(at)
        x, y = np.empty(len(rho)), np.empty(len(rho))
        for one in np.unique(rho):
            here = rho == one
            x[here], y[here] = ((rankdata(v[here]) - 0.5 * (here.sum() + 1)) / here.sum() for v in (soft, values))
        spread = np.sqrt((x**2).sum() * (y**2).sum())
        return (float((x * y).sum() / spread) if spread > 0 else np.nan), 1.0 / np.sqrt(max(len(x) - len(np.unique(rho)), 1))

    return of


def draw(at: Gallery) -> Any:
    """Shares by density and inflation; best kappa; evidence against softness."""
    from hpcglass.analysis.figures.style import SERIES, row

    figure, (first, second, third) = row(3, 3.0, 2.7)
    rho, part = density(at), fields(at, "d_0")[0] / fields(at, "r_in")[0]
    lost, kappa = fields(at, "energy_plastic") < REARRANGED, fields(at, "kappa") * fields(at, "r_out")
    for k, one in enumerate(np.unique(rho)):
        here, colour = rho == one, SERIES[k % len(SERIES)]
        first.plot(100 * part, lost[here].mean(axis=0), "o--", color=colour, markersize=3, linewidth=0.7)
        first.plot(100 * part, fields(at, "screened")[here].mean(axis=0), "s-", color=colour, markersize=3, linewidth=0.9)
        second.ecdf(kappa[here].ravel(), color=colour, linewidth=0.9, label=f"density {one:g}")
        third.plot(softness(at)[here], fields(at, "delta")[here].max(axis=1), "o", color=colour, markersize=3)
    first.set(xlabel=r"$d_0/r_{\rm in}$ [%]", ylabel="share: screened (squares),\nrearranged (circles)", ylim=(-0.03, 1.03))
    second.set(xlabel=r"best $\kappa r_{\rm out}$", ylabel="share of fields below")
    second.axvline(LARGE, color="0.7", linewidth=0.8)
    second.legend(fontsize="x-small")
    third.axhline(EVIDENCE, color="0.7", linewidth=0.8)
    third.set(xlabel="largest partial vibrality near the core", ylabel="evidence for screening, delta", xscale="log")
    return figure
