"""The real stages, killed several times in the middle: the same bits in every dataset."""

from __future__ import annotations

import random
import time

import pytest
from harness import Program, results, wait_for, wait_for_checkpoint_after

INPUT = """
seed = 3
[system]
model = "{model}"
dimension = 2
particles = 200
[[stage]]
{first}
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
strain_step = 2e-3
max_strain = 0.05
frames_every = 5
"""
FIRST = {
    "swap": ("ipl12", 'kind = "swap"\ntemperature = 0.3\nsweeps = 400\nwarmup = 100\nframes = 3'),
    "md": ("lj-binary", 'kind = "md"\ntemperature = 0.7\ntemperature_end = 0.3\ntime = 10.0\nframes = 3\n'
                        'thermostat = "langevin"'),
}


@pytest.mark.slow
@pytest.mark.parametrize("first,ranks", [("swap", 2), ("md", 1)])
def test_every_stage_resumes_to_the_bit(first, ranks, tmp_path):
    source = tmp_path / "input.toml"
    model, text = FIRST[first]
    source.write_text(INPUT.format(model=model, first=text))
    code, printed = Program(source, tmp_path / "whole", ranks, checkpoint=1e9).wait()
    assert code == 0, printed
    dice = random.Random(ranks)
    for stem in ("00", "01", "02"):
        program = Program(source, tmp_path / "run", ranks, checkpoint=0.0)
        # once per stage: after its predecessor's file is there, somewhere in the middle
        wait_for(tmp_path / "run" / "checkpoint-a.h5", program)
        if stem != "00":
            previous = "00-" + first if stem == "01" else "01-quench"
            wait_for(tmp_path / "run" / f"{previous}.h5", program)
        time.sleep(dice.uniform(0.1, 0.6))
        program.kill()
    code, printed = Program(source, tmp_path / "run", ranks).wait()
    assert code == 0, printed
    assert "continuing from checkpoint" in (tmp_path / "run" / "log.txt").read_text()
    whole, resumed = results(tmp_path / "whole", ("position",)), results(tmp_path / "run", ("position",))
    assert whole.keys() == resumed.keys() and len(whole) > 20
    assert [name for name in whole if whole[name] != resumed[name]] == []


QUESTIONS = """
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
[[stage]]
kind = "expand"
bonds = true
compare = 2e-3
compare_steps = 60
[[stage]]
kind = "modes"
count = 10
[[stage]]
kind = "bonds"
count = 5
pseudo_harmonic = 3
"""


@pytest.mark.slow
def test_questions_to_a_glass_resume_to_the_bit(tmp_path):
    """Killed among the strained states, and once more between stages. One rank: MUMPS on several is not the same to the bit."""
    source = tmp_path / "input.toml"
    source.write_text(QUESTIONS)
    code, printed = Program(source, tmp_path / "whole", 1, checkpoint=1e9).wait()
    assert code == 0, printed
    program = Program(source, tmp_path / "run", 1, checkpoint=0.0)
    wait_for_checkpoint_after(tmp_path / "run" / "01-quench.h5", program)
    program.kill()
    program = Program(source, tmp_path / "run", 1, checkpoint=0.0)
    wait_for(tmp_path / "run" / "02-expand.h5", program)
    program.kill()
    code, printed = Program(source, tmp_path / "run", 1).wait()
    assert code == 0, printed
    assert "continuing from checkpoint" in (tmp_path / "run" / "log.txt").read_text()
    whole, resumed = results(tmp_path / "whole", ("position",)), results(tmp_path / "run", ("position",))
    assert whole.keys() == resumed.keys() and len(whole) > 60
    assert [name for name in whole if whole[name] != resumed[name]] == []


ALONG = """
seed = 2
[system]
model = "ipl12"
dimension = 2
particles = 200
[[stage]]
kind = "quench"
force_tolerance = 1e-12
[[stage]]
kind = "shear"
strain_step = 1e-3
max_strain = 0.03
locate = true
[[stage]]
kind = "indicators"
of = "shear"
which = ["theta", "contacts", "nafmu"]
kick_steps = 2000
strains = [0.0, 0.01, 0.02]
onsets = true
before_events = [1e-3]
events = 0
"""


@pytest.mark.slow
def test_indicators_along_a_loading_resume_to_the_bit(tmp_path):
    """Killed twice among the configurations, their frames and columns of fields half done."""
    source = tmp_path / "input.toml"
    source.write_text(ALONG)
    code, printed = Program(source, tmp_path / "whole", 1, checkpoint=1e9).wait()
    assert code == 0, printed
    for _ in range(2):
        program = Program(source, tmp_path / "run", 1, checkpoint=0.0)
        wait_for_checkpoint_after(tmp_path / "run" / "01-shear.h5", program)
        time.sleep(0.2)
        program.kill()
    code, printed = Program(source, tmp_path / "run", 1).wait()
    assert code == 0, printed
    assert "continuing from checkpoint" in (tmp_path / "run" / "log.txt").read_text()
    whole, resumed = results(tmp_path / "whole", ("position",)), results(tmp_path / "run", ("position",))
    assert whole.keys() == resumed.keys() and any("theta" in name for name in whole)
    assert [name for name in whole if whole[name] != resumed[name]] == []
