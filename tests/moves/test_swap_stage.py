"""Zones, statistics, and the stage as a whole on one rank."""

from __future__ import annotations

import contextlib
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swap_systems import small

from hpcglass.core.decomposition import Bricks
from hpcglass.errors import InputError, PhysicsError
from hpcglass.geometries.periodic import cell
from hpcglass.moves.swap.decay import OVERLAP, SIZE, Decays
from hpcglass.moves.swap.run import Measurement, SwapMonteCarlo
from hpcglass.moves.swap.statistics import Averages
from hpcglass.moves.swap.zones import Zone, active_fraction, choose_grid, upper_triangular
from hpcglass.stages.swap import Swap

CUT = 2.0


@settings(max_examples=15, deadline=None)
@given(tilt=st.floats(-0.5, 0.5), aspect=st.floats(0.5, 2.0), ranks=st.integers(1, 6), seed=st.integers(0, 1000),
       dimension=st.sampled_from([2, 3]))
def test_zones_of_two_ranks_never_interact(tilt, aspect, ranks, seed, dimension):
    """Active particles of different ranks are a cut-off apart, in any image; every particle has one owner."""
    _, h = upper_triangular(cell(18.0**dimension, dimension, [aspect, *[1.0] * (dimension - 1)],
                                 [tilt, *[0.0, 0.3 * tilt][: 0 if dimension == 2 else 2]]))
    grid = choose_grid(h, ranks, CUT)
    s = np.random.default_rng(seed).random((250, dimension))
    owner = Bricks(grid, 0).owner(s)
    active = np.zeros(len(s), dtype=bool)
    for rank in range(ranks):
        zone = Zone.of(h, np.array(grid), Bricks(grid, rank).coordinate, CUT, 100, 2.7, 8000)
        active |= (owner == rank) & zone.place(s)[0]
    assert abs(active.mean() - active_fraction(h, grid, CUT)) < 0.16
    for shift in product((-1, 0, 1), repeat=dimension):
        apart = (s[:, None] - s[None] + np.array(shift)) @ h.T
        close = (apart**2).sum(-1) < CUT**2
        assert not (close & active[:, None] & active[None] & (owner[:, None] != owner[None])).any()


def test_rotation_to_upper_triangle():
    box = cell(50.0, 3, tilt=[0.3, -0.2, 0.4])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    q, h = upper_triangular(turn @ box)
    assert np.allclose(q @ h, turn @ box) and np.allclose(q.T @ q, np.eye(3))
    assert np.allclose(np.tril(h, -1), 0) and (np.diag(h) > 0).all()


def test_regions_cover_the_zone_without_overlap():
    h = np.diag([200.0, 220.0])
    zone = Zone.of(h, np.array([2, 1]), np.array([1, 0]), CUT, 5_000, 2.7, 8000)
    assert zone.n_regions == 1
    zone = Zone.of(h, np.array([2, 1]), np.array([1, 0]), CUT, 40_000, 2.7, 8000)
    assert 30 < zone.n_regions < 50
    s = np.random.default_rng(1).random((5000, 2)) * [0.5, 1.0] + [0.5, 0.0]
    inside, region, _ = zone.place(s)
    for number in range(zone.n_regions):
        low, high = zone.bounds(number)
        assert np.array_equal(((s >= low) & (s < high)).all(1), inside & (region == number))


def test_too_many_ranks_are_refused_with_a_number():
    h = np.diag([16.0, 16.0])
    assert choose_grid(h, 4, CUT) == (2, 2)
    with pytest.raises(InputError, match=r"only .*% .* at most \d+ ranks"):
        choose_grid(h, 64, CUT)


@pytest.mark.parametrize("trajectories", [False, True])
def test_small_cells_are_refused(alone, trajectories):
    with pytest.raises(InputError, match="cell is too small"):
        SwapMonteCarlo(small(alone, particles=16), 0.5, 0.2, 0.1, 1, trajectories)


def test_averages_and_errors():
    """Independent measurements: jackknife error = standard error, correlation 1; correlated ones are found out."""
    rng = np.random.default_rng(2)
    free, tied = Averages(), Averages()
    noise, last = rng.normal(size=6400), 0.0
    for value in noise:
        free.add(Measurement(5 + value, 2.0, 4.0, 1.0, 1.0))
        last = 0.9 * last + value
        tied.add(Measurement(5 + last, 2.0, 4.0, 1.0, 1.0))
    energy = free.energy()
    assert abs(energy.value - 5 - noise.mean()) < 1e-10
    assert 0.6 / 80 < energy.error < 1.5 / 80          # 50 blocks: the error is known to 10 %
    assert free.blocks[:, 0].tolist() == [128.0] * 50 + [0.0] * 14
    assert free.correlation() < 2 < 8 < tied.correlation() < 50      # exact: 19
    assert free.ratio("force2", "laplacian").value == 0.5
    assert np.isnan(Averages().correlation())
    assert np.array_equal(Averages(free.blocks).blocks, free.blocks)


class FakeContext:
    """A context that keeps everything, and can stop the stage at one safe point."""

    def __init__(self, seed=1, stop_at=None, restored=None, rows=()):
        self.seed, self.restored, self.stop_at = seed, restored, stop_at
        self.rows, self.results, self.frames, self.messages, self.cited = list(rows), {}, [], [], set()
        self.decay = []

    def table(self, name, **columns):
        if name == "relaxation":
            return SimpleNamespace(append=lambda **row: self.decay.append(row))
        assert name == "measurements"
        self.columns = columns
        return self

    def append(self, **values):
        assert values.keys() == self.columns.keys()
        self.rows.append(tuple(values.values()))

    def result(self, name, value, units="", long_name=""):
        self.results[name] = value

    def frame(self, step, time=0.0, **fields):
        self.frames.append(step)

    def safe_point(self, step, total, snapshot, note=""):
        assert 0 < step <= total
        if step == self.stop_at:
            self.snapshot = snapshot()
            raise KeyboardInterrupt

    def end_point(self, snapshot):
        self.end = snapshot

    def reached(self, step, time):
        self.last = step

    def log(self, message):
        self.messages.append(message)

    def timer(self, verb):
        return contextlib.nullcontext()

    def cite(self, *keys):
        self.cited.update(keys)


def stage(**keys):
    return Swap(Swap.Params(**{"temperature": 0.4, "sweeps": 160, "warmup": 43, "sub_sweeps": 10, "measure_every": 15,
                               "frames": 3, **keys}))


both = pytest.mark.parametrize("moves", ["single", "trajectories"])


@both
def test_stage(alone, moves):
    system, context = small(alone), FakeContext()
    stage(moves=moves).run(system, context)
    sweeps = [row[0] for row in context.rows]
    assert sweeps == [20, 40, 60, 80, 100, 120, 140, 160]          # 15 is rounded up to two sub-sweeps
    assert len(context.frames) == 3 and context.frames[-1] == 160
    assert any("tuned" in message for message in context.messages)
    if moves == "single":
        assert context.results["displacement"] != 0.1 and 0.25 < context.results["acceptance_displacement"] < 0.45
    else:
        assert context.results["time_step"] != 0.02 and 0.3 < context.results["acceptance_displacement"] <= 1
    assert abs(context.results["temperature_configurational"] - 0.4) < 0.05
    assert context.rows[0][4] < context.rows[-1][4]                # mean-square displacement grows
    assert context.results["active_fraction"] == 1.0


@both
@pytest.mark.parametrize("stop", [15, 43, 53, 93, 203])
def test_stage_resumes_to_the_bit(alone, stop, moves):
    whole, system = FakeContext(), small(alone)
    stage(moves=moves).run(system, whole)
    first, other = FakeContext(stop_at=stop), small(alone)
    with pytest.raises(KeyboardInterrupt):
        stage(moves=moves).run(other, first)
    other = type(other).from_state(alone, other.model, *other.state())
    second = FakeContext(restored=first.snapshot, rows=first.rows)
    stage(moves=moves).run(other, second)
    assert second.rows == whole.rows and second.results == pytest.approx(whole.results, rel=0, abs=0, nan_ok=True)
    assert len(second.decay) == len(whole.decay) and second.decay[0] == pytest.approx(whole.decay[0], rel=0, abs=0, nan_ok=True)
    assert first.frames + second.frames == whole.frames
    assert np.array_equal(other.position, system.position) and np.array_equal(other.diameter, system.diameter)
    assert np.array_equal(other.image, system.image)


def test_drift_is_an_error(alone, monkeypatch):
    """A kernel that loses a little energy is found out."""
    original = SwapMonteCarlo.sub_sweep

    def leaky(self, *arguments):
        tally = original(self, *arguments)
        tally.change *= 1 + 1e-6
        return tally

    monkeypatch.setattr(SwapMonteCarlo, "sub_sweep", leaky)
    with pytest.raises(PhysicsError, match="drifted"):
        stage().run(small(alone), FakeContext())


def test_schedule():
    params = stage().params
    lengths = [length for _, done, length in params.schedule() if done < 43]
    assert sum(lengths) == 43 and max(lengths) == 5
    rest = [(done, length) for _, done, length in params.schedule() if done >= 43]
    assert rest[0] == (43, 10) and rest[-1] == (203, 0) and sum(length for _, length in rest) == 160
    assert [number for number, _, _ in params.schedule()] == list(range(len(lengths) + len(rest)))


def test_decay_times_of_known_processes():
    """Sizes that forget as exp(-t/40), positions whose overlap falls to 1/e after a known time: 3 sigma, and 10 %.

    dr is normal of variance 2 D t along each axis: Q = 1 - exp(-0.09/(4 D t)) = 1/e at t = 0.09/(4 D ln(1/(1 - 1/e))).
    """
    random, decays, diffusivity = np.random.default_rng(3), Decays(), 1e-3
    x, size = np.zeros((400, 2)), random.normal(size=400)
    for _ in range(6000):
        decays.add(np.hstack([x, size[:, None]]))
        x += random.normal(size=x.shape) * np.sqrt(2 * diffusivity)
        size = size * np.exp(-1 / 40) + np.sqrt(1 - np.exp(-2 / 40)) * random.normal(size=400)
    expected = 40, 0.09 / (4 * diffusivity * -np.log(1 - np.exp(-1)))
    for what, value in zip((SIZE, OVERLAP), expected, strict=True):
        found = decays.time(what)
        assert 0 < found.error < 0.05 * value and abs(found.value - value) < 0.1 * value
    curve = decays.curve()
    assert (np.diff(curve[:, 0]) > 0).all() and curve[-1, 0] <= 5999
    exact = np.exp(-curve[:, 0] / 40)
    some = (curve[:, 1] > 20) & (exact > 0.1)
    assert np.abs((curve[some, 2] - exact[some]) / curve[some, 3]).max() < 5
    again = Decays(decays.state)
    again.add(np.hstack([x, size[:, None]]))
    decays.add(np.hstack([x, size[:, None]]))
    assert np.array_equal(again.sums, decays.sums) and len(decays.origins) == 14


def test_run_until_equilibrium(alone):
    """It ends by itself, resumes to the bit, and says so when its sweeps do not suffice."""
    keys = {"temperature": 1.0, "sweeps": 100_000, "warmup": 40, "sub_sweeps": 20, "measure_every": 20, "frames": 0,
            "until": "equilibrium", "moves": "trajectories"}
    whole, system = FakeContext(), small(alone, particles=100)
    stage(**keys).run(system, whole)
    slowest = max(whole.results["decay_time_size"], whole.results["decay_time_overlap"])
    assert whole.last < 50_000 and 20 * slowest <= whole.last and whole.results["equilibrated"] == 1
    assert whole.rows[-1][0] == whole.last and whole.decay[-1]["lag"] <= whole.last
    first, other = FakeContext(stop_at=40 + 20 * (whole.last // 20 - 3)), small(alone, particles=100)
    with pytest.raises(KeyboardInterrupt):
        stage(**keys).run(other, first)
    second = FakeContext(restored=first.snapshot, rows=first.rows)
    stage(**keys).run(other, second)
    assert second.rows == whole.rows and second.last == whole.last and np.array_equal(other.position, system.position)
    short = FakeContext()
    stage(**{**keys, "sweeps": 100}).run(small(alone, particles=100), short)
    assert short.results["equilibrated"] == 0 and any(line.startswith("warning: after 100 sweeps") for line in short.messages)


def test_equilibrate_in_one_word():
    params = Swap.Params(temperature=0.3, sweeps="equilibrate")
    assert (params.sweeps, params.until) == (1_000_000, "equilibrium")
    with pytest.raises(ValueError, match="integer"):
        Swap.Params(temperature=0.3, sweeps="equilibrated")
