"""Make a file of hpcglass from a configuration of another program: extended XYZ, LAMMPS data, GSD or H5MD; or tiles of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpcglass import registry
from hpcglass.commands.export import which
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError
from hpcglass.words import show

HELP = "a configuration from other programs"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="extended XYZ, LAMMPS data, GSD or H5MD file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="file to write")
    parser.add_argument("--tile", type=int, nargs="+", metavar="COPIES",
                        help="repeat the cell so many times along each edge (one number: along all)")
    parser.add_argument("--frame", type=int, metavar="K", help="of a trajectory: frame K, from 0, or from the end if negative "
                        "(default: the last one)")
    parser.add_argument("--model", required=True, metavar="NAME", help="the model glass it is a configuration of")
    parser.add_argument("--dimension", type=int, choices=[2, 3], help="default: told by the file, as far as the model has it")


def main(options: argparse.Namespace) -> int:
    models = registry.models()
    if options.model not in models:
        hint = did_you_mean(options.model, models) or f" (known: {', '.join(models)})"
        raise InputError(f"--model {options.model}: there is no such model{hint}")
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.io.adopt import adopt
    from hpcglass.io.convert import choose_frame, frames, read_any, tile
    from hpcglass.io.import_h5 import write_h5

    steps = frames(options.file)
    number = choose_frame(-1 if options.frame is None else options.frame, len(steps), options.file)
    model, source = models[options.model], f"{options.file}{which(number, steps)}"
    configuration = read_any(options.file, options.dimension, number if steps else None)
    if options.dimension is None and configuration.dimension not in (model.density or (2, 3)):
        raise InputError(f"{options.file}: is in {configuration.dimension}D, {model.name} is a model in {min(model.density)}D; "
                         f"if it is meant, say --dimension {configuration.dimension}")
    if options.tile:
        configuration = tile(configuration, options.tile)
        source += f", {' x '.join(map(str, options.tile))} copies"
    configuration, said = adopt(configuration, model, options.file)
    write_h5(configuration, model, options.file, options.output, f"import of {source}\n")
    show("\n".join([f"{options.output}{which(number, steps)}", *said]))
    if options.tile:
        show(f"{len(configuration.position)} particles; the tiles are copies of each other: whatever is longer than one of "
             "them is an artefact, and statistics are those of one tile")
    return 0
