"""Make a file of hpcglass from a configuration of another program (extended XYZ, LAMMPS, GSD, H5MD), or of tiles of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpcglass import registry
from hpcglass.commands.common import add_number
from hpcglass.commands.parts.frames import which
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.config.models import ModelParams
    from hpcglass.potentials.model import Model

HELP = "a configuration from other programs"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="extended XYZ, LAMMPS data or dump, GSD or H5MD file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="file to write")
    add_number(parser, "--tile", int, least=1, nargs="+", metavar="COPIES",
                        help="repeat the cell so many times along each edge (one number: along all)")
    add_number(parser, "--frame", int, metavar="K", help="of a trajectory: frame K, from 0, or from the end if negative "
                        "(default: the last one)")
    parser.add_argument("--model", required=True, metavar="NAME", help="the model glass it is a configuration of; or a TOML file "
                        "with a table [model], as an input file has it")
    parser.add_argument("--dimension", type=int, choices=[2, 3], help="default: told by the file, as far as the model has it")


def glass(name: str) -> tuple[Model, ModelParams | None]:
    """The model glass of this name, or of the TOML file of this name, and its table if it is a model of one's own.

    Raises
    ------
    InputError
        There is no such model or file, or the model is wrong.
    """
    models = registry.models()
    if name in models:
        return models[name], None
    if name.endswith(".toml") or "/" in name:
        from hpcglass.config.own_model import read_model

        return read_model(Path(name))
    hint = did_you_mean(name, models) or f" (known: {', '.join(models)}; or a .toml file with a table [model])"
    raise InputError(f"--model {name}: there is no such model{hint}")


def main(options: argparse.Namespace) -> int:
    model, own = glass(options.model)
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.io.adopt import adopt
    from hpcglass.io.convert import choose_frame, frames, read_any, tile
    from hpcglass.io.import_h5 import write_h5

    steps = frames(options.file)
    number = choose_frame(-1 if options.frame is None else options.frame, len(steps), options.file)
    source = f"{options.file}{which(number, steps)}"
    configuration = read_any(options.file, options.dimension, number if steps else None)
    if options.dimension is None and configuration.dimension not in (model.density or (2, 3)):
        raise InputError(f"{options.file}: is in {configuration.dimension}D, {model.name} is a model in {min(model.density)}D; "
                         f"if it is meant, say --dimension {configuration.dimension}")
    if options.tile:
        configuration = tile(configuration, options.tile)
        source += f", {' x '.join(map(str, options.tile))} copies"
    configuration, said = adopt(configuration, model, options.file)
    write_h5(configuration, model, options.file, options.output, f"import of {source}\n", own)
    show("\n".join([f"{options.output}{which(number, steps)}", *said]))
    if options.tile:
        show(f"{len(configuration.position)} particles; the tiles are copies of each other: whatever is longer than one of "
             "them is an artefact, and statistics are those of one tile")
    return 0
