"""Structural indicators of positions and sizes alone, from an experiment: CSV with named columns, or extended XYZ."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import disk
from hpcglass.commands.common import add_look, add_number, look
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.analysis.figures.files import Look
    from hpcglass.indicators.base import Indicator
    from hpcglass.io.formats.common import Configuration

HELP = "structural indicators of a file of positions and sizes"
TABLES = (".csv", ".tsv", ".txt", ".dat")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE",
                        help=f"a table whose first line names its columns ({', '.join(TABLES)}), or any file `import` reads; "
                             "extended XYZ may have pbc=\"F F F\"")
    parser.add_argument("--which", default="theta,s2", metavar="NAMES", help="names of `hpcglass list indicators` that need "
                        "positions only, or structure (default: theta,s2)")
    parser.add_argument("--columns", default="", metavar="x=X,...", help="what the table calls x, y, z, diameter (or radius), "
                        "species, where it is not that")
    add_number(parser, "--diameters", float, above=0.0, nargs="+", metavar="D",
               help="where the file has none: of all particles, or of each species, in the order of their names")
    add_number(parser, "--box", float, above=0.0, nargs="+", metavar="L",
               help="edges of a periodic cell; a table without one has an open boundary")
    parser.add_argument("--open", action="store_true", help="the boundary is open, whatever the file says")
    add_number(parser, "--frame", int, metavar="K", help="of a trajectory (default: the last one)")
    add_number(parser, "--x-cut", float, above=0.0, most=10.0, metavar="X",
               help="neighbours of Psi and Theta are closer than X lambda_ij (default: 1.33)")
    add_number(parser, "--s2-range", float, above=0.0, most=100.0, metavar="R",
               help="upper end of the integral of s2, in mean diameters (default: first minimum of g(r))")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.csv", help="a row for each particle, maps beside it (default: "
                        "FILE-indicators.csv)")
    parser.add_argument("--no-plots", action="store_true", help="no maps")
    add_look(parser)


def main(options: argparse.Namespace) -> int:
    output = options.output or options.file.with_name(f"{options.file.stem}-indicators.csv")
    if output.suffix != ".csv":
        raise InputError(f"-o {output}: the name must end in .csv")
    if not output.parent.is_dir():
        raise InputError(f"-o {output}: there is no directory {output.parent}")
    how = look(options)
    found = _read(options)
    diameter = _diameters(found, options)
    from hpcglass.indicators.glass import Choices
    from hpcglass.indicators.unbounded import Particles, evaluate

    wanted = _wanted(options.which, found.dimension)
    values, glass = evaluate(Particles(found.position, diameter, found.box, found.free), wanted,
                             Choices(x_cut=options.x_cut, s2_range=options.s2_range))
    for note in found.notes:
        show(note)
    where = "an open boundary" if found.free else "a periodic cell"
    show(f"{options.file}: {len(found.position)} particles in {found.dimension}D, {where}; lengths below are in mean diameters, "
         f"{diameter.mean():.6g}; density {glass.density:.4g}, x_cut {glass.x_cut:g}"
         + (f", r_m of s2 {glass.entropy_range[1]:.4g}" if "s2" in values else ""))
    for indicator in wanted:
        show(_line(indicator, values[indicator.name]))
    disk.write_text(output, _table(found, diameter, values))
    show(output)
    if not options.no_plots:
        for picture in _draw(output, found, diameter, values, how):
            show(picture)
    return 0


def _read(options: argparse.Namespace) -> Configuration:
    """The particles; `free` if the boundary is open."""
    from dataclasses import replace

    from hpcglass.io.convert import read_any, read_free
    from hpcglass.io.formats.common import enclosing
    from hpcglass.io.formats.readers.columns import read

    if options.box is not None and options.open:
        raise InputError("--box and --open: the boundary is periodic or open")
    if options.file.suffix.lower() in TABLES:
        if not options.file.is_file():
            raise InputError(f"{options.file}: no such file")
        if options.frame is not None:
            raise InputError("--frame: a table has no frames")
        names = dict(pair.split("=", 1) for pair in options.columns.split(",") if pair.count("=") == 1)
        if unknown := set(names) - {"x", "y", "z", "diameter", "radius", "size", "species"} or (
                {options.columns} if options.columns and not names else set()):
            raise InputError(f"--columns {', '.join(sorted(unknown))}: must be like x=X_px,y=Y_px,diameter=d")
        return read(options.file, names, options.box)
    if options.box is not None or options.columns:
        raise InputError(f"{options.file}: --box and --columns are for tables; this file says itself what it has")
    frame = options.frame
    if options.file.suffix.lower() in (".xyz", ".extxyz"):
        found = read_free(options.file, frame)
    else:
        found = read_any(options.file, None, frame)
    if options.open and not found.free:
        found = replace(found, box=enclosing(found.position), free=True)
    return found


def _diameters(found: Configuration, options: argparse.Namespace) -> Any:
    """(N,) of the file, or as they were given."""
    import numpy as np

    given = options.diameters
    if found.diameter is not None:
        if given is not None:
            raise InputError(f"{options.file}: has diameters; remove --diameters, or the column")
        return found.diameter
    if given is None:
        raise InputError(f"{options.file}: has no sizes; give --diameters, one for all particles or one for each species")
    if len(given) == 1:
        return np.full(len(found.position), given[0])
    kinds = len(found.names) or (int(found.species.max()) + 1 if found.species is not None else 1)
    if len(given) != kinds:
        named = f" ({', '.join(found.names)})" if found.names else ""
        raise InputError(f"--diameters: {len(given)} for {kinds} species{named}")
    return np.array(given)[found.species]


def _wanted(words: str, dimension: int) -> list[Indicator]:
    """The indicators that are named; capitals do not matter."""
    from hpcglass.indicators.catalogue import INDICATORS, chosen

    known = {name.lower(): name for name in INDICATORS}
    return chosen([known.get(word.lower(), word) for word in words.split(",") if word], dimension)


def _line(indicator: Indicator, values: Any) -> str:
    """Mean and spread in words."""
    import numpy as np

    known = values[np.isfinite(values)]
    there = f"{len(known)} of {len(values)} particles"
    if not len(known):
        return f"  {indicator.name}: of no particle: all are too near to the open boundary"
    return (f"  {indicator.name}: {known.mean():.6g} +- {known.std():.3g}, of {there}" + (
        "" if len(known) == len(values) else ", the others are too near to the open boundary"))


def _table(found: Configuration, diameter: Any, values: dict[str, Any]) -> str:
    """Positions and sizes as they were, and the values; empty where there is none."""
    import numpy as np

    columns = {**dict(zip("xyz", found.position.T, strict=False)), "diameter": diameter, **values}
    rows = [",".join(columns)]
    rows += [",".join("" if np.isnan(x) else f"{x:.10g}" for x in row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(rows) + "\n"


def _draw(output: Path, found: Configuration, diameter: Any, values: dict[str, Any], how: Look) -> list[Path]:
    """Maps of the ranks, the softest bright."""
    import matplotlib

    from hpcglass.analysis.figures.files import save
    from hpcglass.analysis.figures.indicators import draw_maps
    from hpcglass.analysis.figures.style import STYLE
    from hpcglass.analysis.open_run import StageResults

    position = found.position - found.position.min(axis=0) if found.free else found.position
    stage = StageResults(output, "indicators", fields=values, position=position, box=found.box, diameter=diameter)
    with matplotlib.rc_context(STYLE):
        return save(draw_maps(stage, list(values)), output.with_suffix(""), how)
