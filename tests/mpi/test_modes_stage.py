"""The stage `modes`: what it stores, what it says, what it refuses."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from glasses import DATA, glass, liquid, monodisperse, system, whole
from pydantic import ValidationError
from recorder import Recorder
from test_solve import floating

from hpcglass import registry
from hpcglass.errors import PhysicsError
from hpcglass.landscape.matrix import shift_invert
from hpcglass.potentials.library import MODELS
from hpcglass.stages.modes import Modes, ModesParams


def run(s, **params):
    recorder = Recorder()
    registry.stages()["modes"](ModesParams(**params)).run(s, recorder)
    assert all(values.flags.c_contiguous for values in recorder.fields.values())
    return recorder


def reference(name, key):
    with h5py.File(DATA / f"{name}.h5") as file:
        return file["reference"][key][()]


@pytest.mark.parametrize("name", ["ipl12-2d", "ipl10-3d"])
def test_lowest(world, name):
    s = glass(world, name)
    done = run(s, count=40)
    expected = reference(name, "hessian_lowest")
    assert done.column("modes", "omega2") == pytest.approx(expected, rel=1e-9)
    assert done.column("modes", "omega") == pytest.approx(np.sqrt(expected), rel=1e-9)
    assert done.column("modes", "index").tolist() == list(range(40))
    assert done.column("modes", "residual").max() < 1e-8
    assert done.results["modes_total"] == (s.n_total - 1) * s.dimension and done.step == 40
    modes = whole(s, done.fields["modes"])
    assert modes.shape == (s.n_total, s.dimension, 40)
    partial = ((modes**2).sum(axis=1) / expected).sum(axis=1)
    assert whole(s, done.fields["partial_vibrality"]) == pytest.approx(partial, rel=1e-8)
    assert done.column("modes", "participation") == pytest.approx(1 / (s.n_total * ((modes**2).sum(axis=1)**2).sum(axis=0)))
    assert "vibrality" not in done.fields and "density_of_states" not in done.tables
    waves = done.column("phonons", "frequency")
    assert waves[0] == pytest.approx(done.results["shear_wave_speed"] * 2 * np.pi / s.box[0, 0], rel=1e-12)
    assert done.column("phonons", "degeneracy")[0] == 4 if s.dimension == 2 else 12
    assert done.results["longitudinal_wave_speed"] > done.results["shear_wave_speed"]
    assert len(done.lines) == 1 and done.lines[0].startswith("modes: 40 of ")


def test_all_modes(world):
    s = glass(world, "ipl10-2d")
    done = run(s, all=True, vectors=False, moduli=False)
    assert done.fields.keys() == {"vibrality"} and done.results.keys() == {"modes_total", "modes_verified"}
    assert done.results["modes_verified"] == 1
    assert whole(s, done.fields["vibrality"]) == pytest.approx(reference("ipl10-2d", "vibrality"), rel=1e-8)
    omega, density, cumulative = (done.column("density_of_states", name) for name in ("omega", "density", "cumulative"))
    width = omega[1] - omega[0]
    assert (density * width).sum() == pytest.approx(1.0) and cumulative[-1] == pytest.approx(1.0)
    every = done.column("modes", "omega")
    assert len(every) == (s.n_total - 1) * 2
    middle = len(omega) // 2
    assert cumulative[middle] == pytest.approx((every <= omega[middle] + 0.5 * width).mean(), abs=1e-9)


def test_range(world):
    s = glass(world, "lj-binary-2d")
    low, high = np.sqrt(reference("lj-binary-2d", "hessian_lowest")[[9, 30]])
    done = run(s, range=(0.9999 * low, 1.0001 * high), moduli=False)
    assert done.column("modes", "omega2") == pytest.approx(reference("lj-binary-2d", "hessian_lowest")[9:31], rel=1e-9)
    assert whole(s, done.fields["modes"]).shape[2] == 22
    empty = run(s, range=(1e-3, 2e-3), moduli=False)
    assert empty.tables["modes"] == [] and "modes" not in empty.fields and empty.lines[-1] == f"modes: 0 of {2 * (s.n_total - 1)}"
    assert np.abs(empty.fields["partial_vibrality"]).max(initial=0.0) == 0.0


def test_rattlers_are_said_and_left_out(world):
    s = floating(world)
    done = run(s, count=10)
    assert any("1 rattlers are left out" in line for line in done.lines)
    assert done.results["modes_total"] == 3 * 399
    assert np.abs(whole(s, done.fields["modes"])[400]).max() == 0.0
    # the sound of the packing does not know of the rattler
    bound = run(glass(world, "harmonic-3d"), count=10)
    for name in ("shear_wave_speed", "longitudinal_wave_speed", "debye_level"):
        assert done.results[name] == pytest.approx(bound.results[name], rel=1e-8)


def test_a_saddle_at_rest(world):
    """A square lattice: no forces, and unstable."""
    side = 10
    position = 0.9 * np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2) + 0.1
    s = system(world, monodisperse("ipl12"), 0.9 * side * np.eye(2), position, np.ones(side**2), np.zeros(side**2, np.int32))
    done = run(s, count=20, tolerance=1e-7)
    omega, omega2 = done.column("modes", "omega"), done.column("modes", "omega2")
    unstable = int((omega2 < -1e-6).sum())
    assert unstable > 3 and omega == pytest.approx(np.sign(omega2) * np.sqrt(np.abs(omega2)))
    assert any(f"saddle, not a minimum: {unstable} of the modes" in line for line in done.lines)
    assert any("no speeds of sound: the configuration is a saddle" in line for line in done.lines)
    assert "shear_wave_speed" not in done.results
    positive = omega2 > 1e-6
    modes = whole(s, done.fields["modes"])[..., positive]
    assert whole(s, done.fields["partial_vibrality"]) == pytest.approx(((modes**2).sum(axis=1) / omega2[positive]).sum(axis=1))


def cluster(comm):
    """Three particles at the bottoms of their wells, in the middle of a large cell."""
    model = MODELS["lj-binary"]
    length = 2 ** (1 / 6) * model.mixing.length[0][0]
    corners = 5.0 + length * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    return system(comm, model, 12.0 * np.eye(2), corners, np.full(3, model.sizes.diameters[0]), np.zeros(3, np.int32))


def test_a_part_that_turns_freely(world):
    """Its mode is neither stable nor unstable, and in no sum over 1/omega^2; without `count` half of all modes are computed."""
    s = cluster(world)
    done = run(s)
    omega2 = done.column("modes", "omega2")
    assert len(omega2) == 2 and abs(omega2[0]) < 1e-10 < omega2[1]
    assert any("1 of the modes found have omega^2 = 0" in line for line in done.lines)
    assert not any("saddle, not" in line for line in done.lines)
    expected = (done.fields["modes"][..., 1]**2).sum(axis=1) / omega2[1]
    assert done.fields["partial_vibrality"] == pytest.approx(expected)


@pytest.mark.parametrize("params", [{}, {"count": 10}, {"range": (0.0, 1.0)}, {"all": True}])
@pytest.mark.parametrize("particles", [1, 2, 9])
def test_no_two_particles_interact(world, params, particles):
    """Fewer coordinates are left than there are translations: said so, and not that there are -2 modes."""
    places = 3.0 * np.array([(a, b) for a in range(3) for b in range(3)], dtype=float)[:particles] + 0.5
    s = system(world, MODELS["harmonic"], 9.0 * np.eye(2), places, np.ones(particles), np.zeros(particles, np.int32))
    with pytest.raises(PhysicsError, match="no two particles interact"):
        run(s, **params)


def test_what_was_not_counted_is_said(alone, monkeypatch):
    def refuse(*_):
        raise PhysicsError("no memory")

    monkeypatch.setattr(shift_invert, "inertia", refuse)
    done = run(glass(alone, "ipl12-2d"), count=10, moduli=False)
    assert done.results["modes_verified"] == 0
    assert any("not verified by inertia that none is missing: no memory" in line for line in done.lines)
    monkeypatch.undo()
    assert run(glass(alone, "ipl12-2d"), count=10, moduli=False).results["modes_verified"] == 1


def test_not_a_minimum_is_refused(world):
    with pytest.raises(PhysicsError, match="not at a minimum"):
        run(liquid(world, "ipl12", 100, 2))


def test_choices():
    assert ModesParams().count is None
    for wrong, message in (({"count": 3, "all": True}, "only one of count, range, all, not count and all"),
                           ({"count": 3, "range": (0, 1)}, "not count and range"), ({"range": (2, 1)}, "0 <= low < high"),
                           ({"range": (-1, 1)}, "0 <= low < high"), ({"range": (0.0, float("nan"))}, "0 <= low < high"),
                           ({"count": 0}, "greater than 0"), ({"tolerance": 0}, "greater than 0")):
        with pytest.raises(ValidationError, match=message):
            ModesParams(**wrong)
    assert Modes(ModesParams(count=500)).force_evaluations(10) > Modes(ModesParams()).force_evaluations(10)
