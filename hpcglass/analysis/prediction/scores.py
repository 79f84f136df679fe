"""Scores of indicators over samples, C = 2 <r> - 1: 1 if always right, 0 if it knows nothing, < 0 if the wrong end is soft.

    C_min       structure as cast, first event; also at that event's onset, and of the moved copies (003 Figs. 3, 4, 7)
    C_gamma     structure as cast, events at a strain, or the n-th event (Figs. 4, 6)
    C_Delta     structure a strain Delta gamma before an event, and that event (Fig. 4)

Errors are over samples, which are independent; events of one are not (`numbers.ranking.mean_score`). Everything is said of all
events, and, if a least energy is given, of those that dissipate at least so much: the others are micro-events, and do not count
when events are numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.prediction.forecasts import AFFINE, BEFORE, NONAFFINE, ONSET, STRAIN, Forecasts
from hpcglass.analysis.tables import Table
from hpcglass.numbers.ranking import mean_score

Floats = NDArray[np.float64]
Rows = list[dict[str, float]]
Pick = Callable[[Forecasts], Floats]        # (I, n) ranks of one sample that enter

FEWEST = 2              # samples of which a mean has an error
GRID = np.linspace(0.0, 1.0, 101)       # of 1 - r


def scored(samples: Sequence[Forecasts], pick: Pick) -> dict[str, float]:
    """C_<name> and error_<name> of each indicator, and the numbers of samples and events."""
    picked = [ranks for ranks in map(pick, samples) if ranks.shape[1]]
    row = {"samples": float(len(picked)), "events": float(sum(ranks.shape[1] for ranks in picked))}
    for i, name in enumerate(samples[0].names):
        row[f"C_{name}"], row[f"error_{name}"] = mean_score([ranks[i] for ranks in picked])
    return row


def first_ranks(sample: Forecasts, kind: int, least_energy: float) -> Floats:
    """(I, 1) ranks at the first event, of the configuration of a kind that belongs to it; (I, 0) if there is none."""
    events = sample.chosen(least_energy)[:1]
    if kind == STRAIN:
        found = np.array([k for k in [sample.cast()] if k is not None], dtype=np.int64)
    else:
        found = np.flatnonzero((sample.kind == kind) & np.isin(sample.event, sample.number[events]))[:1]
    return sample.ranks[:, found][:, :, events].reshape(len(sample.names), -1)


def first(samples: Sequence[Forecasts], least_energy: float) -> Rows:
    """C_min, of each kind of configuration that there is."""
    rows: Rows = []
    for kind in (STRAIN, AFFINE, NONAFFINE, ONSET):
        row = scored(samples, lambda one, kind=kind: first_ranks(one, kind, least_energy))     # type: ignore[misc]
        if row["events"]:
            strains = [float(one.critical[one.chosen(least_energy)[0]]) for one in samples if one.chosen(least_energy).size]
            rows.append({"kind": kind, "strain": float(np.mean(strains)), "strain_error": error(strains), **row})
    return rows


def cumulative(samples: Sequence[Forecasts], least_energy: float) -> Rows:
    """F(1 - r): share of the samples in which so small a part of the particles was called softer, as cast, first event."""
    ranks = [found for found in (first_ranks(one, STRAIN, least_energy) for one in samples) if found.shape[1]]
    if not ranks:
        return []
    missed = 1.0 - np.concatenate(ranks, axis=1)
    shares = [(missed <= x + 1e-12).mean(axis=1) for x in GRID]
    return [{"missed": float(x), **{f"F_{name}": float(share[i]) for i, name in enumerate(samples[0].names)}}
            for x, share in zip(GRID, shares, strict=True)]


def against_strain(samples: Sequence[Forecasts], least_energy: float, bins: int) -> Rows:
    """C_gamma of events in bins of the strain, as cast, and the energy dissipated until the middle of the bin, per volume."""
    if (end := max((float(one.curve[0, -1]) for one in samples), default=0.0)) <= 0.0:
        return []
    edges, rows = np.linspace(0.0, end, bins + 1), []
    for low, high in pairwise(edges.tolist()):
        def pick(one: Forecasts, low: float = low, high: float = high) -> Floats:
            cast, events = one.cast(), one.chosen(least_energy)
            if cast is None:
                return one.ranks[:, 0, :0]
            return one.ranks[:, cast, events[(one.critical[events] > low) & (one.critical[events] <= high)]]

        middle = 0.5 * (low + high)
        lost = [float(np.interp(middle, *one.curve)) for one in samples if one.curve[0, -1] >= middle]
        rows.append({"strain": middle, "dissipation_density": float(np.mean(lost)), "dissipation_density_error": error(lost),
                     **scored(samples, pick)})
    return rows


def against_number(samples: Sequence[Forecasts], least_energy: float) -> Rows:
    """C_gamma of the n-th event, as cast; as long as half of the samples have as many."""
    counts = np.array([one.chosen(least_energy).size for one in samples])
    rows: Rows = []
    for n in range(int(counts.max(initial=0))):
        if (counts > n).sum() < max(FEWEST, len(samples) / 2):
            break

        def pick(one: Forecasts, n: int = n) -> Floats:
            cast, events = one.cast(), one.chosen(least_energy)[n: n + 1]
            return one.ranks[:, 0, :0] if cast is None else one.ranks[:, cast, events]

        strains = [float(one.critical[one.chosen(least_energy)[n]]) for one in samples if one.chosen(least_energy).size > n]
        rows.append({"number": n + 1, "strain": float(np.mean(strains)), "strain_error": error(strains), **scored(samples, pick)})
    return rows


def before(samples: Sequence[Forecasts], least_energy: float) -> Rows:
    """C_Delta: a strain before each event."""
    distances = sorted({float(f"{x:.9g}") for one in samples for x in one.distance[one.kind == BEFORE]})
    rows: Rows = []
    for distance in distances:
        def pick(one: Forecasts, distance: float = distance) -> Floats:
            pairs = [(k, e) for e in one.chosen(least_energy) for k in np.flatnonzero(
                (one.kind == BEFORE) & (one.event == one.number[e]) & (np.abs(one.distance - distance) < 1e-6 * distance))]
            here, there = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
            return one.ranks[:, here, there]

        rows.append({"distance": distance, **scored(samples, pick)})
    return rows


def error(values: Iterable[float]) -> float:
    """Standard error of the mean, NaN of a single one."""
    known = np.array(list(values))
    return float(known.std(ddof=1) / np.sqrt(known.size)) if known.size >= FEWEST else float("nan")


def joined(rows: Rows, units: dict[str, str], names: dict[str, str]) -> Table:
    """Rows with the same columns as a table."""
    return Table({column: np.array([row[column] for row in rows], dtype=np.float64) for column in rows[0]},
                 {column: units.get(column, "") for column in rows[0]},
                 {column: names.get(column, column) for column in rows[0]})
