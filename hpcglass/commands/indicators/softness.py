"""Train a support vector machine to tell soft from stiff neighbourhoods, for the indicator `softness`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.commands.common import add_number
from hpcglass.errors import FileError, InputError

if TYPE_CHECKING:
    from hpcglass.analysis.softness.training import Trained
    from hpcglass.io.share import Answer, Ranks

HELP = "train the indicator `softness` on located events"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["train"], help="train: find the plane between soft and stiff neighbourhoods")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="directories of runs, ensembles or sweeps with a "
                        "located loading, of one model and preparation")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="weights, for the key `softness`")
    parser.add_argument("--stage", default="shear", metavar="LABEL", help="the loading (default: shear)")
    add_number(parser, "--least-energy", float, least=0.0, default=0.0, metavar="E",
               help="events that dissipate at least so much")
    add_number(parser, "--held-out", int, least=2, default=4, metavar="N", help="each N-th sample is held out (default: 4)")
    add_number(parser, "--seed", int, least=0, most=2**32 - 1, default=1, help="of the choice of examples (default: 1)")


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.analysis.softness.labels import examples
    from hpcglass.analysis.softness.training import train

    cases = json.loads(ranks.first(lambda: _look(options)))

    def read(case: str) -> Answer:
        try:
            model, functions, labels = examples(case, options.stage, options.least_energy)
            return model, [functions, labels]
        except (InputError, FileError) as error:
            return f"skipped: {error}", []

    samples, sources, models = [], [], set()
    for case, (text, arrays) in zip(cases, ranks.each(read, cases), strict=True):
        if not len(arrays):
            ranks.say(text)
            continue
        models.add(text)
        sources.append(case)
        samples.append((arrays[0], arrays[1]))
    if len(models) > 1:
        raise InputError(f"the runs are of {len(models)} models: {'; '.join(sorted(models))}. Train on one")
    found = train(next(iter(models), ""), samples, options.held_out, options.seed)
    error = f" +- {found.error:.3f}" if found.error == found.error else ""
    ranks.say(f"{len(samples)} samples, {found.trained} examples; of {found.held_out} held-out ones {found.accuracy:.3f}{error} "
              "are right")
    ranks.say(ranks.first(lambda: _write(options, found, sources)))
    return 0


def _look(options: argparse.Namespace) -> str:
    """Directories of the samples, in JSON."""
    from hpcglass.analysis.open_run import Run
    from hpcglass.results.opening import open_results
    from hpcglass.results.sweep import Sweep

    if not options.output.parent.is_dir():
        raise InputError(f"{options.output}: there is no directory {options.output.parent}")
    cases = []
    for directory in options.runs:
        opened = open_results(directory)
        if not isinstance(opened, Run | Sweep):
            raise InputError(f"{directory}: is a file; give the directory of runs")
        cases += [str(case.directory) for case in opened.cases]
    return json.dumps(cases)


def _write(options: argparse.Namespace, found: Trained, sources: Sequence[str]) -> str:
    """The file of weights; its name."""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents, plane = Contents(), found.plane
    provenance.put(contents, MPI.COMM_SELF, "hpcglass softness train\n", "", 0, [])
    contents.value("/provenance/sources", "\n".join(sources), "", "directories of the samples")
    contents.value("/results/softness_model", plane.model, "", "model of the glasses that it was trained on")
    contents.value("/results/softness_preparation", _preparation(Path(sources[0]), options.stage), "",
                   "stages before the loading of the first sample, in JSON")
    numbers: dict[str, tuple[Any, str]] = {
        "intercept": (plane.intercept, "b of S = w.(G - mean)/scale + b"), "accuracy": (found.accuracy, "on held-out samples"),
        "accuracy_error": (found.error, "its standard error over samples"), "trained": (found.trained, "examples"),
        "held_out": (found.held_out, "held-out examples")}
    for name, (value, what) in numbers.items():
        contents.value(f"/results/softness_{name}", value, "", what)
    contents.table("/results/softness_plane", {
        "weight": (plane.weight, "", "w, of each structure function"), "mean": (plane.mean, "", "over the examples"),
        "scale": (plane.scale, "", "their standard deviation")}, "weight")
    h5.write(MPI.COMM_SELF, options.output, contents)
    return str(options.output)


def _preparation(directory: Path, stage: str) -> str:
    from hpcglass.analysis.collect.rows import stage_files
    from hpcglass.analysis.open_run import read_stage

    told = []
    for label, path in stage_files(directory).items():
        if label == stage:
            break
        told.append(dict(read_stage(path).params))
    return json.dumps(told, default=str)
