"""Which inputs a directory may grow to, and what is said of others; nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcglass.config import Config
from hpcglass.errors import FileError, InputError
from hpcglass.rundir.extend import Growth, growth
from hpcglass.stages.protocol import Walk, legs

INPUT = """
title = "{title}"
seed = {seed}
[system]
model = "ipl12"
particles = 60
[[stage]]
kind = "swap"
temperature = 0.5
sweeps = {sweeps}
{swap}
[[stage]]
kind = "md"
temperature = 0.5
time = {time}
time_step = 0.01
measure_every = 10
{md}
[[stage]]
kind = "shear"
max_strain = {strain}
{shear}
[[stage]]
kind = "quench"
force_tolerance = {force}
[ensemble]
samples = {samples}
"""
LATTICE = """
[[stage]]
kind = "epm"
size = 8
shear_modulus = 2.0
slip = { fixed = 0.1 }
initial = { distribution = "weibull", mean = 1.0, cv = 0.3 }
"""
BEFORE = {"title": "", "seed": 1, "sweeps": 20, "swap": "", "force": 1e-10,
          "time": 1.0, "md": "", "strain": 0.1, "shear": "", "samples": 2}


def config(**keys):
    return Config.parse(INPUT.format(**{**BEFORE, **keys}), "input.toml")


def grown(after, before=None, last=None):
    return growth(config(**(before or {})).to_toml(), config(**{**(before or {}), **after}), Path("run"), last)


@pytest.mark.parametrize(("before", "after", "stages", "lines"), [
    ({}, {}, (), 0), ({}, {"title": "other"}, (), 0), ({}, {"samples": 20}, (), 1),
    ({}, {"time": 2.0}, (1,), 1),
    ({}, {"strain": 0.3, "time": 2.0, "samples": 3}, (1, 2), 3),
    ({}, {"sweeps": 30}, (0,), 1), ({"time": 1.05}, {"time": 2.0}, (1,), 1),
    ({"shear": "cycles = 1"}, {"shear": "cycles = 3"}, (2,), 1),
    ({"shear": "adaptive = true"}, {"strain": 0.2}, (2,), 1),
])
def test_what_may_grow(before, after, stages, lines):
    found = grown(after, before)
    assert found.stages == stages and len(found.lines) == lines


@pytest.mark.parametrize(("before", "after", "said"), [
    ({}, {"seed": 2}, "seed: 1 -> 2"), ({}, {"samples": 1}, "ensemble.samples: 2 -> 1"),
    ({"samples": 1}, {"samples": 2}, "ensemble.samples: 1 -> 2"), ({}, {"strain": 0.05}, "the loading that was made is longer"),
    ({}, {"sweeps": 10}, "the run that was made is longer"),
    ({"swap": "frames = 2"}, {"sweeps": 40}, "its frames are spread evenly over the whole run"),
    ({"sweeps": 30}, {"sweeps": 40}, "its 30 sweeps end within one of the sub-sweeps, of 20"),
    ({}, {"swap": "swap_fraction = 0.5"}, "of a finished `swap` sweeps may grow, nothing else"),
    ({}, {"force": 1e-8}, "a finished `quench` has no end from which it could go on"),
    ({}, {"time": 0.5}, "run that was made is longer"),
    ({"md": "frames = 2"}, {"time": 2.0}, "its frames are spread evenly"),
    ({"md": "temperature_end = 0.1"}, {"time": 2.0}, "a ramp over a longer time is another ramp"),
    ({"shear": "turning_points = [0.1, 0.0]"}, {"strain": 0.2}, "a loading through turning points ends"),
    ({"shear": "cycles = 1"}, {"strain": 0.2}, "cycles are continued by more cycles of the same amplitude"),
    ({}, {"shear": "cycles = 2"}, "cycles are continued by more cycles"),
    ({}, {"strain": 0.2, "seed": 2}, "seed: 1 -> 2"),
])
def test_what_may_not(before, after, said):
    with pytest.raises(InputError, match=r"run (was made from another input|cannot be continued)") as caught:
        grown(after, before)
    assert said in str(caught.value) and "use --fresh to start over" in str(caught.value)


def test_stages_behind_the_last_one():
    """They may be added, and only there; a file of the stages before is not concerned."""
    text, more = INPUT.format(**BEFORE), '[[stage]]\nkind = "indicators"\n[[stage]]\nkind = "bonds"\n'
    old, new = Config.parse(text, "input.toml"), Config.parse(text + more, "input.toml")
    found = growth(old.to_toml(), new, Path("run"))
    assert found.stages == (4, 5) and found.lines == ("stage.4.kind: not set -> indicators", "stage.5.kind: not set -> bonds")
    assert growth(old.to_toml(), new, Path("run"), last=3) == Growth()
    both = Config.parse(INPUT.format(**BEFORE | {"strain": 0.3}) + more, "input.toml")
    assert growth(old.to_toml(), both, Path("run")).stages == (2, 4, 5)
    for wrong in (config(seed=2), Config.parse(text.replace("[[stage]]", more + "[[stage]]", 1), "input.toml")):
        with pytest.raises(InputError, match="was made from another input"):
            growth(old.to_toml(), wrong, Path("run"))
    with pytest.raises(InputError, match="indicators -> not set"):
        growth(new.to_toml(), old, Path("run"))


@pytest.mark.parametrize(("before", "after", "said"), [
    ("max_strain = 0.5", "max_strain = 0.9", ""), ("max_strain = 0.5\ncycles = 1", "max_strain = 0.5\ncycles = 2", ""),
    ("max_strain = 0.5\nfields_at = [0.2]", "max_strain = 0.9\nfields_at = [0.2, 0.8]\nwindows = [0.6]", ""),
    ("max_strain = 0.5\nfields_at = [0.2]", "max_strain = 0.9\nfields_at = [0.2, 0.4]",
     "fields_at = [0.2] may be continued only by"),
    ("max_strain = 0.5\nwindows = [0.2]", "max_strain = 0.9", "windows = [0.2] may be continued only by strains beyond 0.5"),
    ("max_strain = 0.5\ncycles = 1", "max_strain = 0.5\ncycles = 2\nwindows = [1.9]",
     "beyond 2, where the loading that was made ends"),
    ("max_strain = 0.5", "max_strain = 0.4", "the loading that was made is longer"),
    ("max_strain = 0.5", "max_strain = 0.9\nbulk_modulus = 3.0",
     "max_strain and cycles and fields_at and windows may grow"),
])
def test_a_lattice(before, after, said):
    old, new = (Config.parse(LATTICE + keys, "input.toml") for keys in (before, after))
    if not said:
        assert growth(old.to_toml(), new, Path("run")).stages == (0,)
        return
    with pytest.raises(InputError) as caught:
        growth(old.to_toml(), new, Path("run"))
    assert said in str(caught.value)


def test_later_stages_do_not_matter_to_a_file():
    assert grown({"strain": 0.3, "samples": 9}, last=1) == Growth()
    assert grown({"strain": 0.3, "time": 2.0}, last=1).stages == (1,)
    with pytest.raises(FileError, match=r"resolved\.toml is damaged"):
        growth("seed = ", config(), Path("run"))


@pytest.mark.parametrize(("before", "after"), [((0.02, 1e-3, [], 0), (0.05, 1e-3, [], 0)),
                                               ((0.01, 1e-3, [], 1), (0.01, 1e-3, [], 3))])
def test_a_walk_goes_on_from_its_end(before, after):
    """With halved steps, as if it had been the longer one from the start."""
    def walked(walk, strains, halve):
        while not walk.done:
            if halve(len(strains)):
                walk.halve()
            strains.append(walk.ahead)
            walk.advance()
        return walk

    def halve(n):
        return n % 7 == 3 or n == 17

    strains, at_once = [], []
    first = walked(Walk(legs(*before), 1e-4), strains, halve)
    walked(Walk(legs(*after), 1e-4, first.scalars), strains, halve)
    walked(Walk(legs(*after), 1e-4), at_once, halve)
    assert strains == at_once
