"""Indicators: against independent values, sum rules and invariances, on any number of ranks."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from glasses import DATA, arrays, glass, system, whole

from hpcglass.core import comm as ranks
from hpcglass.core.replica import Replica
from hpcglass.errors import PhysicsError
from hpcglass.indicators import coarse, nonaffinity
from hpcglass.indicators.catalogue import INDICATORS, chosen
from hpcglass.indicators.glass import Choices, Glass
from hpcglass.indicators.neighbours.cells import divergence, power_cells
from hpcglass.indicators.neighbours.functions import HATS_REACH, binned_functions, radial_functions
from hpcglass.indicators.neighbours.surroundings import surroundings
from hpcglass.landscape.contractions import along_path
from hpcglass.landscape.matrix.hessian import Hessian
from hpcglass.landscape.modes import spectrum
from hpcglass.landscape.nonlinear import Derivatives
from hpcglass.landscape.slices import modes_of_slice, slices

FLAT = ("ipl12-2d", "ipl10-2d", "lj-binary-2d", "lj-poly-2d")
DEEP = ("ipl10-3d", "harmonic-3d")
# stiffness of the modes that starts like ours led to, by a fixed-point iteration with dense algebra
NONLINEAR = {
    ("ipl12-2d", 3): [0.486165123819, 13.8565863865, 1.75185486886, 0.735234742191, 0.626419917349, 0.640717923088,
                        1.46933063091, 2.52880905839],
    ("ipl12-2d", 4): [0.495220038398, 14.8346980291, 0.533714827668, 1.36994914173, 0.453155160194, 56.113804705,
                        38.858722482, 2.39897512142, 1.37145788567, 0.720528136979],
    ("lj-poly-2d", 3): [1.15851373724, 1.63744497562, 1.05429981291, 55.7502669685, 13.910055104, 1.54669274696,
                        8.43573803408, 5.29453535011, 5.48214053879, 21.8410053992],
    ("lj-poly-2d", 4): [1.01120446473, 1.49604149709, 0.866546107714, 78.9099179676, 50.20124615, 5.52941589855],
}
ACCURACY = {"s2": 1e-6}     # of the references, which are trapezoidal sums


def expected(name):
    """name -> values of a reference glass."""
    with h5py.File(DATA / f"indicators-{name}.h5") as file:
        found = {key: item[()] for key, item in file.items() if isinstance(item, h5py.Dataset)}
        return found | {"xdot": found.pop("U3_xdot")}, dict(file["s2"].attrs), dict(file["M"].attrs)


def everything(name):
    """Indicators with one right value; cells in 3D have a test of their own, as they need a library."""
    return [indicator for indicator in chosen(["structure", "contacts", "response", "soft_modes"], 2 if name in FLAT else 3)
            if not indicator.library_3d or name in FLAT]


@pytest.mark.parametrize("name", FLAT + DEEP)
def test_reference_values(world, name):
    s = glass(world, name)
    values, s2, m = expected(name)
    asked = Glass(s, Choices(s2_range=float(s2["r_m"]), modes=int(m["n_k"])))
    for indicator in everything(name):
        found, right = whole(s, indicator.compute(asked)), values[indicator.name]
        if indicator.name == "nafmu":       # a mean over time, with a stated error
            relative = found / right - 1.0
            assert np.sqrt(np.mean(relative**2)) < asked.results["nonaffinity_error"][0]
            assert found.sum() == pytest.approx(right.sum(), rel=1e-9)
            assert asked.results["nonaffine_modulus"][0] == pytest.approx(right.sum(), rel=1e-9)
            continue
        assert np.abs(found - right).max() < ACCURACY.get(indicator.name, 1e-9) * np.abs(right).max(), indicator.name


@pytest.mark.parametrize("name", FLAT)
def test_structure_functions(world, name):
    s = glass(world, name)
    far = surroundings(s, HATS_REACH, reduced=True)
    binary = s.model.mixing.by_species
    found = binned_functions(far, s.model.sizes.diameters) if binary else radial_functions(far)
    right = expected(name)[0]["structure_functions"]
    assert np.abs(whole(s, far.back(found)[0]) - right).max() < (1e-6 if binary else 1e-12) * right.max()


def test_first_minimum_of_g(world):
    for name in FLAT:
        found = Glass(glass(world, name)).entropy_range[1]
        assert found == pytest.approx(expected(name)[1]["r_m"], abs=1e-6)


@pytest.mark.parametrize("name", DEEP)
def test_cells_in_3d(world, name):
    pytest.importorskip("pyvoro2")
    s = glass(world, name)
    values, asked = expected(name)[0], Glass(s)
    for key in ("rho", "packing_fraction", "phi", "P"):
        assert np.abs(whole(s, INDICATORS[key].compute(asked)) - values[key]).max() < 1e-9 * np.abs(values[key]).max(), key


def test_sum_rules(world):
    """Cells fill the box, divergences of the centroids cancel, heat capacities are those of a harmonic solid."""
    s = glass(world, "ipl12-2d")
    asked = Glass(s)
    cells = asked.cells
    assert ranks.total(world, float(cells.area.sum())) == pytest.approx(s.volume, rel=1e-12)
    of_triangles = ranks.total(world, float((divergence(cells) * cells.degree).sum()))
    assert abs(of_triangles) < 1e-10 * ranks.total(world, float(np.abs(divergence(cells) * cells.degree).sum()))
    thermal, weight = asked.thermal, asked.thermal.bonds.weight
    degrees = 2 * s.n_total - 2
    assert ranks.total(world, float((weight * thermal.harmonic).sum())) == pytest.approx(degrees, rel=1e-10)
    assert abs(ranks.total(world, float((weight * thermal.anharmonic).sum()))) < 1e-8
    eigenvalues = spectrum(asked.hessian).frequency2
    assert ranks.total(world, float(thermal.vibrality.sum())) == pytest.approx((1.0 / eigenvalues).sum(), rel=1e-9)


@pytest.mark.few_ranks
def test_anharmonic_force_is_the_gradient_of_the_log_determinant(world):
    """T:H^+ along a direction is d ln det H, by central differences of the eigenvalues."""
    s = glass(world, "ipl12-2d")
    asked = Glass(s)
    thermal = asked.thermal
    direction = np.sin(1.0 + s.id[: s.n_owned, None] * np.array([1.3, 0.7]))
    direction -= ranks.total(world, direction.sum(axis=0)) / s.n_total
    force = asked.hessian.rows(_product(asked.hessian, thermal.response))       # H u = T:H^+
    slope = ranks.total(world, float((force * direction).sum()))
    h, found = 1e-5, []
    for sign in (1.0, -1.0):
        moved = glass(world, "ipl12-2d")
        moved.move(direction, sign * h)
        moved.update()
        found.append(np.log(spectrum(Hessian(moved), 1e-3).frequency2).sum())
    assert (found[0] - found[1]) / (2 * h) == pytest.approx(slope, rel=1e-6)


def _product(hessian, rows):
    image = hessian.vector()
    hessian.matrix.mult(hessian.vector(rows), image)
    return image


def test_invariances(world):
    """Translation, permutation, an equivalent cell, and a rotation by 90 degrees, which maps shear xy to -xy."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    names = [indicator.name for indicator in chosen(["structure", "contacts"], 2)] + ["vibrality", "c_alpha", "xdot", "mu"]
    base = Glass(system(world, model, box, position, diameter, species), Choices(s2_range=1.4))
    right = {name: whole(base.system, INDICATORS[name].compute(base)) for name in names}
    order = np.random.default_rng(5).permutation(len(position))
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    cases = {
        "translation": ((model, box, position + [0.37, 11.1], diameter, species), None, "xy"),
        "permutation": ((model, box, position[order], diameter[order], species[order]), order, "xy"),
        "cell": ((model, box @ np.array([[1.0, 1.0], [0.0, 1.0]]), position, diameter, species), None, "xy"),
        "rotation": ((model, turn @ box, position @ turn.T, diameter, species), None, "yx"),
    }
    for case, (given, permuted, plane) in cases.items():
        s = system(world, *given)
        asked = Glass(s, Choices(s2_range=1.4, plane=plane))
        for name in names:
            found, wanted = whole(s, INDICATORS[name].compute(asked)), right[name]
            wanted = wanted if permuted is None else wanted[permuted]
            assert np.abs(found - wanted).max() < 1e-8 * np.abs(wanted).max(), (case, name)


def test_a_cell_smaller_than_the_reach(world):
    """Four copies of a small cell side by side are the same glass: neighbours through several images count."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    inside = ((position @ np.linalg.inv(box).T) % 1.0 < 0.22).all(axis=1)
    position, diameter, species, box = position[inside], diameter[inside], species[inside], 0.25 * box
    tiles = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ box.T
    one = system(world, model, box, position, diameter, species)
    four = system(world, model, 2 * box, (tiles[:, None] + position).reshape(-1, 2), np.tile(diameter, 4), np.tile(species, 4))
    names = [indicator.name for indicator in chosen(["structure", "contacts"], 2)]
    for name in names:
        found, wanted = (whole(s, INDICATORS[name].compute(Glass(s, Choices(s2_range=1.4)))) for s in (four, one))
        assert np.allclose(found, np.tile(wanted, 4), rtol=1e-9, atol=1e-9, equal_nan=True), name
    fields = []
    for s in (one, four):
        far = surroundings(s, HATS_REACH, reduced=True)
        fields.append(whole(s, far.back(radial_functions(far))[0]))
    assert np.allclose(fields[1], np.tile(fields[0], (4, 1)), rtol=1e-12)


def test_an_empty_cell(world):
    """A small particle inside a big one's territory has no cell; those of the others fill the box."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    diameter, position = diameter.copy(), position.copy()
    diameter[7], diameter[8] = 4.0, 0.1
    position[8] = position[7] + [0.6, 0.1]
    s = system(world, model, box, position, diameter, species)
    cells = power_cells(s)
    area, degree = (whole(s, rows) for rows in cells.around.back(cells.area, cells.degree))
    assert area[8] == 0.0 and degree[8] == 0 and (np.delete(area, 8) >= 0.0).all()
    assert area.sum() == pytest.approx(s.volume, rel=1e-12)
    assert np.isinf(whole(s, INDICATORS["rho"].compute(Glass(s)))[8])


def test_open_boundary(world):
    """Cells at the rim of a cluster in an empty box are open: no number is made up for them; those inside are as before."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    middle = np.abs((position @ np.linalg.inv(box).T) % 1.0 - 0.5).max(axis=1) < 0.3
    s = system(world, model, 3.0 * box, position[middle] % box[0, 0] + box[0, 0], diameter[middle], species[middle])
    rho = whole(s, INDICATORS["rho"].compute(Glass(s, Choices(free=True))))
    right = expected("ipl12-2d")[0]["rho"][middle]
    closed = np.isfinite(rho)
    deep = np.abs((position[middle] @ np.linalg.inv(box).T) % 1.0 - 0.5).max(axis=1) < 0.18
    assert not closed.all() and closed[deep].all()
    assert np.abs(rho[deep] - right[deep]).max() < 1e-10


@pytest.mark.few_ranks
def test_rattlers_have_no_response(world):
    """They get NaN in what a Hessian tells; in what positions tell they are like the others."""
    model, box, position, diameter, species = arrays("ipl10-2d")
    wide = np.diag([1.0, 2.0]) @ box        # room above, in which one particle floats
    position = np.vstack([position, [0.5 * box[0, 0], 1.6 * box[1, 1]]])
    diameter, species = np.append(diameter, 0.8), np.append(species, 0)
    s = system(world, model, wide, position, diameter, species)
    asked = Glass(s)
    assert whole(s, asked.loose.astype(float))[-1] == 1.0
    assert whole(s, INDICATORS["z"].compute(asked))[-1] == 0.0
    assert np.isnan(whole(s, asked.unless_loose(np.zeros(s.n_owned))))[-1]


@pytest.mark.few_ranks
def test_modes_in_slices_are_those_of_the_spectrum(world):
    s = glass(world, "ipl12-2d")
    hessian = Hessian(s)
    right = spectrum(hessian).frequency2
    pieces = slices(hessian, 150)
    found = np.concatenate([modes_of_slice(hessian, piece).frequency2 for piece in pieces])
    assert sum(piece.number for piece in pieces) == len(found) >= 150
    assert found == pytest.approx(right[: len(found)], rel=1e-9)


def test_a_replica_is_the_same_glass(world):
    s = glass(world, "lj-binary-2d")
    copy = Replica(s)
    field = np.sin(s.id[: s.n_owned] * 0.1)
    assert (copy.taken(field) == np.sin(copy.system.id[: copy.system.n_owned] * 0.1)).all()
    assert (copy.summed(np.ones(s.n_total)) == world.size).all()
    ids = copy.system.id[: copy.system.n_owned]
    assert (np.sort(ids) == np.arange(s.n_total)).all()
    assert (whole(s, s.position)[ids] % np.diag(s.box) == pytest.approx(copy.system.position % np.diag(s.box), abs=1e-12))


@pytest.mark.few_ranks
def test_the_kick_gets_better_with_time(world):
    """The error falls as stated, and all modes told apart give the exact values."""
    s = glass(world, "ipl12-2d")
    asked = Glass(s)
    right = -expected("ipl12-2d")[0]["nafmu"] * s.volume
    errors = []
    for steps in (500, 60_000):
        found = whole(s, nonaffinity.kicked(asked.hessian, asked.shear_force, steps))
        errors.append(np.sqrt(np.mean((found / right - 1.0) ** 2)))
    assert errors[0] < 1.2 * nonaffinity.ERROR / np.sqrt(500) and errors[1] < 1e-3
    top = spectrum(asked.hessian).frequency2[-1]
    assert top <= nonaffinity.largest_eigenvalue(asked.hessian) < 1.1 * top


@pytest.mark.few_ranks
def test_coarse_grained_strain_of_an_affine_motion(world):
    """All particles move with A x: the strain is A everywhere, and the stress changes as its volume mean says."""
    s = glass(world, "lj-binary-2d")
    around = coarse.discs(s, 4.0)
    affine = np.array([[0.3, 1.0], [-0.2, 0.1]])
    field = np.zeros((around.view.n_all, 2))
    found = whole(s, around.back(coarse.displacement_gradient(around, field, affine, 4.0))[0])
    assert np.abs(found - affine).max() < 0.4 and np.abs(found.mean(axis=0) - affine).max() < 0.1
    stress, rate = coarse.stress_rate(around, field, np.array([[0.0, 1.0], [0.0, 0.0]]), 4.0)
    h, means = 1e-5, []
    for sign in (1.0, -1.0):
        moved = glass(world, "lj-binary-2d")
        moved.deform(np.eye(2) + sign * h * np.array([[0.0, 1.0], [0.0, 0.0]]))
        moved.update()
        there = coarse.discs(moved, 4.0)
        means.append(whole(moved, there.back(coarse.stress_rate(there, np.zeros((there.view.n_all, 2)), affine, 4.0)[0])[0]))
    assert np.abs((means[0] - means[1]) / (2 * h) - whole(s, around.back(rate)[0])).max() < 1e-6 * np.abs(rate).max()
    assert stress.shape == rate.shape == (around.view.n_owned, 2, 2)


@pytest.mark.few_ranks
def test_not_at_rest(world):
    """The harmonic glass of a configuration that is no minimum runs away, and says so."""
    s = glass(world, "ipl12-2d")
    s.move(0.1 * np.sin(s.id[: s.n_owned, None] * np.array([1.3, 0.7])))
    s.update()
    with pytest.raises(PhysicsError):
        asked = Glass(replace(Glass(s)).system)
        nonaffinity.kicked(asked.hessian, asked.shear_force, 4000)


@pytest.mark.few_ranks
@pytest.mark.parametrize("degree", [3, 4])
@pytest.mark.parametrize("name", ["ipl12-2d", "lj-poly-2d"])
def test_nonlinear_modes(world, name, degree):
    """Solutions of their equation, the references' modes among them by their costs; the map is that of those found."""
    s = glass(world, name)
    asked = Glass(s, Choices(nonlinear_tolerance=1e-8))
    field = whole(s, INDICATORS[f"nonlinear_n{degree}"].compute(asked))
    rows, columns = asked.tables[f"nonlinear_modes_{degree}"]
    found = dict(zip(columns, rows.T, strict=True))
    assert found["gradient"].max() <= 1e-8 and asked.results[f"nonlinear_starts_{degree}"][0] == 25
    assert found["cost"] == pytest.approx(found["stiffness"] ** (degree / 2) / np.abs(found["form"]), rel=1e-9)
    right = np.array(NONLINEAR[name, degree])
    shared = [np.abs(found["stiffness"] / stiffness - 1.0).min() < 1e-7 for stiffness in right]
    assert np.mean(shared) >= 0.8 and len(found["cost"]) <= len(right) + 2
    assert (field >= 0.0).all() and int(found["core_id"][0]) in np.argsort(field)[-40:]


@pytest.mark.few_ranks
def test_cubic_forms_are_derivatives_of_the_energy(world):
    """Along a field the energy is A t^2/2 + B_3 t^3/6 + B_4 t^4/24, by finite differences; and so on lines."""
    s = glass(world, "ipl12-2d")
    z, p = (np.sin(k + s.id[: s.n_owned, None] * np.array([1.3, 0.7])) / np.sqrt(s.n_total) for k in (1.0, 2.5))
    everywhere = [np.zeros((s.n_all, 2)) for _ in range(2)]
    for rows, field in zip(everywhere, (z, p), strict=True):
        rows[: s.n_owned] = field
        s.forward(rows)
    for degree in (3, 4):
        form = Derivatives(s, degree)
        force, power = np.zeros((2, s.n_all, 2))
        value = ranks.total(world, form.terms(everywhere[0], force, power))
        assert ranks.total(world, float((power[: s.n_owned] * z).sum())) == pytest.approx(value, rel=1e-10)
        sums = ranks.total(world, form.line(*everywhere))
        for t in (0.0, 0.3, -1.1):
            there = everywhere[0] + t * everywhere[1]
            stiffness = np.zeros((2, s.n_all, 2))
            moved = ranks.total(world, form.terms(there, *stiffness))
            assert np.polynomial.Polynomial(sums[3:])(t) == pytest.approx(moved, rel=1e-9)
            along = ranks.total(world, float((there * stiffness[0])[: s.n_owned].sum()))
            assert np.polynomial.Polynomial(sums[:3])(t) == pytest.approx(along, rel=1e-9)
        path = along_path(s, np.zeros((2, 2)), [z], 3)
        if degree == 3:
            assert path.energy[3] == pytest.approx(value, rel=1e-10)
