"""Merging an ensemble: means, densities, tails and lengths are those of the samples; what cannot be merged is said."""

import shutil

import h5py
import numpy as np
import pytest
from samples import N, soft, spectrum, write_sample

from hpcglass.__main__ import main
from hpcglass.analysis.ensembles.merge import merge, read_sample, shared_inputs, substituted
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.check import check


@pytest.fixture
def ensemble(tmp_path):
    """Eight samples of full spectra, in one ensemble and two directories of their own."""
    for k in range(6):
        numbers = {"frequency_unit": 2.0 + 0.1 * (k % 2), "shear_modulus": float(k), "flag": np.bool_(True), "vector": np.ones(3)}
        write_sample(tmp_path / "many" / f"sample-{k:04d}", spectrum(soft(np.random.default_rng(k))), numbers, k)
    for k in (6, 7):
        write_sample(tmp_path / f"task-{k}", spectrum(soft(np.random.default_rng(k))),
                     {"frequency_unit": 2.0 + 0.1 * (k % 2), "shear_modulus": float(k)}, k)
    return [tmp_path / "many", tmp_path / "task-6", tmp_path / "task-7"]


def test_densities_are_counts_over_all_modes(ensemble):
    merged = merge(ensemble, "soft")
    tables, numbers = merged.finish()
    assert merged.samples == 8 and merged.skipped == []
    density = tables["eigenvalue_density"]
    width = density["high"] - density["low"]
    values = np.concatenate([soft(np.random.default_rng(k)) for k in range(8)])
    assert density["count"].sum() == 8 * 198
    assert (density["density"] * width).sum() == pytest.approx(1.0)
    k = int(np.flatnonzero(np.isclose(density["low"], 10**0.1))[0])
    each = np.array([((v >= 10**0.1) & (v < 10**0.2)).sum() for v in np.split(values, 8)]) / (198 * width[k])
    assert density["density"][k] == pytest.approx(each.mean())
    assert density["density_error"][k] == pytest.approx(each.std(ddof=1) / 8**0.5)      # the jackknife of a mean is just that
    omega = 2.05
    assert numbers["eigenvalue_unit"][0] == pytest.approx(omega**-2)
    np.testing.assert_allclose(density["density_scaled"], density["density"] * omega**-2)
    np.testing.assert_allclose(density["scaled"], np.sqrt(density["low"] * density["high"]) * omega**2)
    assert (numbers["eigenvalue_complete_above"][0], numbers["eigenvalue_complete_below"][0]) == (0.0, np.inf)


def test_tails_give_the_prefactor_back(ensemble):
    """A = 0.3 * 2.5 from some 475 modes; 4 errors: false alarm 1e-4."""
    tables, _ = merge(ensemble, "soft").finish()
    tail = tables["eigenvalue_tail"]
    assert tail["fixed"].tolist() == [0.0, 1.0]
    assert tail["exponent"][1] == 3.5 and tail["exponent_error"][1] == 0.0
    assert abs(tail["exponent"][0] - 3.5) < 4 * max(tail["exponent_error"][0], 2.5 / tail["count"][0] ** 0.5)
    error = tail["prefactor"][1] / tail["count"][1] ** 0.5
    assert abs(tail["prefactor"][1] - 0.3 * 2.5) < 4 * error
    assert 0.3 * error < tail["prefactor_error"][1] < 2 * error
    assert tail["prefactor_scaled"][1] == pytest.approx(tail["prefactor"][1] * 2.05**5)      # A lambda_0^-5/2
    assert tail["prefactor_scaled_error"][1] > 0
    assert tail["window_low"][1] >= 10**-0.1 * 0.999


def test_the_softest_modes_alone_are_complete_above_the_largest_last_one(tmp_path):
    lasts = [0.5, 2.0, 1.0]
    for k, last in enumerate(lasts):
        write_sample(tmp_path / f"sample-{k:04d}", spectrum([last, 4.0, 5.0, 30.0]), {"nonzero_count": 150}, seed=k)
    tables, numbers = merge([tmp_path], "soft").finish()
    assert numbers["eigenvalue_complete_above"][0] == 2.0
    density = tables["eigenvalue_density"]
    complete = density["low"] >= 2.0
    assert np.isnan(density["density"][~complete]).all() and np.isfinite(density["density"][complete]).all()
    mass = (density["density"] * (density["high"] - density["low"]))[complete].sum()
    assert mass == pytest.approx(3 * 3 / (3 * 150))           # of 150 modes each; those not computed count too


def test_without_a_count_there_are_nd_minus_d_modes(tmp_path):
    write_sample(tmp_path / "a", spectrum([1.05, 4.0]))
    density = merge([tmp_path / "a"], "soft").finish()[0]["eigenvalue_density"]
    assert np.nansum(density["density"] * (density["high"] - density["low"])) == pytest.approx(1 / 198)
    assert np.isnan(density["density_error"]).all()           # one sample has no scatter


def test_tails_begin_where_all_samples_are_complete(tmp_path):
    """The law holds from 1 on, and is complete from 2.5 on because of one sample."""
    for k in range(12):
        values = np.random.default_rng(k).random(100) ** (-1 / 2.5)
        write_sample(tmp_path / f"sample-{k:04d}", spectrum(values if k else values[values > 2.5]), seed=k)
    tables, numbers = merge([tmp_path], "soft").finish()
    assert numbers["eigenvalue_complete_above"][0] > 2.5
    assert (tables["eigenvalue_tail"]["window_low"] >= numbers["eigenvalue_complete_above"][0]).all()


def test_a_full_spectrum_with_rattlers_is_complete(tmp_path):
    write_sample(tmp_path / "a", spectrum(np.linspace(1.05, 3, 150)), keys="all = true")
    tables, numbers = merge([tmp_path / "a"], "soft").finish()
    density = tables["eigenvalue_density"]
    assert numbers["eigenvalue_complete_above"][0] == 0.0
    assert (density["density"] * (density["high"] - density["low"])).sum() == pytest.approx(1.0)


def test_frequencies_are_merged_from_below(tmp_path):
    """D = 5 omega^4/198 * 150 below 1: prefactor within 4 errors, false alarm 1e-4; nothing above the first phonon is used."""
    for k in range(10):
        rng = np.random.default_rng(k)
        omega = np.sort(np.append(rng.random(150) ** 0.2, [-0.1, *rng.uniform(1.2, 1.4, 20)]))
        write_sample(tmp_path / f"sample-{k:04d}", {
            "modes": {"index": np.arange(171), "omega2": omega**2, "omega": omega, "participation": 0 * omega + 0.3},
            "phonons": {"frequency": [0.66, 1.2], "degeneracy": [4, 4]}}, {"shear_wave_speed": 3.0}, seed=k, kind="modes")
    tables, numbers = merge([tmp_path], "soft").finish()
    tail = tables["omega_tail"]
    assert tail["exponent"][1] == 4.0
    assert 0.4 < tail["window_high"][1] <= 0.66
    assert abs(tail["prefactor"][1] - 5 * 150 / 198) < 4 * tail["prefactor"][1] / tail["count"][1] ** 0.5
    assert numbers["omega_negative"][0] == 10.0
    assert numbers["omega_unit"][0] == pytest.approx(1.5)          # c_s / a_0 with a_0 = 2
    assert tail["prefactor_scaled"][1] == pytest.approx(tail["prefactor"][1] * 1.5**5)
    assert 1.3 < numbers["omega_complete_below"][0] < 1.4           # the smallest of the largest
    profile = tables["omega_participation"]
    assert np.nanmin(profile["participation"]) == pytest.approx(30.0, rel=0.02)


def test_the_range_of_a_modes_stage_says_where_it_is_complete(tmp_path):
    write_sample(tmp_path / "a", {"modes": {"index": [0, 1], "omega": [0.8, 1.0], "participation": [0.1, 0.1]}}, kind="modes",
                 keys="range = [0.5, 2.0]")
    numbers = merge([tmp_path / "a"], "soft").finish()[1]
    assert (numbers["omega_complete_above"][0], numbers["omega_complete_below"][0]) == (0.5, 2.0)


def test_the_length_of_soft_modes(tmp_path):
    """N e = 10 on the plateau, which begins at 2 and rises as 1/lambda below; a_0 = 2: xi = 2 sqrt(11.5)."""
    for k in range(4):
        eigenvalue = np.sort(np.geomspace(0.2, 20, 4000) * (1 + 1e-4 * k))[::-1]
        table = spectrum(eigenvalue)
        table["bond_modes"]["participation_force"] = 10 / N * np.maximum(1.0, 2 / eigenvalue) * (1 + 0.1 * k)
        write_sample(tmp_path / f"sample-{k:04d}", table, seed=k)
    tables, numbers = merge([tmp_path], "soft").finish()
    middle = 10 * 1.15                                                  # median of 10, 11, 12, 13
    assert numbers["plateau"][0] == pytest.approx(middle, rel=0.07)
    assert numbers["mode_particles"][0] == pytest.approx(1.15 * numbers["plateau"][0])
    assert numbers["mode_length"][0] == pytest.approx(2 * numbers["mode_particles"][0] ** 0.5)
    assert 0.2 < numbers["plateau_error"][0] < 1.5
    assert numbers["plateau_at"][0] == pytest.approx(2 / 1.15, rel=0.15)
    profile = tables["eigenvalue_participation"]
    assert np.nanmax(profile["participation_displacement"]) == pytest.approx(20.0, rel=0.01)


def test_bond_distributions_add_up_and_have_their_tails(tmp_path):
    """Counts without noise: exponents and prefactors are exact, and equal samples have no error."""
    edges = 10.0 ** (np.arange(-20, 301) / 10)
    columns = {"value": np.sqrt(edges[1:] * edges[:-1])}
    for n, beta in ((1, 7 / 2), (2, 11 / 6), (3, 3 / 2)):
        share = (edges[:-1] ** (1 - beta) - edges[1:] ** (1 - beta)) / (10 ** (1 - beta) - 1e30 ** (1 - beta))
        columns[f"count_{n}"] = np.where(edges[:-1] > 9.9, 4e4 * share, 2e3)
    for k in range(3):
        write_sample(tmp_path / f"sample-{k:04d}", {"bond_distribution": columns}, seed=k, kind="expand")
    short = {name: values[40:70] for name, values in columns.items()}       # tables have the occupied bins only
    write_sample(tmp_path / "short", {"bond_distribution": short}, seed=9, kind="expand")
    both = merge([tmp_path / "sample-0000", tmp_path / "short"], "soft").finish()[0]["bond_density"]
    twice = np.isin(np.arange(len(edges) - 1), np.arange(40, 70))
    np.testing.assert_allclose(both["count_1"], columns["count_1"] * (1 + twice))
    shutil.rmtree(tmp_path / "short")
    tables, _ = merge([tmp_path], "soft").finish()
    table, tail = tables["bond_density"], tables["bond_tail"]
    total = 4e4 + 30 * 2e3
    assert table["count_1"].sum() == pytest.approx(3 * total)
    assert (table["density_2"] * np.diff(edges)).sum() == pytest.approx(1.0)
    assert np.abs(table["density_1_error"]).max() < 1e-12
    assert tail["order"].tolist() == [1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(tail["exponent"], np.repeat([7 / 2, 11 / 6, 3 / 2], 2), atol=1e-6)
    assert (tail["window_low"] > 9.9).all()
    beta = tail["exponent"]
    np.testing.assert_allclose(tail["prefactor"], 4e4 / total * (beta - 1) / (10 ** (1 - beta) - 1e30 ** (1 - beta)), rtol=1e-6)


def test_loading_curves_are_averaged_where_strains_agree(tmp_path):
    for k, rows in enumerate((4, 4, 3)):
        strain = 0.001 * np.arange(rows)
        loading = {"strain": strain, "shear_stress": strain * (10 + k), "pressure": 0 * strain, "evaluations": strain}
        write_sample(tmp_path / f"sample-{k:04d}", {"loading": loading}, seed=k, kind="shear")
    loading = merge([tmp_path], "soft").finish()[0]["mean_loading"]
    assert list(loading) == ["strain", "samples", "shear_stress", "shear_stress_error", "pressure", "pressure_error"]
    assert loading["samples"].tolist() == [3, 3, 3, 2]
    np.testing.assert_allclose(loading["shear_stress"], [0, 0.011, 0.022, 0.0315])
    np.testing.assert_allclose(loading["shear_stress_error"], [0, 0.001 / 3**0.5, 0.002 / 3**0.5, 0.0015])
    assert loading.units["shear_stress"] == "energy"


def test_decay_and_overlaps_are_medians(tmp_path):
    for k in range(5):
        distance = [1.0, 2.0, 4.0] if k else [1.0, 4.0]          # a bin may be empty in a sample
        decay = {"distance": distance, "D": [10.0 * k for _ in distance], "F": np.ones(len(distance))}
        rng = np.random.default_rng(k)
        overlap = {"index": np.arange(200), "eigenvalue": rng.uniform(1.01, 1.2, 200),
                   "overlap_displacement": np.full(200, 0.01 * (k + 1)), "overlap_force": np.full(200, -1e-17)}
        write_sample(tmp_path / f"sample-{k:04d}", {"decay": decay, "pseudo_harmonic": overlap}, seed=k)
    tables, _ = merge([tmp_path], "soft").finish()
    assert tables["mean_decay"]["distance"].tolist() == [1, 2, 4]
    assert tables["mean_decay"]["samples"].tolist() == [5, 4, 5]
    assert tables["mean_decay"]["D"].tolist() == [20, 25, 20]
    assert (tables["mean_decay"]["D_error"] > 0).all()
    profile = tables["overlap_profile"]
    assert profile["count"].tolist() == [1000]
    assert profile["overlap_displacement"][0] == pytest.approx(0.03, rel=0.03)
    assert profile["overlap_force"][0] < 1e-16


def test_scalars_have_mean_error_and_number(ensemble):
    scalars = merge(ensemble, "soft").finish()[0]["scalars"]
    assert set(scalars) == {"frequency_unit", "shear_modulus"}
    assert scalars["shear_modulus"].tolist() == pytest.approx([3.5, np.arange(8).std(ddof=1) / 8**0.5, 8])
    assert scalars.long_name["shear_modulus"] == "the shear_modulus"


def test_more_samples_than_blocks(tmp_path):
    """60 samples in 50 blocks: counts are all there, and errors are close to those of samples (30 %: false alarm below 1e-3)."""
    rng = np.random.default_rng(3)
    numbers = rng.integers(1, 12, 60)
    for k, n in enumerate(numbers):
        write_sample(tmp_path / f"sample-{k:04d}", spectrum([1.1] * int(n) + [3.0]), seed=k)
    merged = merge([tmp_path], "soft")
    density = merged.finish()[0]["eigenvalue_density"]
    assert density["count"].tolist()[0] == numbers.sum() and density["count"].sum() == numbers.sum() + 60
    last = density["high"] > 3.0
    assert density["density"][last][0] == pytest.approx(1 / 198 / (density["high"] - density["low"])[last][0])
    assert density["density_error"][last][0] == pytest.approx(0.0, abs=1e-12)


# ---------------------------------------------------------------------------------------------- what may go wrong


def test_bad_samples_are_left_out_by_name(ensemble, tmp_path, capsys):
    many = ensemble[0]
    damaged = many / "sample-0001" / "01-soft.h5"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    with h5py.File(damaged) as file:
        place = file["results/bond_modes/eigenvalue"].id.get_offset()
    data[place + 3] ^= 1
    damaged.write_bytes(data)
    (many / "sample-0002" / "01-soft.h5").unlink()
    output = tmp_path / "merged.h5"
    assert main(["merge", *map(str, ensemble), "--stage", "soft", "-o", str(output), "--no-plots"]) == 0
    said = capsys.readouterr().out
    assert "sample-0001/01-soft.h5" in said and "damaged" in said
    assert "sample-0002: stage 'soft' is not there" in said
    assert "6 of 8 samples" in said
    with h5py.File(output) as file:
        sources = file["provenance/sources"][()].decode().splitlines()
        assert len(sources) == 6 and len(file["provenance/skipped"][()].decode().splitlines()) == 2
    first = many / "sample-0000" / "01-soft.h5"
    assert sources[0] == f"{first} {check(first).contents}"


def test_nothing_good_is_an_error(tmp_path, capsys):
    write_sample(tmp_path / "a", spectrum([1.0]))
    with pytest.raises(InputError, match=r"no sample has it \(did you mean 'soft'\?\); stages: soft|did you mean 'soft'"):
        merge([tmp_path / "a"], "sift")
    (tmp_path / "a" / "01-soft.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(FileError, match="no sample could be read"):
        merge([tmp_path / "a"], "soft")
    assert main(["merge", str(tmp_path / "a"), "--stage", "soft", "-o", str(tmp_path / "m.h5")]) == 4
    assert main(["merge", str(tmp_path / "none"), "--stage", "soft", "-o", str(tmp_path / "m.h5")]) == 2
    assert main(["merge", str(tmp_path / "a"), "--stage", "soft", "-o", str(tmp_path / "m.txt")]) == 2
    assert main(["merge", str(tmp_path / "a"), "--stage", "soft", "-o", str(tmp_path / "none" / "m.h5")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_stage_that_is_there_twice_must_be_named_by_its_number(tmp_path):
    for name in ("01-soft", "02-soft"):
        write_sample(tmp_path / "a", spectrum([1.0]), name=name)
    with pytest.raises(InputError, match="there 2 times; use one of 01-soft, 02-soft"):
        merge([tmp_path / "a"], "soft")
    assert merge([tmp_path / "a"], "01-soft").samples == 1


@pytest.mark.parametrize("change, key", [(dict(temperature=0.6), r"stage\.0\.temperature is 0\.5"),
                                         (dict(keys="count = 5"), r"stage\.1\.count is not set"),
                                         (dict(particles=101), "number of particles is 100")])
def test_different_ensembles_are_not_mixed(tmp_path, change, key):
    write_sample(tmp_path / "a", spectrum([1.0]), seed=1)
    write_sample(tmp_path / "b", spectrum([1.0]), **{"seed": 2, **change})
    with pytest.raises(InputError, match=key):
        merge([tmp_path / "a", tmp_path / "b"], "soft")


def test_what_samples_may_differ_in(tmp_path):
    """Seed, file of the start, names of parameters, later stages."""
    write_sample(tmp_path / "a", spectrum([1.0]), seed=1)
    sample = read_sample(tmp_path / "a" / "01-soft.h5")
    assert sample.inputs["stage.0.temperature"] == 0.5
    assert not {key for key in sample.inputs if key.startswith(("seed", "system.file", "parameters", "stage.2"))}
    data = {"parameters": {"T": 1.0}, "system": {"a": ["$T", 2]}, "stage": [{"x": "$T"}, {"y": 1}]}
    assert shared_inputs(substituted(data), 0) == {"system.a.0": 1.0, "system.a.1": 2, "stage.0.x": 1.0}


def test_bins_of_another_kind_are_refused(tmp_path):
    write_sample(tmp_path / "a", {"bond_distribution": {"value": [1.0, 2.0], "count_1": [1, 1]}}, kind="expand")
    with pytest.raises(InputError, match="have not the edges 10"):
        merge([tmp_path / "a"], "soft")


def test_the_same_sample_counts_once(tmp_path):
    write_sample(tmp_path / "a", spectrum([1.0]), seed=1)
    write_sample(tmp_path / "b", spectrum([1.0]), seed=1)           # two tasks with the same seed
    merged = merge([tmp_path / "a", tmp_path / "b", tmp_path / "a"], "soft")
    assert merged.samples == 1
    assert len(merged.skipped) == 1 and "same configuration" in merged.skipped[0]
