"""Samples of one preparation each, and all tables over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hpcglass.analysis.prediction import scores
from hpcglass.analysis.prediction.forecasts import STRAIN, Forecasts
from hpcglass.analysis.prediction.localised import SLABS
from hpcglass.analysis.prediction.scores import Rows, error, joined
from hpcglass.analysis.tables import Table
from hpcglass.errors import InputError
from hpcglass.indicators.catalogue import INDICATORS

UNITS = {"dissipation_density": "energy/length^d", "dissipation_density_error": "energy/length^d", "x": "length",
         "least_energy": "energy"}
NAMES = {"group": "number of the preparation, see `groups`", "least_energy": "events that dissipate less do not count",
         "kind": "0 as cast, 1 onset of the event, 3 moved affinely, 4 moved affinely and nonaffinely",
         "strain": "strain", "samples": "number of samples", "events": "number of events", "number": "number of the event",
         "distance": "strain between configuration and event", "missed": "1 - rank",
         "dissipation_density": "energy dissipated since the start per volume", "x": "distance from the middle of the band",
         "row": "number of the indicator, see `indicators`", "indicator": "number of the indicator, see `distributed`"}


@dataclass
class Group:
    """A preparation.

    Parameters
    ----------
    name : for people
    values : parameters of a sweep
    samples : in order
    """

    name: str
    values: dict[str, float]
    samples: list[Forecasts]


def tables(groups: Sequence[Group], energies: Sequence[float], bins: int) -> dict[str, Table]:
    """All tables, each over all groups and least energies; those without a row are left out.

    Raises
    ------
    InputError
        Samples have not the same indicators.
    """
    everybody = [sample for group in groups for sample in group.samples]
    for sample in everybody:
        if sample.names != everybody[0].names:
            raise InputError(f"{sample.path}: has other indicators ({', '.join(sample.names)}) than {everybody[0].path} "
                             f"({', '.join(everybody[0].names)}); score them apart")
    makers: dict[str, Callable[[Sequence[Forecasts], float], Rows]] = {
        "first": scores.first, "cumulative": scores.cumulative, "number": scores.against_number, "before": scores.before,
        "strain": lambda samples, least: scores.against_strain(samples, least, bins)}
    found: dict[str, Rows] = {
        name: [{"group": g, "least_energy": least, **row} for g, group in enumerate(groups) for least in energies
               for row in make(group.samples, least)] for name, make in makers.items()}
    for name, plain in (("spearman", spearman), ("band", inside), ("profile", profile)):
        found[name] = [{"group": g, **row} for g, group in enumerate(groups) for row in plain(group.samples)]
    values = list(dict.fromkeys(name for group in groups for name in group.values))
    found["groups"] = [{"group": g, "samples": len(group.samples),
                        "located": float(sum(len(one.critical) for one in group.samples)),
                        "unlocated": float(sum(one.unlocated for one in group.samples)),
                        **{name: group.values.get(name, float("nan")) for name in values}} for g, group in enumerate(groups)]
    return {name: joined(rows, units(everybody[0].names), NAMES) for name, rows in found.items() if rows}


def units(names: Sequence[str]) -> dict[str, str]:
    """Of all columns."""
    return {**UNITS, **{f"mean_{name}": INDICATORS[name].units for name in names},
            **{f"spread_{name}": INDICATORS[name].units for name in names}}


def spearman(samples: Sequence[Forecasts]) -> Rows:
    """Mean over samples of the correlations of the ranks, in the first configuration."""
    names = samples[0].names
    mean = np.mean([one.spearman for one in samples], axis=0)
    return [{"row": i, **{name: float(mean[i, j]) for j, name in enumerate(names)}} for i in range(len(names))]


def inside(samples: Sequence[Forecasts]) -> Rows:
    """<r>_sb against strain, over the samples that have a band."""
    rows: Rows = []
    names = samples[0].names
    for strain, found in _at_strains(samples):
        row = {"strain": strain, "samples": float(len(found))}
        for i, name in enumerate(names):
            values = [one.localised.inside[i, k] for one, k in found if one.localised]
            row[f"r_{name}"], row[f"error_{name}"] = float(np.mean(values)), error(values)
        rows.append(row)
    return rows


def profile(samples: Sequence[Forecasts]) -> Rows:
    """Mean value of each indicator against the distance from the middle of the band."""
    rows: Rows = []
    names = samples[0].names
    for strain, found in _at_strains(samples):
        period = float(np.mean([one.localised.period for one, _ in found if one.localised]))
        for b in range(SLABS):
            row = {"strain": strain, "x": ((b + 0.5) / SLABS - 0.5) * period, "samples": float(len(found))}
            for i, name in enumerate(names):
                values = [one.localised.profile[i, k, b] for one, k in found if one.localised]
                row[f"mean_{name}"], row[f"spread_{name}"] = float(np.mean(values)), error(values)
            rows.append(row)
    return rows


def _at_strains(samples: Sequence[Forecasts]) -> list[tuple[float, list[tuple[Forecasts, int]]]]:
    """Strains that were looked at, and the samples with a band that were there, with the number of the configuration."""
    banded = [one for one in samples if one.localised is not None]
    strains = sorted({float(f"{x:.9g}") for one in banded for x in one.strain[one.kind == STRAIN]})
    return [(strain, [(one, int(k)) for one in banded
                      for k in np.flatnonzero((one.kind == STRAIN) & (np.abs(one.strain - strain) < 1e-9))[:1]])
            for strain in strains]
