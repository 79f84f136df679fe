"""Powers of 1 - x and of any kind, shifts and tables: derivatives, continuity, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from own_models import OWN, SIZES, lennard_jones, model, table
from test_potentials import compiled

from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.potentials.library import MODELS
from hpcglass.potentials.model import PairPotential, Segment
from hpcglass.potentials.spline import through

LJ = PairPotential((Segment(2.5, (-12, -6), (4.0, -4.0)),))
INSIDE = {"hertz": (0.3, 0.999), "hertz-mixed": (0.3, 0.999), "fractional": (0.7, 1.399), "two-pieces": (0.3, 1.499),
          "spline": (0.75, 2.499), "lj-cut": (0.8, 2.499)}


@pytest.mark.parametrize("name", INSIDE)
def test_pair_scalars_are_those_of_the_derivatives(name):
    """c_0 .. c_4 of the kernel by their formulas in phi', phi'', ..."""
    x = np.linspace(*INSIDE[name], 301)
    d = np.array([[OWN[name].potential.derivative(r, n) for n in range(5)] for r in x]).T
    expected = [d[0], d[1] / x, d[2] / x**2 - d[1] / x**3, d[3] / x**3 - 3 * d[2] / x**4 + 3 * d[1] / x**5,
                d[4] / x**4 - 6 * d[3] / x**5 + 15 * d[2] / x**6 - 15 * d[1] / x**7]
    for order in range(5):
        assert np.abs(compiled(OWN[name], order, x) - expected[order]).max() < 1e-12 * np.abs(expected[order]).max()
    beyond = OWN[name].potential.cutoff * np.array([1.0, 1.0 + 1e-12, 1.1, 3.0])
    assert all((compiled(OWN[name], order, beyond) == 0).all() for order in range(5))


@pytest.mark.parametrize("name", INSIDE)
def test_derivatives_by_finite_differences(name):
    phi, h = OWN[name].potential.derivative, 1e-4
    for x in np.linspace(*INSIDE[name], 19)[1:-1] + 0.00123:
        for order in range(1, 5):
            f = [phi(x + k * h, order - 1) for k in (-2, -1, 1, 2)]
            numeric = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
            assert phi(x, order) == pytest.approx(numeric, rel=1e-6, abs=1e-6 * max(1, abs(phi(x, order - 1))))


def test_hertz_is_exact_near_contact():
    """An overlap of 1e-9 has its energy to nine digits, as many as x has."""
    u = 1e-9
    assert compiled(OWN["hertz"], 0, np.array([1 - u]))[0] == pytest.approx(0.4 * u**2.5, rel=1e-6)
    assert compiled(OWN["hertz"], 1, np.array([1 - u]))[0] == pytest.approx(-(u**1.5), rel=1e-6)


def test_what_potentials_know_of_themselves():
    continuity = {name: m.potential.continuity for name, m in {**MODELS, **OWN}.items()}
    assert continuity == {"ipl12": 2, "ipl10": 3, "ipl10-binary": 3, "lj": 2, "lj-binary": 2, "harmonic": 1, "hertz": 2,
                          "lj-cut": 1, "kob-andersen": 0, "ka2d": 2, "hertz-mixed": 2, "fractional": 3, "two-pieces": 1,
                          "spline": 3}
    assert {name for name, m in {**MODELS, **OWN}.items() if m.potential.bounded < 3} == {"hertz", "hertz-mixed"}
    assert OWN["hertz"].potential.bounded == 2 and OWN["two-pieces"].potential.bounded == 3 and LJ.continuity == -1
    assert [m.repulsive for m in (OWN["hertz"], OWN["fractional"], OWN["spline"])] == [True, True, False]


@pytest.mark.parametrize("order", range(1, 6))
def test_shifts(order):
    shifted = LJ.shifted(order)
    assert shifted.continuity == order - 1
    x, x_c = 1.3, 2.5
    taylor = sum(LJ.segments[0].derivative(x_c, n) * (x - x_c) ** n / math.factorial(n) for n in range(order))
    assert shifted.derivative(x) == pytest.approx(LJ.derivative(x) - taylor, rel=1e-13)


def test_three_shifts_are_the_smoothed_lennard_jones():
    """Of Kumar et al.: phi, phi' and phi'' vanish at 2.5."""
    assert LJ.shifted(3).segments[0].coefficients == pytest.approx(MODELS["lj"].potential.segments[0].coefficients, rel=1e-12)


@pytest.mark.parametrize("continuity", [1, 2, 3, 4])
def test_tables(continuity):
    """A table of Lennard-Jones is the function, ever more exactly, and as continuous as it says; below it stays steep."""
    potential = model(name="t", shift=continuity + 1, table=table(continuity, 240)).potential
    exact = LJ.shifted(continuity + 1)
    for x in np.linspace(0.9, 2.49, 57):
        assert potential.derivative(x) == pytest.approx(exact.derivative(x), abs=1e-4 if continuity == 1 else 3e-6)
        assert potential.derivative(x, 1) == pytest.approx(exact.derivative(x, 1), abs=1e-2 if continuity == 1 else 1e-3)
    assert potential.continuity >= continuity
    assert potential.derivative(0.5) > potential.derivative(0.7) > potential.derivative(0.84) > 0


def test_a_table_may_begin_at_contact():
    r = np.linspace(0, 1, 60)
    potential = through(r, 0.5 * (1 - r) ** 4, 2, False)
    assert potential.finite and potential.continuity >= 2
    assert potential.derivative(0.0) == pytest.approx(0.5)
    assert potential.derivative(0.3, 1) == pytest.approx(-2 * 0.7**3, rel=1e-5)


@pytest.mark.parametrize("r,phi,says", [
    ([0.9, 1.0, 1.0, 1.1], [1, 1, 1, 0], "at least 12"),
    ([*np.linspace(0.9, 2, 20), 1.9], [*np.zeros(20), 0.0], "row 21 has r = 1.9 after 2"),
    (np.linspace(0.9, 2.5, 60), lennard_jones(np.linspace(0.9, 2.5, 60)), "shift = 3 makes it so"),
    (np.linspace(1.3, 2.5, 60), np.sin(np.linspace(1.3, 2.5, 60)), "begin the table at r = 0 or where it is steeply repulsive"),
    (np.linspace(0.0, 2.5, 60), [np.inf, *np.zeros(59)], "leave out the points nearest to r = 0"),
])
def test_tables_that_cannot_be(r, phi, says):
    with pytest.raises(ValueError, match="(?s)" + says.replace("(", r"\(")):
        through(list(r), list(phi), 2, "begin the table" in says)


INPUT = """
[model]
name = "mine"
density = 0.9
{keys}
[model.sizes]
smallest = 0.8
largest = 1.4
[system]
model = "mine"
particles = 200
[[stage]]
kind = "{kind}"
{stage}
"""


def read(tmp_path, keys, kind="quench", stage=""):
    return Config.parse(INPUT.format(keys=keys, kind=kind, stage=stage), tmp_path / "input.toml")


HERTZ = 'segment = [{ upto = 1.0, of = "1 - x", powers = [2.5], coefficients = [0.4] }]'
CUT = "segment = [{ upto = 2.5, powers = [-12, -6], coefficients = [4.0, -4.0] }]"


@pytest.mark.parametrize("keys,kind,stage,says", [
    (HERTZ, "expand", "order = 3", "order = 3: needs 4 finite derivatives of phi, and mine has 2: the next is infinite at "
     "contact, where pairs of a packing are; order = 1 can be had"),
    (HERTZ.replace("2.5", "1.5"), "modes", "count = 3", "needs 2 finite derivatives of phi, and mine has 1"),
    (HERTZ.replace("2.5", "0.5"), "quench", "", "phi' jumps at x = 1 from -inf"),
    (HERTZ.replace("2.5", "-2"), "quench", "", "the power -2 of 1 - x is infinite at the end of the segment, x = 1"),
    (HERTZ.replace("1.0", "1.2"), "quench", "", "1 - x is negative beyond x = 1, where it has no power 2.5: end the segment at"),
    (CUT, "quench", "", "phi jumps at x = 2.5 from -0.0163169 to 0 beyond the cut-off; forces need a smooth potential: "
     "shift = 1"),
    (f"shift = 1\n{CUT}", "quench", "", "needs a continuous force, and that of mine jumps at x = 2.5: shift = 2 in [model]"),
    (f"shift = 4\n{HERTZ}", "quench", "", "derivative 3 of phi is infinite at the cut-off: shift = 3 at most"),
    ('[model.table]\nfile = "none.txt"', "quench", "", "none.txt cannot be read: No such file"),
    ('shift = 2\n[model.table]\nfile = "t.txt"', "quench", "", "can have shift = 3 only"),
    ('beta = 12\nq = 2\nx_c = 1.25\nshift = 1', "quench", "", "with beta, q and x_c it is smooth already"),
])
def test_what_is_refused(tmp_path, keys, kind, stage, says):
    with pytest.raises(InputError) as error:
        read(tmp_path, keys, kind, stage)
    assert says in str(error.value)


@pytest.mark.parametrize("keys,kind,stage", [
    (HERTZ, "expand", "order = 1"), (HERTZ, "bonds", ""), (HERTZ, "shear", "max_strain = 0.1"),
    (f"shift = 1\n{CUT}", "md", "temperature = 1.0\ntime = 1.0"), (f"shift = 1\n{CUT}", "swap", "temperature = 1.0\nsweeps = 1"),
    (f"shift = 2\n{CUT}", "shear", "max_strain = 0.1")])
def test_what_is_not(tmp_path, keys, kind, stage):
    config = read(tmp_path, keys, kind, stage)
    assert Config.parse(config.to_toml(), tmp_path / "resolved.toml") == config


def test_the_resolved_input_has_the_numbers_of_a_table(tmp_path):
    r = np.linspace(0.85, 2.5, 80)
    np.savetxt(tmp_path / "lj.txt", np.column_stack([r, lennard_jones(r)]), header="r phi")
    config = read(tmp_path, 'shift = 3\n[model.table]\nfile = "lj.txt"')
    again = Config.parse(config.to_toml(), tmp_path / "elsewhere" / "resolved.toml")
    assert again == config and len(again.model.table.r) == 80 and again.model.table.file is None
    assert again.glass().potential.continuity == 2
    (tmp_path / "lj.txt").write_text("# r phi\n1.0 2.0\n1.1, 1.0\n1.2 nothing\n")
    with pytest.raises(InputError, match=r"lj.txt: line 4 has to be two numbers, r and phi, and is '1.2 nothing'"):
        read(tmp_path, 'shift = 3\n[model.table]\nfile = "lj.txt"')


def test_old_inputs_resolve_as_before(tmp_path):
    """No key is new in the resolved input of a model that uses none: runs that exist go on."""
    text = read(tmp_path, "shift = 2\n" + CUT).to_toml()
    assert "of =" not in text and "table" not in text and "powers = [-12, -6]" in text
    assert SIZES["smallest"] == 0.8
