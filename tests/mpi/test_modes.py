"""Modes against the reference spectra, on any number of ranks; saddles, loose particles, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from glasses import DATA, NAMES, arrays, glass, liquid_arrays, system, whole
from test_solve import dense, floating

from hpcglass.errors import InputError, PhysicsError
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.matrix import shift_invert as module
from hpcglass.landscape.matrix.hessian import Hessian, PETSc, own_errors
from hpcglass.landscape.matrix.shift_invert import PREFIX
from hpcglass.landscape.modes import lowest_modes, modes_in_interval, number_of_modes, spectrum
from hpcglass.landscape.phonons import debye_level, mean_shear_modulus, phonons, sound_speeds, wave_numbers


def reference(name):
    """The group `reference` of a glass, as arrays."""
    with h5py.File(DATA / f"{name}.h5") as file:
        keys = ("hessian_lowest", "hessian_highest", "mode_participation", "vibrality")
        return {key: file["reference"][key][()] for key in keys}


def separate(values):
    """Modes that no neighbour is so close to that the two could mix; the last one's neighbour is not known."""
    gap = np.diff(values) / values[1:]
    return np.append(gap, 0.0) > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_lowest_modes(world, name):
    s, expected = glass(world, name), reference(name)
    modes = lowest_modes(Hessian(s), 40)
    assert modes.frequency2 == pytest.approx(expected["hessian_lowest"], rel=1e-9)
    assert modes.residuals.max() < 1e-8
    clear = separate(modes.frequency2) & np.append(True, separate(modes.frequency2)[:-1])
    assert clear.sum() > 20
    assert modes.participation[clear] == pytest.approx(expected["mode_participation"][clear], rel=1e-6)
    flat = whole(s, modes.vectors).reshape(-1, 40)
    assert np.abs(flat.T @ flat - np.eye(40)).max() < 1e-9
    assert np.abs(flat.reshape(-1, s.dimension, 40).sum(axis=0)).max() < 1e-10
    assert (flat.max(axis=0) >= -flat.min(axis=0)).all()


@pytest.mark.parametrize("name", ["ipl10-2d", "ipl12-2d", "lj-binary-2d"])
def test_full_spectrum(world, name):
    s, expected = glass(world, name), reference(name)
    modes = spectrum(Hessian(s))
    assert len(modes.frequency2) == (s.n_total - 1) * s.dimension
    assert modes.frequency2[:40] == pytest.approx(expected["hessian_lowest"], rel=1e-9)
    assert modes.frequency2[-1] == pytest.approx(expected["hessian_highest"], rel=1e-12)
    vibrality = whole(s, ((modes.vectors**2).sum(axis=1) / modes.frequency2).sum(axis=1))
    assert vibrality == pytest.approx(expected["vibrality"], rel=1e-8)


def test_ranks_do_not_matter(world, alone):
    many, one = glass(world, "ipl12-2d"), glass(alone, "ipl12-2d")
    a, b = lowest_modes(Hessian(many), 10), lowest_modes(Hessian(one), 10)
    assert a.frequency2 == pytest.approx(b.frequency2, rel=1e-11)
    assert np.abs(whole(many, a.vectors) - whole(one, b.vectors)).max() < 1e-7
    c = spectrum(Hessian(many))
    assert np.abs(whole(many, c.vectors)[..., :10] - whole(one, b.vectors)).max() < 1e-7


def test_lowest_modes_of_a_saddle(world, alone):
    plain = liquid_arrays("ipl12", 100, 2)
    expected = np.linalg.eigvalsh(dense(Hessian(system(alone, *plain))))
    expected = expected[np.abs(expected) > 1e-9 * expected[-1]]
    modes = lowest_modes(Hessian(system(world, *plain)), 6, tolerance=1e-6)
    assert modes.frequency2[0] < 0
    assert modes.frequency2 == pytest.approx(expected[:6], rel=1e-9)


def test_loose_particles_have_no_modes(world):
    """A tiny sphere in a hole changes nothing."""
    s, expected = floating(world), reference("harmonic-3d")
    hessian = Hessian(s)
    assert hessian.n_loose == 1
    for modes in (lowest_modes(hessian, 40), spectrum(hessian)):
        assert modes.frequency2[:40] == pytest.approx(expected["hessian_lowest"], rel=1e-9)
        assert modes.frequency2[-1] < 1.001 * expected["hessian_highest"]
        assert np.abs(whole(s, modes.vectors)[400]).max() < 1e-12


def test_one_factorisation_for_the_lowest_modes_and_one_to_count(world, monkeypatch):
    calls = []
    for name in ("factorised", "count_below"):
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *options, plain=plain, name=name: calls.append(name) or plain(*options))
    hessian = Hessian(glass(world, "lj-poly-2d"))
    lowest_modes(hessian, 30)
    assert calls == ["factorised", "count_below"]
    modes_in_interval(hessian, 0.0, 1.0)
    assert sorted(calls[2:]) == ["count_below", "count_below", "factorised"]


def test_a_mode_of_two_hundred_and_fifty(world):
    """More modes than vectors that are projected at once."""
    s = glass(world, "ipl12-2d")
    modes, every = lowest_modes(Hessian(s), 250), spectrum(Hessian(s))
    assert modes.frequency2 == pytest.approx(every.frequency2[:250], rel=1e-10)
    assert modes.residuals.max() < 1e-8


@pytest.mark.few_ranks
@pytest.mark.parametrize("name", ["harmonic-3d", "ipl12-2d", "lj-binary-2d"])
def test_all_modes_in_an_interval(world, name):
    s = glass(world, name)
    hessian = Hessian(s)
    every = spectrum(hessian)
    between = 0.5 * (every.frequency[1:] + every.frequency[:-1])
    for first, last in ((-1, 12), (20, 61), (len(between) - 30, len(between) - 3)):
        modes = modes_in_interval(hessian, 0.0 if first < 0 else between[first], between[last])
        assert modes.frequency2 == pytest.approx(every.frequency2[first + 1:last + 1], rel=1e-9)
        assert modes.residuals.max() < 1e-8
        flat = whole(s, modes.vectors).reshape(-1, last - first)
        assert np.abs(flat.T @ flat - np.eye(last - first)).max() < 1e-9
    gap = int(np.diff(every.frequency[:100]).argmax())
    empty = modes_in_interval(hessian, every.frequency[gap] * (1 + 1e-6), every.frequency[gap + 1] * (1 - 1e-6))
    assert empty.frequency2.shape == (0,) and empty.vectors.shape == (s.n_owned, s.dimension, 0)


@pytest.mark.few_ranks
def test_multiple_eigenvalues_are_all_found(world):
    """Four copies of a glass, side by side: every mode of one is there, many levels are multiple or nearly so."""
    model, box, position, diameter, species = arrays("ipl12-2d")
    shifts = [box @ (a, b) for a in (0, 1) for b in (0, 1)]
    s = system(world, model, 2 * box, np.concatenate([position + x for x in shifts]), np.tile(diameter, 4), np.tile(species, 4))
    low = lowest_modes(Hessian(s), 120)
    end = 0.5 * (low.frequency[99] + low.frequency[100])
    modes = modes_in_interval(Hessian(s), 0.0, end)
    assert modes.frequency2 == pytest.approx(low.frequency2[:100], rel=1e-9)
    one = reference("ipl12-2d")["hessian_lowest"]
    inside = one[one < end**2]
    assert len(inside) > 10
    assert np.abs(modes.frequency2[:, None] / inside - 1).min(axis=0).max() < 1e-9


def test_modes_that_are_missed_are_looked_for_again(world, monkeypatch):
    """A solver that forgets modes: the second round finds them, and one that always forgets is found out."""
    hessian = Hessian(glass(world, "ipl10-2d"))
    solved, rounds = module.solved, []

    def forgetful(*arguments):
        rounds.append(arguments[2])
        vectors = solved(*arguments)
        return vectors[..., :-2] if len(rounds) == 1 else vectors

    end = 0.5 * float(np.sqrt(reference("ipl10-2d")["hessian_lowest"][9:11]).sum())
    monkeypatch.setattr(module, "solved", forgetful)
    modes = modes_in_interval(hessian, 0.0, end)
    assert rounds == [10, 2]
    assert modes.frequency2 == pytest.approx(reference("ipl10-2d")["hessian_lowest"][:10], rel=1e-9)
    monkeypatch.setattr(module, "solved", lambda *arguments: solved(*arguments)[..., :0])
    with pytest.raises(PhysicsError, match=r"0 modes were found .* where 10 are"):
        modes_in_interval(hessian, 0.0, end)


def test_an_eigenvalue_at_the_target_does_not_hide_the_others(world):
    """Those that drown in rounding next to it are found: beside the zero mode of a floppy cluster, and in an interval."""
    model = arrays("lj-binary-2d")[0]
    length = 2 ** (1 / 6) * model.mixing.length[0][0]
    corners = 5.0 + length * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    s = system(world, model, 12.0 * np.eye(2), corners, np.full(3, model.sizes.diameters[0]), np.zeros(3, np.int32))
    hessian = Hessian(s)
    every = spectrum(hessian, 1e-6)
    assert abs(every.frequency2[0]) < 1e-10 < every.frequency2[1]          # it turns freely
    assert lowest_modes(hessian, 2).frequency2 == pytest.approx(every.frequency2[:2], rel=1e-9, abs=1e-10)
    hessian = Hessian(glass(world, "ipl12-2d"))
    every = spectrum(hessian)
    middle, reach = every.frequency2[30] + 1e-6, every.frequency2[60] - every.frequency2[30]
    low, high = np.sqrt(max(middle - reach, 0.0)), np.sqrt(middle + reach)
    inside = (every.frequency >= low) & (every.frequency <= high)
    assert modes_in_interval(hessian, low, high).frequency2 == pytest.approx(every.frequency2[inside], rel=1e-9)


def test_options_of_petsc_override(world):
    options, hessian = PETSc.Options(PREFIX), Hessian(glass(world, "ipl12-2d"))
    expected = lowest_modes(hessian, 10).frequency2
    for name, value in (("eps_ncv", 25), ("st_pc_factor_mat_solver_type", "mumps"), ("eps_max_it", 1)):
        options[name] = value
    try:
        with pytest.raises(PhysicsError, match=r"of 10 modes converged .* in 1 rounds"):
            lowest_modes(hessian, 10, tolerance=1e-13)
        options["eps_max_it"] = 200
        assert lowest_modes(hessian, 10).frequency2 == pytest.approx(expected, rel=1e-11)
    finally:
        for name in ("eps_ncv", "st_pc_factor_mat_solver_type", "eps_max_it"):
            del options[name]


def without(monkeypatch, *missing):
    """A PETSc that lacks some packages."""
    has = PETSc.Sys.hasExternalPackage
    fake = SimpleNamespace(hasExternalPackage=lambda name: name not in missing and has(name))
    monkeypatch.setattr(module, "PETSc", SimpleNamespace(**{**vars(PETSc), "Sys": fake}))


@pytest.mark.parametrize("kept", ["suitesparse", "mumps"])
def test_with_one_factorisation_package(alone, monkeypatch, kept):
    """The same modes of a minimum and of a saddle from CHOLMOD alone and MUMPS alone as by dense algebra."""
    if not PETSc.Sys.hasExternalPackage(kept):
        pytest.skip(f"this PETSc was built without {kept}")
    saddle, minimum = Hessian(system(alone, *liquid_arrays("ipl12", 100, 2))), Hessian(glass(alone, "ipl12-2d"))
    without(monkeypatch, *{"suitesparse", "mumps"} - {kept})
    for hessian, tolerance in ((saddle, 1e-6), (minimum, 1e-8)):
        found = lowest_modes(hessian, 6, tolerance=tolerance).frequency2
        assert found == pytest.approx(spectrum(hessian).frequency2[:6], rel=1e-9)
    if kept == "suitesparse":
        with pytest.raises(InputError, match="modes in an interval need MUMPS"):
            modes_in_interval(minimum, 0.0, 1.0)


def test_without_a_factorisation_package(world, monkeypatch):
    without(monkeypatch, "mumps", "suitesparse")
    with pytest.raises(InputError, match="without MUMPS"):
        lowest_modes(Hessian(glass(world, "ipl12-2d")), 10)


def test_errors_of_slepc_are_those_of_petsc():
    """slepc4py 3.26 hides them behind a SystemError, and the way out when CHOLMOD meets an indefinite matrix was lost."""
    def fails(error, cause):
        with own_errors():
            raise error from cause

    with pytest.raises(PETSc.Error):
        fails(SystemError("a result with an exception set"), PETSc.Error(71))
    with pytest.raises(SystemError):
        fails(SystemError("another"), None)
    with pytest.raises(ZeroDivisionError):      # of a function that it called
        fails(SystemError("a result with an exception set"), ZeroDivisionError())
    with pytest.raises(PETSc.Error):
        fails(PETSc.Error(71), None)


def test_wave_numbers_of_any_cell():
    length, count = wave_numbers(np.diag([5.0, 5.0]), 6)
    assert length == pytest.approx(2 * np.pi / 5 * np.sqrt([1, 2, 4, 5, 8, 9]))
    assert count.tolist() == [4, 4, 4, 8, 4, 4]
    length, count = wave_numbers(7.0 * np.eye(3), 6)
    assert length == pytest.approx(2 * np.pi / 7 * np.sqrt([1, 2, 3, 4, 5, 6]))
    assert count.tolist() == [6, 12, 8, 6, 24, 24]
    # another basis of the same lattice has the same waves, however skew
    box = np.array([[4.0, 1.3], [0.0, 9.0]])
    skew = box @ np.array([[1, 3], [0, 1]])
    for a, b in zip(wave_numbers(box, 15), wave_numbers(skew, 15), strict=True):
        assert a == pytest.approx(b)
    many = np.stack(np.meshgrid(*[np.arange(-40, 41)] * 2, indexing="ij"), -1).reshape(-1, 2)
    brute = np.sort(2 * np.pi * np.linalg.norm(many @ np.linalg.inv(box), axis=1))[1:]
    length, count = wave_numbers(box, 15)
    assert np.repeat(length, count) == pytest.approx(brute[: count.sum()])


def test_speeds_of_sound(world):
    for name in ("ipl10-2d", "ipl10-3d"):
        s = glass(world, name)
        d, density, moduli = s.dimension, s.n_total / s.volume, elastic_moduli(s)
        shear = mean_shear_modulus(moduli)
        if d == 2:
            assert shear == pytest.approx(np.mean(moduli.shear_extremes), rel=1e-12)
        transverse, longitudinal = sound_speeds(moduli, density)
        # over all directions of k and polarisation, the acoustic tensor has the mean (c_l^2 + (d-1) c_t^2)/d
        acoustic = np.einsum("abad->bd", moduli.tensor) + d * moduli.stress
        mean = np.trace(acoustic) / (d * d * density)
        assert (longitudinal**2 + (d - 1) * transverse**2) / d == pytest.approx(mean, rel=1e-10)
        waves = phonons(s.box, (transverse, longitudinal), 20)
        assert (np.diff(waves.frequency) >= 0).all() and waves.degeneracy.sum() == d * wave_numbers(s.box, 20)[1].sum()
        assert waves.degeneracy[0] == (d - 1) * 2 * d and waves.branch[0] == 0
        assert waves.frequency[0] == pytest.approx(transverse * 2 * np.pi / s.box[0, 0])
        # far up, plane waves are counted by Debye's law
        length, count = wave_numbers(s.box, 200)
        top = 0.5 * (length[-1] + length[-2])
        counted = (d - 1) * count[:-1].sum()
        assert debye_level(s.volume, (1.0, 1e9), d, 1) * top**d / d == pytest.approx(counted, rel=0.05)


def test_soft_waves_of_a_large_glass(world):
    """The four softest modes of 10^4 particles are the transverse waves of its elastic moduli."""
    s = glass(world, "ipl12-2d-N10000")
    speeds = sound_speeds(elastic_moduli(s), s.n_total / s.volume)
    waves, modes = phonons(s.box, speeds), lowest_modes(Hessian(s), 4)
    assert waves.degeneracy[0] == 4
    assert modes.frequency.mean() == pytest.approx(waves.frequency[0], rel=0.08)
    assert number_of_modes(Hessian(s)) == 19998


@pytest.mark.few_ranks
@pytest.mark.needs("mumps")
def test_what_is_refused(world):
    hessian = Hessian(glass(world, "ipl12-2d"))
    for low, high in ((2.0, 1.0), (-1.0, 1.0), (0.0, np.nan), (1.0, np.inf)):
        with pytest.raises(InputError, match="0 <= low < high"):
            modes_in_interval(hessian, low, high)
    with pytest.raises(InputError, match="told from a translation"):
        modes_in_interval(hessian, 0.0, 1e-6)
    with pytest.raises(InputError, match="798 of 798 modes have frequencies in"):
        modes_in_interval(hessian, 0.0, 100.0)
    with pytest.raises(InputError, match="ask for 1 to 399"):
        lowest_modes(hessian, 400)
    with pytest.raises(InputError, match="0 lowest modes"):
        lowest_modes(hessian, 0)
    with pytest.raises(PhysicsError, match="only 0 of 3 modes converged to 1e-30"):
        lowest_modes(hessian, 3, tolerance=1e-30)
    with pytest.raises(PhysicsError, match=r"residual .* > "):
        spectrum(hessian, tolerance=1e-30)
    spread = liquid_arrays("harmonic", 9, 2)
    with pytest.raises(PhysicsError, match="no two particles interact"):
        spectrum(Hessian(system(world, spread[0], 5 * spread[1], 5 * spread[2], *spread[3:])))
