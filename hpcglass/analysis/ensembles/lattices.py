"""What is kept of loaded lattices while an ensemble is merged: sizes and stress drops of avalanches.

Means against strain, and the steady stress, come from the table `loading`,
bands from `activity` and `band_profile`; definitions: docs/statistics.md.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hpcglass.analysis.ensembles.collectors import BLOCKS, Columns, Numbers, Sample, make_table
from hpcglass.analysis.open_run import Table
from hpcglass.numbers.tails import jackknife

Key = tuple[float, float, float]        # window, and size of the avalanches of a bin


class Avalanches:
    """Histograms of avalanches, added up over samples in each window of strain."""

    COLUMNS: ClassVar = {"avalanche_slips": "slips", "avalanche_drops": "drop"}

    def __init__(self, first: Sample) -> None:
        self.counts: dict[str, dict[Key, np.ndarray]] = {name: {} for name in self.COLUMNS}
        self.widths: dict[Key, float] = {}
        self.described = {name: first.tables[name] for name in self.COLUMNS}

    def add(self, sample: Sample, block: int) -> None:
        for name, column in self.COLUMNS.items():
            table = sample.tables[name]
            numbers = np.zeros_like(table["count"])
            for start in np.unique(table["window_start"]):
                here = table["window_start"] == start
                numbers[here] = table["count"][here].sum()
            for start, end, x, count, density, all_of_them in zip(
                    table["window_start"], table["window_end"], table[column], table["count"], table["density"], numbers,
                    strict=True):
                key = (start, end, float(f"{x:.9g}"))
                self.counts[name].setdefault(key, np.zeros(BLOCKS))[block] += count
                self.widths[key] = count / (density * all_of_them)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        return {f"{name}_density": self._density(name, blocks) for name in self.COLUMNS}, {}

    def _density(self, name: str, blocks: int) -> Table:
        """Densities with errors, window after window."""
        found, source, column = self.counts[name], self.described[name], self.COLUMNS[name]
        keys = sorted(found)
        density, error = np.empty(len(keys)), np.empty(len(keys))
        for start in {key[0] for key in keys}:
            here = [i for i, key in enumerate(keys) if key[0] == start]
            counts = np.array([found[keys[i]][:blocks] for i in here])
            width = np.array([self.widths[keys[i]] for i in here])

            def estimate(kept: np.ndarray, counts: np.ndarray = counts, width: np.ndarray = width) -> np.ndarray:
                return np.asarray(counts[:, kept].sum(axis=1) / (max(counts[:, kept].sum(), 1.0) * width))

            density[here], error[here] = estimate(np.ones(blocks, dtype=bool)), jackknife(estimate, blocks)
        rows = np.array(keys, dtype=np.float64).reshape(-1, 3).T
        columns: Columns = {key: (values, source.units[key], source.long_name[key])
                            for key, values in zip(("window_start", "window_end", column), rows, strict=True)}
        columns["count"] = (np.array([found[key].sum() for key in keys]), "", "avalanches of all samples")
        columns["density"] = (density, source.units["density"], source.long_name["density"])
        columns["density_error"] = (error, source.units["density"], "its error")
        return make_table(columns)
