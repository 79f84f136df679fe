"""Distributions of an indicator over all particles, at the strains that were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.prediction.forecasts import STRAIN, columns, stages_of
from hpcglass.analysis.prediction.scores import Rows, error

Floats = NDArray[np.float64]
BINS = 60
TAIL = 1e-3             # share of the particles of a sample beyond the ends of the bins, at most, on each side


def extent(directory: str | Path, label: str, names: Sequence[str]) -> Floats:
    """(names, 2) lowest and highest value of each, but for the last of the tails; NaN for what is not there (one process)."""
    stage, _ = stages_of(Path(directory), label)
    found = np.full((len(names), 2), np.nan)
    for row, name in zip(found, names, strict=True):
        if name in stage.fields:
            values = columns(stage, name)
            if np.isfinite(values).any():
                row[:] = np.quantile(values[np.isfinite(values)], [TAIL, 1.0 - TAIL])
    return found


def shares(directory: str | Path, label: str, names: Sequence[str], ranges: Floats) -> tuple[Floats, Floats]:
    """((K,) strains, (names, K, BINS) density of the values) of the configurations at a strain of one sample (one process).

    ranges : (names, 2) of the bins
    """
    stage, _ = stages_of(Path(directory), label)
    table = stage.tables.get("configurations")
    chosen = np.flatnonzero(table["kind"] == STRAIN) if table is not None else np.array([0])
    strain = table["strain"][chosen] if table is not None else np.zeros(1)
    density = np.full((len(names), len(chosen), BINS), np.nan)
    for i, name in enumerate(names):
        if name not in stage.fields or not ranges[i, 1] > ranges[i, 0]:
            continue
        values = columns(stage, name)[:, chosen]
        for k, column in enumerate(values.T):
            known = column[np.isfinite(column)]
            if known.size:
                counts, edges = np.histogram(known, BINS, tuple(ranges[i]))
                density[i, k] = counts / (known.size * (edges[1] - edges[0]))
    return strain, density


def distribution(found: Sequence[tuple[Floats, Floats]], ranges: Floats) -> Rows:
    """Means over samples, with errors: a row for each indicator, strain and bin."""
    rows: Rows = []
    for i, (low, high) in enumerate(ranges):
        middle = low + (np.arange(BINS) + 0.5) * (high - low) / BINS
        for strain in sorted({float(f"{x:.9g}") for strains, _ in found for x in strains}):
            many = np.array([density[i, k] for strains, density in found
                             for k in np.flatnonzero(np.abs(strains - strain) < 1e-9)]).reshape(-1, BINS)
            many = many[np.isfinite(many).all(axis=1)]
            rows += [{"indicator": i, "strain": strain, "value": float(middle[b]), "density": float(many[:, b].mean()),
                      "density_error": error(many[:, b]), "samples": float(len(many))} for b in range(BINS) if len(many)]
    return rows
