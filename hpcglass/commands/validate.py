"""Check an input file completely and say what the run will need; nothing is run."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from hpcglass import launcher, registry, sweep
from hpcglass.commands.common import add_input, add_number
from hpcglass.commands.parts.estimate import Estimate, estimate, machine_memory, size
from hpcglass.config import Config, read_text
from hpcglass.config.checks import refuse_walls
from hpcglass.config.points import Point
from hpcglass.errors import InputError
from hpcglass.potentials.model import HIGHEST, Model
from hpcglass.solvers import refuse_missing
from hpcglass.words import show

HELP = "check an input file, estimate memory, disk and time"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    add_number(parser, "--ranks", int, least=1, default=1, metavar="P", help="number of MPI ranks to estimate for (default 1)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(options: argparse.Namespace) -> int:
    try:
        whole = sweep.Sweep.read(read_text(options.input), options.input, options.set)
        config, tasks = whole.config, whole.tasks(Path())
        refuse_missing(config, options.input)
        needs, said = _needs(whole, tasks, options.ranks)
    except InputError as error:
        if not options.json:
            raise
        if launcher.rank() == 0:
            print(json.dumps({"valid": False, "problems": str(error).splitlines()}, indent=1))
        return error.exit_code
    if launcher.rank() == 0:
        longest = max(range(len(needs)), key=lambda k: (needs[k].seconds, needs[k].memory_per_rank))
        total = {"tasks": len(needs), "sweep_disk": sum(n.disk for n in needs), "sweep_seconds": sum(n.seconds for n in needs)}
        if options.json:
            print(json.dumps({"valid": True, **dataclasses.asdict(needs[longest]), **(total if config.sweep else {}),
                              **({"start": said} if said else {})}, indent=1))
        else:
            show(report(next(whole.inputs([tasks[longest]])) if tasks else config, needs[longest]))
            for line in said:
                show(f"  start               {line}")
            if config.sweep:
                show(f"  sweep               {len(needs)} tasks; above is task {longest}, the longest. All in turn: "
                     f"{size(total['sweep_disk'])}, {duration(total['sweep_seconds'])}")
    return 0


def _needs(whole: sweep.Sweep, tasks: Sequence[sweep.Task], ranks: int) -> tuple[list[Estimate], tuple[str, ...]]:
    """Of each task, or of the input without a sweep, and what is to be said of the file that all start from, if from any."""
    system = whole.config.system
    start = _size(whole.config) if system is not None and system.file is not None else None
    inputs = whole.inputs(tasks) if tasks else [whole.config]
    return [estimate(config, *(start or _size(config))[:2], ranks) for config in inputs], start[2] if start else ()


def _size(config: Config | Point) -> tuple[int, float, tuple[str, ...]]:
    """Particles and density, read from the file where the run starts from one, and what is to be said about it.

    There are no particles without [system].
    """
    system = config.system
    if system is None:
        return 0, 0.0, ()
    if system.file is not None:
        from hpcglass.io.adopt import start_configuration

        model = config.glass()
        assert model is not None
        start, said = start_configuration(system, model)
        refuse_walls(config.stage, system.file, start.walls is not None)
        return len(start.position), start.density, said
    assert system.particles is not None and system.density is not None
    return system.particles, system.density, ()


def report(config: Config | Point, needs: Estimate) -> str:
    """The estimate in words."""
    stages = ", ".join(params.kind for params in config.stage)
    samples = f", {config.ensemble.samples} samples" if config.ensemble.samples > 1 else ""
    lines = [f"valid: {stages}{samples}"] if config.system is None else [
        f"valid: {stages} of {needs.particles} particles of {config.system.model} in {config.system.dimension}D{samples}",
        f"  particles per rank  {needs.particles_per_rank:.0f} on {needs.ranks} rank{'s' * (needs.ranks > 1)}"]
    if (model := config.glass()) is not None and model.name not in registry.models().own:
        lines.append(f"  potential           {smoothness(model)}")
    lines += [
        f"  memory per rank     {size(needs.memory_per_rank)}",
        f"  disk                {size(needs.disk)} in about {needs.files} files",
        f"  time                {duration(needs.seconds)} (good to a factor of 3)" if needs.seconds else
        "  time                not known for these stages"]
    there, all_ranks = machine_memory(), needs.memory_per_rank * needs.ranks
    if needs.memory_per_rank > there:
        lines.append(f"  note                one rank needs more memory than this machine has ({size(there)})")
    elif all_ranks > there:
        lines.append(f"  note                all ranks need {size(all_ranks)}, this machine has {size(there)}")
    if 0 < needs.particles_per_rank < 200 and needs.ranks > 1:
        lines.append("  note                fewer than 200 particles per rank: fewer ranks will be faster")
    return "\n".join(lines)


def smoothness(model: Model) -> str:
    """To which derivative a potential is continuous, and to which it is finite."""
    continuity, bounded = model.potential.continuity, model.potential.bounded
    names = ["phi", *("phi" + "'" * n for n in range(1, HIGHEST + 1))]
    text = f"continuous up to {names[continuity]}" if continuity < HIGHEST else f"continuous with {HIGHEST} derivatives"
    return text + (f", {names[int(bounded) + 1]} is infinite at contact" if bounded < HIGHEST else "")


def duration(seconds: float) -> str:
    """A time for people."""
    for limit, scale, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.2g} {unit}"
    return f"{seconds / 86400:.3g} days"
