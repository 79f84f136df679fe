"""Powers of 1 - x, of any kind, and splines, in all that a potential goes into: against plain sums and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from glasses import ALL, all_pairs, liquid_arrays, system, whole
from test_hessian import probe, times

from hpcglass.config import SystemParams
from hpcglass.core.comm import total
from hpcglass.geometries.periodic import deformation, simple_shear
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.forces import evaluate, forces, per_particle
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.rattlers import rattlers
from hpcglass.landscape.walls import load
from hpcglass.moves import start
from hpcglass.moves.relax import to_minimum

CASES = [("hertz-mixed", 2), ("fractional", 2), ("spline", 3), ("two-pieces", 2)]
cases = pytest.mark.parametrize("name,dimension", CASES)


def moved(world, plain, shift=0.0, gradient=None, strain=0.0):
    s = system(world, *plain)
    s.move(shift * probe(s))
    if gradient is not None:
        s.deform(deformation(gradient, strain))
    s.update()
    return s


def slope(values, h):
    """Fourth-order central difference of values at -2, -1, 1, 2 h."""
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)


@pytest.mark.parametrize("name,dimension", [*CASES, ("kob-andersen", 3), ("ka2d", 2), ("lj-cut", 3), ("hertz", 2)])
def test_energy_is_the_sum_over_all_images(world, name, dimension):
    """All pairs of all images, by the potential's own definition: to round-off (distances are rounded to 1e-7)."""
    plain = liquid_arrays(name, 200, dimension, tilt=(0.2,) if dimension == 2 else (0.1, -0.2, 0.1))
    model, _, _, diameter, species = plain
    energy, mixing = 0.0, model.mixing
    for i, j, r in all_pairs(*plain):
        length = mixing.length[species[i]][species[j]] if mixing.by_species else \
            0.5 * (diameter[i] + diameter[j]) * (1 - mixing.nonadditivity * abs(diameter[i] - diameter[j]))
        strength = mixing.energy[species[i]][species[j]] if mixing.by_species else 1.0
        energy += (1.0 if i != j else 0.5) * strength * model.potential.derivative(r / length)
    s = system(world, *plain)
    found = evaluate(s)
    assert found.energy == pytest.approx(energy, rel=2e-6)
    assert total(world, float(per_particle(s)[0].sum())) == pytest.approx(found.energy, rel=1e-12)


@pytest.mark.parametrize("name,energy,pressure", [("kob-andersen", 3351.4829979264264, 129.34386788374673),
                                                  ("lj-cut", -132.9807924639698, 17.177682123003464)])
def test_as_lammps_has_it(world, name, energy, pressure):
    """LAMMPS of 22 July 2025, update 4: lj/cut with pair_modify shift yes; lj/smooth/linear."""
    found = evaluate(system(world, *liquid_arrays(name, 200, 3)))
    assert found.energy == pytest.approx(energy, rel=1e-12) and found.pressure == pytest.approx(pressure, rel=1e-12)


@cases
def test_forces_and_stress_are_derivatives_of_the_energy(world, name, dimension):
    plain, h = liquid_arrays(name, 100, dimension), 2e-5
    s = system(world, *plain)
    along = -total(world, float((forces(s) * probe(s)).sum()))
    energies = [evaluate(moved(world, plain, k * h)).energy for k in (-2, -1, 1, 2)]
    assert along == pytest.approx(slope(energies, h), rel=3e-6, abs=1e-6)
    gradient = simple_shear(dimension, "xy")
    strained = [evaluate(moved(world, plain, 0.0, gradient, k * h)).energy for k in (-2, -1, 1, 2)]
    assert s.volume * evaluate(s).stress[0, 1] == pytest.approx(slope(strained, h), rel=1e-5, abs=1e-5)


@cases
def test_hessian_is_the_derivative_of_the_forces(world, name, dimension):
    plain, h = liquid_arrays(name, 100, dimension), 1e-6
    product = whole(s := system(world, *plain), times(Hessian(s), probe(s)))
    side = [whole(t := moved(world, plain, k * h), forces(t)) for k in (1, -1)]
    numeric = -(side[0] - side[1]) / (2 * h)
    held = np.abs(numeric).max(axis=1) > 0          # a particle without contacts has a row of its own
    assert held.sum() > 70
    assert np.abs(product - numeric)[held].max() < (1e-4 if "hertz" in name else 1e-5) * np.abs(numeric).max()


@pytest.mark.parametrize("name,dimension", [("fractional", 2), ("spline", 3)])
@pytest.mark.parametrize("order", [2, 3])
def test_contractions_are_derivatives_of_those_below(world, name, dimension, order):
    """d/dh of (n-1)-th derivatives at x + h v is the n-th; the strain along."""
    plain, h = liquid_arrays(name, 100, dimension), 1e-5
    nothing, s = np.zeros((dimension, dimension)), system(world, *plain)
    exact = along_path(s, nothing, [probe(s)], order)
    below = [along_path(t := moved(world, plain, k * h), nothing, [probe(t)], order - 1) for k in (-2, -1, 1, 2)]
    numeric = slope([whole(s, p.gradient) for p in below], h)
    assert np.abs(whole(s, exact.gradient) - numeric).max() < 1e-4 * np.abs(numeric).max()
    assert exact.energy[order] == pytest.approx(slope([p.energy[order - 1] for p in below], h), rel=1e-5)


def test_a_hertzian_packing(world):
    """At rest: moduli agree with a small strain; who touches nobody is a rattler; contacts end sharply."""
    s = system(world, *liquid_arrays("hertz", 150, 2, seed=3))
    s.deform(0.93 * np.eye(2))
    s.update()
    to_minimum(s, "fire", 1e-11, 200_000)
    loose = total(world, int(rattlers(s).sum()))
    touching = evaluate(s).pairs
    assert loose < 40 and touching >= 2 * (150 - loose) - 2
    gradient, h, side = simple_shear(2, "xy"), 1e-6, []
    for k in (1, -1):
        t = s.renewed()
        t.deform(deformation(gradient, k * h))
        t.update()
        to_minimum(t, "fire", 1e-11, 200_000)
        side.append(evaluate(t).stress[0, 1])
    assert (side[0] - side[1]) / (2 * h) == pytest.approx(elastic_moduli(s).shear(0, 1), rel=1e-2)


@pytest.mark.parametrize("name", ["hertz-mixed", "spline"])
def test_walls_push_as_their_energy_says(world, name):
    params = SystemParams(model=name, dimension=2, density=0.95, r_in=2.0, r_out=7.0, start="random")
    s, h = start.build(world, params, ALL[name], 1), 1e-5
    s.update()
    assert load(s).contacts.min() > 3
    energies = []
    for k in (-2, -1, 1, 2):
        t = s.renewed()
        t.move(k * h * probe(t))
        t.update()
        energies.append(evaluate(t).energy)
    along = -total(world, float((forces(s) * probe(s)).sum()))
    assert along == pytest.approx(slope(energies, h), rel=1e-6)
