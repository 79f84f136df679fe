"""Write configurations of a file for another program: extended XYZ, LAMMPS data and dumps, GSD, H5MD or VTKHDF."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpcglass import launcher
from hpcglass.commands.parts.frames import Choice, add_frames, chosen, fields, names, opened, which
from hpcglass.errors import InputError
from hpcglass.words import show

if TYPE_CHECKING:
    from hpcglass.io.frames import Foreign, Stored

HELP = "configurations, trajectories and fields for other programs"
FORMATS = ["extxyz", "lammps", "dump", "gsd", "h5md", "vtkhdf"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="file of a stage (.h5): its final configuration, with --frame, "
                        "--every or --events its trajectory; a segment of a trajectory; or any file that `import` reads")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write; under mpirun all ranks "
                        "write .vtkhdf and .h5md together")
    parser.add_argument("--to", choices=FORMATS, help="format (default: by the ending of OUT)")
    add_frames(parser, "the last one")
    parser.add_argument("--fields", type=names, default=[], metavar="NAMES", help="also these numbers per particle, with commas "
                        "between: fields of the stage or of its frames; d2min and displacement of several frames are since the "
                        "one before")


def main(options: argparse.Namespace, world: Callable[[], Any]) -> int:
    from hpcglass.io.convert import writer

    module = writer(options.output, options.to)
    comm = world() if launcher.tasks() > 1 or hasattr(module, "PLAN") else None
    if comm is None or comm.size == 1 or hasattr(module, "PLAN"):
        return export(options, module, comm)
    with agreed(comm):          # text and GSD are written by one
        if comm.rank == 0:
            export(options, module, None)
    return 0


def export(options: argparse.Namespace, module: Any, comm: Any) -> int:
    from hpcglass.io.convert import write_frames

    several = options.every is not None or options.events or options.frame == "all"
    with agreed(comm):
        source = opened(options.file, several or options.frame is not None)
        module = for_source(source, module, options)
        numbers = chosen(source, options)
        choice = Choice(source, numbers, fields(source, options.fields))
    say = partial(tell, options, source, comm)
    if hasattr(module, "PLAN"):
        from hpcglass.io.formats.parallel import write

        write(comm, choice.source, choice.read, len(numbers), choice.fields, options.output, module)
        say(options.output, numbers)
    elif several and not getattr(module, "SEVERAL", True):
        for number in numbers:
            out = options.output.with_stem(f"{options.output.stem}-{number:04d}")
            write_frames(Choice(source, [number], choice.fields).read(), out, options.to)
            say(out, [number])
    else:
        write_frames(choice.read(), options.output, options.to)
        say(options.output, numbers)
    source.close()
    return 0


def for_source(source: Stored | Foreign, module: Any, options: argparse.Namespace) -> Any:
    """What writes the frames of a source: a lattice goes into an image.

    Raises
    ------
    InputError
        The format has no room for it.
    """
    from hpcglass.io.formats.sites import Sites

    if not isinstance(source, Sites):
        return module
    if not module.__name__.endswith(".vtkhdf"):
        raise InputError(f"{options.output}: {options.file} is of a lattice, without particles; export it as VTKHDF (.vtkhdf)")
    from hpcglass.io.formats import image  # with MPI

    return image


def agreed(comm: Any) -> AbstractContextManager[None]:
    """A block that may fail on some ranks, if there are several."""
    if comm is None:
        return nullcontext()
    from hpcglass.io.agree import together

    return together(comm)


def tell(options: argparse.Namespace, source: Stored | Foreign, comm: Any, out: Path, numbers: list[int]) -> None:
    """Say what was written, once."""
    if comm is not None and comm.rank:
        return
    steps = source.steps
    if len(numbers) > 1:
        show(f"{out}: {len(numbers)} of {len(steps)} frames, steps {steps[numbers[0]]} to {steps[numbers[-1]]}")
    else:
        show(f"{out}{which(numbers[0], steps)}")
    for line in source.said:
        show(line)
    if options.frame is None and len(numbers) == 1 and not (options.every or options.events) and source.more:
        show("--frame K takes another one, --frame all writes them all")
