"""`hpcglass indicators FILE`: the same numbers as of a run, whatever the format; open boundaries; what is refused."""

from __future__ import annotations

import csv

import h5py
import numpy as np
import pytest
from glasses import DATA, arrays
from inprocess import hpcglass


@pytest.fixture(scope="module")
def known():
    """A periodic glass, lengths in its mean diameter, and its fields with that as unit of length."""
    _, box, position, diameter, _ = arrays("ipl12-2d")
    from hpcglass.indicators.catalogue import chosen
    from hpcglass.indicators.glass import Choices
    from hpcglass.indicators.unbounded import Particles, evaluate

    fields, _ = evaluate(Particles(position, diameter, box, False), chosen(["theta", "s2", "psi_6", "rho"], 2), Choices())
    return box, position % np.diag(box), diameter, fields


def table(path, position, diameter, unit=1.0, separator=",", head=("x", "y", "diameter"), factor=1.0):
    rows = [separator.join(head)] + [separator.join(f"{unit * x:.12g}" for x in (*r, d * factor)) for r, d in
                                     zip(position, diameter, strict=True)]
    path.write_text("\n".join(rows) + "\n")
    return path


def numbers(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def test_units_of_length_do_not_matter(known, tmp_path):
    """In pixels, with other names, radii and semicolons: the same Theta and s2. With its own lambda_ij, which are not additive,
    the model's Theta is another, but much alike; s2 knows of none."""
    box, position, diameter, fields = known
    file = table(tmp_path / "e.csv", position, diameter, 37.0, ";", ("X_px", "Y_px", "Radius"), 0.5)
    done = hpcglass("indicators", file, "--columns", "x=X_px,y=Y_px", "--box", *(37.0 * np.diag(box)), "--no-plots")
    assert done.returncode == 0, done.stderr
    found = numbers(tmp_path / "e-indicators.csv")
    for name in ("theta", "s2"):
        assert np.abs(found[name] - fields[name]).max() < 1e-7
    assert found["diameter"] == pytest.approx(37.0 * diameter, rel=1e-9)
    with h5py.File(DATA / "indicators-ipl12-2d.h5") as reference:
        assert np.corrcoef(fields["theta"], reference["theta"][:])[0, 1] > 0.75
        assert np.corrcoef(fields["s2"], reference["s2"][:])[0, 1] > 0.99
    assert "a periodic cell" in done.stdout and f"of {len(diameter)} of {len(diameter)} particles" in done.stdout


@pytest.mark.parametrize("kind", ["csv", "pbc", "lattice", "--open"])
def test_an_open_boundary(known, tmp_path, kind):
    """Cut out of the glass: what is inside is as it was, the rim has no number."""
    box, position, diameter, fields = known
    middle = np.abs(position / np.diag(box) - 0.5).max(axis=1) < 0.42
    position, diameter = position[middle], diameter[middle]
    if kind == "csv":
        file = table(tmp_path / "o.csv", position, diameter)
    else:
        told = {"pbc": 'Lattice="9 0 0 0 9 0 0 0 1" pbc="F F F" ', "lattice": "",
                "--open": f'Lattice="{box[0, 0]} 0 0 0 {box[1, 1]} 0 0 0 1" '}[kind]
        rows = [f"A {x:.12g} {y:.12g} 0 {d:.12g}" for (x, y), d in zip(position, diameter, strict=True)]
        file = tmp_path / "o.xyz"
        file.write_text(f"{len(rows)}\n{told}Properties=species:S:1:pos:R:3:diameter:R:1\n" + "\n".join(rows) + "\n")
    unit = known[2].mean() / diameter.mean()          # the piece has another mean diameter, which is the unit of delta
    done = hpcglass("indicators", file, "--which", "Theta,s2,psi_6,rho", "--no-plots", "-o", tmp_path / "out.csv",
                    "--s2-range", "1.438", *(["--open"] if kind == "--open" else []))
    assert done.returncode == 0 and "an open boundary" in done.stdout and "too near" in done.stdout, done.stderr
    found = numbers(tmp_path / "out.csv")
    assert found["x"] == pytest.approx(position[:, 0], rel=1e-9)
    for name in ("theta", "psi_6", "s2", "rho"):
        there = np.isfinite(found[name])
        assert 0.2 * len(diameter) < there.sum() < len(diameter)
        if name in ("theta", "psi_6"):
            assert np.abs(found[name] - fields[name][middle])[there].max() < 1e-7
        elif name == "rho":
            assert found[name][there] == pytest.approx(fields[name][middle][there] / unit**2, rel=1e-6)
        else:
            assert np.corrcoef(found[name][there], fields[name][middle][there])[0, 1] > 0.97
            assert found[name][there].mean() == pytest.approx(fields[name][middle][there].mean(), rel=0.1)


def test_species_and_maps(tmp_path):
    rng = np.random.default_rng(2)
    position = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2) + 0.1 * rng.random((144, 2))
    text = "# x y species\n" + "".join(f"{x:.6f} {y:.6f} {'LS'[k % 2]}\n" for k, (x, y) in enumerate(position))
    (tmp_path / "b.dat").write_text(text)
    done = hpcglass("indicators", tmp_path / "b.dat", "--diameters", "0.8", "1.1", "--box", "12", "12")
    assert done.returncode == 0, done.stderr
    found = numbers(tmp_path / "b-indicators.csv")
    assert found["diameter"][:2].tolist() == [1.1, 0.8] and (tmp_path / "b-indicators.png").exists()


def test_what_is_refused(known, tmp_path):
    _, position, diameter, _ = known
    good = table(tmp_path / "g.csv", position, diameter)
    bare = tmp_path / "bare.csv"
    bare.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in position))
    half = tmp_path / "half.xyz"
    half.write_text('1\nLattice="9 0 0 0 9 0 0 0 1" pbc="T F F" Properties=pos:R:3:diameter:R:1\n1 1 0 1\n')
    broken = tmp_path / "broken.csv"
    broken.write_text(good.read_text().replace("\n", ",7\n", 5).replace(",7\n", "\n", 4))
    word = tmp_path / "word.csv"
    word.write_text("x,y,diameter\n1,2,3\n1,two,3\n")
    for words, why in (
            ([bare], "has no sizes"), ([bare, "--diameters", "1", "2"], "2 for 1 species"),
            ([good, "--diameters", "1"], "has diameters"), ([good, "--which", "vibrality"], "needs a potential"),
            ([good, "--which", "thetta"], "no indicator"), ([good, "--columns", "q=r"], "must be like"),
            ([good, "--columns", "x=Q"], "no column"), ([half], "not periodic along y"),
            ([half, "--box", "9", "9"], "for tables"),
            ([broken], "columns"), ([word], "word.csv:3"), ([tmp_path / "no.csv"], "no such"),
            ([good, "-o", "x.h5"], "must end in .csv"), ([good, "--box", "1", "1", "1"], "2D, the cell in 3D"),
            ([good, "--box", "9", "9", "--open"], "periodic or open")):
        done = hpcglass("indicators", *words, "--no-plots")
        assert done.returncode in (2, 4) and why in done.stderr, (words, done.stderr)
