"""Profile of a field, or of the non-affine displacement, across the cell: its mean in slabs, frame by frame."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass.commands.common import add_number
from hpcglass.commands.parts.frames import Choice, add_frames, chosen, fields
from hpcglass.errors import InputError

if TYPE_CHECKING:
    from hpcglass.analysis.tables import Table
    from hpcglass.io.formats.common import Configuration
    from hpcglass.io.frames import Stored
    from hpcglass.io.share import Answer, Ranks

HELP = "mean of a field in slabs of the cell, of each frame"
AXES = "xyz"
MOST = 100_000      # slabs


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="file of a stage (.h5), with its trajectory if it has one, or a "
                        "segment of a trajectory")
    parser.add_argument("--across", choices=AXES, required=True, help="slabs follow each other along this edge of the cell "
                        "(first, second, third), and are parallel to the others")
    parser.add_argument("--field", default="displacement", metavar="NAME", help="of the stage or of its frames; d2min, and "
                        "displacement (the non-affine one, default), are from each frame to the next")
    add_number(parser, "--slabs", int, least=1, most=MOST, metavar="N",
               help="number of slabs (default: five mean spacings thick)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="table to write, .csv or .h5")
    add_frames(parser, "all")


def main(options: argparse.Namespace, ranks: Ranks) -> int:
    if options.output.suffix not in (".csv", ".h5"):
        raise InputError(f"-o {options.output}: the name must end in .csv or .h5")
    opened: list[tuple[Stored, Choice]] = []
    ranks.of_all(lambda: look(options, opened))
    source, choice = opened[0]
    if ranks.comm is not None:
        from hpcglass.io.formats.parallel import verify

        verify(ranks.comm, source)
    table = measure(options, source, choice, ranks)
    ranks.first(lambda: write(table, options))
    ranks.say(f"{options.output}: {choice.fields[0]} of {len(choice.numbers)} of {len(source)} frames across {options.across}")
    source.close()
    return 0


def look(options: argparse.Namespace, opened: list[tuple[Stored, Choice]]) -> Answer:
    """Open the file, and choose frames and field."""
    from hpcglass.io import frames
    from hpcglass.io.frames import Stored

    options.frame = "all" if options.frame is None and not options.events and not options.every else options.frame
    source = frames.of_file(options.file, whole=True)
    if not isinstance(source, Stored):
        raise InputError(f"{options.file}: is of another program; a profile is made of fields of ours")
    numbers, names = chosen(source, options), fields(source, [options.field])
    before = None
    if source.is_between(names[0]) and numbers[0] == 0:
        before, *numbers = numbers
        if not numbers:
            raise InputError(f"frame 0 alone is chosen: there is no frame before it from which {names[0]} could count")
    if AXES.index(options.across) >= len(source.box(numbers[0])):
        raise InputError(f"--across {options.across}: {options.file} has two dimensions")
    opened.append((source, Choice(source, numbers, names, before)))
    return "", []


def measure(options: argparse.Namespace, source: Stored, choice: Choice, ranks: Ranks) -> Table:
    """The profile of each frame: ranks read blocks of rows, and the sums of all blocks are added up in order."""
    import numpy as np

    from hpcglass.analysis.structure import slabs
    from hpcglass.geometries.periodic import heights

    axis, particles = AXES.index(options.across), source.particles
    block = slabs.block_rows(particles)
    blocks = -(-particles // block)
    first, last = (min(blocks * k // ranks.size * block, particles) for k in (ranks.rank, ranks.rank + 1))
    frames = choice.read((first, last))
    parts: list[dict[str, Any]] = []
    for number in choice.numbers:
        box, place = source.box(number), source.places[number]
        count = options.slabs or slabs.usual(box, axis, particles)
        found = [sums for _, (sums,) in ranks.of_all(lambda: summed(frames, axis, count, block))]  # noqa: B023 (called at once)
        inside, *values = np.add.reduce(np.concatenate(found), axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):        # an empty slab has no mean
            means = [value / inside for value in values]
        thickness = float(heights(box)[axis]) / count
        parts.append({"frame": np.full(count, number), "step": np.full(count, place.step), "time": np.full(count, place.time),
                      "position": (np.arange(count) + 0.5) * thickness, "particles": inside.astype(np.int64),
                      **dict(zip(headings(len(means) - 1), means, strict=True))})
    return described({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, options.field)


def headings(columns: int) -> list[str]:
    """Names of the means of a field of so many numbers."""
    names = [f"mean_{name}" for name in (AXES if columns <= len(AXES) else map(str, range(columns)))]
    return [*(names[:columns] if columns > 1 else ["mean"]), "mean_square"]


def summed(frames: Iterator[Configuration], axis: int, count: int, block: int) -> Answer:
    """Sums of this rank's rows of the next frame."""
    from hpcglass.analysis.structure import slabs

    frame = next(frames)
    (values,) = frame.fields.values()
    return "", [slabs.sums(frame.position, values, frame.box, axis, count, block)]


def described(columns: dict[str, Any], field: str) -> Table:
    """With units and names."""
    from hpcglass.analysis.tables import Table

    said = {"frame": "number of the frame", "step": "step of the stage", "time": "time, or strain", "position":
            "middle of the slab, along the normal of its faces", "particles": "particles in the slab",
            "mean_square": f"mean square of {field}"}
    return Table(columns, {name: "length" if name == "position" else "" for name in columns},
                 {name: said.get(name, f"mean of {field}") for name in columns})


def write(table: Table, options: argparse.Namespace) -> str:
    """The table (one process)."""
    from hpcglass.commands.collect import write_csv

    if options.output.suffix == ".csv":
        write_csv(table, options.output)
        return ""
    from mpi4py import MPI

    from hpcglass.io import h5, provenance
    from hpcglass.io.contents import Contents

    contents = Contents()
    provenance.put(contents, MPI.COMM_SELF, f"hpcglass profile of {options.file.name}\n", "", 0, [])
    contents.table("/results/profile", {name: (values, table.units[name], table.long_name[name])
                                        for name, values in table.items()})
    h5.write(MPI.COMM_SELF, options.output, contents)
    return ""
