"""What is kept of each sample while an ensemble is merged, and the tables that come of it.

A collector takes one sample after the other (`add`) and keeps histograms and sums, no modes: its size does not grow with the
number of samples. Samples are dealt out in turn to at most BLOCKS blocks; errors come from the scatter of blocks, which are the
samples themselves as long as there are no more than BLOCKS. Spectra have theirs in `spectra.py`; definitions: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.open_run import Table
from hpcglass.errors import InputError
from hpcglass.numbers.tails import PER_DECADE, Tail, centres, fit_tail, jackknife, log_edges, resamplings, scatter

Floats = NDArray[np.float64]
Side = Literal["upper", "lower"]
Columns = dict[str, tuple[Any, str, str]]        # name -> (values, units, long name)
Numbers = dict[str, tuple[float, str, str]]      # the same, of single numbers
BLOCKS = 50


@dataclass
class Sample:
    """What one stage file says, without its fields.

    Attributes
    ----------
    inputs : keys of the input that samples of an ensemble share, see `merge.shared_inputs`
    params : those of the stage
    unit : frequency omega_0 = c_s / a_0, NaN if unknown
    fingerprint : hash of the configuration
    seal : of the file
    """

    path: Path
    resolved: str
    inputs: dict[str, Any]
    params: dict[str, Any]
    particles: int
    dimension: int
    volume: float
    tables: dict[str, Table]
    results: dict[str, tuple[float, str, str]]
    fingerprint: str
    seal: str

    @property
    def spacing(self) -> float:
        """a_0 = (V/N)^(1/d)."""
        return (self.volume / self.particles) ** (1 / self.dimension)

    @property
    def unit(self) -> float:
        """omega_0 = c_s / a_0; NaN if the stage did not find the speed of shear waves."""
        if "frequency_unit" in self.results:
            return self.results["frequency_unit"][0]
        return self.results.get("shear_wave_speed", (np.nan,))[0] / self.spacing


def make_table(columns: Columns) -> Table:
    """Columns with units and long names as a Table."""
    return Table({name: np.asarray(values, dtype=np.float64) for name, (values, _, _) in columns.items()},
                 {name: units for name, (_, units, _) in columns.items()}, {name: text for name, (_, _, text) in columns.items()})


class Collector(Protocol):
    """Takes samples, gives tables."""

    def add(self, sample: Sample, block: int) -> None: ...

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        """Tables and single numbers; `blocks` have samples."""


def occupied(seen: NDArray[np.bool_]) -> slice:
    """From the first occupied bin to the last."""
    where = np.flatnonzero(seen)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)


class BondDistribution:
    """Distributions of the pair energies |phi_n| of the strain expansion, on the absolute grid of `tails.log_edges`."""

    EXPONENTS = (7 / 2, 11 / 6, 3 / 2)
    GRID = log_edges(-30, 30)

    def __init__(self, first: Sample) -> None:
        table = first.tables["bond_distribution"]
        self.orders = [n for n in (1, 2, 3) if f"count_{n}" in table]
        self.units, self.name = table.units["value"], table.long_name["value"]
        self.counts = np.zeros((BLOCKS, len(self.orders), len(self.GRID) - 1))

    def add(self, sample: Sample, block: int) -> None:
        table = sample.tables["bond_distribution"]
        bins = np.searchsorted(self.GRID, table["value"]) - 1
        if not np.allclose(centres(self.GRID)[bins.clip(0, len(self.GRID) - 2)], table["value"], rtol=1e-6, atol=0):
            raise InputError(f"{sample.path}: the bins of bond_distribution have not the edges 10^(k/{PER_DECADE})")
        for counts, n in zip(self.counts[block], self.orders, strict=True):
            counts[bins] += table[f"count_{n}"]

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        seen, width = occupied(self.counts.any(axis=(0, 1))), np.diff(self.GRID)
        columns: Columns = {"value": (centres(self.GRID)[seen], self.units, self.name)}
        rows = []
        for k, n in enumerate(self.orders):
            counts = self.counts[:blocks, k]
            estimate = _density(counts, width)
            units = f"1/{self.units}" if self.units else ""
            columns[f"count_{n}"] = (counts.sum(axis=0)[seen], "", f"pairs of all samples, order {n}")
            columns[f"density_{n}"] = (estimate(np.ones(blocks, dtype=bool))[seen], units, f"probability density of |phi_{n}|")
            columns[f"density_{n}_error"] = (jackknife(estimate, blocks)[seen], units, "its error")
            fits = tail_rows(counts, counts.sum(axis=1), self.GRID, "upper", self.EXPONENTS[n - 1])
            rows += [{"order": n, **row} for row in fits]
        return {"bond_density": make_table(columns), "bond_tail": tail_table(rows, self.units)}, {}


def _density(counts: Floats, width: Floats) -> Any:
    """Density of the kept blocks."""
    return lambda kept: counts[kept].sum(axis=0) / (max(counts[kept].sum(), 1.0) * width)


class Rows:
    """Mean or median over samples of the rows of a table that have the same number in the first column.

    The mean needs no memory; the median keeps the tables.
    """

    def __init__(self, table: str, name: str, median: bool, first: Sample) -> None:
        source = first.tables[table]
        self.table, self.name, self.median = table, name, median
        self.key, *columns = source
        self.described = {c: (source.units.get(c, ""), source.long_name.get(c, c)) for c in source}
        self.columns = [c for c in columns if c not in ("evaluations", "max_force")]
        self.keys: dict[float, int] = {}                # first column -> row, in order of appearance
        self.number, self.mean, self.square = (np.zeros((0, len(self.columns))) for _ in range(3))
        self.kept: list[tuple[NDArray[np.int64], Floats]] = []

    def add(self, sample: Sample, block: int) -> None:
        source = sample.tables[self.table]
        rows = np.array([self.keys.setdefault(float(f"{x:.9g}"), len(self.keys)) for x in source[self.key]], dtype=np.int64)
        values = np.column_stack([source[column] for column in self.columns])
        if self.median:
            self.kept.append((rows, values))
            return
        more = len(self.keys) - len(self.number)
        self.number, self.mean, self.square = (np.pad(a, ((0, more), (0, 0))) for a in (self.number, self.mean, self.square))
        good = np.isfinite(values)
        change = np.where(good, values - self.mean[rows], 0.0)        # Welford
        self.number[rows] += good
        self.mean[rows] += change / np.maximum(self.number[rows], 1)
        self.square[rows] += change * np.where(good, values - self.mean[rows], 0.0)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        number, middle, error = self._medians() if self.median else self._means()
        keys = np.array(list(self.keys), dtype=np.float64)
        order = np.argsort(np.abs(keys), kind="stable")          # backward strain falls
        columns: Columns = {self.key: (keys[order], *self.described[self.key]),
                            "samples": (number.max(axis=1, initial=0)[order], "", "number of samples")}
        for k, name in enumerate(self.columns):
            units, text = self.described[name]
            columns[name] = (middle[order, k], units, f"{'median' if self.median else 'mean'} over samples: {text}")
            columns[f"{name}_error"] = (error[order, k], units, "its error")
        return {self.name: make_table(columns)}, {}

    def _means(self) -> tuple[Floats, Floats, Floats]:
        n = self.number
        error = np.sqrt(self.square / np.maximum(n - 1, 1) / np.maximum(n, 1))
        return n, np.where(n > 0, self.mean, np.nan), np.where(n > 1, error, np.nan)

    def _medians(self) -> tuple[Floats, Floats, Floats]:
        kept = np.full((len(self.kept), len(self.keys), len(self.columns)), np.nan)
        for k, (rows, values) in enumerate(self.kept):
            kept[k, rows] = values
        masked = np.ma.masked_invalid(kept)
        drawn = resamplings(len(kept))
        again = np.empty((len(drawn), *kept.shape[1:]))
        for k, weights in enumerate(drawn):
            again[k] = np.ma.median(masked[np.repeat(np.arange(len(kept)), weights)], axis=0).filled(np.nan)
        return (np.isfinite(kept).sum(axis=0).astype(np.float64), np.ma.median(masked, axis=0).filled(np.nan),
                scatter(again))


class Scalars:
    """Mean, standard error and number of every numeric result."""

    def __init__(self, first: Sample) -> None:
        self.values: dict[str, list[float]] = {}
        self.described: dict[str, tuple[str, str]] = {}

    def add(self, sample: Sample, block: int) -> None:
        for name, (value, units, text) in sample.results.items():
            self.described[name] = units, text
            if np.isfinite(value):
                self.values.setdefault(name, []).append(value)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        columns: Columns = {}
        for name, values in sorted(self.values.items()):
            n = len(values)
            error = float(np.std(values, ddof=1)) / n**0.5 if n > 1 else np.nan
            columns[name] = ([float(np.mean(values)), error, float(n)], *self.described[name])
        return ({"scalars": make_table(columns)} if columns else {}), {}


def mean_of(sums: Floats, numbers: Floats) -> float:
    """Mean from sums over blocks; NaN of nothing."""
    return float(sums.sum() / numbers.sum()) if numbers.sum() else np.nan


def tail_rows(counts: Floats, total: Floats, edges: Floats, side: Side, exponent: float,
              limits: tuple[float | None, float | None] = (None, None),
              unit: tuple[tuple[Floats, Floats], int] | None = None) -> list[dict[str, float]]:
    """Two fits of a tail: with a free exponent, and with the given one.

    Parameters
    ----------
    counts : (blocks, bins)
    total : (blocks,) values the density is normalised over
    limits : smallest and largest x that the window may reach
    unit : ((sums over samples of omega_0, number of samples) of each block, power of omega_0 in the unit of x)
    """
    inside = np.ones(len(edges), dtype=bool)
    if limits[0] is not None:
        inside &= edges >= limits[0] * (1 - 1e-12)
    if limits[1] is not None:
        inside &= edges <= limits[1] * (1 + 1e-12)
    edges = edges[inside]
    counts = counts[:, inside[:-1] & inside[1:]]
    return [_tail_row(counts, total, edges, side, fixed, unit) for fixed in (None, exponent)] if len(edges) > 1 else []


def _tail_row(counts: Floats, total: Floats, edges: Floats, side: Side, fixed: float | None,
              unit: Any) -> dict[str, float]:
    tail = fit_tail(edges, counts.sum(axis=0), total.sum(), exponent=fixed, side=side)
    errors, scaled = [tail.exponent_error, tail.prefactor_error], [np.nan, np.nan]
    if np.isfinite(tail.distance):
        drawn = resamplings(len(counts))
        again = [fit_tail(edges, w @ counts, w @ total, tail.window, fixed, side) for w in drawn]
        if len(counts) > 1:
            errors = [0.0 if fixed else scatter([t.exponent for t in again]), scatter([t.prefactor for t in again])]
        if unit is not None:
            others = [_scaled(t, side, unit, w) for t, w in zip(again, drawn, strict=True)]
            scaled = [_scaled(tail, side, unit, np.ones(len(counts))), scatter(others)]
    return {"fixed": float(fixed is not None), "exponent": tail.exponent, "exponent_error": errors[0],
            "prefactor": tail.prefactor, "prefactor_error": errors[1], "prefactor_scaled": scaled[0],
            "prefactor_scaled_error": scaled[1], "window_low": tail.window[0], "window_high": tail.window[1],
            "count": tail.count, "distance": tail.distance}


def _scaled(tail: Tail, side: str, unit: Any, weights: Any) -> float:
    """Prefactor of the density of x over its unit omega_0^p."""
    (sums, samples), power = unit
    omega = mean_of(weights * sums, weights * samples)
    s = -tail.exponent if side == "upper" else tail.exponent
    return tail.prefactor * omega ** (power * (s + 1))


def tail_table(rows: list[dict[str, float]], units: str) -> Table:
    """Fits of tails, a row for each."""
    text = {"order": "order n of the pair energies", "fixed": "whether the exponent was given", "exponent": "exponent",
            "prefactor": "A of P = A x^-exponent (x^exponent for frequencies)", "prefactor_scaled": "the same for x in its unit",
            "window_low": "smallest x of the fit", "window_high": "largest x of the fit", "count": "values in the window",
            "distance": "Kolmogorov-Smirnov distance of data and fit in the window"}
    names = list(rows[0]) if rows else []
    return make_table({name: ([row[name] for row in rows], units if name.startswith("window") else "",
                              text.get(name, "its error")) for name in names})
