"""The stage `bonds`: what it stores, in the soft end and the whole spectrum, and how far it is from pseudo-harmonic modes."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from glasses import DATA, glass, whole
from pydantic import ValidationError
from recorder import Recorder

from hpcglass.core import comm as ranks
from hpcglass.errors import PhysicsError
from hpcglass.landscape import pseudo_harmonic
from hpcglass.landscape.expansion import elastic_moduli
from hpcglass.landscape.profiles import decay_profile
from hpcglass.landscape.pseudo_harmonic import cost, pseudo_harmonic_mode
from hpcglass.stages.bonds import Bonds, BondsParams


def run(s, **params):
    recorder = Recorder()
    Bonds(BondsParams(**params)).run(s, recorder)
    assert all(type(value) is float for rows in recorder.tables.values() for row in rows for value in row.values())
    return recorder


@pytest.fixture(scope="module")
def expected():
    with h5py.File(DATA / "ipl10-2d.h5") as file:
        return {key: item[()] for key, item in file["reference"].items() if "bond" in key}


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_stored(world, expected, everything):
    s = glass(world, "ipl10-2d")
    stored = run(s, count=6, all=everything)
    value = stored.column("bond_modes", "eigenvalue")
    assert len(value) == (expected["bond_operator_nonzero"] if everything else 6)
    assert value[:6] == pytest.approx(expected["bond_operator_largest"][:6], rel=1e-9)
    assert (stored.column("bond_modes", "index") == np.arange(len(value))).all()
    assert stored.column("bond_modes", "residual").max() < 1e-9
    assert stored.results["bonds"] == expected["bonds"] and stored.results["rattlers"] == 0
    assert stored.results["nonzero_count"] == expected["bond_operator_nonzero"]
    assert stored.results["self_stress_count"] == expected["bonds"] - expected["bond_operator_nonzero"]
    assert ("trace" in stored.results) == everything
    if everything:
        assert stored.results["trace"] == pytest.approx(expected["bond_operator_trace"], rel=1e-10)
    displacement, force = whole(s, stored.fields["displacement_modes"]), whole(s, stored.fields["force_modes"])
    assert displacement.shape == force.shape == (s.n_total, 2, 6)
    assert abs(np.vdot(displacement[..., 0], expected["bond_operator_mode1_displacement"])) == pytest.approx(1, abs=1e-10)
    for field, name in ((displacement, "participation_displacement"), (force, "participation_force")):
        square = (field**2).sum(axis=1)
        assert stored.column("bond_modes", name)[:6] == pytest.approx(1 / (s.n_total * (square**2).sum(axis=0)), rel=1e-9)
    ids, columns = stored.bonds["bond_modes"]
    bonds = columns["force"][0]
    assert ids.shape == (len(bonds), 2)
    assert ranks.total(world, np.append((bonds**2).sum(axis=0), len(bonds))) == pytest.approx([*np.ones(6), expected["bonds"]])
    assert "pseudo_harmonic" not in stored.tables and stored.cited == {"giannini2021", "hernandez2005"}
    profiles = [decay_profile(s, np.ascontiguousarray(stored.fields["force_modes"][..., k])) for k in range(6)]
    distance = stored.column("decay", "distance")
    common = np.isin(profiles[0].distance, distance)
    assert len(distance) > 5 and common.sum() == len(distance)
    assert stored.column("decay", "F") == pytest.approx(np.median([p.median for p in profiles], axis=0)[common])


def test_units(world):
    s = glass(world, "ipl10-3d")
    stored = run(s, count=2, vectors=False)
    moduli = elastic_moduli(s)
    modulus = np.mean([moduli.shear(a, b) for a in range(3) for b in range(3) if a != b])
    spacing = (s.volume / s.n_total) ** (1 / 3)
    speed = np.sqrt(modulus * s.volume / s.n_total)
    assert stored.results["shear_modulus"] == pytest.approx(modulus, rel=1e-9)
    assert stored.results["frequency_unit"] == pytest.approx(speed / spacing, rel=1e-9)
    assert stored.results["eigenvalue_unit"] == pytest.approx((spacing / speed) ** 2, rel=1e-9)
    assert not stored.fields and not stored.bonds


def test_pseudo_harmonic_partners(world):
    s = glass(world, "ipl12-2d")
    stored = run(s, count=4, pseudo_harmonic=3)
    assert "richard2021" in stored.cited
    assert list(stored.column("pseudo_harmonic", "index")) == [0, 1, 2]
    assert (stored.column("pseudo_harmonic", "eigenvalue") == stored.column("bond_modes", "eigenvalue")[:3]).all()
    pairs = [("displacement_modes", "pseudo_harmonic_modes", "overlap_displacement"),
             ("force_modes", "pseudo_harmonic_forces", "overlap_force")]
    for field, partner, column in pairs:
        a, b = whole(s, stored.fields[field])[..., :3], whole(s, stored.fields[partner])
        assert (b**2).sum(axis=(0, 1)) == pytest.approx(1.0, abs=1e-12)
        assert 1 - (a * b).sum(axis=(0, 1)) == pytest.approx(stored.column("pseudo_harmonic", column), abs=1e-12)
    assert (stored.column("pseudo_harmonic", "overlap_displacement") <= 1).all()
    start = np.ascontiguousarray(stored.fields["displacement_modes"][..., 0])
    found = pseudo_harmonic_mode(s, start)
    assert stored.column("pseudo_harmonic", "cost")[0] == pytest.approx(found.cost, rel=1e-8)
    assert found.cost < cost(s, start)[0]
    assert {"D", "F", "D_PH", "F_PH", "distance"} == stored.tables["decay"][0].keys()
    assert stored.column("decay", "F_PH")[-1] < 0.1 * stored.column("decay", "F")[-1]     # falls off faster


def test_partners_point_the_same_way(world, monkeypatch):
    """A pseudo-harmonic mode has no sign of its own."""
    found = pseudo_harmonic.pseudo_harmonic_mode

    def turned(*args, **options):
        result = found(*args, **options)
        return replace(result, mode=-result.mode)

    s = glass(world, "ipl12-2d")
    plain = run(s, count=1, pseudo_harmonic=1)
    monkeypatch.setattr(pseudo_harmonic, "pseudo_harmonic_mode", turned)
    stored = run(s, count=1, pseudo_harmonic=1)
    for name in ("pseudo_harmonic_modes", "pseudo_harmonic_forces"):
        assert np.abs(whole(s, stored.fields[name] - plain.fields[name])).max() < 1e-12
    assert stored.column("pseudo_harmonic", "overlap_force") == pytest.approx(plain.column("pseudo_harmonic", "overlap_force"))


def test_ranks_do_not_matter(world, alone):
    params = dict(count=4, pseudo_harmonic=2, vectors=False)
    many, one = run(glass(world, "ipl12-2d"), **params), run(glass(alone, "ipl12-2d"), **params)
    for table in ("bond_modes", "pseudo_harmonic", "decay"):
        for name in one.tables[table][0].keys() - {"residual", "gradient", "iterations"}:
            assert many.column(table, name) == pytest.approx(one.column(table, name), rel=1e-5, abs=1e-9), (table, name)
    assert {name: value for name, value in many.results.items()} == pytest.approx(one.results, rel=1e-10)


def test_what_is_refused(world):
    with pytest.raises(ValidationError, match="pseudo_harmonic = 30 is more than count = 20"):
        BondsParams(pseudo_harmonic=30)
    s = glass(world, "ipl12-2d")
    s.move(np.cos(s.id[: s.n_owned, None] * np.array([1.0, 2.0])), 0.01)
    s.update()
    with pytest.raises(PhysicsError, match="quench it first"):
        run(s)
