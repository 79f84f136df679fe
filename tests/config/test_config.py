"""Inputs that are right, and what is said about those that are not."""

import math
import re

import numpy as np
import pytest

from hpcglass.config import Config, SystemParams
from hpcglass.config.checks import heights
from hpcglass.errors import InputError
from hpcglass.registry import models
from hpcglass.stages.shear.params import ShearParams

INPUT = """\
title = "stable glass"
seed = 3

[parameters]
T_p = 0.12
N = 1e4

[system]
model = "ipl12"
particles = "$N"
tilt = [0.1]

[[stage]]
kind = "swap"
temperature = "$T_p"
sweeps = 5000

[[stage]]
kind = "quench"
label = "first"

[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 0.12

[sweep]
T_p = [0.08, 0.12, 0.2]

[ensemble]
samples = 4
"""

OWN = """\
[system]
model = "mine"
particles = 1000
[model]
name = "mine"
density = 0.9
%s
[[stage]]
kind = "quench"
"""


SMOOTH = "beta = 12\nq = 2\nx_c = 1.25"
EQUAL = "sizes = {smallest = 1, largest = 1}"


def load(text, *overrides):
    return Config.parse(text, "input.toml", overrides)


def problems(text, *overrides):
    with pytest.raises(InputError) as error:
        load(text, *overrides)
    return str(error.value).split("\n")


def test_defaults_are_filled_in():
    config = load(INPUT)
    assert config.system.particles == 10_000
    assert config.system.density == 1.0
    assert config.system.aspect == (1.0, 1.0)
    assert config.system.start == "random"
    assert [params.kind for params in config.stage] == ["swap", "quench", "shear"]
    assert config.stage[0].temperature == 0.12
    assert isinstance(config.stage[2], ShearParams)
    assert config.glass().name == "ipl12"


def test_the_resolved_input_loads_back_equal():
    config = load(INPUT)
    text = config.to_toml()
    assert load(text) == config
    assert load(text).to_toml() == text
    assert 'temperature = "$T_p"' in text
    assert load(text, "T_p=0.3").stage[0].temperature == 0.3     # a parameter is still one
    assert load(INPUT, "seed=4") != config


def test_a_reference_inside_a_list_survives():
    config = load(INPUT.replace("tilt = [0.1]", 'tilt = ["$g"]').replace("T_p = 0.12\n", "T_p = 0.12\ng = 0.2\n", 1))
    assert config.system.tilt == (0.2,)
    assert load(config.to_toml()) == config
    assert 'tilt = ["$g"]' in config.to_toml()


@pytest.mark.parametrize(("argument", "look", "expected"), [
    ("seed=7", lambda c: c.seed, 7),
    ("system.sizes=random", lambda c: c.system.sizes, "random"),
    ("system.particles=2e3", lambda c: c.system.particles, 2000),
    ("stage.0.sweeps=10", lambda c: c.stage[0].sweeps, 10),
    ("shear.strain_step=-1e-4", lambda c: c.stage[2].strain_step, -1e-4),
    ("first.algorithm=cg", lambda c: c.stage[1].algorithm, "cg"),
    ("T_p=0.3", lambda c: c.stage[0].temperature, 0.3),
    ("ensemble.samples=1", lambda c: c.ensemble.samples, 1),
    ("system.aspect=[1, 2]", lambda c: c.system.aspect, (1.0, 2.0)),
    ("quench.pressure=$T_p", lambda c: c.stage[1].pressure, 0.12),
])
def test_set_changes_a_value(argument, look, expected):
    assert look(load(INPUT, argument)) == expected


def test_a_parameter_whose_places_are_all_overridden_goes():
    config = load(INPUT, "system.particles=2e3")
    assert config.parameters == {"T_p": 0.12}
    assert load(config.to_toml()) == config


@pytest.mark.parametrize(("argument", "said"), [
    ("sead=7", "did you mean 'seed'?"),
    ("sheer.strain_step=1", "did you mean 'shear'?"),
    ("stage.9.sweeps=1", "numbers from 0 to 2"),
    ("stage.x.sweeps=1", "there is no stage 'x'"),
    ("shear.strian_step=1e-3", "unknown key in a shear stage, did you mean 'strain_step'?"),
    ("shear.strain_step=abc", 'stage[2].strain_step = "abc": must be a number'),
    ("novalue", "write --set key=value"),
    ("title.x=1", "title is not a table"),
])
def test_a_wrong_set_is_said_with_the_argument(argument, said):
    (message,) = problems(INPUT, argument)
    assert message.startswith(f"--set {argument}: ")
    assert said in message


def test_a_stage_named_twice_must_be_numbered():
    text = INPUT + '\n[[stage]]\nkind = "shear"\nmax_strain = 0.1\n'
    assert "2 stages are called 'shear': write stage.2 or stage.3" in problems(text, "shear.max_strain=0.2")[0]


@pytest.mark.parametrize(("old", "new", "line", "said"), [
    ("strain_step = 1e-3", 'strain_step = "abc"', 24, 'stage[2].strain_step = "abc": must be a number'),
    ("strain_step = 1e-3", "strain_step = true", 24, "must be a number"),
    ("strain_step = 1e-3", "strain_step = nan", 24, "not a finite number"),
    ("strain_step = 1e-3", "strain_step = 1e-3\nmax_evaluations = 99999999999999999999", 25, "too large"),
    ("strain_step = 1e-3", "strain_step = 1979-05-27", 24, "dates"),
    ("strain_step = 1e-3", "strain_step = 0.0", 24, "must not be 0"),
    ("strain_step = 1e-3", "strain_step = 0.5", 24, "larger than max_strain (0.12)"),
    ("strain_step = 1e-3", "strian_step = 1e-3", 24, "unknown key in a shear stage, did you mean 'strain_step'?"),
    ("strain_step = 1e-3", 'plane = "xz"', 24, "there is no z in 2D"),
    ("max_strain = 0.12\n", "", 22, "max_strain: is missing"),
    ("sweeps = 5000", "sweeps = 5000.5", 16, "must be a whole number"),
    ("sweeps = 5000", "sweeps = 0", 16, "must be > 0"),
    ("sweeps = 5000", "swaps = 5000", 16, "did you mean 'sweeps'?"),
    ('kind = "shear"', 'kind = "sheer"', 23, "did you mean 'shear'?"),
    ('kind = "shear"', "", 22, "stage[2].kind: is missing (known: swap, md, quench, shear"),
    ('model = "ipl12"', 'model = "ipl21"', 9, "did you mean 'ipl12'?"),
    ('"$T_p"', '"$T_q"', 15, "unknown parameter 'T_q', did you mean 'T_p'?"),
    ('"$T_p"', "0.1", 5, 'no value of the input is "$T_p"'),
    ("N = 1e4", 'N = "x"', 6, "must be a number"),
    ("T_p = [0.08", "T_q = [0.08", 28, "did you mean 'T_p'?"),
    ("T_p = [0.08, 0.12, 0.2]", "T_p = 0.2", 28, "must be a list of numbers"),
    ("samples = 4", "sampels = 4", 31, "did you mean 'samples'?"),
    ("[ensemble]", "[ensmble]", 30, "did you mean 'ensemble'?"),
    ("seed = 3", "seed = -1", 2, "whole number >= 0"),
    ("N = 1e4", "N = 1", 10, "the box is only 0.995 wide"),
    ("tilt = [0.1]", "tilt = [0.1, 0.2]", 11, "must be [xy] in 2D"),
    ("tilt = [0.1]", "tilt = [1e50]", 10, "less than the interaction range"),
    ("tilt = [0.1]", "aspect = [1, -1]", 11, "must be 2 positive numbers"),
    ("tilt = [0.1]", 'file = "no.xyz"', 11, "there is no file"),
    ("tilt = [0.1]", 'file = "no.xyz"\nstart = "lattice"', 12, "comes from `file` already"),
    ('model = "ipl12"', 'model = "lj"', 8, "density: is missing"),
    ('label = "first"', 'label = "a b"', 20, "may have letters"),
    ("[[stage]]\nkind = \"quench\"", "[stage]\nkind = \"quench\"", 18, "not valid TOML"),
])
def test_each_problem_is_said_with_its_line(old, new, line, said):
    assert old in INPUT
    messages = problems(INPUT.replace(old, new, 1))
    assert len(messages) == 1, messages
    assert messages[0].startswith(f"input.toml:{line}: "), messages
    assert said in messages[0]


def test_all_problems_come_at_once_in_the_order_of_the_file():
    text = INPUT.replace("sweeps = 5000", "sweps = 5000").replace("seed = 3", "seed = 3.5")
    text = text.replace("max_strain = 0.12", "max_strain = []")
    assert [message.split(": ")[0] for message in problems(text)] == ["input.toml:2", "input.toml:16", "input.toml:25"]


def test_single_brackets_are_explained():
    (message,) = problems('[system]\nmodel = "ipl12"\nparticles = 100\n[stage]\nkind = "quench"\n')
    assert "[[stage]], in double brackets" in message


def test_swap_of_equal_particles_is_refused():
    own = OWN % f"{SMOOTH}\n{EQUAL}"
    (message,) = problems(own + '[[stage]]\nkind = "swap"\ntemperature = 1\nsweeps = 10\n')
    assert "nothing to swap" in message


def test_a_model_of_ones_own_by_beta():
    model = load(OWN % f"{SMOOTH}\nmixing = {{nonadditivity = 0.2}}\nsizes = {{smallest = 0.7, largest = 1.6}}").glass()
    assert model.potential == models()["ipl12"].potential
    assert model.repulsive
    assert model.mixing.nonadditivity == 0.2
    assert (model.sizes.kind, model.sizes.exponent) == ("power", 3.0)
    assert model.density == {2: 0.9, 3: 0.9}


def test_a_model_of_ones_own_by_segments_and_species():
    text = OWN % """segment = [{upto = 1, powers = [0, 1, 2], coefficients = [0.5, -1, 0.5]}]
[model.mixing]
energy_power = 2
length = [[1.0, 1.2], [1.2, 1.4]]
[model.sizes]
fractions = [0.5, 0.5]
"""
    model = load(text).glass()
    assert model.repulsive
    assert model.sizes.diameters == (1.0, 1.4)
    assert model.mixing.energy == ((1.0, 1.0), (1.0, 1.0))
    assert model.mixing.energy_power == 2
    assert load(load(text).to_toml()) == load(text)


@pytest.mark.parametrize(("model", "said"), [
    ("beta = 12\nsizes = {smallest = 1, largest = 2}", "either as segment"),
    (SMOOTH, "model.sizes: is missing"),
    (SMOOTH + "\nsizes = {smallest = 2, largest = 1}", "smallest <= largest"),
    (SMOOTH + "\nsizes = {fractions = [0.5, 0.6], diameters = [1, 2]}", "add up to 1"),
    (SMOOTH + "\nsizes = {fractions = [1.0]}", "sizes.diameters or mixing.length"),
    (SMOOTH + "\nsizes = {smalest = 1, largest = 2}", "did you mean 'smallest'?"),
    (SMOOTH + "\nmixing = {length = [[1, 2], [3, 4]]}\nsizes = {fractions = [0.5, 0.5]}", "symmetric"),
    ("segment = [{upto = 2.5, powers = [-12, -6], coefficients = [4, -4]}]\n" + EQUAL, "phi jumps at x = 2.5"),
    ("segment = [{upto = 2.5, powers = [-12], coefficients = [4, -4]}]\n" + EQUAL, "1 powers but 2"),
])
def test_a_wrong_model_is_explained(model, said):
    assert any(said in message for message in problems(OWN % model)), problems(OWN % model)


def test_attraction_is_not_repulsive():
    text = OWN % ("segment = [{upto = 1, powers = [0, 1, 2, 3], coefficients = [-1, 3, -3, 1]}]\n" + EQUAL)
    assert not load(text).glass().repulsive     # phi = (x - 1)^3 < 0


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_box_has_the_asked_density_shape_and_strain(dimension):
    tilts = (0.3,) if dimension == 2 else (0.3, -0.2, 0.4)
    system = SystemParams(model="ipl10", dimension=dimension, particles=500, density=0.8,
                          aspect=(1.0, 2.0, 3.0)[:dimension], tilt=tilts)
    box = system.box()
    volume = math.prod(box[a][a] for a in range(dimension))
    assert volume == pytest.approx(500 / 0.8)
    assert box[1][1] == pytest.approx(2 * box[0][0])
    assert box[0][1] == pytest.approx(0.3 * box[1][1])
    if dimension == 3:
        assert box[1][2] == pytest.approx(0.4 * box[2][2])
    assert heights(box) == pytest.approx(1 / np.linalg.norm(np.linalg.inv(box), axis=1))


def test_a_file_is_found_relative_to_the_input(tmp_path):
    (tmp_path / "start.xyz").write_text("1\n\nX 0 0 0\n")
    path = tmp_path / "in.toml"
    path.write_text('[system]\nmodel = "ipl12"\nfile = "start.xyz"\n[[stage]]\nkind = "quench"\n')
    config = Config.load(path)
    assert config.system.file == str(tmp_path / "start.xyz")
    assert Config.parse(config.to_toml(), "/elsewhere/resolved.toml") == config


def test_keys_nested_without_end_are_refused():
    assert "nested too deeply" in problems(INPUT + "\n[system" + ".a" * 5000 + "]\nx = 1\n")[0]
    assert "nested too deeply" in problems(INPUT, "system" + ".a" * 5000 + "=1")[0]


def make_directory(path):
    path.mkdir()


@pytest.mark.parametrize(("make", "said"), [
    (lambda p: None, "no such file"),
    (make_directory, "is a directory"),
    (lambda p: p.write_bytes(b"seed = 1\ntitle = '\xff'"), ":2: byte 0xff is not UTF-8"),
    (lambda p: p.write_bytes(b" \n"), "the file is empty"),
])
def test_files_that_are_no_input(tmp_path, make, said):
    path = tmp_path / "in.toml"
    make(path)
    with pytest.raises(InputError) as error:
        Config.load(path)
    assert said in str(error.value)


@pytest.mark.parametrize(("stage", "said"), [
    ('kind = "expand"\ncompare = -50', "compare = -50.0: is a strain of 2.5 at once"),
    ('kind = "expand"\ncompare = 1e-3\ngradient = [[1e30, 0], [0, 0]]', "gradient = .*must have entries within"),
    ('kind = "expand"\ncompare = 1\ngradient = [[2e3, 0], [0, 0]]', "compare = 1.0: is a strain of 100 at once"),
    ('kind = "expand"\nmode = "dilation"\ncompare = 5', "compare = 5.0: is a dilation by 5"),
    ('kind = "shear"\nstrain_step = 2\nmax_strain = 8', "strain_step = 2.0: is more than a strain of 1 at once"),
    ('kind = "shear"\nmode = "dilation"\nstrain_step = -0.1\nmax_strain = 8', "max_strain = 8.0: is more than a true strain"),
    ('kind = "shear"\nmax_strain = 0.1\nactivity_bin = 1e-9', "activity_bin = 1e-09: must be >= 0.1"),
])
def test_strains_beyond_all_glasses_are_refused(stage, said):
    """They would deform the cell to nothing, or ask for more pairs than there is memory for."""
    found, = problems(f'[system]\nmodel = "ipl12"\nparticles = 1000\n[[stage]]\n{stage}\n')
    assert re.search(said, found), found
