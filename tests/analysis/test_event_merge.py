"""Merged loadings: first events, rates and drops in bins of strain, steady stress, bands; from samples with known numbers."""

import numpy as np
import pytest
from samples import write_sample

from hpcglass.analysis.ensembles.merge import merge
from hpcglass.analysis.figures.draw import plot_stage_file
from hpcglass.commands.merge import write

TABLES = {"event_rate", "first_event", "steady_stress_density", "mean_activity", "mean_band_profile"}


def loading(strain, stress=None):
    return {"strain": strain, "shear_stress": np.zeros(len(strain)) if stress is None else stress}


def events(steps, strain, drop, energy=None, size=None, **more):
    steps = np.asarray(steps, dtype=int)
    return {"step": steps, "strain": np.asarray(strain)[steps], "stress_drop": drop,
            "energy_drop": np.ones(len(steps)) if energy is None else energy,
            "size": np.full(len(steps), 5.0) if size is None else size, **more}


def merged(tmp_path, samples):
    for k, tables in enumerate(samples):
        write_sample(tmp_path / f"sample-{k:04d}", tables, {"energy": 1.0}, seed=k, kind="shear", keys="max_strain = 1.0")
    ensemble = merge([tmp_path], "soft")
    assert ensemble.skipped == []
    return ensemble, *ensemble.finish()


def test_the_first_event_is_where_its_branch_ends_if_that_is_known(tmp_path):
    strain = np.linspace(0, 0.1, 101)
    samples = [{"loading": loading(strain), "events": events([k, 90], strain, [1.0, 1.0], gamma_c=[gamma, np.nan])}
               for k, gamma in ((10, 0.0095), (20, np.nan), (33, 0.0322))]
    samples.append({"loading": loading(strain), "events": events([], strain, [], gamma_c=[])})
    _, tables, numbers = merged(tmp_path, samples)
    first = np.array([0.0095, 0.020, 0.0322])
    assert tables["first_event"]["strain"] == pytest.approx(first)
    assert tables["first_event"]["cumulative"] == pytest.approx([1 / 8, 3 / 8, 5 / 8])      # of four, one is not there yet
    assert numbers["first_event_strain"][0] == pytest.approx(first.mean())
    assert numbers["first_event_strain_error"][0] == pytest.approx(first.std(ddof=1) / 3**0.5)
    assert numbers["first_event_strain_std"][0] == pytest.approx(first.std(ddof=1))
    assert numbers["first_event_none"][0] == 1.0


def test_drops_and_rates_in_bins_of_strain(tmp_path):
    """Against plain loops; an error from the scatter of samples."""
    strain = np.linspace(0, 0.24, 241)          # bins of 0.01
    rng = np.random.default_rng(5)
    samples, plain = [], []
    for _ in range(6):
        steps = np.sort(rng.choice(np.arange(1, 241), 60, replace=False))
        drop = rng.exponential(1.0, 60) * strain[steps]
        samples.append({"loading": loading(strain), "events": events(steps, strain, drop, 2 * drop)})
        plain.append((strain[steps] - 5e-4, drop))
    _, tables, _ = merged(tmp_path, samples)
    rate = tables["event_rate"]
    assert len(rate["strain"]) == 24 and rate["low"][3] == pytest.approx(0.03)
    for k in (3, 11, 23):
        inside = [(x > rate["low"][k]) & (x < rate["high"][k]) for x, _ in plain]
        numbers = np.array([i.sum() for i in inside])
        drops = np.array([d[i].sum() for (_, d), i in zip(plain, inside, strict=True)])
        assert rate["events"][k] == numbers.sum()
        assert rate["rate"][k] == pytest.approx(numbers.mean() / 0.01)
        assert rate["rate_per_particle"][k] == pytest.approx(numbers.mean() / 0.01 / 100)
        assert rate["rate_error"][k] == pytest.approx(numbers.std(ddof=1) / 6**0.5 / 0.01)
        assert rate["stress_drop"][k] == pytest.approx(drops.sum() / numbers.sum())
        assert rate["energy_drop"][k] == pytest.approx(2 * rate["stress_drop"][k])
        left = np.array([(drops.sum() - d) / (numbers.sum() - n) for d, n in zip(drops, numbers, strict=True)])
        assert rate["stress_drop_error"][k] == pytest.approx((5 / 6 * ((left - left.mean()) ** 2).sum()) ** 0.5)
    density = tables["stress_drop_density"]
    every = np.concatenate([d for _, d in plain])
    ends = density["value"][:, None] * 10 ** np.array([-0.05, 0.05])
    assert density["count"].tolist() == [((every >= a) & (every < b)).sum() for a, b in ends]
    assert (density["density"] * np.diff(ends)[:, 0]).sum() == pytest.approx(1.0)
    assert tables["size_density"]["count"].max() == 360

def test_slips_are_weighed_with_the_volume_that_slipped(tmp_path):
    """A loading forward and back: there stress drops, slips and volumes are negative, and count as positive."""
    there = np.linspace(0, 0.24, 241)
    strain = np.concatenate([there, there[-2::-1]])
    rng = np.random.default_rng(6)
    samples, plain = [], []
    for _ in range(4):
        steps = np.sort(rng.choice(np.arange(1, 481), 60, replace=False))
        sense = np.where(steps > 240, -1.0, 1.0)
        slip, volume = rng.normal(0.05, 0.01, 60), rng.exponential(2.0, 60)
        samples.append({"loading": loading(strain), "events": events(steps, strain, sense * volume, slip=sense * slip,
                                                                      slipped_volume=sense * volume)})
        plain.append((strain[steps] - sense * 5e-4, slip, volume))
    _, tables, _ = merged(tmp_path, samples)
    rate = tables["event_rate"]
    for k in (0, 7, 23):
        inside = [(x > rate["low"][k]) & (x < rate["high"][k]) for x, *_ in plain]
        volume = np.array([v[i].sum() for (_, _, v), i in zip(plain, inside, strict=True)])
        weighed = np.array([(s * v)[i].sum() for (_, s, v), i in zip(plain, inside, strict=True)])
        assert rate["slip"][k] == pytest.approx(weighed.sum() / volume.sum())
        assert rate["slipped_volume"][k] == pytest.approx(volume.sum() / rate["events"][k])
        left = (weighed.sum() - weighed) / (volume.sum() - volume)
        assert rate["slip_error"][k] == pytest.approx((3 / 4 * ((left - left.mean()) ** 2).sum()) ** 0.5)
    every = np.concatenate([s for _, s, _ in plain])
    assert tables["slip_density"]["count"].sum() == (every > 0).sum()



def test_backward_and_cyclic_loadings_count_along_the_motion(tmp_path):
    """To -0.1, or to 0.1 and back: drops against the motion are positive, rates are per strain travelled."""
    back = -np.linspace(0, 0.1, 101)
    _, tables, _ = merged(tmp_path / "back", [{"loading": loading(back), "events": events([10, 50], back, [-2.0, -4.0])}])
    rate = tables["event_rate"]
    assert np.nansum(rate["stress_drop"] * rate["events"]) == pytest.approx(6.0)
    assert (rate["strain"] < 0).all() and rate["rate"].max() == pytest.approx(1 / (0.1 / 24), rel=0.3)
    there = np.append(np.linspace(0, 0.1, 101), np.linspace(0.099, 0, 100))
    _, tables, _ = merged(tmp_path / "there", [{"loading": loading(there), "events": events([5, 196], there, [2.0, -4.0])}])
    rate = tables["event_rate"]
    hit = np.flatnonzero(rate["events"])
    assert len(hit) == 1 and rate["stress_drop"][hit[0]] == 3.0          # both between 0.004 and 0.005
    assert rate["rate"][hit[0]] == pytest.approx(2 / (2 * 0.1 / 24), rel=0.3)
    assert "steady_stress_density" not in tables


def noisy(rng, mean, steps=1000):
    """Stress of a sample: a rise, then Gaussian noise of standard deviation 0.2 about a mean."""
    strain = np.linspace(0, 1.0, steps + 1)
    return loading(strain, np.where(strain < 0.3, strain, mean + 0.2 * rng.normal(size=steps + 1)))


def test_steady_stress(tmp_path):
    """Mean, error and density of stresses with known ones; the limits are five standard errors: false alarm 1e-6."""
    rng = np.random.default_rng(2)
    means = rng.normal(2.0, 0.1, 12)
    _, tables, numbers = merged(tmp_path, [{"loading": noisy(rng, mean)} for mean in means])
    value, error = numbers["steady_stress"][0], numbers["steady_stress_error"][0]
    assert numbers["steady_from"][0] == 0.5
    assert value == pytest.approx(means.mean(), abs=5 * 0.2 / (12 * 500) ** 0.5)
    assert error == pytest.approx(means.std(ddof=1) / 12**0.5, rel=0.15)
    assert numbers["steady_stress_std"][0] == pytest.approx((0.04 + means.var()) ** 0.5, rel=0.03)
    table = tables["steady_stress_density"]
    width = table["stress"][1] - table["stress"][0]
    assert (table["density"] * width).sum() == pytest.approx(1.0, abs=1e-3)
    mean = (table["density"] * width * table["stress"]).sum()
    assert mean == pytest.approx(value, abs=0.01)


def test_one_sample_has_errors_from_pieces_and_short_loadings_no_steady_state(tmp_path):
    rng = np.random.default_rng(4)
    _, tables, numbers = merged(tmp_path / "a", [{"loading": noisy(rng, 1.0)}])
    assert 0.3 < numbers["steady_stress_error"][0] / (0.2 / 500**0.5) < 2.0     # 7 degrees of freedom: false alarm 2e-3
    assert abs(numbers["steady_stress"][0] - 1.0) < 5 * 0.2 / 500**0.5
    assert tables["mean_loading"].rows == 1001
    _, tables, numbers = merged(tmp_path / "b", [{"loading": loading(np.linspace(0, 0.4, 100))}])
    assert "steady_stress_density" not in tables and "steady_stress" not in numbers


def activity(width, band, strains=(0.1, 0.2, 0.4)):
    """Tables of a sample with a band of growing width, or with none."""
    n = len(strains)
    profile = [(g, x, 10 * g * (abs(x) <= width * g)) for g in strains for x in np.arange(-10.0, 10.0)]
    columns = np.array(profile).T
    return {"activity": {"strain": strains, "active": np.full(n, 0.1), "ever_active": np.array(strains),
                         "events": np.array(strains), "d2min": np.full(n, 0.01), "band": np.full(n, band),
                         "across": np.full(n, max(band, 1)), "position": np.full(n, 3.0), "width": width * np.array(strains),
                         "localisation": np.full(n, 4.0)},
            "band_profile": {"strain": columns[0], "x": columns[1], "activity": columns[2]}}


def test_bands_are_averaged_over_the_samples_that_have_one(tmp_path):
    _, tables, _ = merged(tmp_path, [activity(10, 1), activity(12, 1), activity(14, 2), activity(90, 0)])
    table, profile = tables["mean_activity"], tables["mean_band_profile"]
    assert table["along"].tolist() == [0.5] * 3 and table["across"].tolist() == [0.25] * 3
    assert table["width"] == pytest.approx(12 * np.array([0.1, 0.2, 0.4]))
    assert table["width_error"][2] == pytest.approx(0.4 * 2 / 3**0.5)
    assert table["ever_active"] == pytest.approx([0.1, 0.2, 0.4])
    assert (profile["samples"] == 2).all() and len(profile["x"]) == 60
    last = profile["strain"] == 0.4
    at = dict(zip(profile["x"][last], profile["activity"][last], strict=True))
    assert (at[0.0], at[4.0], at[5.0]) == (4.0, 4.0, 0.0)
    assert profile["activity_error"][last].max() == 0.0


def test_figures_of_everything(tmp_path):
    rng = np.random.default_rng(1)
    strain = np.linspace(0, 1, 1001)
    samples = [{"loading": noisy(rng, 1.0), "events": events([5 + k, 100], strain, [0.5, 1.0]), **activity(10 + k, 1)}
               for k in range(3)]
    ensemble, tables, numbers = merged(tmp_path, samples)
    assert tables.keys() > TABLES
    write(ensemble, tables, numbers, tmp_path / "merged.h5", "merged")
    figures = {path.name for path in plot_stage_file(tmp_path / "merged.h5")}
    assert figures >= {f"merged{suffix}.png" for suffix in ("-loading", "-events", "-first", "-steady", "-band")}
