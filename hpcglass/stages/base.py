"""What a stage is, and what it is given: the contract between protocols and the run loop.

A stage file stays light at import (no NumPy kernels, MPI or PETSc at module level): `validate`
and `list` read its `Params` only. Heavy imports belong inside `run`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from hpcglass.core.system import System


@dataclass(frozen=True)
class Solvers:
    """Linear algebra that a stage needs: PETSc and SLEPc.

    any_of : packages of which PETSc must have one ("mumps", "cholmod"); none named: any PETSc will do
    instead : which keys do without, for the message if it cannot be had
    """

    any_of: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True)
class Reference:
    """An earlier stage that a key names: where the key is in the stage's table, the label, and the kinds that will do."""

    key: tuple[str, ...]
    label: str
    kinds: tuple[str, ...]


class StageParams(BaseModel):
    """Keys every `[[stage]]` table may have besides its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+$", max_length=64,
                              description="name used in the file name instead of the kind, at most 64 characters")

    GROWS: ClassVar[tuple[str, ...]] = ()       # keys with which a finished stage may be made longer

    def no_longer(self, old: Self) -> str:
        """Why a stage with the keys `old`, which differ in those that may grow, cannot go on to these; empty if it can."""
        return ""

    def beside(self, folder: Path) -> Self:
        """The same with the files it names found: paths are relative to the input's folder.

        Raises
        ------
        FileNotFoundError
            Its arguments are the dotted key of a file that is not there, and where it was looked for.
        """
        return self

    def derivatives(self) -> int:
        """How many derivatives of phi it needs that are finite everywhere; with one or more, the force must not jump.

        Where they are finite and jump, as phi'' of harmonic spheres at contact, they are those of the side a pair is on.
        """
        return 1

    def references(self) -> list[Reference]:
        """Earlier stages that other keys name, besides the one that it `looks_at`."""
        return []

    def looks_at(self) -> str:
        """Label of the earlier stage whose files it reads (`Context.earlier`); empty if it reads none."""
        return ""

    def misfits(self, earlier: StageParams) -> Iterator[tuple[str, str]]:
        """What is wrong with a stage that it looks at or names: (own key, as `max_strain` or `target.of`; message)."""
        yield from ()

    def solvers(self, ranks: int) -> Solvers | None:
        """Linear algebra without which the stage cannot do its work on so many ranks; None: it needs none."""
        return None


@dataclass
class Snapshot:
    """State of a stage at a safe point, besides the system itself.

    scalars : numbers, strings and small arrays, equal on all ranks
    fields  : arrays with one row per owned particle, in the system's present order; or the rows `ids` of something else
    ids     : which rows 0..n-1, each on one rank, `fields` has here, if they are not the system's particles
    """

    scalars: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    ids: Any = None


class GivenUp(Exception):
    """Raised by `Context.look`, on all ranks alike: somebody asked to stop in a step that cannot be stored half done.

    A stage that catches it restores what was there at its last safe point, to the bit, and calls that once more, which ends the
    run. From one that does not, the run ends at the last checkpoint, or before the stage; it is for stages that keep nothing.
    """


class Table(Protocol):
    """A growing table of numbers, `/results/<name>/<column>` in the stage's file."""

    def append(self, **values: float) -> None: ...


class Earlier(Protocol):
    """What an earlier stage of this sample has left. All methods are collective.

    Attributes
    ----------
    params : its keys in the input
    frames : (step, time) of each frame of its trajectory, in order; the time of a loading is its strain
    """

    params: StageParams
    frames: list[tuple[int, float]]

    def table(self, name: str) -> dict[str, Any]:
        """The columns of /results/<name>, whole, on all ranks. InputError if there is no such table."""

    def value(self, name: str) -> Any:
        """The number or small array /results/<name>. InputError if there is none."""

    def frame(self, number: int, *fields: str) -> System:
        """A frame as a new system, up to date, with some of its rows in `System.fields`; positions are rounded to one number."""

    def start(self) -> System:
        """The configuration that the stage was given, as a new system, to the bit. InputError if it was the first stage."""

    def close(self) -> None:
        """Close the files; what has been read stays."""


class Context(Protocol):
    """What the run loop gives to a stage. All methods are collective unless they say otherwise."""

    comm: Any                    # the ranks that work on this sample
    seed: int                    # 64-bit key of this sample and stage: random streams are keyed by it
    restored: Snapshot | None    # set when this stage continues from a checkpoint

    def earlier(self, label: str) -> Earlier:
        """What the earlier stage of this label, or kind, has left; `StageParams.looks_at` must name it, too."""

    def table(self, name: str, **columns: tuple[str, str]) -> Table:
        """Declare a table; each column is (units, long_name). Rows written before a restart come back."""

    def result(self, name: str, value: Any, units: str = "", long_name: str = "") -> None:
        """Store one number or small array, equal on all ranks, as /results/<name>."""

    def field(self, name: str, values: Any, units: str = "", long_name: str = "", of: System | None = None) -> None:
        """Store one row per owned particle as /fields/<name>, sorted by global id.

        of : whose particles the rows are, if not those of the stage's system; as many, with the same ids
        """

    def field_column(self, name: str, column: int, values: Any, units: str = "", long_name: str = "",
                     of: System | None = None) -> None:
        """Store column k of /fields/<name> (N, columns): as `field`, for a field of several configurations.

        Columns that were stored before, at this start or an earlier one, stay; those left out before `column` are NaN.
        """

    def pairs(self, name: str, ids: Any, **columns: tuple[Any, str, str]) -> None:
        """Store properties of pairs as /pairs/<name>/<column>, a row per pair, sorted by the (n, 2) global `ids`.

        Each pair is handed in by one rank; a column is (values, units, long_name), values (n, ...).
        """

    def frame(self, step: int, time: float = 0.0, of: System | None = None, **fields: Any) -> None:
        """Append the present configuration to the trajectory; fields are rows per owned particle.

        of : another system whose configuration it is
        """

    def grid(self, step: int, time: float, lines: Any, **fields: Any) -> None:
        """Append fields of a lattice to the trajectory: (n, L) arrays, the lines `lines` (n,) of the L x L sites."""

    def safe_point(self, step: int, total: int, snapshot: Callable[[], Snapshot], note: str = "") -> None:
        """Progress; a checkpoint if one is due; NaN guard. Raises Interrupted after a checkpoint when asked to stop."""

    def look(self) -> None:
        """Within a step that takes long: raises GivenUp when asked to stop, after the rows of tables since the last
        safe point were taken away."""

    def reached(self, step: int, time: float) -> None:
        """Label of the final configuration: number of steps, and time (or strain, or sweeps). Called at the end of `run`."""

    def end_point(self, snapshot: Snapshot) -> None:
        """The present state is one from which a longer run would go on, to the bit: it is kept in the stage's file.

        Called towards the end of `run`, before what it needs is taken away. Rows that tables get afterwards, and all numbers
        and fields, are of the end only: a longer run has them of its own.
        """

    def log(self, message: str) -> None:
        """One line in log.txt and on the terminal (rank 0)."""

    def timer(self, verb: str) -> AbstractContextManager[None]:
        """Time a part of the work for the table at the end of the stage."""

    def cite(self, *keys: str) -> None:
        """Name the literature of a method in use; ends up in references.bib."""


def sparse_memory(particles: int, dimension: int) -> float:
    """Bytes of a Hessian with its factors, or, where these would be too large, with a preconditioner (measured)."""
    factors, hierarchy, limit = ((9e3, 3.5e3, 200_000), (45e3, 6e3, 20_000))[dimension - 2]
    return particles * (factors if particles <= limit else hierarchy)


class Stage(ABC):
    """One entry of the stages' door: a class with `name`, `Params` and `run`."""

    name: ClassVar[str]
    Params: ClassVar[type[StageParams]]
    needs_system: ClassVar[bool] = True     # False: works without particles, and leaves them alone if there are any

    def __init__(self, params: Any) -> None:
        self.params = params

    @abstractmethod
    def run(self, system: System, context: Context) -> None:
        """Change the system and record what happened. Collective."""

    def force_evaluations(self, particles: int) -> float:
        """How much work this is, in force evaluations of the whole system: a rough figure for `validate`."""
        return 0.0

    def memory(self, particles: int, dimension: int) -> float:
        """Bytes that one sample needs besides its particles and pairs: a rough figure for `validate`."""
        return 0.0

    def frames(self) -> int:
        """How many configurations it will write besides the final one, for `validate`'s disk figure."""
        return 0


def concentrate(system: System, context: Context) -> None:
    """Leave a small system to a few of the ranks, for a stage in which all of them take part in every step. Collective."""
    system.concentrate()
    if system.working < system.comm.size:
        context.log(f"{system.n_total} particles on {system.working} of {system.comm.size} ranks: with more it would take longer")
