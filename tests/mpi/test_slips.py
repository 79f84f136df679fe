"""Slips of events along a loading: the same on any number of ranks, after a restart, and against a calculation of their own."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import glass, whole
from mpi4py import MPI
from pydantic import ValidationError
from recorder import Stopped, Stopping
from scipy.spatial import Delaunay
from test_shear_stage import run

from hpcglass.analysis.nonaffine import d2min
from hpcglass.cavity.bulk import moduli
from hpcglass.errors import InputError
from hpcglass.geometries.periodic import pure_shear, simple_shear
from hpcglass.landscape.forces import per_particle
from hpcglass.stages.shear.params import ShearParams
from hpcglass.stages.shear.slips import modulus

KEYS = {"strain_step": 2e-4, "max_strain": 0.0176, "event_energy": 1e-4, "event_frames": False, "slips": True}


class Kept(Stopping):
    """Whole configurations before each step; stops before one."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.states = []

    def safe_point(self, step, total, snapshot, note=""):
        system = self.system
        if not note.startswith("strain"):
            return
        self.states.append([whole(system, rows) for rows in (system.unwrapped(), per_particle(system)[1])])
        if self.stop is not None and len(self.states) == self.stop:
            self.saved, self.state = snapshot(), system.state()
            raise Stopped


def load(s, stop=None, restored=None, tables=None, **keys):
    return run(s, stop, restored, tables, Kept, **KEYS | keys)


def test_the_same_on_any_number_of_ranks_and_as_calculated_by_hand(world):
    """By hand: from two configurations, with the strain by a line integral."""
    done = load(glass(world, "ipl12-2d"))
    rows = done.tables["events"]
    assert len(rows) >= 2 and max(abs(row["slip"]) for row in rows) > 5e-3
    if world.size > 1:
        alone = load(glass(MPI.COMM_SELF, "ipl12-2d"))
        for name in ("slip", "slipped_volume"):
            assert done.column("events", name) == pytest.approx(alone.column("events", name), abs=1e-7)
    sample = glass(world, "ipl12-2d")
    density, mu = sample.n_total / sample.volume, modulus(sample, simple_shear(2, "xy"), "xy")
    diameter, species = whole(sample, sample.diameter[: sample.n_owned]), whole(sample, sample.species[: sample.n_owned])
    for row in rows:
        (before, virial), (after, virial_after) = done.states[row["step"] - 1], done.states[row["step"]]
        boxes = [sample.box + (row["strain"] - back) * np.outer([1.0, 0.0], sample.box[1]) for back in (KEYS["strain_step"], 0.0)]
        weight = d2min(before, after, *boxes, sample.model, diameter, species)
        assert weight.argmax() == row["core_id"]
        away, u = near(before, after, row["core_id"], boxes)
        weight[((away + u - u[row["core_id"]])**2).sum(axis=1) > 25.0 / np.pi / density] = 0.0
        away -= weight @ away / weight.sum()
        stress = mean_stress(virial_after - virial, away, density)
        by_hand = strain_by_the_rim(away, u, 5.0 / np.sqrt(np.pi * density)) - stress / (2 * mu)
        assert row["slip"] == pytest.approx(by_hand, rel=0.02, abs=2e-4)
        assert row["slipped_volume"] == pytest.approx(sample.volume * row["stress_drop"] / (2 * mu), rel=1e-5)


def test_the_modulus_is_that_of_the_shear_without_rotation(world):
    sample = glass(world, "ipl12-2d")
    found = moduli(sample)
    simple = modulus(sample, simple_shear(2, "xy"), "xy")
    assert simple == pytest.approx((found.shear(0, 1) + found.shear(1, 0)) / 2, rel=1e-6)
    assert simple + modulus(sample, pure_shear(2, "xy"), "xy") == pytest.approx(sum(found.shear_extremes), rel=1e-6)


def near(before, after, core, boxes):
    """(positions relative to the core before, displacements) of the nearest images."""
    away = before - before[core]
    periods = np.rint(away @ np.linalg.inv(boxes[0]).T)
    return away - periods @ boxes[0].T, after - before - periods @ (boxes[1] - boxes[0]).T


def mean_stress(virial, away, density):
    disc = (away**2).sum(axis=1) < 25.0 / np.pi / density
    return virial[disc, 0, 1].sum() * density / disc.sum()


def strain_by_the_rim(x, u, radius):
    """e_xy = (1/2A) the integral of u_x n_y + u_y n_x along the rims of the triangles, n dl = (dy, -dx) anticlockwise."""
    simplices = Delaunay(x).simplices
    area = strain = 0.0
    for corners in simplices[(x[simplices].mean(axis=1) ** 2).sum(axis=1) < radius**2]:
        edge = np.roll(x[corners], -1, axis=0) - x[corners]
        middle = (np.roll(u[corners], -1, axis=0) + u[corners]) / 2
        twice = edge[0, 0] * edge[1, 1] - edge[0, 1] * edge[1, 0]
        area += 0.5 * abs(twice)
        strain += 0.5 * np.sign(twice) * (middle[:, 1] * edge[:, 1] - middle[:, 0] * edge[:, 0]).sum()
    return strain / area


@pytest.mark.few_ranks
def test_a_loading_with_slips_goes_on_to_the_bit(world):
    sample = glass(world, "ipl12-2d")
    whole_way = load(glass(world, "ipl12-2d"))
    first = whole_way.tables["events"][0]["step"]
    kept = load(sample, stop=first)
    sample.restore(*kept.state)
    done = load(sample, restored=kept.saved, tables=kept.tables)
    assert done.tables["events"] == whole_way.tables["events"]


def test_what_is_refused(world):
    with pytest.raises(ValidationError, match="slips are along a shear"):
        ShearParams(max_strain=0.1, mode="dilation", slips=True)
    with pytest.raises(InputError, match="take more particles"):
        load(glass(world, "ipl10-3d"))
