"""What is kept of local yield stresses while an ensemble is merged: their distributions, and the pseudogap at small strength.

Distributions are those of the values of blocks; bins are as wide as a twentieth of the standard deviation over the blocks of the
first sample, rounded to 1, 2 or 5 times a power of ten, with an edge at 0. The pseudogap is fitted to the residual strength
of sites, P(x) = A x^theta for x -> 0. Means against strain come from the table `strength`; definitions: docs/statistics.md.
"""

from __future__ import annotations

import numpy as np

from hpcglass.analysis.ensembles.collectors import BLOCKS, Columns, Numbers, Sample, make_table, tail_rows
from hpcglass.analysis.open_run import Table
from hpcglass.numbers.tails import jackknife, log_edges, log_histogram

QUANTITIES = ("sigma_y", "delta_tau_y", "threshold", "sigma_y_backward", "delta_tau_y_backward", "stress", "modulus")
FINE = 20.0             # bins in a standard deviation
GRID = log_edges(-12, 6)
EXPECTED = 0.6          # theta of the fit with a given exponent: near what quenched glasses have
MOST = 0.5              # of the mean: fits of the pseudogap go no further


def bin_width(values: np.ndarray) -> float:
    """1, 2 or 5 times a power of ten, at most a twentieth of the standard deviation; 1 of nothing."""
    good = values[np.isfinite(values)]
    spread = float(good.std()) / FINE if good.size > 1 else 0.0
    if not spread > 0.0:
        return 1.0
    decade = 10.0 ** np.floor(np.log10(spread))
    return float(decade * max(step for step in (1.0, 2.0, 5.0) if step * decade <= spread * (1 + 1e-12)))


class Strengths:
    """Distributions of blocks, and small residual strengths of sites, for each strain that was looked at."""

    def __init__(self, first: Sample) -> None:
        table = first.tables["blocks"]
        self.names = [name for name in QUANTITIES if name in table]
        self.units = {name: table.units[name] for name in self.names}
        self.width = {name: bin_width(table[name]) for name in self.names}
        self.counts: dict[str, dict[tuple[float, int], np.ndarray]] = {name: {} for name in self.names}
        self.small: dict[float, np.ndarray] = {}
        self.means: dict[float, list[float]] = {}

    def add(self, sample: Sample, block: int) -> None:
        table = sample.tables["blocks"]
        for name in self.names:
            values, strains = table[name], table["strain"]
            good = np.isfinite(values)
            bins = np.floor(values[good] / self.width[name]).astype(np.int64)
            places, numbers = np.unique(np.column_stack([keys(strains[good]), bins]), axis=0, return_counts=True)
            for (strain, number), count in zip(places, numbers, strict=True):
                self.counts[name].setdefault((float(strain), int(number)), np.zeros(BLOCKS))[block] += count
        sites = sample.tables["sites"]
        for strain in np.unique(keys(sites["strain"])):
            values = sites["delta_tau_y"][keys(sites["strain"]) == strain]
            values = values[np.isfinite(values)]
            counts = self.small.setdefault(float(strain), np.zeros((BLOCKS, len(GRID) - 1)))
            counts[block] += log_histogram(values[values > 0], GRID)
            self.means.setdefault(float(strain), []).append(float(values.mean()) if values.size else np.nan)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        tables = {f"{name}_density": self._density(name, blocks) for name in self.names}
        return {**tables, "pseudogap": self._pseudogap(blocks)}, {}

    def _density(self, name: str, blocks: int) -> Table:
        """P of the blocks' values, strain after strain."""
        found, width, units = self.counts[name], self.width[name], self.units[name]
        order = sorted(found)
        strain, number = np.array(order).reshape(-1, 2).T
        density, error = np.zeros(len(order)), np.zeros(len(order))
        for one in np.unique(strain):
            here = np.flatnonzero(strain == one)
            counts = np.array([found[order[k]][:blocks] for k in here])

            def estimate(kept: np.ndarray, counts: np.ndarray = counts) -> np.ndarray:
                return np.asarray(counts[:, kept].sum(axis=1) / (max(counts[:, kept].sum(), 1.0) * width))

            density[here], error[here] = estimate(np.ones(blocks, dtype=bool)), jackknife(estimate, blocks)
        inverse = f"1/({units})"
        return make_table({
            "strain": (strain, "", "strain"), "value": ((number + 0.5) * width, units, f"{name} of a block, middle of the bin"),
            "count": ([found[key].sum() for key in order], "", "blocks of all samples"),
            "density": (density, inverse, f"P({name})"), "density_error": (error, inverse, "its error")})

    def _pseudogap(self, blocks: int) -> Table:
        """Fits of the residual strength of sites near zero: with a free and with a given exponent."""
        rows = []
        for strain, counts in sorted(self.small.items()):
            most = MOST * float(np.nanmean(self.means[strain]))
            fits = tail_rows(counts[:blocks], counts[:blocks].sum(axis=1), GRID, "lower", EXPECTED, (None, most))
            rows += [{"strain": strain, **row} for row in fits]
        text = {"strain": "strain", "fixed": "whether the exponent was given", "exponent": "theta of P(x) = A x^theta",
                "prefactor": "A", "window_low": "smallest x of the fit", "window_high": "largest x of the fit",
                "count": "sites in the window", "distance": "Kolmogorov-Smirnov distance of data and fit in the window"}
        names = [name for name in (rows[0] if rows else {}) if not name.startswith("prefactor_scaled")]
        columns: Columns = {name: ([row[name] for row in rows], "energy/length^d" if name.startswith("window") else "",
                                   text.get(name, "its error")) for name in names}
        return make_table(columns)


def keys(strains: np.ndarray) -> np.ndarray:
    """Strains of samples that are the same up to round-off, as the same numbers."""
    return np.array([float(f"{strain:.9g}") for strain in strains])
