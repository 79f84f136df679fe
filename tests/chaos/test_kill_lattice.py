"""A loaded lattice, killed in the middle: no particles, and the same bits in every dataset and field."""

from __future__ import annotations

import numpy as np
import pytest
from harness import Program, results, wait_for

from hpcglass.analysis.open_run import read_stage

INPUT = """
seed = 3
[[stage]]
kind = "epm"
size = 24
shear_modulus = 20.0
initial = { distribution = "normal", mean = 2.0, cv = 0.3 }
renewal = { distribution = "weibull", mean = 1.6, cv = 0.4 }
slip = { c0 = 0.03, c1 = 0.01 }
internal_stress = 0.1
max_strain = 0.18
record_every = 0.01
fields_at = [0.06, 0.12, 0.18]
"""


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_lattice_resumes_to_the_bit(ranks, tmp_path):
    source = tmp_path / "input.toml"
    source.write_text(INPUT)
    code, printed = Program(source, tmp_path / "whole", 1, checkpoint=1e9).wait()
    assert code == 0, printed
    program = Program(source, tmp_path / "run", ranks, checkpoint=0.0)
    wait_for(tmp_path / "run" / "00-epm.traj-0000.h5", program)        # beyond the first field
    program.kill()
    assert not (tmp_path / "run" / "00-epm.h5").exists()
    code, printed = Program(source, tmp_path / "run", ranks, checkpoint=1e9).wait()
    assert code == 0, printed
    assert "continuing from checkpoint" in (tmp_path / "run" / "log.txt").read_text()
    whole, resumed = (results(tmp_path / name, ()) for name in ("whole", "run"))
    assert whole.keys() == resumed.keys() and len(whole) > 40
    assert [name for name in whole if whole[name] != resumed[name]] == []
    fields, others = (read_stage(tmp_path / name / "00-epm.h5") for name in ("whole", "run"))
    assert fields.grids["events"].shape == (3, 24, 24) and fields.grids["events"][2].sum() == fields.results["slips_total"]
    for name, values in fields.grids.items():
        assert np.array_equal(others.grids[name], values), name
