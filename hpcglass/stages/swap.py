"""Swap Monte Carlo at a parent temperature T_p (Ninarello, Berthier, Coslovich, Phys. Rev. X 7, 021039 (2017))."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hpcglass.stages.base import Context, Snapshot, Stage, StageParams, Table

if TYPE_CHECKING:
    from hpcglass.core.system import System
    from hpcglass.moves.swap.run import Measurement, SwapMonteCarlo, Tally
    from hpcglass.moves.swap.statistics import Estimate

WARM_SWEEPS = 5             # length of a sub-sweep while the displacement is tuned
DRIFT = 1e-9                # of the running energy, relative
MOST_SWEEPS = 1_000_000     # of a run until equilibrium that says no other number
DECAY_TIMES = 20            # after so many of them a liquid is called equilibrated
TRANSIENT = 0.2             # share of the run that is left out before its halves are compared
AGREE = 3.0                 # they do within so many standard errors


class SwapParams(StageParams):
    """Equilibrate with displacements and exchanges of diameters (or species)."""

    kind: Literal["swap"] = "swap"
    temperature: float = Field(gt=0, description="parent temperature T_p [energy]")
    sweeps: int = Field(gt=0, description="production sweeps; one sweep = one attempted move per particle, or as much in "
                        "trajectories; \"equilibrate\": a million, until equilibrium")
    until: Literal["sweeps", "equilibrium"] = Field(
        "sweeps", description="equilibrium: end as soon as the run has lasted twenty decay times of overlap and sizes, and "
        "its halves agree in the energy")
    warmup: int = Field(100, ge=0, description="sweeps before production during which the displacement step is tuned")
    swap_fraction: float = Field(0.2, ge=0, le=1, description="share of attempts that exchange two diameters")
    moves: Literal["auto", "single", "trajectories"] = Field(
        "auto", description="how particles move: one at a time, or all of a region along short trajectories, by which a liquid "
        "relaxes several times as fast; auto: trajectories, but single moves between walls")
    displacement: float = Field(0.1, gt=0, description="of single moves, at most along each axis [length]; tuned during warm-up")
    time_step: float = Field(0.02, gt=0, description="of trajectories, with unit masses [time]; tuned during warm-up")
    sub_sweeps: int = Field(20, gt=0, description="sweeps between two random shifts of the active zones")
    measure_every: int = Field(20, gt=0, description="sweeps between two measurements (a multiple of sub_sweeps is used)")
    frames: int = Field(0, ge=0, description="configurations to keep along the way, evenly spaced")

    GROWS: ClassVar[tuple[str, ...]] = ("sweeps",)

    @model_validator(mode="before")
    @classmethod
    def _equilibrate(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("sweeps") == "equilibrate":
            return {**values, "sweeps": MOST_SWEEPS, "until": "equilibrium"}
        return values

    def no_longer(self, old: Self) -> str:
        if old.until == "equilibrium":
            return "it ended in equilibrium, or said that it did not"
        if self.frames:
            return "its frames are spread evenly over the whole run"
        if old.sweeps % self.sub_sweeps:
            return f"its {old.sweeps} sweeps end within one of the sub-sweeps, of {self.sub_sweeps}, between two random origins"
        return "the run that was made is longer" if self.sweeps < old.sweeps else ""

    def derivatives(self) -> int:
        return 0          # energies only

    def trajectories(self, walls: bool) -> bool:
        """Whether particles move along trajectories, in a glass with or without walls."""
        return self.moves == "trajectories" or (self.moves == "auto" and not walls)

    @property
    def interval(self) -> int:
        """Sweeps between two measurements: `measure_every` rounded up to whole sub-sweeps."""
        return -(-self.measure_every // self.sub_sweeps) * self.sub_sweeps

    def schedule(self) -> Iterator[tuple[int, int, int]]:
        """(number, sweeps made before, length) of every sub-sweep; the last one only measures."""
        number, done, end = 0, 0, self.warmup + self.sweeps
        while done < end:
            longest, stop = (WARM_SWEEPS, self.warmup) if done < self.warmup else (self.sub_sweeps, end)
            length = min(longest, stop - done)
            yield number, done, length
            number, done = number + 1, done + length
        yield number, done, 0


class Swap(Stage):
    """Swap Monte Carlo."""

    name = "swap"
    Params = SwapParams

    def run(self, system: System, context: Context) -> None:
        """Warm up, then produce; one row of the table per interval."""
        from hpcglass.moves.swap.run import SwapMonteCarlo

        params: SwapParams = self.params
        trajectories = params.trajectories(system.walls is not None)
        context.cite("ninarello2017", "salmon2011", "butler1998", *(["duane1987"] if trajectories else []))
        chain = SwapMonteCarlo(system, params.temperature, params.swap_fraction,
                               params.time_step if trajectories else params.displacement, context.seed, trajectories)
        if chain.active_fraction < 0.7:
            context.log(f"only {chain.active_fraction:.0%} of the particles can move at a time on {system.comm.size} ranks: "
                        "fewer ranks, or more samples in [ensemble], make better use of them")
        record = Recorder(chain, params, context)
        begin = record.resume(context.restored) if context.restored else 0
        frames, total = 0, params.warmup + params.sweeps
        for number, done, length in params.schedule():
            after = done + length - params.warmup
            frames_now = max(after, 0) * params.frames // params.sweeps
            if number >= begin:
                if params.until == "equilibrium" and record.verdict() == "":
                    length = 0          # and so the last
                due = done >= params.warmup and ((done - params.warmup) % params.interval == 0 or length == 0)
                if not length:
                    context.end_point(record.snapshot(number))
                with context.timer("moves"):
                    tally = chain.sub_sweep(number, length, due, partial(record.pause, number, done, length))
                if due:
                    record.measured(done - params.warmup, tally.measured)
                if not length:
                    break
                record.moved(tally)
                if done < params.warmup:
                    chain.tune(tally, number)
                    if done + length == params.warmup:
                        context.log(f"{'time step' if trajectories else 'displacement'} tuned to {chain.step:.4g}")
                        chain.mark()
                if frames_now > frames:
                    chain.store()
                    context.frame(after)
                context.safe_point(done + length, total, partial(record.snapshot, number + 1), record.note)
            frames = frames_now
        chain.store()
        context.reached(done - params.warmup, float(done - params.warmup))
        record.results()

    def force_evaluations(self, particles: int) -> float:
        return 2.5 * (self.params.warmup + self.params.sweeps)

    def frames(self) -> int:
        return int(self.params.frames)


class Recorder:
    """What a run keeps besides the particles: energy, acceptances, averages."""

    def __init__(self, chain: SwapMonteCarlo, params: SwapParams, context: Context) -> None:
        import numpy as np

        from hpcglass.moves.swap.decay import Decays
        from hpcglass.moves.swap.statistics import Averages

        self.chain, self.params, self.context = chain, params, context
        self.averages, self.decays = Averages(), Decays()
        self.sweep = 0                          # of the last measurement
        self.energy = float("nan")              # running, from the last measurement on
        self.recent = np.zeros(6)               # counts since then
        self.total = np.zeros(6)                # counts of the production
        self.note = ""
        self.table: Table = context.table(
            "measurements", sweep=("", "production sweeps"), energy=("energy", "potential energy per particle"),
            acceptance_displacement=("", "accepted share of displacements, or of trajectories"),
            acceptance_swap=("", "accepted share of exchanges of unlike particles"),
            mean_square_displacement=("length^2", "mean-square displacement since the start of production"),
            temperature_configurational=("energy", "sum |F|^2 / sum lap U"),
            exchange_ratio=("", "sum of exp(-dE/T) over exchange proposals with dE > 0, divided by the number with dE < 0"))

    def moved(self, tally: Tally) -> None:
        """Count the moves of a sub-sweep."""
        self.recent += tally.counts
        self.energy += tally.change

    def measured(self, sweep: int, now: Measurement | None) -> None:
        """Compare with the running energy, write a row, add to the averages.

        Raises
        ------
        PhysicsError
            The running energy has drifted from the recomputed one.
        """
        from hpcglass.errors import PhysicsError
        from hpcglass.moves.swap.decay import PARTICLES

        assert now is not None
        n = self.chain.system.n_total
        self.sweep = sweep
        if sweep % self.params.interval == 0:
            self.decays.add(self.chain.some(PARTICLES))
        if sweep:
            scale = max(abs(now.energy), abs(self.energy), n * self.params.temperature)
            if not abs(now.energy - self.energy) <= DRIFT * scale:
                raise PhysicsError(f"swap Monte Carlo, sweep {sweep}: the running energy {self.energy!r} has drifted from the "
                                   f"recomputed one {now.energy!r}; the state is not to be trusted. Was the start free of "
                                   "overlaps? If so, please report this as a bug")
            self.total += self.recent
            displaced, swapped = acceptances(self.recent)
            self.table.append(sweep=sweep, energy=now.energy / n, acceptance_displacement=displaced, acceptance_swap=swapped,
                              mean_square_displacement=self.chain.mean_square_displacement(),
                              temperature_configurational=now.force2 / now.laplacian if now.laplacian else float("nan"),
                              exchange_ratio=now.up / now.down if now.down else float("nan"))
            self.averages.add(now)
            self.note = f"E/N {now.energy / n:.5g}, accepted {displaced:.0%}, {swapped:.0%}"
        self.energy = now.energy
        self.recent[:] = 0

    def pause(self, number: int, done: int, length: int, share: float) -> None:
        """A safe point within sub-sweep `number`, of `length` after `done` sweeps. Collective."""
        self.context.safe_point(done + int(length * share), self.params.warmup + self.params.sweeps,
                                partial(self.snapshot, number), self.note)

    def snapshot(self, number: int) -> Snapshot:
        """State after `number` sub-sweeps, or in the next one. Collective."""
        self.chain.store()
        scalars = {"number": number, "step": self.chain.step, "skin": self.chain.skin, "energy": self.energy,
                   "recent": self.recent, "total": self.total, "blocks": self.averages.blocks, "ranks": self.chain.numbers(),
                   "sweep": self.sweep, **{f"decay {name}": value for name, value in self.decays.state.items()}}
        return Snapshot(scalars, self.chain.state())

    def resume(self, snapshot: Snapshot) -> int:
        """Take a snapshot back; returns the number of the next sub-sweep."""
        from hpcglass.moves.swap.decay import Decays
        from hpcglass.moves.swap.statistics import Averages

        scalars: dict[str, Any] = snapshot.scalars
        self.energy, self.averages = float(scalars["energy"]), Averages(scalars["blocks"])
        self.sweep = int(scalars["sweep"])
        self.decays = Decays({name[6:]: value for name, value in scalars.items() if name.startswith("decay ")})
        self.recent[:], self.total[:] = scalars["recent"], scalars["total"]
        self.chain.step = float(scalars["step"])
        self.chain.set_skin(float(scalars["skin"]))
        self.chain.restore(snapshot.fields, scalars["ranks"], int(scalars["number"]))
        return int(scalars["number"])

    def decay_times(self) -> tuple[Estimate, Estimate]:
        """Of sizes and of the overlap, in sweeps."""
        from hpcglass.moves.swap.decay import OVERLAP, SIZE
        from hpcglass.moves.swap.statistics import Estimate

        every = self.params.interval
        size, overlap = (Estimate(every * time.value, every * time.error) for time in map(self.decays.time, (SIZE, OVERLAP)))
        return size, overlap

    def verdict(self) -> str:
        """Why the run so far is not called one in equilibrium; empty if it is."""
        size, overlap = (time.value for time in self.decay_times())
        slowest = max(size, overlap) if self.total[3] else overlap      # nobody asked to exchange sizes
        if slowest == math.inf:
            return "overlap or sizes have not yet fallen to 1/e"
        if self.sweep < DECAY_TIMES * slowest:
            return f"it has lasted {self.sweep / slowest:.1f} decay times, and {DECAY_TIMES} are wanted"
        apart = self.averages.halves_apart(TRANSIENT)
        if not apart <= AGREE:
            return f"the energies of its halves differ by {apart:.1f} standard errors"
        return ""

    def results(self) -> None:
        """Averages over the production and their errors."""
        n, temperature = self.chain.system.n_total, self.params.temperature
        conf, exchange = self.averages.ratio("force2", "laplacian"), self.averages.ratio("up", "down")
        energy = self.averages.energy()
        displaced, swapped = acceptances(self.total)
        put = self.context.result
        put("energy", energy.value / n, "energy", "mean potential energy per particle")
        put("energy_error", energy.error / n, "energy", "its standard error, from blocks")
        put("energy_correlation", self.averages.correlation() * self.params.interval, "sweeps",
            "rough time between independent energies; beware of runs shorter than 100 of them")
        put("temperature_configurational", conf.value, "energy", "sum |F|^2 / sum lap U; equals the temperature")
        put("temperature_configurational_error", conf.error, "energy", "its standard error")
        put("exchange_ratio", exchange.value, "", "exchange identity in bounded form; equals 1")
        put("exchange_ratio_error", exchange.error, "", "its standard error")
        put("acceptance_displacement", displaced, "", "accepted share of displacements, or of trajectories")
        put("acceptance_swap", swapped, "", "accepted share of exchanges of unlike particles")
        if self.chain.trajectories:
            put("time_step", self.chain.step, "time", "time step of trajectories, after the warm-up")
        else:
            put("displacement", self.chain.step, "length", "largest displacement along each axis, after the warm-up")
        size, overlap = self.decay_times()
        put("decay_time_size", size.value, "sweeps", "autocorrelation of the sizes at 1/e; infinite: longer than the run")
        put("decay_time_size_error", size.error, "sweeps", "its standard error, from origins")
        put("decay_time_overlap", overlap.value, "sweeps", "overlap (|dr| < 0.3) at 1/e; infinite: longer than the run")
        put("decay_time_overlap_error", overlap.error, "sweeps", "its standard error, from origins")
        self.tell(size, overlap)
        put("active_fraction", self.chain.active_fraction, "", "share of the volume in active zones")
        self.context.log(f"E/N = {energy.value / n:.6g} +- {energy.error / n:.1g}; T_conf/T = {conf.value / temperature:.4f} "
                         f"+- {conf.error / temperature:.1g}; exchange ratio {exchange.value:.4f} +- {exchange.error:.1g}")

    def tell(self, size: Estimate, overlap: Estimate) -> None:
        """The decay times in words, their curves in a table, and whether this was equilibrium."""
        table = self.context.table("relaxation", lag=("sweeps", "time between two configurations"), origins=("", "pairs of them"),
                                   size=("", "autocorrelation of the sizes"), size_error=("", "its standard error"),
                                   overlap=("", "share of particles that are within 0.3 of where they were"),
                                   overlap_error=("", "its standard error"))
        for lag, origins, *values in self.decays.curve().tolist():
            table.append(lag=lag * self.params.interval, origins=origins,
                         **dict(zip(("size", "size_error", "overlap", "overlap_error"), values, strict=True)))
        why = self.verdict()
        self.context.result("equilibrated", int(not why), "", f"1: {DECAY_TIMES} decay times long, and its halves agree")
        self.context.log(f"decay times: sizes {said(size)}, overlap {said(overlap)} sweeps; "
                         + ("equilibrated" if not why else f"not called equilibrated: {why}"))
        if why and self.params.until == "equilibrium":
            self.context.log(f"warning: after {self.params.sweeps} sweeps this is not in equilibrium: {why}")


def said(time: Estimate) -> str:
    """A decay time in words."""
    if time.value == math.inf:
        return "more than the run's"
    return f"{time.value:.3g}" + (f" +- {float(f'{time.error:.1g}'):g}" if time.error == time.error else "")


def acceptances(counts: Any) -> tuple[float, float]:
    """Accepted shares of displacements and of exchanges; NaN when none was attempted."""
    moved, moves, swapped, swaps = (float(value) for value in counts[:4])
    return moved / moves if moves else float("nan"), swapped / swaps if swaps else float("nan")
