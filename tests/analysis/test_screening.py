"""Screened elasticity: theory against its differential equation, profiles, recovery of kappa, decisions, files, figures."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial import Delaunay
from scipy.stats import binom

from hpcglass.__main__ import main
from hpcglass.analysis.annulus import Annulus, cross, deviation_of_kappa, elastic, elastic_energy, poles, screened
from hpcglass.analysis.open_run import read_stage
from hpcglass.analysis.radial import SECTORS, radial_profile
from hpcglass.analysis.screening import fit_screening, measure_deviation
from hpcglass.analysis.screening_files import Case, find_files, read_cases
from hpcglass.analysis.screening_tables import groups, share, statistics, summary
from hpcglass.errors import FileError, InputError

FLAT, SHELL = Annulus(0.65, 80.0, 0.1), Annulus(1.0, 25.0, 0.1, 3)
BOTH = pytest.mark.parametrize("annulus", [FLAT, SHELL], ids=["2D", "3D"])


def points(rng, annulus, number):
    """Uniform between the walls."""
    d = annulus.dimension
    r = (annulus.r_in**d + rng.random(number) * (annulus.r_out**d - annulus.r_in**d)) ** (1 / d)
    direction = rng.normal(size=(number, d))
    return direction * (r / np.linalg.norm(direction, axis=1))[:, None]


def events(rng, x, annulus, level, number=30):
    """Noise like that of glasses: particles move by 0.3 d_el each for itself, and plastic events, a quadrupole and a change of
    volume each, move all others. Between sectors it makes 10 to 30 % of d_el, and a few % in the average."""
    d, r = annulus.dimension, np.linalg.norm(x, axis=1)
    u = 0.3 * level * elastic(r, annulus)[:, None] * rng.normal(size=x.shape)
    size = level * annulus.d_0 * annulus.r_in ** (d - 1)
    for centre in points(rng, annulus, number):
        y, n = x - centre, rng.normal(size=d)
        square = (y**2).sum(axis=1)
        strength = 0.6 * ((y @ n) ** 2 / (n @ n) / square - 1 / d) + 0.05 * rng.normal()
        u += (size * strength / (square + 4.0) ** (d / 2))[:, None] * y     # cores of about the distance between particles
    return u


def field(x, kappa, annulus):
    r = np.linalg.norm(x, axis=1)
    return (screened(r, kappa, annulus) / r)[:, None] * x


# -------------------------------------------------------------------------------------------------- theory


@BOTH
@pytest.mark.parametrize("kappa", [0.0, 1e-9, 1e-5, 0.01, 0.23, 0.5])
def test_solutions_solve_the_equation_and_meet_the_walls(annulus, kappa):
    d = annulus.dimension
    assert screened([annulus.r_in, annulus.r_out], kappa, annulus) == pytest.approx([annulus.d_0, 0.0], abs=1e-15)
    r, h = np.linspace(2.0, annulus.r_out - 1, 50), 1e-2
    low, here, high = (screened(r + step, kappa, annulus) for step in (-h, 0.0, h))
    left = (high - 2 * here + low) / h**2 + (d - 1) * ((high - low) / (2 * h) / r - here / r**2)
    assert left == pytest.approx(-(kappa**2) * here, abs=1e-4 * abs(here).max())


@BOTH
def test_small_kappa_is_elastic(annulus):
    r = np.linspace(annulus.r_in, annulus.r_out, 30)[:-1]
    for kappa in (1e-300, 1e-12, 1e-10, 1e-7, 1e-6):
        assert screened(r, kappa, annulus) == pytest.approx(elastic(r, annulus), rel=1e-6)
    assert elastic(r, annulus)[1] == pytest.approx(annulus.d_0 * (annulus.r_in / r[1]) ** (annulus.dimension - 1), rel=0.01)


@BOTH
def test_all_poles_are_found(annulus):
    found = poles(annulus, 1.0)
    assert abs(cross(annulus.r_in, found, annulus)).max() < 1e-9
    k = np.linspace(1e-4, 1.0, 100_001)
    assert len(found) == np.count_nonzero(np.diff(np.sign(cross(annulus.r_in, k, annulus))))
    below, above = (screened(annulus.r_out / 3, found + side, annulus) for side in (-1e-8, 1e-8))
    assert (below * above < 0).all()


@BOTH
def test_deviation_of_theory(annulus):
    kappa = 0.12
    inner, outer = annulus.r_in, annulus.r_out
    ratio = [quad(lambda r, f=f: f(float(1 - screened(r, kappa, annulus) / elastic(r, annulus))) / (outer - inner), inner, outer,
                  epsabs=1e-9, limit=300)[0] for f in (float, abs)]
    signed, absolute = deviation_of_kappa([0.0, kappa], annulus)
    assert (signed[0], absolute[0]) == (0.0, 0.0)
    assert [signed[1], absolute[1]] == pytest.approx(ratio, rel=2e-4)
    assert deviation_of_kappa(2 / outer, annulus)[0] < 0        # weak screening: more displacement than elastic


@BOTH
def test_elastic_energy_is_the_integral_of_its_density(annulus):
    bulk, shear, d = 5.0, 2.0, annulus.dimension

    def density(r):
        h = 1e-5 * r
        slope, hoop = float(elastic(r + h, annulus) - elastic(r - h, annulus)) / (2 * h), float(elastic(r, annulus)) / r
        trace = slope + (d - 1) * hoop
        square = slope**2 + (d - 1) * hoop**2
        return (bulk / 2 * trace**2 + shear * (square - trace**2 / d)) * (2 * np.pi * r if d == 2 else 4 * np.pi * r**2)

    whole = quad(density, annulus.r_in, annulus.r_out, limit=200, points=[1.5, 4.0])[0]
    assert elastic_energy(annulus, bulk, shear) == pytest.approx(whole, rel=1e-5)
    more = elastic_energy(annulus, bulk, shear, 3.0) - whole
    sphere = np.pi if d == 2 else 4 * np.pi / 3
    assert more == pytest.approx(3 * sphere * ((annulus.r_in + annulus.d_0) ** d - annulus.r_in**d), rel=1e-4)


@pytest.mark.parametrize("wrong", [(1.0, 1.0, 0.1), (0.0, 1.0, 0.1), (1.0, 2.0, 0.0), (1.0, 2.0, np.nan), (1.0, 2.0, 0.1, 4)])
def test_impossible_geometries_are_refused(wrong):
    with pytest.raises(InputError, match="annulus"):
        Annulus(*wrong)


# ------------------------------------------------------------------------------------------------- profile


def test_profile_and_harmonics_of_a_known_field():
    x = points(np.random.default_rng(1), FLAT, 20_000)
    r, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    radial = elastic(r, FLAT) + 0.02 * np.cos(2 * angle) + 0.03 * np.sin(8 * angle)
    swirl = 0.01 * np.sin(3 * angle)
    u = radial[:, None] * x / r[:, None] + swirl[:, None] * np.stack([-x[:, 1], x[:, 0]], axis=1) / r[:, None]
    profile = radial_profile(x + 3.0, u, (3.0, 3.0), FLAT, 20)
    far = profile.r > 10
    expected = np.zeros((9, 2))
    expected[2, 0], expected[8, 1] = 0.02, 0.03
    expected[0, 0] = profile.average(elastic(profile.nodes, FLAT))[-3]
    assert profile.radial[-3] == pytest.approx(expected, abs=1e-4)
    expected[:] = 0.0
    expected[3, 1] = 0.01
    assert profile.tangential[far] == pytest.approx(np.broadcast_to(expected, (far.sum(), 9, 2)), abs=2e-4)
    assert (profile.d_r - profile.average(elastic(profile.nodes, FLAT)))[far] == pytest.approx(0.0, abs=4e-3)


@BOTH
def test_errors_know_that_neighbours_move_together(annulus):
    """Blocks of a 24th of the circle (3D: of a third by an eighth of the sphere) move as one: the spread over 400 fields is the
    stated error, and its square more than five times that of independent particles.

    A variance from 400 fields is known to 7 %, and bins move together: 0.7 is four of these errors away from 1,
    1e-4 of false alarms.
    """
    rng = np.random.default_rng(2)
    x = points(rng, annulus, 3000)
    r, turn = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi)
    found = []
    for _ in range(400):
        block = np.floor((24 if annulus.dimension == 2 else 8) * ((turn + rng.random()) % 1)).astype(int)
        block = block if annulus.dimension == 2 else 3 * block + np.floor(1.5 * (1 + x[:, 2] / r)).astype(int)
        d_r = 3.0 + rng.normal(size=24)[block]
        found.append(radial_profile(x, (d_r / r)[:, None] * x, np.zeros(annulus.dimension), annulus, 6))
    spread = np.var([p.d_r for p in found], axis=0)[1:]
    stated = np.mean([p.error**2 for p in found], axis=0)[1:]
    assert 0.7 < (stated / spread).mean() < 1.3
    assert (spread[1:] > 5 / found[0].count[2:]).all()
    assert found[0].influence.shape[1] == SECTORS


@BOTH
def test_nodes_stand_for_the_particles_of_a_bin(annulus):
    """The mean of an oscillating solution over wide bins is that over their nodes, to 1e-3 of its size."""
    x = points(np.random.default_rng(9), annulus, 20_000)
    profile = radial_profile(x, field(x, 0.42, annulus), np.zeros(annulus.dimension), annulus, 16)
    theory = profile.average(screened(profile.nodes, 0.42, annulus))
    assert profile.d_r[1:] == pytest.approx(theory[1:], abs=1e-3 * abs(theory).max())


def test_bad_data_are_refused():
    x = points(np.random.default_rng(3), FLAT, 1000)
    with pytest.raises(InputError, match="do not fit"):
        radial_profile(x, x[:-1], (0, 0), FLAT)
    with pytest.raises(InputError, match="do not fit"):
        radial_profile(x, x, (0, 0, 0), FLAT)
    with pytest.raises(InputError, match="finite"):
        radial_profile(x, x * np.nan, (0, 0), FLAT)
    with pytest.raises(InputError, match="four bins"):
        radial_profile(x[:100], x[:100], (0, 0), FLAT)
    with pytest.raises(InputError, match="largest kappa"):
        fit_screening(radial_profile(x, x, (0, 0), FLAT, 10), -1.0)


# ------------------------------------------------------------------------------------------------- fit


@BOTH
@pytest.mark.parametrize("kappa", [0.042, 0.109, 0.229, 0.45])
def test_kappa_of_perfect_data(annulus, kappa):
    x = points(np.random.default_rng(4), annulus, 10_000)
    fit = fit_screening(radial_profile(x, field(x, kappa, annulus), np.zeros(annulus.dimension), annulus))
    assert fit.screened and fit.kappa == pytest.approx(kappa, rel=2e-3)
    assert fit.amplitude == pytest.approx(1.0, abs=0.02)
    assert (np.diff(fit.minima[:, 1]) >= 0).all() and fit.minima[0, 1] == pytest.approx(0.0, abs=1e-6)
    between = poles(annulus, fit.scan[-1, 0])       # at least one minimum between any two
    assert set(np.searchsorted(between, fit.minima[:, 0])) >= set(range(1, len(between)))


def noisy(rng, kappa, annulus):
    """The fit to a field with noise of its own."""
    x = points(rng, annulus, 4000)
    u = field(x, kappa, annulus) + events(rng, x, annulus, 1.0)
    return fit_screening(radial_profile(x, u, np.zeros(annulus.dimension), annulus), 0.6)


def test_kappa_within_its_errors():
    """500 fields, half of them in 3D, κ from 0 to 0.5, a third of them elastic.

    κ is within its interval of 68 % as often as said, within twice and three times that nearly so: of the 318 screened fields with
    κ r_out > 2, the shares within 1, 2, 3 errors are to lie in the central 99.9 % of binomials of 0.683, 0.94 and 0.985. The
    last two are less than Gaussian ones (0.954, 0.997): samples are small. False alarms: 0.3 % for
    a new seed. Elastic fields and, beyond κ r_out = 3, screened ones are told right in 95 % of either kind at least; the
    elastic interval reaches to κ r_out < 2 in as many.
    """
    rng, rows = np.random.default_rng(5), []
    for annulus in (FLAT, SHELL):
        for k in range(250):
            kappa = 0.0 if k % 3 == 0 else rng.uniform(0.0, 0.5)
            fit = noisy(rng, kappa, annulus)
            rows.append((kappa, annulus.r_out, fit.kappa, fit.low, fit.high, fit.screened))
    kappa, r_out, found, low, high, decision = np.array(rows).T
    seen, clear, none = kappa * r_out > 2, kappa * r_out > 3, kappa == 0
    inside = ((low <= kappa) & (kappa <= high))[seen]
    pull = (abs(found - kappa) / ((high - low) / 2))[seen]
    shares = [float(inside.mean()), *(float((pull < q).mean()) for q in (1, 2, 3))]
    right = [float((decision[none] == 0).mean()), float((decision[clear] == 1).mean())]
    print(f"{seen.sum()} fields: inside, within 1, 2, 3 errors", shares, "elastic, screened told right", right)
    for got, expected in zip(shares, (0.683, 0.683, 0.94, 0.985), strict=True):
        least, most = binom.interval(0.999, int(seen.sum()), expected)
        assert least <= got * seen.sum() <= most, (got, expected)
    assert min(right) >= 0.95
    assert (low[none] * r_out[none] < 2).mean() >= 0.95
    assert (abs(found - kappa)[seen] < 0.01).mean() > 0.97


@BOTH
def test_weak_screening(annulus):
    """At κ r_out = 1 the solutions differ by a tenth, less than the noise of a quarter: called elastic, and the interval
    says so. At 3 they differ by a factor of 2 to 3 and nine of ten are seen (measured: 0.99 in 2D, 3 of 25 missed has a
    probability of 2e-3)."""
    rng = np.random.default_rng(12)
    weak, strong = ([noisy(rng, product / annulus.r_out, annulus) for _ in range(25)] for product in (1.0, 3.0))
    assert sum(fit.screened for fit in weak) <= 3 and sum(fit.screened for fit in strong) >= 22
    assert np.mean([fit.low * annulus.r_out < 1 for fit in weak]) > 0.8


def test_near_elastic_medium():
    """A disordered network of springs between walls moves as elasticity says, within 4 %, and is called elastic."""
    rng = np.random.default_rng(6)
    annulus = Annulus(3.0, 30.0, 0.3)
    i, j = np.mgrid[-40:41, -40:41].reshape(2, -1)
    x = np.stack([i + j / 2, j * np.sqrt(3) / 2], axis=1) + rng.uniform(-0.15, 0.15, (i.size, 2))
    r = np.linalg.norm(x, axis=1)
    x, r = x[(r > 1.5) & (r < 31.5)], r[(r > 1.5) & (r < 31.5)]
    triangles = Delaunay(x).simplices
    pairs = np.unique(np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), axis=1), axis=0)
    pairs = pairs[np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) < 1.6]
    n = x[pairs[:, 1]] - x[pairs[:, 0]]
    n /= np.linalg.norm(n, axis=1)[:, None]
    rows = np.repeat(np.arange(len(pairs)), 4)
    columns = (2 * pairs[:, [0, 0, 1, 1]] + [0, 1, 0, 1]).ravel()
    S = coo_matrix((np.hstack([-n, n]).ravel(), (rows, columns)), shape=(len(pairs), 2 * len(x))).tocsr()
    H = (S.T.multiply(rng.uniform(0.7, 1.3, len(pairs))) @ S).tocsc()
    wall = np.repeat((r < annulus.r_in) | (r > annulus.r_out), 2)
    u = field(x, 0.0, annulus).ravel()
    u[~wall] = spsolve(H[~wall][:, ~wall], -H[~wall][:, wall] @ u[wall])
    profile = radial_profile(x, u.reshape(-1, 2), (0.0, 0.0), annulus, 20)
    expected = profile.average(elastic(profile.nodes, annulus))
    assert (profile.d_r / expected)[2:-1] == pytest.approx(1.0, abs=0.04)
    fit, deviation = fit_screening(profile), measure_deviation(profile)
    assert not fit.screened and fit.kappa * annulus.r_out < 1
    assert abs(deviation.signed) < 0.05 and deviation.absolute < 0.05


def test_measured_deviation_is_that_of_theory():
    x = points(np.random.default_rng(7), FLAT, 40_000)
    for kappa in (0.02, 0.06):
        found = measure_deviation(radial_profile(x, field(x, kappa, FLAT), (0.0, 0.0), FLAT))
        signed, absolute = deviation_of_kappa(kappa, FLAT)
        assert [found.signed, found.absolute] == pytest.approx([float(signed), float(absolute)], rel=0.03)


# ------------------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(8)
    x = points(rng, FLAT, 4000)
    return x, field(x, 0.109, FLAT) + events(rng, x, FLAT, 0.3)


GEOMETRY = {"r_in": 0.65, "r_out": 80.0, "d_0": 0.1, "centre": [0.0, 0.0]}


INPUT = """
[parameters]
T_m = %g
[system]
model = "ipl12"
r_in = 0.65
[[stage]]
kind = "swap"
temperature = "$T_m"
[[stage]]
kind = "inflate"
d_0 = 0.1
"""


def stage_file(path, x, fields, sizes, changes, temperature=0.3):
    """What the stage `inflate` writes, as far as it is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["fields/position_before"] = x
        for k, u in enumerate(fields):
            file[f"fields/displacement_{k}" if len(fields) > 1 else "fields/displacement"] = u
        for name in ("r_in", "r_out", "centre"):
            file[f"results/{name}"] = GEOMETRY[name]
        changes = np.asarray(changes, dtype=float)
        for name, values in (("d_0", sizes), ("energy_change", changes), ("energy_elastic", changes + 0.5),
                             ("energy_plastic", 0.0 * changes - 0.5), ("work", changes + 1.0)):
            file[f"results/inflation/{name}"] = values
        file["provenance/resolved_input"] = INPUT % temperature
    return path


def write_all(folder, x, u):
    """The same field in every kind of file."""
    np.savez(folder / "a.npz", position=x, displacement=u, energy_change=-0.75, **GEOMETRY)
    np.savetxt(folder / "b.txt", np.hstack([x, u]))
    np.savetxt(folder / "c.csv", np.hstack([u, x, x]), delimiter=",", header="ux,uy,x,y,more,columns", comments="")
    with h5py.File(folder / "d.h5", "w") as file:
        file["position"], file["displacement"] = x, u
        file.attrs.update(GEOMETRY)
    stage_file(folder / "01-inflate.h5", x, [u], [0.1], [-0.75])
    return [folder / name for name in ("a.npz", "b.txt", "c.csv", "d.h5", "01-inflate.h5")]


def test_every_kind_of_file_gives_the_same_field(sample, tmp_path):
    for path in write_all(tmp_path, *sample):
        case, = read_cases(path, **(GEOMETRY if path.suffix in (".txt", ".csv") else {}))
        assert np.allclose(case.position, sample[0], atol=1e-12) and np.allclose(case.displacement, sample[1], atol=1e-12)
        assert case.annulus == FLAT
        known = path.suffix == ".npz" or "inflate" in path.name
        assert case.energies.get("energy_change") == (-0.75 if known else None)
    assert case.energies["energy_plastic"] == -0.5 and case.inputs["T_m"] == 0.3
    assert read_cases(tmp_path / "a.npz", r_in=0.5)[0].annulus.r_in == 0.5
    several = read_cases(stage_file(tmp_path / "02-inflate.h5", sample[0], [sample[1], 2 * sample[1]], [0.1, 0.2], [-0.7, -0.9]))
    assert [case.annulus.d_0 for case in several] == [0.1, 0.2] and [case.number for case in several] == [0, 1]
    assert np.array_equal(several[1].displacement, 2 * sample[1]) and several[1].energies["energy_change"] == -0.9
    with pytest.raises(InputError, match="--r-in --r-out --d0 --centre"):
        read_cases(tmp_path / "b.txt")
    (tmp_path / "bad.txt").write_text("1 2 3\n")
    with pytest.raises(InputError, match="columns x y ux uy"):
        read_cases(tmp_path / "bad.txt")
    (tmp_path / "bad.h5").write_text("no file")
    with pytest.raises(FileError, match="cannot be read"):
        read_cases(tmp_path / "bad.h5")
    with pytest.raises(FileError, match="no such file"):
        read_cases(tmp_path / "absent.npz")


def test_command_writes_tables_and_figures(sample, tmp_path, capsys):
    files = write_all(tmp_path, *sample)
    names = [str(files[0]), str(files[4])]
    assert main(["screening", *names, "--medium", "30", "15", "2", "--bins", "30", "-o", str(tmp_path / "out.h5"), "--plot"]) == 0
    said = capsys.readouterr().out
    assert said.count(", screened (delta") == 2 and "share that is screened: 1" in said
    merged = read_stage(tmp_path / "out.h5")
    table = merged.tables["screening"]
    assert table["kappa"] == pytest.approx([0.109, 0.109], abs=2e-3) and merged.results["screened_share"] == 1.0
    assert table["energy_medium"] == pytest.approx(elastic_energy(FLAT, 30, 15, 2)) and table["energy_elastic"][1] == -0.25
    figures = {path.name for path in tmp_path.glob("*.png")}
    drawn = {f"{name}-{kind}.png" for name in ("a", "01-inflate") for kind in ("screening", "displacement")}
    assert figures == drawn | {"out-sweep.png", "out-groups.png"}
    options = ["--centre", "0", "0", "--r-in", "0.65", "--r-out", "80", "--d0", "0.1"]
    assert main(["screening", str(files[1]), *options, "-o", str(tmp_path / "out.csv")]) == 0
    header, row = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("file,dimension,r_in") and float(row.split(",")[header.split(",").index("screened")]) == 1
    assert main(["screening", str(files[1])]) == 2
    assert main(["screening", str(files[0]), "-o", "out.txt"]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["screening", str(tmp_path / "empty")]) == 2


def test_campaign_by_temperature_and_size(sample, tmp_path, capsys):
    """Two samples at each of two temperatures, with two d_0 each: four groups of two, found in the directories of the sweep."""
    x, u = sample
    noise = u - field(x, 0.109, FLAT)
    kappas = {0.2: (0.0, 0.109), 0.8: (0.109, 0.15)}      # at d_0 = 0.1 and 0.2
    for temperature, pair in kappas.items():
        for number in range(2):
            fields = [size / 0.1 * (field(x, kappa, FLAT) + (0.3 + 0.2 * number) * noise)
                      for size, kappa in zip((0.1, 0.2), pair, strict=True)]
            stage_file(tmp_path / f"T_m={temperature}" / f"sample-000{number}" / "01-inflate.h5", x, fields, [0.1, 0.2],
                       [1.0 + number, -1.0], temperature)
    h5py.File(tmp_path / "checkpoint-a.h5", "w").close()
    assert len(find_files([tmp_path, tmp_path / "T_m=0.2"])) == 4
    assert main(["screening", str(tmp_path), "-o", str(tmp_path / "all.h5"), "--plot"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"T_m +d_0 +fields +screened", said) and re.search(r"0\.2 +0\.1 +2 +0\.00 \[", said)
    merged = read_stage(tmp_path / "all.h5")
    table, rows = merged.tables["screening"], merged.tables["groups"]
    assert rows["T_m"].tolist() == [0.2, 0.2, 0.8, 0.8] and rows["d_0"].tolist() == [0.1, 0.2, 0.1, 0.2]
    assert rows["fields"].tolist() == [2] * 4 and rows["screened_share"].tolist() == [0, 1, 1, 1]
    assert np.isnan(rows["kappa_median"][0]) and rows["kappa_median"][1:] == pytest.approx([0.109, 0.109, 0.15], abs=2e-3)
    assert rows["energy_change_mean"].tolist() == [1.5, -1.0, 1.5, -1.0]
    assert rows["energy_change_mean_error"] == pytest.approx([0.5, 0.0, 0.5, 0.0])
    here = (table["T_m"] == 0.8) & (table["d_0"] == 0.1)
    assert rows["M_mean"][2] == pytest.approx(table["M"][here].mean()) and here.sum() == 2
    assert main(["screening", str(tmp_path), "-o", str(tmp_path / "all.csv")]) == 0
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 9
    assert (tmp_path / "all-groups.csv").read_text().startswith("T_m,r_in,r_out,d_0,fields,screened_share")


def test_share():
    """Wilson's interval contains the share and stays between 0 and 1."""
    for n, k in ((1, 0), (1, 1), (10, 3), (500, 499)):
        part, low, high = share(n, k)
        assert part == k / n and 0 <= low <= part <= high <= 1
    assert share(100, 50)[2] == pytest.approx(0.5 + 0.5 * 0.5 * 2 / np.sqrt(101), abs=2e-3)


def test_statistics_of_a_sweep(sample):
    x, u = sample
    rows = []
    for k, kappa in enumerate((0.0, 0.03, 0.05, 0.07, 0.09)):
        v = field(x, kappa, FLAT) + 0.3 * (u - field(x, 0.109, FLAT))
        case = Case(Path("sweep"), k, FLAT, np.zeros(2), x, v, {"energy_change": 1.0 - k})
        profile = radial_profile(x, v, (0.0, 0.0), FLAT)
        rows.append((case, profile, fit_screening(profile), measure_deviation(profile)))
    table = summary(rows)
    found = {name: value for name, (value, _) in statistics(table).items()}
    assert found["kappa_energy_correlation"] == pytest.approx(-1.0) and found["fields"] == 5
    assert found["screened_share"] == 0.8 and found["screened_low"] < 0.8 < found["screened_high"]
    assert found["kappa_median"] == pytest.approx(0.06, abs=5e-3)
    assert np.isnan(table["energy_plastic"]).all() and groups(table).rows == 1
