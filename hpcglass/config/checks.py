"""What must fit together between the tables of an input: stages, model, dimension, box.

Each check gets valid tables and yields (key path, message, value).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

from hpcglass.config.models import SystemParams
from hpcglass.config.toml import Path
from hpcglass.errors import InputError
from hpcglass.geometries.room import misfit
from hpcglass.potentials.model import Model
from hpcglass.stages.base import Reference, StageParams

Found = Iterator[tuple[Path, str, Any]]
MOST_STEPS = 10**8
LATTICES = ("epm", "calibrate")     # stages without particles
BETWEEN_WALLS = ("swap", "md", "quench", "modes", "inflate")
FAR = 1e6                   # in units of length, or one over it: no particle is so large or so small
STEEPEST = 30.0             # exponent of a distribution of sizes
LARGEST_STEP = 1.0          # strain, of one step
LARGEST_DILATION = 1.0      # true strain: the volume changes by a factor of e^d
LONGEST_INFLATION = 0.5     # of the inner wall in one step, in units of the smallest diameter


def check_start(system: SystemParams) -> Found:
    """Either a file, or all that is needed to make a configuration."""
    d = system.dimension
    if system.file is not None:
        for key in ("start", "aspect", "tilt", "r_in", "r_out"):
            if (value := getattr(system, key)) is not None:
                yield ("system", key), "comes from `file` already: remove one of the two", value
        return
    if system.r_out is not None:
        yield from _check_walls(system)
    elif system.particles is None:
        yield ("system",), "particles is missing (or file, a configuration to start from)", None
    if system.aspect is not None and (len(system.aspect) != d or min(system.aspect) <= 0):
        yield ("system", "aspect"), f"must be {d} positive numbers", list(system.aspect)
    tilts = d * (d - 1) // 2
    if system.tilt is not None and len(system.tilt) != tilts:
        yield ("system", "tilt"), f"must be {'[xy]' if d == 2 else '[xy, xz, yz]'} in {d}D", list(system.tilt)


def _check_walls(system: SystemParams) -> Found:
    for key, usual in (("aspect", 1.0), ("tilt", 0.0)):
        if any(value != usual for value in getattr(system, key) or ()):
            yield ("system", key), "has no meaning between walls: remove it", list(getattr(system, key))
    if system.start == "lattice":
        yield ("system", "start"), "between walls a glass starts at random", system.start
    if system.particles is None:
        yield ("system",), "density is missing (or particles): how many particles shall be between the walls", None


def check_sizes(model: Model) -> Found:
    """A user's sizes: numbers near 1, the unit of length, so that nothing made of them overflows."""
    sizes, cutoff = model.sizes, model.potential.cutoff
    small, large = sizes.bounds
    ranges = [r for row in model.mixing.length or () for r in row]
    if not all(1 / FAR <= x <= FAR for x in (cutoff, small, large, *ranges)):
        yield ("model",), f"has lengths beyond {1 / FAR:g} to {FAR:g}: take the size of a particle as the unit", None
    elif sizes.kind == "power" and not abs(sizes.exponent) <= STEEPEST:
        yield ("model", "sizes", "exponent"), f"must be within {-STEEPEST:g} to {STEEPEST:g}", sizes.exponent
    if model.mixing.length is None and not model.mixing.nonadditivity * (large - small) < 1:
        yield (("model", "mixing", "nonadditivity"), f"makes lambda_ij of the sizes {small:g} and {large:g} <= 0",
               model.mixing.nonadditivity)


def check_potential(model: Model, shift: int | None) -> Found:
    """A user's potential: no jump of the energy or the force where two pieces meet or at the cut-off.

    With shift = 1 the force may jump at the cut-off: it was asked for, and the stages say whether they can do with it.
    """
    potential = model.potential
    for order, what in ((0, "phi"), (1, "phi'")):
        if (jump := potential.jump(order)) is None:
            continue
        number, here, there = jump
        last = number + 1 == len(potential.segments)
        if last and shift == 1 and order == 1 and math.isfinite(here):
            continue
        advice = f": shift = {order + 1} in [model] makes it continuous" if last and math.isfinite(here) else ""
        beyond, x = "beyond the cut-off" if last else "in the next segment", potential.segments[number].upto
        yield (("model", "segment", number),
               f"{what} jumps at x = {x:g} from {here:.6g} to {there:.6g} {beyond}; forces need a smooth potential{advice}", None)


def check_box(system: SystemParams, model: Model) -> Found:
    """The cell must be wider than the interaction range, or a particle would meet itself."""
    if system.file is not None:
        return
    reach = model.largest_cutoff
    if system.r_in is not None and system.r_out is not None:
        if not system.r_out - system.r_in > 2 * model.sizes.bounds[1]:
            yield (("system", "r_out"), f"the walls are {system.r_out - system.r_in:.4g} apart, less than two of the largest "
                   f"diameters of {model.name} ({model.sizes.bounds[1]:.4g})", system.r_out)
        elif reason := misfit([2 * system.r_out], [2 * system.r_out], reach):
            yield ("system", "r_out"), f"the cell around the walls {reason}", system.r_out
        return
    try:
        box = system.box()
        high = heights(box)
        reason = misfit(high, [math.hypot(*column) for column in zip(*box, strict=True)], reach)
    except (OverflowError, ZeroDivisionError):
        yield ("system",), "the box cannot be computed: density, aspect or tilt is far out of range", None
        return
    if reason and not min(high) > reach:
        yield ("system", "particles"), f"the box {reason}; take more particles, or another aspect or tilt", system.particles
    elif reason:
        yield ("system", "density"), f"the box {reason}; raise the density, or take another aspect or tilt", system.density


def heights(box: tuple[tuple[float, ...], ...]) -> list[float]:
    """Distances between opposite faces of an upper triangular cell (columns are edge vectors): 1/|row of h^-1|."""
    if len(box) == 2:
        (a, xy), (_, b) = box
        inverse = [[1 / a, -xy / (a * b)], [1 / b]]
    else:
        (a, xy, xz), (_, b, yz), (_, _, c) = box
        inverse = [[1 / a, -xy / (a * b), (xy * yz - b * xz) / (a * b * c)], [1 / b, -yz / (b * c)], [1 / c]]
    return [sum(x * x for x in row) ** -0.5 for row in inverse]


def check_stage(params: StageParams, path: Path, system: SystemParams, model: Model) -> Found:
    """Limits of one stage, alone and with this system."""
    plane = getattr(params, "plane", None)
    if system.dimension == 2 and plane is not None and "z" in plane:
        yield (*path, "plane"), "there is no z in 2D", plane
    planes = getattr(params, "planes", [])
    if system.dimension == 2 and any("z" in one for one in planes):
        yield (*path, "planes"), "there is no z in 2D", planes
    gradient, d = getattr(params, "gradient", None), system.dimension
    if gradient is not None and (len(gradient) != d or any(len(row) != d for row in gradient)):
        yield (*path, "gradient"), f"must be {d} rows of {d} numbers in {d}D", [list(row) for row in gradient]
    if params.kind == "indicators":
        yield from _indicators(params, path, d)
    yield from _smooth(params, path, model)
    for key, message in _walls(params, system, model):
        yield (*path, key), message, getattr(params, key)
    check = STAGE_CHECKS.get(params.kind)
    if check is not None:
        for key, message in check(params, model):
            yield (*path, key), message, getattr(params, key)


def check_earlier(stages: Sequence[StageParams | None], number: int) -> Found:
    """Are the stages whose files a stage reads there, before it, and of the right kind?"""
    params = stages[number]
    if params is None:
        return
    if params.looks_at():
        yield from _one_earlier(stages, number, params, Reference(("of",), params.looks_at(), ()))
    for reference in params.references():
        yield from _one_earlier(stages, number, params, reference)


def _one_earlier(stages: Sequence[StageParams | None], number: int, params: StageParams, reference: Reference) -> Found:
    key: Path = ("stage", number, *reference.key)
    label = reference.label
    before = [other for other in stages[:number] if other is not None]
    names = [other.label or other.kind for other in before]
    if label in names:
        found = before[names.index(label)]
        if names.count(label) > 1:
            yield key, "is the name of several earlier stages: give each a label", label
        if reference.kinds and found.kind not in reference.kinds:
            yield key, f"is a stage {found.kind}, not {' or '.join(reference.kinds)}", label
        for name, message in params.misfits(found):
            own = name.split(".")
            yield ("stage", number, *own), message, reduce(getattr, own, params)
    elif len(before) == number:         # else what is wrong with an earlier stage is said already
        later = any(label == (other.label or other.kind) for other in stages[number:] if other is not None)
        known = f" (before it: {', '.join(names)})" if names else ""
        yield key, ("must be a stage before this one" if later else "there is no stage of this label or kind") + known, label


def _indicators(params: Any, path: Path, dimension: int) -> Found:
    """Are they defined in so many dimensions, and is what they need installed?"""
    from hpcglass.indicators.catalogue import INDICATORS, chosen

    try:
        chosen(params.which, dimension)
    except InputError as error:
        yield (*path, "which"), str(error), params.which
    for name in params.which:
        if name in INDICATORS and (package := INDICATORS[name].lacks(dimension)):
            yield (*path, "which"), f"{name} needs {package} in 3D: pip install {package}, or leave it out", params.which


def _smooth(params: StageParams, path: Path, model: Model) -> Found:
    """Does the potential have the derivatives that a stage needs?"""
    potential, needed = model.potential, params.derivatives()
    if needed and potential.continuity < 1:
        yield ((*path, "kind"), f"needs a continuous force, and that of {model.name} jumps at x = {potential.cutoff:g}: "
               "shift = 2 in [model] makes it continuous (swap and md do without)", params.kind)
    elif potential.bounded < needed:
        key = "order" if potential.bounded > 1 and hasattr(params, "order") else "kind"
        advice = f"; order = {potential.bounded - 1:.0f} can be had" if key == "order" else ""
        yield ((*path, key), f"needs {needed} finite derivatives of phi, and {model.name} has {potential.bounded:.0f}: the next "
               f"is infinite at contact, where pairs of a packing are{advice}", getattr(params, key))


def _walls(params: Any, system: SystemParams, model: Model) -> Iterator[tuple[str, str]]:
    """What walls allow, and what needs them; a `file` may have some or not, see `refuse_walls`."""
    if system.file is not None:
        return
    walled = system.r_in is not None and system.r_out is not None
    yield from _with_walls(params, walled)
    if walled and params.kind == "inflate":
        assert system.r_in is not None and system.r_out is not None
        key, step = "d_0" if params.d_0 is not None else "fraction", params.inflation(system.r_in) / params.steps
        smallest, largest = model.sizes.bounds
        if system.r_in + params.inflation(system.r_in) > system.r_out - 2 * largest:
            yield key, f"inflates the inner wall to {system.r_in + params.inflation(system.r_in):.4g}, too near to the outer one"
        elif step > LONGEST_INFLATION * smallest:
            yield key, f"moves the wall by {step:.4g} at once, into particles (diameters from {smallest:.4g}): take more steps"


def _with_walls(params: Any, walled: bool) -> Iterator[tuple[str, str]]:
    if not walled:
        if params.kind == "inflate":
            yield "kind", "there are no walls to move: give r_in and r_out in [system]"
        return
    if params.kind not in BETWEEN_WALLS:
        yield "kind", f"needs a periodic cell; between walls there are {', '.join(BETWEEN_WALLS)}"
    if getattr(params, "pressure", None) is not None:
        yield "pressure", "rigid walls do not give way: there is no target pressure between them"


def refuse_walls(stages: Sequence[StageParams], file: object, walled: bool) -> None:
    """Raise InputError if a stage cannot do with the walls that the file has from which a run starts, or without any."""
    problems = [f"stage[{number}].{key}: {message.partition(': give')[0]}; {file} has {'' if walled else 'no '}walls"
                for number, params in enumerate(stages) if params.kind not in LATTICES
                for key, message in _with_walls(params, walled)]
    if problems:
        raise InputError("\n".join(problems))


def _swap(params: Any, model: Model) -> Iterator[tuple[str, str]]:
    sizes = model.sizes
    several = sizes.smallest < sizes.largest if sizes.kind == "power" else sum(f > 0 for f in sizes.fractions) > 1
    if params.swap_fraction > 0 and not several:
        yield "swap_fraction", f"all particles of {model.name} are alike, there is nothing to swap: set it to 0"
    if params.frames > params.sweeps:
        yield "frames", f"more frames than sweeps ({params.sweeps})"


def _md(params: Any, model: Model) -> Iterator[tuple[str, str]]:
    if params.time < params.time_step:
        yield "time", f"is shorter than one time_step ({params.time_step:g})"
    elif params.time / params.time_step > MOST_STEPS * 100:
        yield "time", f"is {params.time / params.time_step:.3g} steps of {params.time_step:g}: more than can be run"
    if params.temperature_end is not None and params.thermostat == "none":
        yield "temperature_end", "a temperature ramp needs a thermostat"


def _shear(params: Any, model: Model) -> Iterator[tuple[str, str]]:
    if params.strain_step == 0:
        yield "strain_step", "must not be 0"
    elif abs(params.strain_step) > params.max_strain:
        yield "strain_step", f"is larger than max_strain ({params.max_strain:g})"
    elif params.steps > MOST_STEPS:
        yield "strain_step", f"makes {params.steps:.3g} steps up to max_strain ({params.max_strain:g}), more than {MOST_STEPS:g}"
    elif abs(params.strain_step) > LARGEST_STEP:
        yield "strain_step", f"is more than a strain of {LARGEST_STEP:g} at once: take smaller steps"
    if params.mode == "dilation" and params.max_strain > LARGEST_DILATION:
        yield "max_strain", f"is more than a true strain of {LARGEST_DILATION:g}: there is no glass that far away"


def _expand(params: Any, model: Model) -> Iterator[tuple[str, str]]:
    entries = [abs(entry) for row in params.gradient or ((1.0,),) for entry in row]
    if not max(entries, default=0.0) <= FAR:
        yield "gradient", f"must have entries within {-FAR:g} to {FAR:g}"
        return
    step = abs(params.compare) * max(entries, default=0.0) / params.compare_steps
    rows = params.gradient or (((1.0,),) if params.mode == "dilation" else ())
    dilation = abs(params.compare * sum(row[k] for k, row in enumerate(rows) if k < len(row))) / max(len(rows), 1)
    if params.compare_steps > MOST_STEPS:
        yield "compare_steps", f"is more than {MOST_STEPS:g}"
    elif not step <= LARGEST_STEP:
        yield "compare", f"is a strain of {step:.3g} at once, more than {LARGEST_STEP:g}: take more compare_steps, or less strain"
    elif not dilation <= LARGEST_DILATION:
        yield "compare", f"is a dilation by {dilation:.3g}, more than a true strain of {LARGEST_DILATION:g}: no glass is there"


STAGE_CHECKS: dict[str, Callable[[Any, Model], Iterator[tuple[str, str]]]] = {
    "swap": _swap, "md": _md, "shear": _shear, "expand": _expand}
