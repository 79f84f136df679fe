"""Check an input file completely and say what the run will need; nothing is run."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from hpcglass import launcher, sweep
from hpcglass.commands.common import add_input
from hpcglass.commands.estimate import Estimate, estimate
from hpcglass.config import Config, read_text
from hpcglass.errors import InputError

HELP = "check an input file, estimate memory, disk and time"


def add_options(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument("--ranks", type=int, default=1, metavar="P", help="number of MPI ranks to estimate for (default 1)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(options: argparse.Namespace) -> int:
    try:
        if options.ranks < 1:
            raise InputError(f"--ranks {options.ranks}: must be at least 1")
        config = Config.load(options.input, options.set)
        configs = _points(config, options)
        needs = _needs(configs, options.ranks)
    except InputError as error:
        if not options.json:
            raise
        if launcher.rank() == 0:
            print(json.dumps({"valid": False, "problems": str(error).splitlines()}, indent=1))
        return error.exit_code
    if launcher.rank() == 0:
        longest = max(range(len(needs)), key=lambda k: (needs[k].seconds, needs[k].memory_per_rank))
        whole = {"tasks": len(needs), "sweep_disk": sum(n.disk for n in needs), "sweep_seconds": sum(n.seconds for n in needs)}
        if options.json:
            print(json.dumps({"valid": True, **dataclasses.asdict(needs[longest]), **(whole if config.sweep else {})}, indent=1))
        else:
            print(report(configs[longest], needs[longest]))
            if config.sweep:
                print(f"  sweep               {len(needs)} tasks; above is task {longest}, the longest. All in turn: "
                      f"{size(whole['sweep_disk'])}, {duration(whole['sweep_seconds'])}")
    return 0


def _points(config: Config, options: argparse.Namespace) -> list[Config]:
    """The inputs of all tasks of a sweep, checked; or just the input."""
    every = sweep.tasks(config, Path(), options.set)
    text = read_text(options.input) if every else ""
    return [task.configure(text, options.input, options.set) for task in every] or [config]


def _needs(configs: list[Config], ranks: int) -> list[Estimate]:
    """Of each task. They all start from the same file, if from any."""
    system = configs[0].system
    if system is not None and system.file is not None:
        start = _size(configs[0])
        return [estimate(config, *start, ranks) for config in configs]
    return [estimate(config, *_size(config), ranks) for config in configs]


def _size(config: Config) -> tuple[int, float]:
    """Particles and density, read from the file where the run starts from one; no particles without [system]."""
    system = config.system
    if system is None:
        return 0, 0.0
    if system.file is not None:
        from hpcglass.io.convert import start_configuration

        start = start_configuration(system)
        return len(start.position), start.density
    assert system.particles is not None and system.density is not None
    return system.particles, system.density


def report(config: Config, needs: Estimate) -> str:
    """The estimate in words."""
    stages = ", ".join(params.kind for params in config.stage)
    samples = f", {config.ensemble.samples} samples" if config.ensemble.samples > 1 else ""
    lines = [f"valid: {stages}{samples}"] if config.system is None else [
        f"valid: {stages} of {needs.particles} particles of {config.system.model} in {config.system.dimension}D{samples}",
        f"  particles per rank  {needs.particles_per_rank:.0f} on {needs.ranks} rank{'s' * (needs.ranks > 1)}"]
    lines += [
        f"  memory per rank     {size(needs.memory_per_rank)}",
        f"  disk                {size(needs.disk)} in about {needs.files} files",
        f"  time                {duration(needs.seconds)} (good to a factor of 3)" if needs.seconds else
        "  time                not known for these stages"]
    if 0 < needs.particles_per_rank < 200 and needs.ranks > 1:
        lines.append("  note                fewer than 200 particles per rank: fewer ranks will be faster")
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """A time for people."""
    for limit, scale, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.2g} {unit}"
    return f"{seconds / 86400:.3g} days"
