"""Lattices made of glasses in the same input: what cannot fit is refused before the glass is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcglass.config import Config
from hpcglass.errors import InputError
from hpcglass.sweep import Sweep

INPUT = (Path(__file__).parents[2] / "inputs" / "atoms-to-lattice.toml").read_text(encoding="utf-8")


def parse(*changes):
    text = INPUT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Config.parse(text, "input.toml")


@pytest.mark.parametrize("changes", [
    (), [("flow = 1.0", "flow = 2.0")], [("N = 4900", "N = 2500"), ("L = 14", "L = 10")],
    [("L = 14", "L = 13"), (", as_map = true", ""), ("local_moduli = true", "")],         # thresholds are drawn
    [("L = 14", "L = 13"), ('label = "glass"', 'label = "glass"\npressure = 1.0')]])       # who knows how large it will be
def test_what_fits_or_may_fit(changes):
    assert len(parse(*changes).stages()) == 10


@pytest.mark.parametrize("changes,message", [
    ([("L = 14", "L = 13")], r"stage\[9\].size = 13: the glass of stage strength will have 14 x 14 blocks of xi = 6.402: make"),
    ([("N = 4900", "N = 2500")], "will have 10 x 10 blocks"),
    ([("flow = 1.0", "flow = 0.6")], r"13 x 14 blocks of xi = 6.402 in a cell that leans by -0.4 of its width"),
    ([('max_strain = "$flow"\nplateau', "max_strain = 2.0\nplateau")],
     r"stage\[4\].max_strain = 2.0: is beyond the loading of stage fresh-shear, which ends at 1"),
    ([('max_strain = "$flow"\nevent', 'max_strain = "$flow"\ncycles = 2\nevent')],
     r'stage\[4\].target.of = "fresh-shear": the loading of stage fresh-shear does not go one way')])
def test_what_cannot_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        parse(*changes)


def test_points_of_a_sweep_are_looked_at():
    sweep = Sweep.read(INPUT.replace("[system]", "[sweep]\nN = [4900, 2500]\n[system]"), Path("input.toml"), ())
    chosen = sweep.tasks(Path("out"))
    sweep.check(chosen[:1])
    with pytest.raises(InputError, match="task 1 of the sweep: with N = 2500 the input is wrong"):
        sweep.check(chosen)


@pytest.mark.parametrize("turns,leans", [("turning_points = [1.0, 0.0]", False), ("turning_points = [1.0, 0.5]", True),
                                         ("cycles = 1", False)])
def test_where_a_loading_ends(turns, leans):
    """With numbers as the target: a loading that turns is none."""
    changes = [('target = { of = "fresh-shear" }', "target = { plateau = 0.3 }"),
               ('max_strain = "$flow"\nevent', f'max_strain = "$flow"\n{turns}\nevent')]
    if not leans:
        parse(*changes)
        return
    with pytest.raises(InputError, match="leans by"):
        parse(*changes)
