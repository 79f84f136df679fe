"""Does a lattice that is made of a glass block by block have as many sites as the glass will have blocks?

Known before anything runs where the cell is known: from the start, through stages that leave it alone, and shears that tilt it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from hpcglass.config.models import SystemParams
from hpcglass.config.toml import Path
from hpcglass.stages.base import StageParams

KEEP_THE_CELL = ("swap", "quench", "md", "strength", "modes", "bonds", "indicators", "epm", "calibrate")
TILTED = 1e-3           # of a period; less is none


def check_blocks(stages: Sequence[StageParams | None], number: int, system: SystemParams) -> Iterator[tuple[Path, str, Any]]:
    """(key path, message, value) if a map of the stage `number` will not fit; nothing where that cannot be known yet."""
    lattice: Any = stages[number]
    label = getattr(getattr(lattice, "initial", None), "as_map", False) and lattice.initial.glass
    places = [k for k, other in enumerate(stages[:number]) if other is not None and (other.label or other.kind) == label]
    if not places or system.dimension != 2 or system.file is not None or system.r_out is not None:
        return
    glass: Any = stages[places[0]]
    tilt = tilt_after(stages[:places[0]], system)
    if glass.kind != "strength" or glass.of is not None or tilt is None:
        return
    (width, _), (_, height) = system.box()
    rows, columns = (max(round(edge / glass.xi), 1) for edge in (height, width / math.hypot(1.0, tilt * width / height)))
    if (columns, rows) != (lattice.size, lattice.size):
        leaning = (f" in a cell that leans by {tilt:+.2g} of its width after the shear before it (by none after a whole number)"
                   if abs(tilt) > TILTED else "")
        yield ("stage", number, "size"), (f"the glass of stage {label} will have {columns} x {rows} blocks of xi = {glass.xi:g}"
                                          f"{leaning}: make them agree by xi, size or particles"), lattice.size


def tilt_after(stages: Sequence[StageParams | None], system: SystemParams) -> float | None:
    """By how much of its width a 2D cell leans after these stages, within half of it; None if that cannot be known."""
    (width, xy), (_, height) = system.box()
    strain = xy / height
    for params in stages:
        keys: Any = params
        if params is not None and params.kind == "shear" and (keys.mode, keys.plane) == ("simple", "xy"):
            end = keys.turning_points[-1] if keys.turning_points else math.copysign(keys.max_strain, keys.strain_step)
            strain += 0.0 if keys.cycles else end
        elif params is None or params.kind not in KEEP_THE_CELL or getattr(params, "pressure", None) is not None:
            return None
    tilt = strain * height / width
    return tilt - round(tilt)
