"""What a run will need: memory, disk, time. Rough figures, made without NumPy or MPI.

The time is that of a short loop of plain Python, measured now, times stored ratios: slow where
Python is slow, and good to a factor of two or three. Its purpose is to tell minutes from weeks.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hpcglass.config import Config
from hpcglass.config.points import Point
from hpcglass.errors import InputError
from hpcglass.potentials.model import Model

# measured in a quench of ipl12 (N = 600 and 10^4), in units of one step of `_python_step`, list builds included:
PAIR_COST = 0.6             # a pair in a force evaluation
PARTICLE_COST = 2.0         # what else is done per particle
CALL_COST = 12_000          # what does not depend on the number of particles
SKIN = 0.3                  # of the neighbour list, in units of length
# measured in molecular dynamics of ipl10 in 3D (N = 600 and 60 000):
ARRAYS = 18                 # per-particle vectors alive at once
PAIR_BYTES = 16             # of the neighbour list, with some room
RANK_BYTES = 200e6          # interpreter and libraries


@dataclass(frozen=True)
class Estimate:
    """Rough needs of one sample (times `samples`, where said)."""

    particles: int
    ranks: int
    particles_per_rank: float
    neighbours: float           # pairs per particle in the list
    memory_per_rank: float      # bytes
    disk: float                 # bytes, all samples
    files: int                  # output files, all samples
    evaluations: float          # force evaluations of one sample
    seconds: float              # of the whole run


def estimate(config: Config | Point, particles: int, density: float, ranks: int) -> Estimate:
    """Needs of a run of `particles` at `density` on `ranks` ranks in total; without particles those of its lattices.

    Raises
    ------
    InputError
        They cannot be computed.
    """
    try:
        return _estimate(config, particles, density, ranks)
    except (OverflowError, ZeroDivisionError) as error:
        raise InputError(f"what the run needs cannot be computed ({error}): a number of the input is far out of range") from None


def _estimate(config: Config | Point, particles: int, density: float, ranks: int) -> Estimate:
    samples = config.ensemble.samples
    group = max(1, min(config.ensemble.ranks_per_sample, ranks)) if samples > 1 else ranks
    model = config.glass()
    if config.system is None or model is None:
        return _without_particles(config, ranks, samples, group)
    d = config.system.dimension
    here = particles / group
    halo = halo_particles(here, density, model, d)
    neighbours = pairs_per_particle(model, density, d)
    memory = RANK_BYTES + (here + halo) * (ARRAYS * 8 * d + 64) + here * neighbours * PAIR_BYTES
    frame = particles * (2 * 8 * d + 4 * d + 8 + 8 + 4)
    stages = config.stages()
    memory += max(stage.memory(particles, d) for stage in stages) / group
    frames = sum(stage.frames() for stage in stages)
    work = sum(stage.force_evaluations(particles) for stage in stages)
    seconds = work * (CALL_COST + here * (neighbours * PAIR_COST + PARTICLE_COST)) * _python_step()
    rounds = math.ceil(samples / max(1, ranks // group))
    return Estimate(
        particles, ranks, here, neighbours, memory,
        disk=samples * frame * (len(stages) + frames + 2), files=samples * (len(stages) + (frames > 0) * len(stages) + 5),
        evaluations=work, seconds=rounds * seconds)


def _without_particles(config: Config | Point, ranks: int, samples: int, group: int) -> Estimate:
    """Each frame, and each checkpoint, takes no more than the stage's memory."""
    stages = config.stages()
    memory = [stage.memory(0, 2) for stage in stages]
    disk = sum(size * (stage.frames() + 2) for size, stage in zip(memory, stages, strict=True))
    return Estimate(
        0, ranks, 0.0, 0.0, RANK_BYTES + max(memory) / group,
        disk=samples * disk, files=samples * (2 * len(stages) + 5), evaluations=0.0, seconds=0.0)


def machine_memory() -> float:
    """Bytes of this machine, or of what is given to this job; infinity where nobody says."""
    try:
        found = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers in ("", "memory"):       # version 2 or 1 of control groups; the limits of groups around ours count
                place = Path("/sys/fs/cgroup", controllers)
                for part in Path(group).parts:
                    place /= part.removeprefix("/")
                    found = min(found, _limit(place / ("memory.limit_in_bytes" if controllers else "memory.max")))
    return found


def _limit(path: Path) -> float:
    try:
        return float(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):       # "max"
        return math.inf


def refuse_impossible(needs: Estimate) -> None:
    """Raise InputError for a run that this machine cannot hold, be the estimate wrong by a factor of three."""
    there = machine_memory()
    if needs.memory_per_rank > 3 * there:
        where = f"each of {needs.ranks} ranks" if needs.ranks > 1 else "its one rank"
        raise InputError(f"the run needs about {size(needs.memory_per_rank)} of memory on {where}, this machine has "
                         f"{size(there)}: take fewer particles (or modes, or other fields), or more ranks on more machines")


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def pairs_per_particle(model: Model, density: float, dimension: int) -> float:
    """Half the number of particles within the mean interaction range and the skin."""
    return density * _ball(model.potential.cutoff * mean_length(model) + SKIN, dimension) / 2


def mean_length(model: Model) -> float:
    """Mean lambda_ij, without the non-additivity."""
    sizes, length = model.sizes, model.mixing.length
    if length is not None:
        f = sizes.fractions
        return sum(f[a] * f[b] * length[a][b] for a in range(len(f)) for b in range(len(f)))
    if sizes.kind == "species":
        return sum(f * d for f, d in zip(sizes.fractions, sizes.diameters, strict=True))
    return (sizes.smallest + sizes.largest) / 2 if sizes.smallest == sizes.largest else _power_mean(
        sizes.smallest, sizes.largest, sizes.exponent)


def _power_mean(low: float, high: float, exponent: float) -> float:
    def moment(k: float) -> float:
        power = k - exponent + 1
        return math.log(high / low) if abs(power) < 1e-12 else (high**power - low**power) / power

    return moment(1) / moment(0)


def _ball(radius: float, dimension: int) -> float:
    return math.pi * radius**2 if dimension == 2 else 4 / 3 * math.pi * radius**3


def halo_particles(owned: float, density: float, model: Model, dimension: int) -> float:
    """Ghosts around a cubic brick of `owned` particles; a single rank has them too, as periodic images."""
    edge = (owned / density) ** (1 / dimension)
    return density * ((edge + 2 * (model.largest_cutoff + SKIN)) ** dimension - edge**dimension)


@functools.cache
def _python_step(steps: int = 40_000) -> float:
    """Seconds of one multiplication and addition in a Python loop (best of three, a few ms)."""
    best = math.inf
    for _ in range(3):
        start, x = time.perf_counter(), 0.0
        for _ in range(steps):
            x = x * 0.999 + 1.0
        best = min(best, time.perf_counter() - start)
    return best / steps
