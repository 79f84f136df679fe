"""SPS: the least strain at which a way out of the minimum that a particle takes part in is foretold to open.

    Delta gamma_c = -3 Q_0 / (2 V Delta tau)   (B27),      the least one of all saddles found   (B28),

Q_0 the barrier and V Delta tau the stress that is lost on it along the shear. A saddle counts for a particle that moves by more
than `SHARE` of the largest motion on the way there. A particle of which no saddle was found has no value (NaN), and is called
least likely; infinity means that the shear raises all its barriers. Saddles are looked for by pulling at discs (`saddles.pull`):
along the forces H pi of the distinct quartic modes, and at the strongest pair of each cell, both ways; or at random at the
particles of a cluster, as the paper starts. They are shared out to the ranks, each of which holds all of the glass. The softest
are refined in a larger disc and in the whole glass.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.indicators.bonds import Bonds
    from hpcglass.indicators.glass import Glass
    from hpcglass.saddles.sampling import Sampling, Start

KINDS = ("modes", "bonds", "random")
RADIUS = {2: 8.0, 3: 3.5}       # of the disc [length]
SHARE = 0.3                     # of the largest motion: who takes part
CLUSTER, EACH = 2.0, 5          # radius of what is pushed at random [length], starts of each such cluster
COLUMNS = {"core_id": ("", "particle that moves most"), "barrier": ("energy", "Q_0 = U(saddle) - U(minimum)"),
           "gamma_c": ("", "strain at which it vanishes under the given shear, B27; infinite if the shear raises it"),
           "eigenvalue": ("energy/length^2", "the negative one, in the disc"),
           "other_side": ("energy", "minimum on the other side less this one, in the disc; NaN if it was not reached"),
           "participation": ("", "about how many particles move"),
           "refined": ("", "0: in a disc, 1: in a larger one, 2: in the whole glass"),
           "start": ("", f"{', '.join(f'{number}: {kind}' for number, kind in enumerate(KINDS))}"),
           "start_id": ("", "particle about which the pull began")}


def saddles(glass: Glass) -> Any:
    """Least gamma_c of the saddles in which a particle takes part."""
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.core.replica import Replica
    from hpcglass.indicators.nonlinear import modes
    from hpcglass.saddles.sampling import refine, sample
    from hpcglass.saddles.search import Search

    comm, choices = glass.system.comm, glass.choices
    replica = modes(glass, 4).replica if "modes" in choices.saddle_starts else Replica(glass.system)
    system = replica.system
    begun = starts(glass, system)
    search = Search(system, choices.saddle_radius or RADIUS[system.dimension])
    found = sample(comm, search, begun, glass.alive, glass.look)
    kept = found.distinct()
    strains = found.strains(kept, glass.gradient)
    softest = kept[np.argsort(strains, kind="stable")][: min(choices.saddle_refined, int(np.isfinite(strains).sum()))]
    if len(softest):
        found = refine(comm, search, found, softest.tolist(), glass.alive, glass.look)
        kept = np.array([trial for trial in found.distinct() if trial in set(kept.tolist())], dtype=np.int64)
        strains = found.strains(kept, glass.gradient)
    tell(glass, search.radius, system, begun, found, kept, strains)
    least, visits = np.full(system.n_total, np.inf), np.zeros(system.n_total)
    for trial, strain in zip(kept, strains, strict=True):
        if trial in found.saddles:
            part = system.id[found.saddles[trial].movers(SHARE)]
            least[part] = np.minimum(least[part], strain)
            visits[part] = 1.0
    least, visits = ranks.smallest(comm, least), ranks.total(comm, visits)
    glass.results["saddles_visited"] = (float((visits > 0).mean()), "", "share of the particles that take part in a saddle")
    return glass.unless_loose(np.where(visits > 0, least, np.nan)[glass.system.id[: glass.system.n_owned]])


def starts(glass: Glass, system: System) -> list[Start]:
    """Where to pull, and how; the same on any number of ranks."""
    import numpy as np

    from hpcglass.indicators.bonds import interacting
    from hpcglass.indicators.nonlinear import dipoles, modes
    from hpcglass.saddles.sampling import Start

    size, choices, result = glass.system.comm.size, glass.choices, []
    nothing = np.zeros(0, np.int64), np.zeros((0, system.dimension))
    row_of = np.argsort(system.id[: system.n_owned])
    if "modes" in choices.saddle_starts:
        found = modes(glass, 4)
        for number in found.kept:
            core = int(row_of[int(found.rows[number, 0])])
            result.append(Start(0, core, number % size, *found.forces.get(number, nothing)))
    if {"bonds", "random"} & set(choices.saddle_starts):
        bonds = interacting(system)
        strength = np.abs(bonds.c[1]) * np.linalg.norm(bonds.vector, axis=1)
        pairs = dipoles(bonds, strength, choices.saddle_cell)
        owner = row_of[system.id]       # of an image
        if "bonds" in choices.saddle_starts:
            for number, pair in enumerate(pairs):
                rows = owner[bonds.rows[pair]]
                result.append(Start(1, int(rows[0]), number % size, rows, np.stack([-bonds.vector[pair], bonds.vector[pair]])))
        if "random" in choices.saddle_starts:
            result += _random(system, bonds, owner[bonds.rows[pairs, 0]], size)
    return result


def _random(system: System, bonds: Bonds, centres: Any, size: int) -> list[Start]:
    """Random forces on the clusters about particles, `EACH` of them."""
    import numpy as np

    from hpcglass.core.random import Stream, normal
    from hpcglass.saddles.sampling import Start

    result, inverse = [], np.linalg.inv(system.box)
    position = (system.reference + system.displacement)[: system.n_owned]
    for number, centre in enumerate(map(int, centres)):
        apart = (position - position[centre]) @ inverse.T
        apart = (apart - np.rint(apart)) @ system.box.T
        rows = np.flatnonzero((apart**2).sum(axis=1) < CLUSTER**2)
        for k in range(EACH):
            forces = normal(0, Stream.SADDLES, EACH * int(system.id[centre]) + k, system.id[rows], system.dimension)
            result.append(Start(2, centre, number % size, rows, forces))
    return result


def tell(glass: Glass, radius: float, system: System, begun: list[Start], found: Sampling, kept: Any, strains: Any) -> None:
    """A table of the distinct saddles, and how it went."""
    import numpy as np

    from hpcglass.saddles.pull import SADDLE

    d = system.dimension
    upper = [(a, b) for a in range(d) for b in range(a, d)]
    columns = COLUMNS | {f"stress_{'xyz'[a]}{'xyz'[b]}": ("energy", "V (sigma(saddle) - sigma(minimum)), tension positive")
                         for a, b in upper}
    start = [begun[trial // 2] for trial in kept]
    rows = [found.core[kept], found.barrier[kept], strains, found.eigenvalue[kept], found.other[kept], found.participation[kept],
            found.refined[kept], [one.kind for one in start], [system.id[one.row] for one in start],
            *(found.stress[kept, a, b] for a, b in upper)]
    glass.tables["saddles"] = (np.array(rows, dtype=np.float64).T[np.argsort(strains, kind="stable")], columns)
    for name, value, units, what in (
            ("radius", radius, "length", "of the discs in which saddles were looked for"),
            ("trials", len(found.flag), "", "pulls"),
            ("reached", int((found.flag == SADDLE).sum()), "", "of these that came to a saddle with one negative eigenvalue"),
            ("connected", int(found.connected.sum()), "", "of these with one side that leads back to the minimum"),
            ("distinct", len(kept), "", "different ones"),
            ("refined", int((found.refined[kept] == 2).sum()), "", "of these refined in the whole glass")):
        glass.results[f"saddles_{name}"] = (value, units, what)


INDICATORS = (
    Indicator("sps", "Δγ_c", "", "low", "factors", "saddles", "B27, B28", "strain at which the softest barrier vanishes",
              saddles),
)
