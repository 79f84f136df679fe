"""The elasto-plastic lattice as an object: fields spread over ranks in slabs of rows, loaded quasistatically.

Rank p of P holds rows y of `block(L, P, p)`; site = y L + x. Everything that decides is either the same on all
ranks or exchanged in the order of the sites, and random numbers belong to sites and their events: a run is the
same to the bit on any number of ranks.

Memory: 30 bytes per site (8 more with backward thresholds or internal stress) divided by the ranks, 6 L² bytes for the kernel and
its bounds on each rank (8 with backward thresholds), and a few fields of L² / ranks during a Fourier transform: L = 4096 on four
ranks takes less than half a gigabyte each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core import comm as ranks
from hpcglass.core import random
from hpcglass.epm import dynamics, tiles
from hpcglass.epm.dynamics import Avalanches
from hpcglass.epm.initial import eigenstrain, first_thresholds, frozen_stress, moduli
from hpcglass.epm.kernel import Convolution, effective_modulus, kernel_rows, tile_bounds
from hpcglass.epm.model import Model
from hpcglass.epm.thresholds import Distribution
from hpcglass.errors import InputError, PhysicsError

Field = NDArray[np.float64]
NONE = np.zeros((1, 1))


class Lattice:
    """An elasto-plastic lattice at γ = 0, stable, ready to be loaded.

    Parameters
    ----------
    comm : MPI.Comm
        Ranks to be spread over; MPI.COMM_SELF for one. More ranks than rows are refused.
    model : Model
    recompute : int, optional
        Slips between two computations of the whole stress by FFT; chosen from L unless given. 1 is an FFT at every step. Results
        depend on it to round-off only.

    Attributes
    ----------
    model, comm
    size, first_row, rows : int
        L, and the rows of this rank.
    sites : (rows L,) int64
        Numbers y L + x of this rank's sites.

    Raises
    ------
    InputError
        More ranks than rows; a map of thresholds that is not stable from the start.
    """

    _eigenstrain: Field | None
    _frozen: Field | None

    def __init__(self, comm: MPI.Comm, model: Model, recompute: int | None = None) -> None:
        self._prepare(comm, model, recompute)
        self._eigenstrain = eigenstrain(self._convolution, self.sites, model)
        weights = self._sites.weight
        self._clock.virgin = int(ranks.total(comm, int(weights.sum()))) if len(weights) else self.size**2
        self._refresh()
        first_thresholds(comm, self._sites, self._rules, model, self.sites)

    def _prepare(self, comm: MPI.Comm, model: Model, recompute: int | None) -> None:
        self.comm, self.model, self.size = comm, model, int(model.size)
        if comm.size > self.size:
            raise InputError(f"lattice: {comm.size} ranks for {self.size} rows; use at most one rank per row")
        if recompute is not None and recompute < 1:
            raise InputError(f"lattice: recompute = {recompute} must be at least 1")
        self.first_row, last = ranks.block(self.size, comm.size, comm.rank)
        self.rows = last - self.first_row
        self.sites = np.arange(self.first_row * self.size, last * self.size, dtype=np.int64)
        self._convolution = Convolution(comm, self.size, model.shear, model.wave_vectors)
        softening, weights = moduli(model)
        self._rules = rules_of(model, softening)
        self._frozen = frozen_stress(model, self.first_row, last)
        number = (-(-self.rows // tiles.TILE), -(-self.size // tiles.TILE))
        shape = (self.rows, self.size)
        back = shape if model.backward is not None else (0, self.size)
        self._sites = tiles.Sites(
            np.zeros(shape), np.zeros(shape), np.full(shape, np.inf), np.full(back, np.inf), np.zeros(shape, dtype=np.int32),
            weights[self.first_row: last], tiles.bounds(*number, True), tiles.bounds(*number, model.backward is not None),
            np.zeros(number, dtype=np.int64), np.zeros(1), self.first_row)
        room = entries(self.size) if recompute is None else recompute
        self._log = tiles.Log(np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64), np.zeros(room))
        self._found = np.zeros((room, 2))
        self._message, self._messages = np.zeros(dynamics.MESSAGE), np.zeros((comm.size, dynamics.MESSAGE))
        self._clock = np.zeros(1, dtype=dynamics.CLOCK).view(np.recarray)[0]
        self._eigenstrain = None

    # ---------------------------------------------------------------- loading

    def load(self, strain: float, at_most: int = 65536) -> Avalanches:
        """Load quasistatically towards a strain, up or down, always exactly to the next instability.

        Parameters
        ----------
        strain : float
            Where to go. The lattice is there afterwards, unless
        at_most : int
            so many avalanches have happened before: then `strain` is not yet reached, and the same call goes on.

        Returns
        -------
        Avalanches
            In the order in which they happened, the same on all ranks.

        Raises
        ------
        InputError
            A strain that is not a finite number.
        PhysicsError
            An avalanche of more than a thousand slips per site.
        """
        if not np.isfinite(strain) or at_most < 1:
            raise InputError(f"lattice: cannot load to strain {strain} in at most {at_most} avalanches")
        events = Avalanches(*(np.empty(at_most) for _ in range(3)), *(np.empty(at_most, dtype=np.int64) for _ in range(2)))  # type: ignore[arg-type]
        recorded = np.zeros(1, dtype=np.int64)
        status = dynamics.GO_ON
        while status in (dynamics.GO_ON, dynamics.REFRESH):
            if self.comm.size == 1:
                status = dynamics.alone(self._rules, self._sites, self._log, self._clock, float(strain), self._found,
                                        events, recorded)
            else:
                status = self._together(float(strain), events, recorded)
            if status == dynamics.REFRESH:
                self._refresh()
        if status == dynamics.ENDLESS:
            raise PhysicsError(f"lattice: an avalanche at strain {self.strain:.6g} does not end after "
                               f"{self._clock.slips - self._clock.slips_before} slips: "
                               "thresholds are too low for slips of this size")
        return Avalanches(*(column[: recorded[0]].copy() for column in events))     # type: ignore[arg-type]

    def _together(self, target: float, events: Avalanches, recorded: NDArray[np.int64]) -> int:
        """What `dynamics.alone` does, with the other ranks: one message of each to all in each step."""
        state = (self._rules, self._sites, self._log, self._clock, target, self._found)
        message, messages = self._message, self._messages
        dynamics.offer(*state, message)
        status = dynamics.GO_ON
        while status == dynamics.GO_ON:
            ranks.all_told(self.comm, message, messages)
            status = int(dynamics.take(*state, message, messages, events, recorded))
        if status != dynamics.MORE:
            return status
        n, first = (int(value) for value in messages[:, :2].sum(axis=0))
        found = self._found
        if n <= len(found) - self._clock.logged:
            found = ranks.gathered(self.comm, found[: int(message[0])], messages[:, 0])
        return int(dynamics.absorb(*state[:-1], found, n, first, events, recorded))

    def _refresh(self) -> None:
        """Internal strain and plastic strain afresh from all slips; the log is empty again."""
        sites = self._sites
        sites.internal[:] = self._convolution(sites.slip if self._eigenstrain is None else sites.slip + self._eigenstrain)
        if self._frozen is not None:
            sites.internal[:] += self._frozen
        self._clock.slipped = self._sum(sites.slip)
        self._clock.logged = 0
        sites.done[:] = 0
        self._forget()

    def _forget(self) -> None:
        for bounds in (self._sites.up, self._sites.down)[: 2 if len(self._sites.backward) else 1]:
            bounds.low[:] = bounds.least[:] = -np.inf
            bounds.weakest[:] = -1

    def _sum(self, field: Field) -> float:
        """Sum over all sites, row after row: the same to the bit on any number of ranks."""
        return float(np.sum(ranks.gathered(self.comm, np.sum(field, axis=1))))

    # ---------------------------------------------------------------- what there is to see

    @property
    def strain(self) -> float:
        """γ."""
        return float(self._clock.strain)

    @property
    def stress(self) -> float:
        """Σ = μ(γ − γ_p) [stress]."""
        return float(dynamics.stress_now(self._rules, self._clock))

    @property
    def plastic_strain(self) -> float:
        """γ_p = 2⟨ε_p⟩."""
        return float(2.0 * self._clock.slipped / self.size**2)

    @property
    def modulus(self) -> float:
        """μ, the mean over all blocks at present [stress]."""
        return float(dynamics.modulus_now.py_func(self._rules, self._clock, self.size**2))

    @property
    def slips(self) -> int:
        """Slips since the start."""
        return int(self._clock.slips)

    @property
    def avalanches(self) -> int:
        """Avalanches since the start."""
        return int(self._clock.avalanches)

    @property
    def steps(self) -> int:
        """Synchronous steps since the start."""
        return int(self._clock.steps)

    def _up_to_date(self) -> Field:
        tiles.update_all(self._rules, self._sites, self._log, self._clock)
        return self._sites.internal

    def stress_field(self) -> Field:
        """σ_i = Σ + μ* v_i [stress], (rows, L)."""
        return self.stress + effective_modulus(self.modulus, self.model.bulk_modulus) * self._up_to_date()

    def plastic_strain_field(self) -> Field:
        """γ_p,i = 2 ε_p,i, (rows, L)."""
        return 2.0 * self._sites.slip

    def strain_field(self) -> Field:
        """γ_i = σ_i/μ + γ_p,i, (rows, L), of mean γ (004, Sec. 3.1)."""
        return self.stress_field() / self.modulus + self.plastic_strain_field()

    def threshold_field(self) -> Field:
        """c_i [stress], (rows, L)."""
        return self._sites.forward.copy()

    def event_field(self) -> NDArray[np.int32]:
        """Number of slips of each site, (rows, L)."""
        return self._sites.counts.copy()

    def gather(self, field: NDArray[Any]) -> NDArray[Any]:
        """A whole field, (L, L), on all ranks. Collective."""
        return ranks.gathered(self.comm, field)

    def observables(self) -> dict[str, float]:
        """Numbers that describe the state; the same on all ranks. Collective, O(L²).

        Returns
        -------
        dict
            strain, stress, plastic_strain, modulus, slips, avalanches; mean_threshold; stress_std and strain_std over sites;
            localization, LOC = L Σγ_i⁴/(Σγ_i²)² of the strain field (004, Eq. (13): 1/L if uniform, 1 for one line), and
            plastic_localization of the plastic strain; age = ⟨c⟩/⟨c⟩_renewal − 1 (004, Eq. (6)).
        """
        threshold = self._sum(self._sites.forward) / self.size**2
        stress, plastic = self.stress_field(), self.plastic_strain_field()
        strain = stress / self.modulus + plastic
        return {"strain": self.strain, "stress": self.stress, "plastic_strain": self.plastic_strain, "modulus": self.modulus,
                "slips": float(self.slips), "avalanches": float(self.avalanches), "mean_threshold": threshold,
                "stress_std": self._std(stress), "strain_std": self._std(strain), "localization": self._localization(strain),
                "plastic_localization": self._localization(plastic),
                "age": threshold / self.model.renewing.mean - 1.0}

    def _std(self, field: Field) -> float:
        mean = self._sum(field) / self.size**2
        return float(np.sqrt(self._sum((field - mean) ** 2)) / self.size)

    def _localization(self, field: Field) -> float:
        second = self._sum(field**2)
        return self.size * self._sum(field**4) / second**2 if second > 0.0 else 1.0 / self.size

    # ---------------------------------------------------------------- stop and go on

    def state(self) -> tuple[dict[str, float | int], dict[str, NDArray[Any]]]:
        """All that is needed to go on to the bit: numbers, and rows of numbers in the order of `sites`."""
        sites = self._sites
        rows: dict[str, NDArray[Any]] = {
            "internal": self._up_to_date(), "slip": sites.slip, "threshold": sites.forward, "events": sites.counts}
        if len(sites.backward):
            rows["backward"] = sites.backward
        if self._eigenstrain is not None:
            rows["eigenstrain"] = self._eigenstrain
        scalars = {name: self._clock[name].item() for name in (dynamics.CLOCK.names or ())}
        return {**scalars, "recompute": len(self._found)}, {name: field.ravel().copy() for name, field in rows.items()}

    @classmethod
    def from_state(cls, comm: MPI.Comm, model: Model, scalars: dict[str, float | int], ids: NDArray[np.int64],
                   rows: dict[str, NDArray[Any]]) -> Lattice:
        """A lattice as it was when `state` was called. Collective.

        The rows may lie on the ranks in any way, `ids` says whose they are.
        """
        lattice = cls.__new__(cls)
        lattice._prepare(comm, model, int(scalars["recompute"]))
        for name in (dynamics.CLOCK.names or ()):
            lattice._clock[name] = scalars[name]
        bounds = np.array([ranks.block(lattice.size, comm.size, rank)[1] for rank in range(comm.size)])
        owner = np.searchsorted(bounds, np.asarray(ids) // lattice.size, side="right")
        names = sorted(rows)
        here, *moved = ranks.send_rows(comm, owner, np.asarray(ids, dtype=np.int64), *(rows[name] for name in names))
        order = np.argsort(here, kind="stable")
        found = {name: field[order].reshape(-1, lattice.size) for name, field in zip(names, moved, strict=True)}
        sites = lattice._sites
        for name, field in (("internal", sites.internal), ("slip", sites.slip),
                            ("threshold", sites.forward), ("events", sites.counts)):
            field[:] = found[name]
        if len(sites.backward):
            sites.backward[:] = found["backward"]
        lattice._eigenstrain = found.get("eigenstrain")
        sites.done[:] = lattice._clock.logged
        sites.top[0] = max(np.max(np.abs(sites.forward)), np.max(np.abs(sites.backward), initial=0.0))
        return lattice


def entries(size: int) -> int:
    """Length of the log, the number of slips between two Fourier transforms.

    About where more and where less of them cost more time.
    """
    return max(256, 3 * size // 8)


def rules_of(model: Model, softening: float) -> dynamics.Rules:
    """The model as the compiled code wants it."""
    rows = kernel_rows(int(model.size), model.shear, model.wave_vectors, tiles.TILE)
    opposite = model.backward.table if isinstance(model.backward, Distribution) else NONE
    renewed = model.modulus if model.renewed_modulus is None else model.renewed_modulus
    fall = tile_bounds(-rows, tiles.TILE) if model.backward is not None else NONE
    return dynamics.Rules(rows, tile_bounds(rows, tiles.TILE), fall, model.renewing.table, opposite,
                          int(model.size), softening, float(renewed), 1.0 / model.bulk_modulus,
                          float(model.slip.c0), float(model.slip.c1), model.slip.random,
                          model.order == "weakest", random.key(model.seed))
