"""The particles of one sample, spread over ranks: arrays with owners.

Rows [:n_owned] are this rank's particles, the rest are ghosts. Positions are `reference` + `displacement`: references lie on a
grid of step 2^-k on which differences are exact, and the box is split the same way, so that a pair vector
(X_j - X_i) + (u_j - u_i) carries no round-off of the box size. In absolute coordinates a box of L = 100 leaves
2-5e-12 in the forces; here 3e-14.

Everything that depends on the order of particles (PETSc vectors, lists) is valid for one `epoch`, the number of rebuilds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core.decomposition import Bricks, best_grid
from hpcglass.core.halo import Halo
from hpcglass.core.neighbours import Bins, PairList, build_pairs
from hpcglass.core.pairs import PairTable, pair_table
from hpcglass.core.vectors import add_scaled, farthest
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.annulus import Walls
from hpcglass.geometries.periodic import heights, reduce_tilt
from hpcglass.potentials.model import Model

Floats = NDArray[np.float64]
Array = NDArray[Any]

DEFAULT_SKIN = 0.4
PER_RANK = {2: 4000, 3: 2000}   # particles from which on a step on two ranks is quicker than on one
BETWEEN_LOOKS = 200_000, 20     # particles of a rank times steps, and steps, at most, between two looks at requests to stop
LARGEST_MAP = 1e3       # entry of a deformation
FARTHEST = 1e9          # in units of the cell: periods crossed are counted in 32 bits


class System:
    """A configuration in a periodic cell of any tilt, in 2D or 3D.

    Parameters
    ----------
    comm : MPI communicator; kept as an attribute, all methods are collective over it unless they say otherwise
    model : the glass former
    box : (d, d), columns are the box vectors [length]
    fields : rows of this rank, in any distribution: `id` (n,) int64, unique, 0..N-1 in total; `position` (n, d);
        `diameter` (n,); `species` (n,) int32; optional `position_low` (n, d), `image` (n, d) int32, and `walls`, the
        `Walls.numbers` of a glass between walls

    Attributes
    ----------
    n_owned, n_ghosts, n_all, n_total : particles of this rank, its ghosts, both, of all ranks
    id, diameter, species, reference, displacement : rows of owned particles, then ghosts
    image : (n_owned, d) periods crossed
    fields : further per-particle arrays of owned rows that move with the particles at each rebuild
    pairs : the neighbour list
    working : number of ranks, the first ones, that have particles
    walls : rigid walls around the glass, or None; may be replaced by others at any time, lists do not depend on them
    epoch : number of rebuilds
    """

    _most_working: int | None = None
    _ghost_shift: Floats | None = None

    def __init__(self, comm: MPI.Comm, model: Model, box: Floats, fields: dict[str, Array], skin: float = DEFAULT_SKIN) -> None:
        self.comm = comm
        self.model = model
        self.table: PairTable = pair_table(model)
        self.walls = Walls.of(fields["walls"]) if "walls" in fields else None
        self.box = np.array(box, dtype=np.float64)
        self.skin = skin
        self.epoch = 0
        self.origin = np.zeros(self.dimension)
        self.fields: dict[str, Array] = {}
        self.id = np.asarray(fields["id"], dtype=np.int64)
        self.n_owned = self.id.size
        self.n_total = int(ranks.total(comm, self.n_owned))
        if self.n_total < 1:
            raise InputError("the system has no particles; ask for at least one")
        self.diameter = np.asarray(fields["diameter"], dtype=np.float64)
        self.species = np.asarray(fields["species"], dtype=np.int32)
        position = np.asarray(fields["position"], dtype=np.float64)
        self.reference = position.reshape(-1, self.dimension).copy()
        self.displacement = np.array(fields.get("position_low", np.zeros_like(self.reference)), dtype=np.float64)
        self.image = np.array(fields.get("image", np.zeros_like(self.reference)), dtype=np.int32)
        self.rebuild()

    # ------------------------------------------------------------------ shape

    @property
    def dimension(self) -> int:
        return len(self.box)

    @property
    def volume(self) -> float:
        """V = |det h|, or what is between the walls; an area in 2D."""
        return float(abs(np.linalg.det(self.box))) if self.walls is None else self.walls.volume

    @property
    def n_ghosts(self) -> int:
        return self.halo.n_ghosts

    @property
    def n_all(self) -> int:
        return self.n_owned + self.n_ghosts

    @property
    def pace(self) -> int:
        """Steps or force evaluations from one safe point to the next: some hundredths of a second, or a single long one."""
        work, most = BETWEEN_LOOKS
        return min(max(work * self.working // self.n_total, 1), most)

    @property
    def working(self) -> int:
        return min(self._most_working or self.comm.size, self.comm.size)

    @property
    def first_row(self) -> int:
        """Global row of the first owned particle: row first_row + i of any distributed vector is owned particle i."""
        return ranks.offset(self.comm, self.n_owned)

    @property
    def position(self) -> Floats:
        """(n_owned, d) positions, rounded to one number."""
        return self.reference[: self.n_owned] + self.displacement[: self.n_owned]

    def unwrapped(self) -> Floats:
        """(n_owned, d) positions continued across the periodic boundaries since the start."""
        return self.position + self.image @ self.box.T

    def scratch(self, name: str) -> Floats:
        """(n_all, d) memory for passing use, kept until the next rebuild so that it need not be found again."""
        if name not in self._scratch:
            self._scratch[name] = np.empty((self.n_all, self.dimension))
        return self._scratch[name]

    # ------------------------------------------------------------------ halo verbs

    def forward(self, values: Array) -> None:
        """Owners' rows to ghosts, in place, for an array of n_all rows."""
        self.halo.forward(values, self.n_owned)

    def reverse_add(self, values: Array) -> None:
        """Add ghosts' rows to their owners, in place, for an array of n_all rows."""
        self.halo.reverse_add(values, self.n_owned)

    def concentrate(self, particles: int | None = None) -> None:
        """Let only so many of the first ranks have particles that each has about `particles`, for work in which ranks take turns.

        Where each rank has few, it takes longer to tell the others than to do their part as well. Default: PER_RANK. The
        configuration and its list stay the same to the bit. Collective.
        """
        wanted = min(max(self.n_total // (particles or PER_RANK[self.dimension]), 1), self.comm.size)
        if wanted != self.working:
            self._most_working = wanted
            self.restore(*self.state())

    # ------------------------------------------------------------------ motion

    def move(self, step: Floats, factor: float = 1.0) -> None:
        """Displace the owned particles by factor * step (n_owned, d); then call `update`. Not collective."""
        add_scaled(self.displacement, factor, step)

    def deform(self, deformation: Floats) -> None:
        """Affine map x -> D x of box and particles (D = exp(strain A)); call `update` before asking for energies.

        Raises PhysicsError between walls, which are rigid, and for a map that turns the cell inside out or makes it huge at once.
        """
        if self.walls is not None:
            raise PhysicsError("a glass between rigid walls cannot be strained or compressed; move its walls (stage inflate)")
        if not (np.abs(deformation).max() <= LARGEST_MAP and np.linalg.det(deformation) > 0):
            raise PhysicsError(f"a cell cannot be deformed by {np.asarray(deformation).tolist()} at once: the strain is too "
                               "large; take smaller steps")
        change = deformation - np.eye(self.dimension)
        own = slice(0, self.n_owned)
        self.displacement[own] += (self.reference[own] + self.displacement[own]) @ change.T
        self._set_box(self.box + change @ self.box)

    def update(self, further: float = np.inf) -> bool:
        """Refresh the ghosts; rebuild first if the list may miss a pair. Returns whether it rebuilt. Collective.

        further : a bound of how far anybody has moved since the last call, the same on all ranks, if it is known: it may spare
            the look at all particles
        """
        self._far += further
        if not self._far < self.slack and self._list_expired():
            self.rebuild()
            return True
        self.refresh_ghosts()
        return False

    def _list_expired(self) -> bool:
        """Whether a pair outside the list may have come within its cut-off.

        Since the build the box deformed by F, and particles by F plus at most w: a pair then at least cut + skin apart is now
        at least s (cut + skin) - 2 w apart, s the smallest singular value of F. Exact for affine steps, however large the cell.
        """
        here = farthest(self.displacement, self.reference, self.n_owned, self.strain_since_build)
        largest = float(np.sqrt(ranks.largest(self.comm, here)))
        if not np.isfinite(largest):
            self.check_finite()
        self._far = largest
        return largest >= self.slack

    @property
    def slack(self) -> float:
        """w beyond which the list has expired."""
        return 0.5 * (self._shrink * (self.range + self.skin) - self.range)

    def check_finite(self, phase: str = "") -> None:
        """Raise PhysicsError naming the particle if a position is NaN, infinite, or too far away to be wrapped. Collective."""
        near = np.abs(self.displacement[: self.n_owned]) < FARTHEST * np.abs(self.box).max()       # NaN is not
        bad = np.flatnonzero(~near.all(axis=1))
        worst = int(ranks.smallest(self.comm, int(self.id[bad].min()) if bad.size else self.n_total))
        if worst < self.n_total:
            raise PhysicsError(f"particle {worst} has no finite position{' ' + phase if phase else ''}: the step was too large "
                               "or the start has overlapping particles; shorten the time step or start from a quench")

    # ------------------------------------------------------------------ rebuild

    def rebuild(self, wrap: bool = True) -> None:
        """Wrap, migrate, sort, find ghosts and pairs. The new order depends on positions and ids only."""
        for name in ("id", "diameter", "species", "reference", "displacement"):
            setattr(self, name, getattr(self, name)[: self.n_owned])
        self.check_finite()
        if wrap:
            self._reduce_cell()
        self._choose_grid()
        if wrap:
            self._wrap()
        self.box_at_build = self.box.copy()
        self.strain_since_build, self._shrink, self._far = np.zeros_like(self.box), 1.0, 0.0
        self._scratch: dict[str, Floats] = {}
        inverse = np.linalg.inv(self.box)
        self.bricks = Bricks(best_grid(self.box, self.working), self.comm.rank, self.origin)
        self._migrate(self.bricks.owner(self._fraction(self.reference, inverse)))
        self.range = self._largest_cutoff()
        width = (self.range + self.skin) / heights(self.box)
        low = self.bricks.coordinate / self.bricks.grid - width
        high = (self.bricks.coordinate + 1) / self.bricks.grid + width
        bins = Bins.covering(self.box, low, high, self.range + self.skin, max(self.n_owned, 1))
        fraction = self._fraction(self.reference, inverse)
        owned_bins = bins.index(fraction)
        cell = (owned_bins << self.dimension) + bins.octant(fraction)
        order = np.argsort(cell * self.n_total + self.id, kind="stable")
        self._apply_order(order)
        self.halo = Halo(self.comm, self.bricks, fraction[order], width)
        self._append_ghosts(bins, inverse)
        self.pairs: PairList = build_pairs(self.table, bins, self.reference, self.diameter, self.species,
                                           owned_bins[order], self._ghost_bins, self.skin,
                                           int(1.1 * self.pairs.size) if self.epoch else 8 * self.n_owned)
        self.epoch += 1

    def _fraction(self, position: Floats, inverse: Floats) -> Floats:
        return position @ inverse.T - self.origin

    def _choose_grid(self) -> None:
        """Split the box, h = high (on the reference grid) + low: 52 bits span the cell, its halo and tilt."""
        self.grid_step = 2.0 ** (np.ceil(np.log2(np.abs(self.box).sum(axis=1).max())) + 2 - 52)
        self.box_high = np.rint(self.box / self.grid_step) * self.grid_step
        self.box_low, self._ghost_shift = self.box - self.box_high, None

    def _set_box(self, box: Floats) -> None:
        """A new box since the build; references and the list stay."""
        self.box = box
        self.box_low, self._ghost_shift = box - self.box_high, None
        deformation = box @ np.linalg.inv(self.box_at_build)
        self.strain_since_build = deformation - np.eye(self.dimension)
        self._shrink = float(np.linalg.svd(deformation, compute_uv=False).min())

    def _reduce_cell(self) -> None:
        change = reduce_tilt(self.box)
        if (change != np.eye(self.dimension, dtype=np.int64)).any():
            back = np.rint(np.linalg.inv(change)).astype(np.int32)
            self.box = self.box @ change
            self.image = (self.image @ back.T).astype(np.int32)

    def _wrap(self) -> None:
        """Into the cell [origin, origin + 1), and references back onto their grid; both exact."""
        total = self.reference + self.displacement
        on_grid = np.rint(total / self.grid_step) * self.grid_step
        rest = (self.reference - on_grid) + self.displacement
        periods = np.floor(self._fraction(on_grid, np.linalg.inv(self.box))).astype(np.int64)
        self.reference = on_grid - periods @ self.box_high.T
        self.displacement = rest - periods @ self.box_low.T
        self.image = self.image + periods.astype(np.int32)

    def _migrate(self, owner: Array) -> None:
        names = sorted(self.fields)
        moved = ranks.send_rows(self.comm, owner, self.id, self.reference, self.displacement, self.diameter, self.species,
                                self.image, *[self.fields[name] for name in names])
        self.id, self.reference, self.displacement, self.diameter, self.species, self.image = moved[:6]
        self.fields = dict(zip(names, moved[6:], strict=True))
        self.n_owned = self.id.size

    def _apply_order(self, order: Array) -> None:
        for name in ("id", "reference", "displacement", "diameter", "species", "image"):
            setattr(self, name, getattr(self, name)[order])
        self.fields = {name: rows[order] for name, rows in self.fields.items()}

    def _append_ghosts(self, bins: Bins, inverse: Floats) -> None:
        for name in ("id", "reference", "displacement", "diameter", "species"):
            rows = getattr(self, name)
            grown = np.empty((self.n_all, *rows.shape[1:]), dtype=rows.dtype)
            grown[: self.n_owned] = rows
            self.halo.forward(grown, self.n_owned)
            setattr(self, name, grown)
        ghosts = slice(self.n_owned, None)
        self.reference[ghosts] += self.halo.periods @ self.box_high.T
        ghost_bins = bins.index(self._fraction(self.reference[ghosts], inverse))
        order = np.argsort(ghost_bins, kind="stable")
        self.halo.sort(order)
        for name in ("id", "reference", "displacement", "diameter", "species"):
            rows = getattr(self, name)
            rows[ghosts] = rows[ghosts][order]
        self._ghost_bins = ghost_bins[order]
        self._ghost_shift = None
        self.displacement[ghosts] += self.ghost_shift

    def refresh_ghosts(self) -> None:
        """Displacements of owners to their images, without asking whether the list still holds. Collective."""
        self.forward(self.displacement)
        self.displacement[self.n_owned:] += self.ghost_shift

    @property
    def ghost_shift(self) -> Floats:
        """(n_ghosts, d) what the displacements of ghosts have besides their owners'."""
        if self._ghost_shift is None:
            self._ghost_shift = self.halo.periods @ self.box_low.T
        return self._ghost_shift

    def _largest_cutoff(self) -> float:
        """Upper bound of the range of interaction over all pairs present [length]."""
        cutoff = self.model.potential.cutoff
        if self.model.mixing.length is not None:
            return cutoff * float(np.max(self.model.mixing.length))
        biggest = float(self.diameter.max()) if self.diameter.size else 0.0
        return cutoff * float(ranks.largest(self.comm, biggest))

    # ------------------------------------------------------------------ state

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """(scalars, rows per owned particle) from which `from_state` goes on to the bit."""
        own = slice(0, self.n_owned)
        scalars = {"box": self.box, "box_at_build": self.box_at_build, "origin": self.origin, "skin": self.skin}
        if self.walls is not None:
            scalars["walls"] = np.array(self.walls.numbers)
        rows: dict[str, Array] = {"id": self.id[own], "reference": self.reference[own], "displacement": self.displacement[own],
                                  "image": self.image, "diameter": self.diameter[own], "species": self.species[own]}
        rows |= {f"field:{name}": values for name, values in self.fields.items()}
        return scalars, {name: values.copy() for name, values in rows.items()}

    @classmethod
    def from_state(cls, comm: MPI.Comm, model: Model, scalars: dict[str, Any], rows: dict[str, Array]) -> System:
        """The system that `state` described, on the same or another number of ranks. Collective."""
        self = cls.__new__(cls)
        self.comm, self.model, self.table = comm, model, pair_table(model)
        self.epoch = 0
        self.restore(scalars, rows)
        return self

    def restore(self, scalars: dict[str, Any], rows: dict[str, Array]) -> None:
        """Go back to a `state`, to the bit: the rebuild it came from, then the displacements since. Collective."""
        self.walls = Walls.of(scalars["walls"]) if "walls" in scalars else None
        self.box = np.array(scalars["box_at_build"], dtype=np.float64)
        self.origin = np.array(scalars["origin"], dtype=np.float64)
        self.skin = float(scalars["skin"])
        self.id = np.asarray(rows["id"], dtype=np.int64)
        self.n_owned = self.id.size
        self.n_total = int(ranks.total(self.comm, self.n_owned))
        self.diameter = np.asarray(rows["diameter"], dtype=np.float64)
        self.species = np.asarray(rows["species"], dtype=np.int32)
        self.reference = np.array(rows["reference"], dtype=np.float64)
        self.displacement = np.zeros_like(self.reference)
        self.image = np.array(rows["image"], dtype=np.int32)
        self.fields = {name[6:]: np.array(values) for name, values in rows.items() if name.startswith("field:")}
        self.fields["displacement since build"] = np.array(rows["displacement"], dtype=np.float64)
        self.rebuild(wrap=False)
        self.displacement[: self.n_owned] = self.fields.pop("displacement since build")
        self._set_box(np.array(scalars["box"], dtype=np.float64))
        self.refresh_ghosts()

    def reorder(self, ids: Array, rows: Array) -> Array:
        """Rows held anywhere, with their global ids, as rows of this rank's owned particles in present order. Collective."""
        return ranks.rows_of(self.comm, self.id[: self.n_owned], self.n_total, ids, rows)

    def configuration(self) -> dict[str, Array]:
        """Rows to write: `position`, and `position_low`, what rounding it to one number left out; `walls` if there are any."""
        own = slice(0, self.n_owned)
        high = self.position
        low = (self.reference[own] - high) + self.displacement[own]
        rows = {"id": self.id[own], "position": high, "position_low": low, "image": self.image,
                "diameter": self.diameter[own], "species": self.species[own]}
        return rows if self.walls is None else {**rows, "walls": np.array(self.walls.numbers)}

    def renewed(self) -> System:
        """The same configuration as a new system: what reading it back from its file gives, to the bit."""
        return System(self.comm, self.model, self.box, self.configuration())
