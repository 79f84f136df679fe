"""Make a file of hpcglass from a configuration of another program: extended XYZ, LAMMPS data, GSD or H5MD; or tiles of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpcglass import registry
from hpcglass.config.suggest import did_you_mean
from hpcglass.errors import InputError

HELP = "a configuration from other programs"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="extended XYZ, LAMMPS data, GSD or H5MD file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.h5", help="file to write")
    parser.add_argument("--tile", type=int, nargs="+", metavar="COPIES",
                        help="repeat the cell so many times along each edge (one number: along all)")
    parser.add_argument("--model", required=True, metavar="NAME", help="the model glass it is a configuration of")


def main(options: argparse.Namespace) -> int:
    models = registry.models()
    if options.model not in models:
        hint = did_you_mean(options.model, models) or f" (known: {', '.join(models)})"
        raise InputError(f"--model {options.model}: there is no such model{hint}")
    if options.output.suffix != ".h5":
        raise InputError(f"-o {options.output}: the name must end in .h5")
    from hpcglass.io.convert import read_any, tile
    from hpcglass.io.import_h5 import write_h5

    configuration, source = read_any(options.file), f"{options.file}"
    if options.tile:
        configuration = tile(configuration, options.tile)
        source += f", {' x '.join(map(str, options.tile))} copies"
    write_h5(configuration, models[options.model], options.file, options.output, f"import of {source}\n")
    print(options.output)
    if options.tile:
        print(f"{len(configuration.position)} particles; the tiles are copies of each other: whatever is longer than one of "
              "them is an artefact, and statistics are those of one tile")
    return 0
