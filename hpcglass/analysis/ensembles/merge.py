"""Merge one stage of the samples of an ensemble: histograms, power laws, lengths, means, all with errors.

    >>> ensemble = merge(["results/many"], "bonds")
    >>> tables, numbers = ensemble.finish()
    >>> tables["eigenvalue_tail"]["prefactor"]

What is kept of the stage files does not grow with their number (see `collectors.py`). Several processes may share the work: each
reads some of the files, all hear of all samples, in the same order, and each has some of the collectors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
from hpcglass.analysis.ensembles.packed import Answer, pack_results, pack_sample, unpack_results, unpack_sample
from hpcglass.analysis.ensembles.spectra import KINDS, Overlaps, Participations, Spectrum
from hpcglass.analysis.ensembles.strengths import Strengths
from hpcglass.analysis.open_run import STAGE_FILE, Run, Table, open_run, read_stage, read_table
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged

COLLECTORS: list[tuple[str, Callable[[Sample], Collector]]] = [         # tables, and what is kept of them
    *((kind.table, partial(make, kind)) for kind in KINDS for make in (Spectrum, Participations)),
    ("pseudo_harmonic", Overlaps), ("bond_distribution", BondDistribution),
    ("decay", partial(Rows, "decay", "mean_decay", True)),
    ("loading", loading), ("events", events), ("activity", Activity), ("band_profile", BandProfile),
    ("avalanche_slips", Avalanches), ("blocks", Strengths), ("strength", partial(Rows, "strength", "mean_strength", False))]
PRIVATE = ("system.file",)       # keys of the input in which the samples of an ensemble may differ


class Ensemble:
    """The samples merged so far.

    Attributes
    ----------
    part, parts : which of the collectors this process has: those whose number is `part` modulo `parts`
    first : the first sample; the others must agree with it
    sources : "file seal" of each
    skipped : what is wrong with each sample that was left out
    """

    def __init__(self, part: int = 0, parts: int = 1) -> None:
        self.first: Sample | None = None
        self.sources: list[str] = []
        self.skipped: list[str] = []
        self.part, self.parts = part, parts
        self._wanted: set[str] = set()
        self._collectors: dict[int, Collector] = {}
        self._seen: dict[str, Path] = {}
        self._fault: InputError | None = None

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
            known = [(table, make) for table, make in COLLECTORS if table in sample.tables]
            self._wanted = {table for table, _ in known}
            makers = list(enumerate([Scalars, *(make for _, make in known)]))
            self._collectors = {number: make(sample) for number, make in makers[self.part::self.parts]}
        refuse_different(self.first, sample)
        missing = sorted(self._wanted - sample.tables.keys())
        twin = self._seen.get(sample.fingerprint)
        if missing or twin is not None:
            why = f"has no table {missing[0]}" if missing else f"is the same configuration as {twin}"
            self.skipped.append(f"{sample.path}: {why}")
            return
        if sample.fingerprint:
            self._seen[sample.fingerprint] = sample.path
        try:
            for collector in self._collectors.values():
                collector.add(sample, self.samples % BLOCKS)
        except InputError as error:         # of this process alone: it is raised when all tell what they found
            if self.parts == 1:
                raise
            self._fault = self._fault or error
        self.sources.append(f"{sample.path} {sample.seal}")

    def results(self) -> Answer:
        """What the collectors of this process make of their samples.

        Raises
        ------
        InputError
            A sample does not fit.
        """
        if self._fault is not None:
            raise self._fault
        blocks = min(self.samples, BLOCKS)
        return pack_results({number: collector.finish(blocks) for number, collector in self._collectors.items()})

    def finish(self, answers: Sequence[Answer] = ()) -> tuple[dict[str, Table], Numbers]:
        """Tables and single numbers of the ensemble, from the `results` of all processes; see docs/statistics.md."""
        assert self.first is not None
        tables: dict[str, Table] = {}
        numbers: Numbers = {"samples": (float(self.samples), "", "number of samples"),
                            "particles": (float(self.first.particles), "", "particles of a sample"),
                            "dimension": (float(self.first.dimension), "", "number of space dimensions")}
        for more, values in unpack_results(answers or [self.results()]).values():
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
    return merge_files(stage_files(directories, stage), stage)


Share = Callable[[Callable[[Path], Answer], Sequence[Path]], Iterable[Answer]]      # what `map` does, by several processes


def merge_files(found: Found, stage: str, share: Share = map, part: int = 0, parts: int = 1) -> Ensemble:
    """Merge files that were found, see `merge`; this process has one of several parts of the result."""
    ensemble = Ensemble(part, parts)
    ensemble.skipped = [f"{directory}: stage '{stage}' is not there" for directory in found.missing]
    if not found.files:
        known = ", ".join(found.known) or "none"
        raise InputError(f"--stage {stage}: no sample has it{did_you_mean(stage, found.known)}; stages: {known}")
    for text, arrays in share(contribution, [Path(path) for path in found.files]):
        sample = unpack_sample(text, arrays)
        if isinstance(sample, str):
            ensemble.skipped.append(sample)
        else:
            ensemble.add(sample)
    if not ensemble.samples:
        raise FileError("no sample could be read:\n  " + "\n  ".join(ensemble.skipped))
    return ensemble


@dataclass
class Found:
    """Files of a stage and their sizes, directories of samples without it, and labels of all stages that there are."""

    files: list[str]
    sizes: list[int]
    missing: list[str]
    known: list[str]


def stage_files(directories: Iterable[str | Path], stage: str) -> Found:
    """Look for a stage in run directories."""
    runs: dict[Path, Run] = {}
    for directory in directories:
        run = open_run(directory)
        for one in run.samples or [run]:
            runs.setdefault(one.directory.resolve(), one)
    files, missing, known = [], [], set()
    for run in runs.values():
        known |= {name[3:] for name in run.files}
        found = [str(path) for name, path in run.files.items() if stage in (name, name[3:])]
        if len(found) > 1:
            raise InputError(f"{run.directory}: stage '{stage}' is there {len(found)} times; "
                             f"use one of {', '.join(Path(path).stem for path in found)}")
        files += found
        missing += [] if found else [str(run.directory)]
    return Found(files, [Path(path).stat().st_size for path in files], missing, sorted(known))


def contribution(path: Path) -> Answer:
    """What one stage file says, or what is wrong with it."""
    try:
        return pack_sample(read_sample(path))
    except FileError as error:
        return pack_sample(str(error))


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
