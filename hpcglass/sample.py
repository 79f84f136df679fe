"""One sample: build or find its system, go through the stages, and come back where a run stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mpi4py import MPI

from hpcglass import disk
from hpcglass.config.checks import refuse_walls
from hpcglass.context import Origin, StageContext
from hpcglass.core.comm import largest
from hpcglass.errors import FileError, HpcglassError, InputError, Interrupted
from hpcglass.io import checkpoint, configuration
from hpcglass.io.agree import together
from hpcglass.io.reader import Reader
from hpcglass.io.trajectory import faults_of_segments, set_aside, set_aside_surplus
from hpcglass.rundir import done, references
from hpcglass.rundir.extend import growth, history
from hpcglass.rundir.log import Log
from hpcglass.rundir.signals import Stop
from hpcglass.stages.base import GivenUp, Snapshot

if TYPE_CHECKING:
    from hpcglass.config import Config
    from hpcglass.core.system import System


def derive(seed: int, sample: int, what: int | str) -> int:
    """Random key of one stage (its index) of one sample: 64 bits of a SHA-256."""
    return int.from_bytes(hashlib.sha256(f"{seed} {sample} {what}".encode()).digest()[:8], "little")


@dataclass
class Sample:
    """One sample of a run, in a directory of its own. All ranks of `comm` work on it.

    number : of the sample in the ensemble; random numbers depend on it
    plots : draw figures at the end of each stage
    bar : a progress bar may be shown
    """

    comm: MPI.Comm
    config: Config
    input_text: str
    directory: Path
    number: int
    log: Log
    stop: Stop
    plots: bool
    bar: bool

    def run(self) -> None:
        """From wherever the directory says to the end. Collective.

        Raises
        ------
        Interrupted
            After a checkpoint, when asked to stop. Any other HpcglassError ends the sample; it is in the log.
        """
        try:
            self._run()
        except HpcglassError as error:
            self.log.line(f"{'stopped' if isinstance(error, Interrupted) else 'error'}: {error}", terminal=False)
            raise

    def _run(self) -> None:
        self.origin = Origin(self.comm, self.input_text, self.config.to_toml(), self.config.seed, self.number)
        self.model = self.config.glass()
        self.stages = self.config.stages()
        self.names = [params.label or params.kind for params in self.config.stage]
        self.seals: dict[str, str] = {}         # of finished files
        self.longer = False                     # the first stage to do is finished, but shall go on
        self._on_root(lambda: disk.write_text(self.directory / "resolved.toml", self.origin.resolved))
        finished = self._count_finished()
        self._on_root(partial(self._set_aside_later, finished))
        system: System | None = None
        for index in range(finished, len(self.stages)):
            system = self._stage(index, system, first=index == finished)
        self._on_root(self._declare_done)
        cited = ", ".join(sorted(references.keys_in(self.directory / "references.bib"))) if self.log.writes else ""
        self.log.line(f"literature, in references.bib: {cited}")
        self.log.sum_up()
        self.log.line(f"done: results in {self.directory}")

    def _on_root(self, action: Callable[[], object]) -> None:
        with together(self.comm, f"cannot write in {self.directory}"):
            if self.comm.rank == 0:
                action()

    def _declare_done(self) -> None:
        done.declare(self.directory, self.seals)
        for name in checkpoint.NAMES:
            (self.directory / name).unlink(missing_ok=True)

    def _path(self, index: int) -> Path:
        return self.directory / f"{index:02d}-{self.names[index]}.h5"

    # ------------------------------------------------------------------ where are we

    def _count_finished(self) -> int:
        """Number of stages whose files are there and whole. A damaged one is set aside and will be made again."""
        for index in range(len(self.stages)):
            path = self._path(index)
            if not largest(self.comm, int(self.comm.rank == 0 and path.exists())):
                return index
            try:
                with Reader(self.comm, path) as file:
                    old, parents = file.value("/provenance/resolved_input"), file.attributes("/provenance")["parents"]
                    segments, misplaced, seal = file.segments(), file.misplaced(), file.seal
            except FileError as error:
                self.log.line(f"warning: {error}; it is set aside and the stage is done again")
                self._on_root(partial(set_aside, path, "damaged"))
                return index
            grown = growth(old, self.config, path, index)
            if misplaced and index not in grown.stages:
                raise FileError(misplaced)
            if index and parents != self.origin.parents[0]:
                raise FileError(f"{path}: was made from another {self._path(index - 1).name} than the one beside it; put the "
                                f"right one back, or move {path.name} away to have it made again")
            if index in grown.stages:
                self.longer = True
                return index
            self._on_root(partial(self._look_at_segments, path, segments))
            self.seals |= {path.name: seal, **segments}
            self.origin.parents = [f"{path.name} {seal}"]
        return len(self.stages)

    def _look_at_segments(self, path: Path, segments: dict[str, str]) -> None:
        """Warn of trajectories that are no longer whole; the run does not need them to go on."""
        for fault in faults_of_segments(self.directory, segments, path):
            self.log.line(f"warning: {fault}; to have it made again, move {path.name} away too")

    def _set_aside_later(self, index: int) -> None:
        """Files of stages after one that has to be done (again) are not overwritten."""
        stems = [self._path(k).stem for k in range(index + 1, len(self.stages))]
        later = [path for stem in stems for path in sorted(self.directory.glob(f"{stem}.*h5"))]
        for path in later:
            set_aside(path, "surplus")
        if later:
            names = ", ".join(path.name for path in later)
            self.log.line(f"set aside {names}: will be made again after {self._path(index).stem}")

    # ------------------------------------------------------------------ one stage

    def _stage(self, index: int, system: System | None, first: bool) -> System | None:
        """Run a stage to its end and return the system, if there is one, as its file has it. Collective.

        first : in this process; the system is yet to be found
        """
        request = largest(self.comm, self.stop.asked())
        if request:
            self.stop.obey(request, f"before {self._path(index).stem}")
        found, restored, self.origin.history = None, None, ""
        if first:
            found = checkpoint.newest(self.comm, self.directory, index, self.log.line) or self._finished_before(index)
            if found:
                self._note_growth(found)
                self.log.line(f"continuing from {found.path.name}: {self._path(index).stem}, step {found.step}")
                system, state = found.restore(self.comm, self.model)
                restored = Snapshot(*state)
            else:
                system = self._start(index)
        stem = self._path(index).stem
        surplus = set_aside_surplus(self.comm, self.directory, stem, found.segments if found else {})
        if surplus:
            self.log.line(f"set aside {', '.join(surplus)}: written after the checkpoint, will be made again")
        context = StageContext(system, self.origin, self.directory, index, self.names[index],
                               derive(self.config.seed, self.number, index), self.log, self.stop, self.bar, found, restored,
                               [self._path(k) for k in range(index)])
        try:
            self.log.line(f"{stem}: {'continues' if found else 'starts'}")
            self.stages[index].run(system, context)     # type: ignore[arg-type]    # no particles only where none are needed
            path = context.finish()
        except GivenUp:
            self.stop.obey(largest(self.comm, self.stop.asked()), f"in {stem}, which has nothing to store half done")
        finally:
            context.close()
        self.seals |= context.written
        self._after(context, path)
        return system and system.renewed()

    def _finished_before(self, index: int) -> checkpoint.Checkpoint | None:
        """The end of a stage that is to be made longer; None for one that is not there yet. Collective."""
        if not self.longer:
            return None
        path = self._path(index)
        found = checkpoint.ended(self.comm, path, index)
        if found is None:
            raise InputError(f"{path}: does not hold the state in which the stage ended, so that it cannot go on (a file of an "
                             "older version?); use --fresh to start over (the old files are kept aside), or another --output")
        return found

    def _note_growth(self, found: checkpoint.Checkpoint) -> None:
        """Refuse a state of another input; of one that has grown keep the old one, for the provenance."""
        grown = growth(found.resolved, self.config, found.path, found.stage)
        self.origin.history = history(found.resolved, grown, found.history) if grown.lines else found.history
        if grown.lines:
            self.log.line(f"made longer: {'; '.join(grown.lines)}")

    def _start(self, index: int) -> System | None:
        """The system from the file of the stage before, from the user's file, or new; None without [system]."""
        from hpcglass.core.system import System
        from hpcglass.start import start

        if self.config.system is None or self.model is None:
            return None
        if index:
            with Reader(self.comm, self._path(index - 1)) as file:
                return System(self.comm, self.model, *configuration.read(file))
        system, self.origin.parents = start(self.comm, self.config.system, self.model,
                                            derive(self.config.seed, self.number, "system"), self.log.line)
        refuse_walls(self.config.stage, self.config.system.file, system.walls is not None)
        return system

    def _after(self, context: StageContext, path: Path) -> None:
        """References and figures; a figure that fails is a warning."""
        bib = self.directory / "references.bib"
        cited = context.cited | {"debuyl2014"} | ({self.model.reference} if self.model and self.model.reference else set())
        self._on_root(lambda: disk.write_text(bib, references.bibtex(references.keys_in(bib) | cited)))
        if not self.plots or self.comm.rank:
            return
        try:
            from hpcglass.analysis.figures.draw import plot_stage_file

            for figure in plot_stage_file(path):
                self.log.line(f"figure {figure}")
        except Exception as error:
            self.log.line(f"warning: no figure of {path.name}: {error}")
