"""Paper 000, which glasses are screened: dozens, inflated by 8 to 40 % of r_in, by density and by softness around the core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import hpcglass
from hpcglass.analysis.screening.files import find_files
from hpcglass.analysis.screening.fit import EVIDENCE
from papers.entry import Measured
from papers.results import Gallery, share

NEAR = 5.0  # around the core [length]
REARRANGED = -0.01  # energy that is not given back when the wall returns, at least
LARGE = 3.0  # kappa r_out of all samples of the paper's tables is above
TABLES = {  # kappa and r_out of the samples of the paper's tables
    "Table I": ((0.051, 80), (0.229, 80), (0.054, 80), (0.109, 78), (0.082, 72), (0.042, 80)),
    "Table II": ((0.058, 80), (0.055, 80), (0.042, 80), (0.076, 80), (0.105, 80), (0.11, 80)),
}


def share_of(chosen: Any) -> Measured:
    """Share of the true ones."""
    return share(int(chosen.sum()), chosen.size)


@cache
def columns(at: Gallery, campaign: str) -> dict[str, Any]:
    """Numbers of the fields, (glasses, inflations) each."""
    table = at[campaign].file("screening.h5").tables["screening"]
    wanted = ("d_0", "r_in", "r_out", "screened", "delta", "misfit_scaled", "kappa", "energy_plastic")
    return {name: table[name].reshape(-1, len(np.unique(table["d_0"]))) for name in wanted}


@cache
def before(at: Gallery, campaign: str) -> tuple[Any, Any]:
    """Density and softness of each glass before the inflation, in the order of the rows of screening.h5."""
    density, softness = [], []
    for path in find_files([at[campaign].run]):
        modes = hpcglass.open(path.parent)["modes"]
        *centre, r_in, r_out = modes.walls
        density.append(len(modes.position) / (np.pi * (r_out**2 - r_in**2)))
        r = np.linalg.norm(modes.position - centre, axis=1)
        softness.append(np.nanmax(modes.fields["partial_vibrality"][r < r_in + NEAR]))
    return np.round(density, 2), np.array(softness)


@dataclass(frozen=True)
class Decision:
    """Numbers and picture of a campaign.

    campaign : whose fields are in screening.h5, glasses with a stage `modes`, the same inflations for each
    """

    campaign: str

    def fields(self, at: Gallery, column: str) -> Any:
        """A column of the fields, (glasses, inflations)."""
        return columns(at, self.campaign)[column]

    def found(self, at: Gallery) -> Any:
        """Which fields are screened, (glasses, inflations)."""
        return self.fields(at, "screened") == 1

    def density(self, at: Gallery) -> Any:
        """Particles per area of each glass, rounded to what the input says."""
        return before(at, self.campaign)[0]

    def softness(self, at: Gallery) -> Any:
        """Largest partial vibrality, sum over the 50 lowest modes of |psi_i|^2/omega^2, around the core of each glass."""
        return before(at, self.campaign)[1]

    def screened(self, low: float, high: float) -> Any:
        """Share of the fields with d_0/r_in in [low, high] that are screened; fields of a glass are counted as independent."""

        def of(at: Gallery) -> Measured:
            part = self.fields(at, "d_0") / self.fields(at, "r_in")
            return share_of(self.found(at)[(low <= part) & (part <= high)])

        return of

    def beyond(self, at: Gallery) -> Measured:
        """Share of the glasses with kappa r_out > 3 in a field that is screened."""
        return share_of((self.found(at) & (self.fields(at, "kappa") * self.fields(at, "r_out") > LARGE)).any(axis=1))

    def elastic_if_reversible(self, at: Gallery) -> Measured:
        """Share of the fields of glasses that gave all energy back that elasticity of another amplitude describes better."""
        return share_of(self.fields(at, "misfit_scaled")[self.fields(at, "energy_plastic") > REARRANGED] < -EVIDENCE)

    def rearranged(self, at: Gallery) -> Measured:
        """Share of the glasses that had an event at the largest inflation."""
        return share_of(self.fields(at, "energy_plastic")[:, -1] < REARRANGED)

    def by_softness(self, column: str) -> Any:
        """Spearman's correlation over glasses of a density: a column, mean over inflations, and softness around the core."""

        def of(at: Gallery) -> Measured:
            from scipy.stats import rankdata

            soft, values, rho = self.softness(at), self.fields(at, column).mean(axis=1), self.density(at)
            x, y = np.empty(len(rho)), np.empty(len(rho))
            for one in np.unique(rho):
                here = rho == one
                x[here], y[here] = ((rankdata(v[here]) - 0.5 * (here.sum() + 1)) / here.sum() for v in (soft, values))
            spread = np.sqrt((x**2).sum() * (y**2).sum())
            return (float((x * y).sum() / spread) if spread > 0 else np.nan), 1.0 / np.sqrt(max(len(x) - len(np.unique(rho)), 1))

        return of

    def draw(self, at: Gallery) -> Any:
        """Shares by inflation; best kappa of all fields beside the paper's samples; evidence against softness."""
        from hpcglass.analysis.figures.style import SERIES, row

        figure, (first, second, third) = row(3, 3.0, 2.9)
        rho, part, here = self.density(at), self.fields(at, "d_0")[0] / self.fields(at, "r_in")[0], self.found(at)
        lost, delta = self.fields(at, "energy_plastic") < REARRANGED, self.fields(at, "delta")
        kappa = self.fields(at, "kappa") * self.fields(at, "r_out")
        shown = np.where(here.any(axis=1), np.where(here, delta, -np.inf).max(axis=1), delta.max(axis=1))
        for k, one in enumerate(np.unique(rho)):
            some, colour = rho == one, SERIES[k % len(SERIES)]
            first.plot(100 * part, lost[some].mean(axis=0), "o--", color=colour, markersize=3, linewidth=0.7)
            second.ecdf(kappa[some].ravel(), color=colour, linewidth=0.9, label=f"density {one:g}")
            for filled in (True, False):
                chosen = some & (here.any(axis=1) == filled)
                third.plot(
                    self.softness(at)[chosen],
                    shown[chosen],
                    "o",
                    color=colour,
                    markersize=3.5,
                    markerfacecolor=colour if filled else "none",
                )
        shares = np.array([share_of(column) for column in here.T])
        first.errorbar(100 * part, *shares.T, fmt="s-", color="black", markersize=3, linewidth=0.9)
        first.set(xlabel=r"$d_0/r_{\rm in}$ [%]", ylabel="share of glasses", ylim=(-0.03, 1.03))
        first.plot([], [], "o--", color="0.5", markersize=3, linewidth=0.7, label="rearranged, by density")
        first.plot([], [], "s-", color="black", markersize=3, linewidth=0.9, label=f"screened, of all {len(rho)}")
        second.plot(kappa[here], np.full(here.sum(), 0.05), "*", color="black", markersize=6, label="screened here")
        for (name, samples), marker, height in zip(TABLES.items(), "v^", (0.17, 0.11), strict=True):
            theirs = [a * b for a, b in samples]
            second.plot(theirs, np.full(len(theirs), height), marker, color="0.35", markersize=4, label=f"paper, {name}")
        second.set(
            xscale="log",
            xlim=(0.7, 25),
            xticks=(1, 2, 5, 10, 20),
            xticklabels=("1", "2", "5", "10", "20"),
            xlabel=r"best $\kappa r_{\rm out}$",
            ylabel="share of fields below",
            ylim=(0, 1.01),
        )
        second.minorticks_off()
        third.axhline(EVIDENCE, color="0.7", linewidth=0.8)
        third.plot([], [], "o", color="0.3", markersize=3.5, label="screened")
        third.plot([], [], "o", color="0.3", markersize=3.5, markerfacecolor="none", label="elastic")
        third.set(xlabel="largest partial vibrality near the core", ylabel="evidence for screening, largest delta", xscale="log")
        first.legend(fontsize="x-small", loc=(0.35, 0.2))
        second.legend(fontsize="x-small", loc="lower right", bbox_to_anchor=(1.0, 0.2))
        third.legend(fontsize="x-small")
        return figure
