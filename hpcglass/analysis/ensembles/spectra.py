"""Spectra of an ensemble: densities, tails, participation numbers and the length of soft modes, overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcglass.analysis.ensembles.collectors import (
    BLOCKS,
    Columns,
    Floats,
    Numbers,
    Sample,
    Side,
    make_table,
    mean_of,
    occupied,
    tail_rows,
    tail_table,
)
from hpcglass.analysis.open_run import Table
from hpcglass.numbers.tails import (
    centres,
    histogram_median,
    jackknife,
    length_of,
    log_edges,
    log_histogram,
    plateau,
    resamplings,
    scatter,
)

GRID = log_edges(-10, 10)           # of eigenvalues and frequencies
NUMBERS = log_edges(-1, 7, 100)     # of N e: a median is good to a hundredth
OVERLAPS = log_edges(-17, 1, 50)
LEAST, FEW = 30, 5                  # modes in a bin that has a median, of participation numbers and of overlaps


class Profile:
    """Medians of y in logarithmic bins of x, from two-dimensional histograms: one per block."""

    def __init__(self, y_edges: Floats, least: int) -> None:
        self.y_edges, self.least = y_edges, least
        self.counts = np.zeros((BLOCKS, len(GRID) - 1, len(y_edges) - 1), dtype=np.int32)     # pages never touched cost nothing

    def add(self, x: Floats, y: Floats, block: int) -> None:
        good = (x >= GRID[0]) & (x < GRID[-1]) & np.isfinite(y)
        rows = np.searchsorted(GRID, x[good], "right") - 1
        columns = np.searchsorted(self.y_edges, y[good], "right") - 1
        np.add.at(self.counts[block], (rows, columns.clip(0, len(self.y_edges) - 2)), 1)

    def medians(self, blocks: int) -> tuple[Floats, Floats, Floats]:
        """Counts, medians (NaN in bins with fewer than `least` modes) and medians of resamplings (resamplings, bins)."""
        counts = self.counts[:blocks]
        rows, columns = occupied(counts.any(axis=(0, 2))), occupied(counts.any(axis=(0, 1)))
        edges = self.y_edges[columns.start: columns.stop + 1]
        few, drawn = counts[:, rows, columns].astype(np.float64), resamplings(blocks)
        bins = len(GRID) - 1
        count, median, again = np.zeros(bins), np.full(bins, np.nan), np.full((len(drawn), bins), np.nan)
        if few.size:
            count[rows], median[rows] = few.sum(axis=(0, 2)), histogram_median(few.sum(axis=0), edges, self.least)
            for row, weights in zip(again, drawn, strict=True):
                row[rows] = histogram_median(np.tensordot(weights, few, 1), edges, self.least)
        return count, median, again


@dataclass(frozen=True)
class Kind:
    """A table of modes: where its soft end is, and which power law is expected there."""

    table: str
    column: str
    symbol: str
    side: Side
    exponent: float
    participations: tuple[str, ...]
    unit_power: int        # unit of the column in powers of omega_0


KINDS = (Kind("bond_modes", "eigenvalue", "lambda", "upper", 3.5, ("participation_force", "participation_displacement"), -2),
         Kind("modes", "omega", "omega", "lower", 4.0, ("participation",), 1))


class Spectrum:
    """Density of eigenvalues or frequencies, and its soft tail."""

    def __init__(self, kind: Kind, first: Sample) -> None:
        self.kind, self.dimension = kind, first.dimension
        self.units = first.tables[kind.table].units.get(kind.column, "")
        self.counts = np.zeros((BLOCKS, len(GRID) - 1))
        self.total = np.zeros(BLOCKS)                 # modes that the samples have, found or not
        self.unit_sum, self.unit_number = np.zeros(BLOCKS), np.zeros(BLOCKS)       # of omega_0
        self.low, self.high = 0.0, np.inf             # complete between these
        self.phonon = np.inf
        self.negative = 0

    def add(self, sample: Sample, block: int) -> None:
        kind, table = self.kind, sample.tables[self.kind.table]
        values = table[kind.column]
        expected = int(sample.results.get("nonzero_count", (self.dimension * (sample.particles - 1),))[0])
        whole = bool(sample.params.get("all")) or len(values) >= expected
        if whole:
            expected = len(values)
        elif sample.params.get("range"):
            self.low, self.high = max(self.low, sample.params["range"][0]), min(self.high, sample.params["range"][1])
        elif kind.side == "upper":
            self.low = max(self.low, float(values.min(initial=np.inf)))
        else:
            self.high = min(self.high, float(values.max(initial=0.0)))
        if "phonons" in sample.tables and kind.column == "omega":
            self.phonon = min(self.phonon, float(sample.tables["phonons"]["frequency"].min(initial=np.inf)))
        self.counts[block] += log_histogram(values, GRID)
        self.total[block] += expected
        if np.isfinite(sample.unit):
            self.unit_sum[block] += sample.unit
            self.unit_number[block] += 1
        self.negative += int((values < 0).sum())

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        kind = self.kind
        counts, total = self.counts[:blocks], self.total[:blocks]
        units = self.unit_sum[:blocks], self.unit_number[:blocks]
        scale = mean_of(*units) ** kind.unit_power
        width = np.diff(GRID)
        complete = (GRID[:-1] >= self.low * (1 - 1e-12)) & (GRID[1:] <= self.high * (1 + 1e-12))
        density = np.where(complete, counts.sum(axis=0) / (total.sum() * width), np.nan)
        error = jackknife(lambda kept: counts[kept].sum(axis=0) / (total[kept].sum() * width), blocks)
        seen = occupied(counts.any(axis=0))
        columns: Columns = {
            "low": (GRID[:-1][seen], self.units, f"smallest {kind.symbol} of the bin"),
            "high": (GRID[1:][seen], self.units, f"largest {kind.symbol} of the bin"),
            "count": (counts.sum(axis=0)[seen], "", "modes of all samples"),
            "density": (density[seen], f"1/({self.units})" if self.units else "", f"P({kind.symbol}), NaN where not complete"),
            "density_error": (np.where(complete, error, np.nan)[seen], f"1/({self.units})" if self.units else "", "its error")}
        if np.isfinite(scale):
            columns["scaled"] = (centres(GRID)[seen] / scale, "", f"{kind.symbol}/{kind.symbol}_0 of the bin's centre")
            columns["density_scaled"] = (density[seen] * scale, "", f"P({kind.symbol}/{kind.symbol}_0)")
        limits = (self.low or None, None) if kind.side == "upper" else (None, min(self.high, self.phonon))
        rows = tail_rows(counts, total, GRID, kind.side, kind.exponent, limits, (units, kind.unit_power))
        tables = {f"{kind.column}_density": make_table(columns), f"{kind.column}_tail": tail_table(rows, self.units)}
        numbers: Numbers = {
            f"{kind.column}_complete_above": (self.low, self.units, "the spectrum is complete above it, in all samples"),
            f"{kind.column}_complete_below": (self.high, self.units, "the spectrum is complete below it, in all samples"),
            f"{kind.column}_unit": (scale, self.units, f"{kind.symbol}_0, from the mean of omega_0 over samples"),
            f"{kind.column}_negative": (float(self.negative), "", "modes with a negative one, which are left out")}
        return tables, numbers


class Participations:
    """Participation numbers of modes against their eigenvalue or frequency, and the length of soft modes."""

    def __init__(self, kind: Kind, first: Sample) -> None:
        self.kind, self.dimension = kind, first.dimension
        self.units = first.tables[kind.table].units.get(kind.column, "")
        self.profiles = {name: Profile(NUMBERS, LEAST) for name in kind.participations if name in first.tables[kind.table]}
        self.spacing = 0.0

    def add(self, sample: Sample, block: int) -> None:
        table = sample.tables[self.kind.table]
        self.spacing = sample.spacing
        for name, profile in self.profiles.items():
            profile.add(table[self.kind.column], float(sample.particles) * table[name], block)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        if not self.profiles:
            return {}, {}
        numbers: Numbers = {}
        columns: Columns = {self.kind.column: (centres(GRID), self.units, "geometric centre of the bin")}
        for name, profile in self.profiles.items():
            count, median, again = profile.medians(blocks)
            columns["count"] = (count, "", "modes in the bin")
            columns[name] = (median, "", f"median of N e of {name.partition('_')[2] or 'mode'}s")
            columns[f"{name}_error"] = (scatter(again), "", "its error")
            if name == "participation_force":
                numbers |= self._length(median, again)
        seen = occupied(columns["count"][0] > 0)
        table = make_table({k: (v[seen], u, n) for k, (v, u, n) in columns.items()})
        return {f"{self.kind.column}_participation": table}, numbers

    def _length(self, median: Floats, again: Floats) -> Numbers:
        """Plateau of N e at large lambda, and the length that follows."""
        x = centres(GRID)
        found = length_of(*plateau(x, median), self.spacing, self.dimension)
        others = [length_of(*plateau(x, row), self.spacing, self.dimension) for row in again]
        return {"plateau": (found.value, "", "plateau of N e of force modes at large lambda"),
                "plateau_error": (scatter([p.value for p in others]), "", "its error"),
                "plateau_at": (found.at, self.units, "lambda where N e is 15 % above its plateau"),
                "mode_particles": (found.participants, "", "n, 1.15 times the plateau"),
                "mode_length": (found.length, "length", "xi = a_0 n^(1/d)"),
                "mode_length_error": (scatter([p.length for p in others]), "length", "its error")}


class Overlaps:
    """1 - overlap of bond modes with pseudo-harmonic modes, against the eigenvalue."""

    def __init__(self, first: Sample) -> None:
        table = first.tables["pseudo_harmonic"]
        self.units = table.units.get("eigenvalue", "")
        self.profiles = {name: Profile(OVERLAPS, FEW) for name in ("overlap_displacement", "overlap_force") if name in table}

    def add(self, sample: Sample, block: int) -> None:
        table = sample.tables["pseudo_harmonic"]
        for name, profile in self.profiles.items():
            profile.add(table["eigenvalue"], table[name], block)

    def finish(self, blocks: int) -> tuple[dict[str, Table], Numbers]:
        columns: Columns = {"eigenvalue": (centres(GRID), self.units, "geometric centre of the bin")}
        for name, profile in self.profiles.items():
            count, median, again = profile.medians(blocks)
            columns["count"] = (count, "", "modes in the bin")
            columns[name] = (median, "", "median of 1 - overlap with the pseudo-harmonic mode")
            columns[f"{name}_error"] = (scatter(again), "", "its error")
        seen = occupied(columns["count"][0] > 0)
        return {"overlap_profile": make_table({k: (v[seen], u, n) for k, (v, u, n) in columns.items()})}, {}
