"""What one sample says about its indicators: how soft they called each particle that then began to yield.

The rank of an event is that of its trigger, the particle that moves most in the critical mode Psi_c of the instability, in the
field of an indicator at an earlier configuration, divided by N: 1 is the softest of all (D. Richard et al., Phys. Rev.
Materials 4, 113609 (2020), Sec. III).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.collect.rows import stage_files
from hpcglass.analysis.open_run import StageResults, read_stage
from hpcglass.analysis.prediction.localised import Localised, localised
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError
from hpcglass.indicators.catalogue import INDICATORS
from hpcglass.numbers.ranking import soft_ranks, spearman

Floats = NDArray[np.float64]

STRAIN, ONSET, BEFORE, AFFINE, NONAFFINE = range(5)         # `kind` of a configuration
POINTS = 201            # of the loading curve that is kept


@dataclass
class Forecasts:
    """One sample.

    Parameters
    ----------
    path : directory of the run
    names : of the indicators
    kind, event, strain, distance : (K,) of the configurations, see `stages.indicators.along.COLUMNS`
    number, critical, energy : (E,) located events: number in the loading from 1, strain gamma_c, energy dissipated
    ranks : (I, K, E) ranks of the triggers
    spearman : (I, I) correlations of the ranks of all particles, in the first configuration
    curve : (2, P) strain, and energy dissipated until there per volume
    localised : what indicators are inside the shear band; None if there is none
    unlocated : events without a located instability
    """

    path: str
    names: list[str]
    kind: NDArray[np.int64]
    event: NDArray[np.int64]
    strain: Floats
    distance: Floats
    number: NDArray[np.int64]
    critical: Floats
    energy: Floats
    ranks: Floats
    spearman: Floats
    curve: Floats
    localised: Localised | None
    unlocated: int

    def cast(self) -> int | None:
        """Which configuration is the glass as cast, if any."""
        found = np.flatnonzero((self.kind == STRAIN) & (self.strain == 0.0))
        return int(found[0]) if found.size else None

    def chosen(self, least_energy: float) -> NDArray[np.int64]:
        """Which events dissipate at least so much, in order."""
        return np.flatnonzero(self.energy >= least_energy)


def stages_of(directory: Path, label: str) -> tuple[StageResults, StageResults]:
    """The stage `indicators` of a run, and its loading.

    Raises
    ------
    InputError
        There is no such stage, or no loading; or it is not of these kinds.
    FileError
        A file is damaged.
    """
    files = stage_files(directory)
    if label not in files:
        raise InputError(f"{directory}: no stage {label}{did_you_mean(label, files)} (stages: {', '.join(files) or 'none'}); "
                         "choose it by --stage")
    stage = read_stage(files[label])
    if stage.params.get("kind") != "indicators":
        raise InputError(f"{files[label]}: is a stage {stage.params.get('kind')}, not indicators; choose one by --stage")
    return stage, _loading(directory, files, label, stage.params.get("of"))


def _loading(directory: Path, files: dict[str, Path], label: str, of: str | None) -> StageResults:
    """That which the stage looked at, or the next one."""
    if of is not None:
        if of not in files:
            raise InputError(f"{directory}: no stage {of}, along which the indicators are")
        return read_stage(files[of])
    labels = list(files)
    for later in labels[labels.index(label) + 1:]:
        found = read_stage(files[later])
        if found.params.get("kind") == "shear":
            return found
    raise InputError(f"{directory}: no stage shear after {label}, whose events could be foretold")


def forecasts(directory: str | Path, label: str = "indicators") -> Forecasts:
    """Read a sample (one process).

    Raises
    ------
    InputError
        As `stages_of`; or the events of the loading were not located, or it has no configuration.
    FileError
        A file is damaged.
    """
    return of_stages(str(directory), *stages_of(Path(directory), label))


def of_stages(path: str, stage: StageResults, loading: StageResults) -> Forecasts:
    """The same of what was read: the stage `indicators`, and its loading."""
    events = loading.tables.get("events")
    if events is None or "trigger_id" not in events:
        raise InputError(f"{loading.path}: its events were not located, so that nobody knows where they began: "
                         "locate = true in the stage shear")
    names = [name for name in INDICATORS if name in stage.fields]
    if not names:
        raise InputError(f"{stage.path}: has no indicator that this hpcglass knows")
    kind, event, strain, distance = _configurations(stage)
    located = np.flatnonzero(np.isfinite(events["gamma_c"]))
    trigger = events["trigger_id"][located].astype(np.int64)
    softness = np.array([[ranked(values, INDICATORS[name].soft) for values in columns(stage, name).T] for name in names])
    table = loading.tables["loading"]
    grid = np.linspace(0.0, float(table["strain"].max()), POINTS)
    return Forecasts(
        path, names, kind, event, strain, distance, located + 1, events["gamma_c"][located],
        events["energy_drop"][located], softness[:, :, trigger], spearman(softness[:, 0]),
        np.array([grid, np.interp(grid, table["strain"], table["dissipation_density"])]),
        localised(stage, loading, softness, np.array([columns(stage, name).T for name in names])),
        int(events.rows - len(located)))


def ranked(values: Floats, soft: str) -> Floats:
    """(N,) ranks; NaN where nobody has a value, as an indicator that needs a minimum has none in a moved copy."""
    return np.full(len(values), np.nan) if np.isnan(values).all() else soft_ranks(values, soft)


def columns(stage: StageResults, name: str) -> Floats:
    """(N, K) values of an indicator, a column for each configuration."""
    values = np.asarray(stage.fields[name], dtype=np.float64)
    return values if values.ndim == 2 else values[:, None]


def _configurations(stage: StageResults) -> tuple[Any, Any, Floats, Floats]:
    """Kind, event, strain, distance of each; without a loading of its own the stage has looked at the glass as cast."""
    table = stage.tables.get("configurations")
    if table is None:
        return np.array([STRAIN]), np.array([0]), np.zeros(1), np.full(1, np.nan)
    if not table.rows:
        raise InputError(f"{stage.path}: has no configuration")
    return table["kind"].astype(np.int64), table["event"].astype(np.int64), table["strain"], table["distance"]
