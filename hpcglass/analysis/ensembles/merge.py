"""Merge one stage of the samples of an ensemble: histograms, power laws, lengths, means, all with errors.

>>> ensemble = merge(["results/many"], "bonds")
>>> tables, numbers = ensemble.finish()
>>> tables["eigenvalue_tail"]["prefactor"]

Stage files are read one after the other; what is kept of them does not grow with their number (see `collectors.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hpcglass.analysis.ensembles.collectors import (
    BLOCKS,
    BondDistribution,
    Collector,
    Columns,
    Numbers,
    Rows,
    Sample,
    Scalars,
    make_table,
)
from hpcglass.analysis.ensembles.events import Activity, BandProfile, events, loading
from hpcglass.analysis.ensembles.lattices import Avalanches
from hpcglass.analysis.ensembles.spectra import KINDS, Overlaps, Spectrum
from hpcglass.analysis.open_run import STAGE_FILE, Run, Table, open_run, read_stage, read_table
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged

COLLECTORS: dict[str, Callable[[Sample], Collector]] = {
    **{kind.table: partial(Spectrum, kind) for kind in KINDS},
    "pseudo_harmonic": Overlaps, "bond_distribution": BondDistribution,
    "decay": partial(Rows, "decay", "mean_decay", True),
    "loading": loading, "events": events, "activity": Activity, "band_profile": BandProfile,
    "avalanche_slips": Avalanches}
PRIVATE = ("system.file",)       # keys of the input in which the samples of an ensemble may differ


class Ensemble:
    """The samples merged so far.

    Attributes
    ----------
    first : the first sample; the others must agree with it
    sources : "file seal" of each
    skipped : what is wrong with each sample that was left out
    """

    def __init__(self) -> None:
        self.first: Sample | None = None
        self.sources: list[str] = []
        self.skipped: list[str] = []
        self._collectors: dict[str, Collector] = {}
        self._seen: dict[str, Path] = {}

    @property
    def samples(self) -> int:
        return len(self.sources)

    def add(self, sample: Sample) -> None:
        """Take a sample; one that is already there, under whatever name, is skipped.

        Raises
        ------
        InputError
            The sample was made from another input.
        """
        if self.first is None:
            self.first = sample
            self._collectors = {"": Scalars(sample)}
            self._collectors |= {name: make(sample) for name, make in COLLECTORS.items() if name in sample.tables}
        refuse_different(self.first, sample)
        missing = sorted(name for name in self._collectors if name and name not in sample.tables)
        twin = self._seen.get(sample.fingerprint)
        if missing or twin is not None:
            why = f"has no table {missing[0]}" if missing else f"is the same configuration as {twin}"
            self.skipped.append(f"{sample.path}: {why}")
            return
        if sample.fingerprint:
            self._seen[sample.fingerprint] = sample.path
        for collector in self._collectors.values():
            collector.add(sample, self.samples % BLOCKS)
        self.sources.append(f"{sample.path} {sample.seal}")

    def finish(self) -> tuple[dict[str, Table], Numbers]:
        """Tables and single numbers of the ensemble; see docs/statistics.md."""
        assert self.first is not None
        tables: dict[str, Table] = {}
        numbers: Numbers = {"samples": (float(self.samples), "", "number of samples"),
                            "particles": (float(self.first.particles), "", "particles of a sample"),
                            "dimension": (float(self.first.dimension), "", "number of space dimensions")}
        for collector in self._collectors.values():
            more, values = collector.finish(min(self.samples, BLOCKS))
            tables |= more
            numbers |= values
        return tables, numbers


def merge(directories: Iterable[str | Path], stage: str) -> Ensemble:
    """Merge the stage's file of every sample.

    Parameters
    ----------
    directories : run directories, of one sample or of an ensemble (`sample-*` below)
    stage : label of the stage, or its number and label as in the file's name

    Returns
    -------
    Ensemble
        Samples that are missing or damaged are named in its `skipped`.

    Raises
    ------
    InputError
        There is no such run, no sample has such a stage, or the samples differ in their inputs.
    FileError
        All files are damaged.
    """
    files, missing, known = stage_files(directories, stage)
    ensemble = Ensemble()
    ensemble.skipped = [f"{directory}: stage '{stage}' is not there" for directory in missing]
    if not files:
        raise InputError(f"--stage {stage}: no sample has it{did_you_mean(stage, known)}; stages: {', '.join(known) or 'none'}")
    for path in files:
        try:
            sample = read_sample(path)
        except FileError as error:
            ensemble.skipped.append(str(error))
            continue
        ensemble.add(sample)
    if not ensemble.samples:
        raise FileError("no sample could be read:\n  " + "\n  ".join(ensemble.skipped))
    return ensemble


def stage_files(directories: Iterable[str | Path], stage: str) -> tuple[list[Path], list[Path], list[str]]:
    """Files of the stage, directories of samples without it, and labels of all stages that there are."""
    runs: dict[Path, Run] = {}
    for directory in directories:
        run = open_run(directory)
        for one in run.samples or [run]:
            runs.setdefault(one.directory.resolve(), one)
    files, missing, known = [], [], set()
    for run in runs.values():
        known |= {name[3:] for name in run.files}
        found = [path for name, path in run.files.items() if stage in (name, name[3:])]
        if len(found) > 1:
            raise InputError(f"{run.directory}: stage '{stage}' is there {len(found)} times; "
                             f"use one of {', '.join(path.stem for path in found)}")
        files += found
        missing += [] if found else [run.directory]
    return files, missing, sorted(known)


def read_sample(path: Path) -> Sample:
    """Read tables and numbers of a stage file, not its fields.

    Raises
    ------
    FileError
        The file is damaged or not a stage file.
    """
    with File(path) as file:
        refuse_exchanged(file)
        try:
            return _sample(file, path)
        except (KeyError, ValueError) as error:
            raise FileError(f"{path}: not a stage file ({error})") from error


def _sample(file: File, path: Path) -> Sample:
    tables, results = {}, {}
    for name in file.names("/results"):
        place = f"/results/{name}"
        if file.is_group(place):
            tables[name] = read_table(file, name)
        elif file.shape(place) == () and not isinstance(value := file.value(place), str | bool):
            told = file.attributes(place)
            results[name] = (float(value), str(told.get("units", "")), str(told.get("long_name", name)))
    if "/particles/all" in file:
        position = "/particles/all/position/value"
        particles, dimension = file.shape(position)[-2:]
        volume = abs(float(np.linalg.det(file.value("/particles/all/box/edges/value", -1))))
        fingerprint = file.hash(position)
    else:                                           # a lattice: its sites have the volume 1
        particles, dimension, fingerprint = int(results["sites"][0]), 2, ""
        volume = float(particles)
    resolved = file.value("/provenance/resolved_input")
    match = STAGE_FILE.fullmatch(path.name)
    data = substituted(tomllib.loads(resolved))
    index = int(match[1]) if match else 0
    stages = data.get("stage", [])
    return Sample(path, resolved, shared_inputs(data, index), stages[index] if index < len(stages) else {},
                  particles, dimension, volume, tables, results, fingerprint, file.name)


def substituted(data: dict[str, Any]) -> dict[str, Any]:
    """An input with the numbers of its [parameters] in place of "$name"."""
    numbers = {f"${name}": value for name, value in data.get("parameters", {}).items()}

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(item) for key, item in value.items()}
        if isinstance(value, list):
            return [put(item) for item in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    return {key: put(value) for key, value in data.items()}


def shared_inputs(data: dict[str, Any], index: int) -> dict[str, Any]:
    """What samples of one ensemble have in common, flat: system, model, and the stages up to this one."""
    flat: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict | list):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(item, f"{path}.{key}")
        elif path not in PRIVATE:
            flat[path] = value

    for name, value in {**data, "stage": data.get("stage", [])[: index + 1]}.items():
        if name in ("system", "model", "stage"):
            walk(value, name)
    return flat


def refuse_different(first: Sample, sample: Sample) -> None:
    """Raise InputError if two samples are not of one ensemble, with the first key that differs."""
    a = {**first.inputs, "number of particles": first.particles, "dimension": first.dimension}
    b = {**sample.inputs, "number of particles": sample.particles, "dimension": sample.dimension}
    for key in {**a, **b}:
        if a.get(key) != b.get(key):
            raise InputError(f"these are samples of different ensembles: {key} is {a.get(key, 'not set')} in {first.path} "
                             f"but {b.get(key, 'not set')} in {sample.path}; merge them separately")


def compare(files: Sequence[str | Path], reference: int = -1) -> Table:
    """Strength of the soft tail and length of soft modes in several merged files, relative to one of them.

    Parameters
    ----------
    files : written by `hpcglass merge`, e.g. one per parent temperature
    reference : index of the one that the ratios refer to

    Returns
    -------
    Table
        A row per file: the numeric keys of the inputs in which they differ (such as stage.0.temperature), `prefactor` A of the
        fit with fixed exponent, `prefactor_scaled` (in units of omega_0), `mode_length` xi, the ratios of all three to
        the reference, and errors. Where a file has no such thing there is NaN.

    Raises
    ------
    InputError
        A file was not made by `hpcglass merge`.

    Notes
    -----
    Fig. 5 of J. A. Giannini et al., Phys. Rev. E 104, 044905 (2021).
    """
    rows, inputs = [], []
    for path in map(Path, files):
        stage = read_stage(path)
        if "samples" not in stage.results:
            raise InputError(f"{path}: not a merged file; make one with `hpcglass merge`")
        with File(path) as file:
            data = substituted(tomllib.loads(file.value("/provenance/resolved_input")))
        inputs.append(shared_inputs(data, len(data.get("stage", []))))
        tail: dict[str, Any] = stage.tables.get("eigenvalue_tail") or stage.tables.get("omega_tail") or {}
        fixed = {name: column[tail["fixed"] == 1][0] for name, column in tail.items()}
        row = {name: float(fixed.get(name, np.nan)) for name in ("prefactor", "prefactor_scaled")}
        row |= {f"{name}_error": float(fixed.get(f"{name}_error", np.nan)) for name in ("prefactor", "prefactor_scaled")}
        row |= {name: float(stage.results.get(name, np.nan)) for name in ("mode_length", "mode_length_error")}
        rows.append(row)
    keys = [key for key in inputs[0] if len({one.get(key) for one in inputs}) > 1
            and all(isinstance(one.get(key), int | float) for one in inputs)]
    columns: Columns = {key: ([one[key] for one in inputs], "", f"{key} of the input") for key in keys}
    for name in ("prefactor", "prefactor_scaled", "mode_length"):
        value, error = (np.array([row[which] for row in rows]) for which in (name, f"{name}_error"))
        ratio = value / value[reference]
        relative = np.hypot(error / value, (error / value)[reference])
        relative[reference] = 0.0
        columns |= {name: (value, "", name.replace("_", " ")), f"{name}_error": (error, "", "its error"),
                    f"{name}_ratio": (ratio, "", f"{name.replace('_', ' ')} over that of the reference"),
                    f"{name}_ratio_error": (ratio * relative, "", "its error")}
    return make_table(columns)
