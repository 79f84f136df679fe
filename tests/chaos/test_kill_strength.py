"""The stage `strength` killed among its sites, on two ranks, of the glass and of frames of a loading, by both methods: the same
bits.
"""

from __future__ import annotations

import pytest
from harness import Program, results, wait_for_checkpoint_after

INPUT = """
seed = 4
[system]
model = "ipl10"
dimension = 2
particles = 400
[[stage]]
kind = "swap"
temperature = 0.5
sweeps = 30
[[stage]]
kind = "quench"
force_tolerance = 1e-12
[[stage]]
kind = "strength"
spacing = 2.5
backward = true
[[stage]]
kind = "shear"
max_strain = 0.01
frames_every = 5
[[stage]]
kind = "strength"
label = "along"
of = "shear"
spacing = 2.5
weakest = true
[[stage]]
kind = "strength"
label = "series"
method = "micromechanics"
of = "shear"
sites = "particles"
"""


@pytest.mark.slow
def test_killed_among_sites_and_frames(tmp_path):
    source = tmp_path / "input.toml"
    source.write_text(INPUT)
    code, printed = Program(source, tmp_path / "whole", 2, checkpoint=1e9).wait()
    assert code == 0, printed
    for before in ("01-quench.h5", "03-shear.h5", "04-along.h5"):
        program = Program(source, tmp_path / "run", 2, checkpoint=0.0)
        wait_for_checkpoint_after(tmp_path / "run" / before, program)
        program.kill()
    code, printed = Program(source, tmp_path / "run", 2).wait()
    assert code == 0, printed
    assert "continuing from checkpoint" in (tmp_path / "run" / "log.txt").read_text()
    whole, resumed = results(tmp_path / "whole", ("position",)), results(tmp_path / "run", ("position",))
    assert whole.keys() == resumed.keys() and any("delta_tau_y" in name for name in whole)
    assert [name for name in whole if whole[name] != resumed[name]] == []
