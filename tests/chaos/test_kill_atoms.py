"""The whole way from atoms to a lattice, made small: killed twice on two ranks; the same on any number of them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from harness import Program, results, wait_for_checkpoint_after

import hpcglass

INPUT = (Path(__file__).parents[2] / "inputs" / "atoms-to-lattice.toml").read_text(encoding="utf-8")
SMALL = shlex.split(re.search(r"^# try it small:(.*)$", INPUT, re.MULTILINE)[1])
SWAP = re.compile(r'\[\[stage\]\] *#?[^\n]*\nkind = "swap"\n.*?\n\n', re.DOTALL)
TABLES = {"fresh": ("blocks", "sites"), "fresh-shear": ("loading",), "strength": ("blocks", "sites"), "shear": ("loading",),
          "epm": ("beside",)}


def run(source, out, ranks, options=SMALL):
    code, printed = Program(source, out, ranks, *options, checkpoint=1e9).wait()
    assert code == 0, printed


@pytest.mark.slow
def test_killed_twice(tmp_path):
    """While the fresh glass is loaded, and while the annealed one is made: the same bits."""
    source = tmp_path / "input.toml"
    source.write_text(INPUT)
    run(source, tmp_path / "whole", 2)
    for before in ("02-fresh.h5", "04-slips.h5"):
        program = Program(source, tmp_path / "run", 2, *SMALL, checkpoint=0.0)
        wait_for_checkpoint_after(tmp_path / "run" / before, program)
        program.kill()
        assert not (tmp_path / "run" / "DONE").exists()
    run(source, tmp_path / "run", 2)
    assert (tmp_path / "run" / "log.txt").read_text().count("continuing from checkpoint") == 2
    whole, resumed = results(tmp_path / "whole", ()), results(tmp_path / "run", ())
    assert whole.keys() == resumed.keys() and [name for name in whole if whole[name] != resumed[name]] == []
    fields = [hpcglass.open(tmp_path / name)["epm"].grids for name in ("whole", "run")]
    assert all(np.array_equal(values, fields[1][name]) for name, values in fields[0].items()) and len(fields[0]) == 4


@pytest.mark.slow
def test_ranks(tmp_path):
    """Swap moves are others on other numbers of ranks: without them, from a random start, all that follows is the same.

    Means over blocks are so to round-off; a lattice whose thresholds differ in the last digit may take another avalanche, and
    its slip is the same within its error.
    """
    source = tmp_path / "input.toml"
    text, removed = SWAP.subn("", INPUT)
    assert removed == 2
    for name in ("T_p", "fresh"):
        text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
    source.write_text(text)
    options = [word for option, key in zip(SMALL[::2], SMALL[1::2], strict=True) if "liquid" not in key for word in (option, key)]
    for ranks in (1, 2, 4):
        run(source, tmp_path / f"{ranks}", ranks, options)
    alone = hpcglass.open(tmp_path / "1")
    for ranks in (2, 4):
        together = hpcglass.open(tmp_path / f"{ranks}")
        for stage, names in TABLES.items():
            for name in names:
                found = together[stage].tables[name]
                for column, values in alone[stage].tables[name].items():
                    np.testing.assert_allclose(found[column], values, rtol=1e-9, atol=1e-11, err_msg=f"{stage}: {column}")
        slips, others = alone["slips"].results, together["slips"].results
        assert abs(others["fixed"] - slips["fixed"]) < slips["fixed_error"]
