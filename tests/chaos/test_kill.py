"""kill -9 at random times: nothing unreadable, and the resumed run gives the same bits.

CHAOS_KILLS sets the number of kills (default 12).
"""

from __future__ import annotations

import os
import random
import time

import pytest
from harness import Program, all_readable, same, wait_for

KILLS = int(os.environ.get("CHAOS_KILLS", "12"))
SHARE = {1: 0.4, 2: 0.35, 4: 0.25}


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_killed_and_resumed_run_equals_the_uninterrupted_one(ranks, reference, slow_input, tmp_path):
    dice = random.Random(ranks)
    output = tmp_path / "run"
    finished = 0
    for _ in range(max(1, round(SHARE[ranks] * KILLS))):
        program = Program(slow_input, output, ranks)
        # most kills while it works, some while it starts
        wait_for(output / "resolved.toml", program) if dice.random() < 0.8 else None
        time.sleep(dice.uniform(0.0, 1.2))
        program.kill()
        if output.exists():
            all_readable(output)
        if (output / "DONE").exists():
            same(output, reference(ranks))
            finished += 1
            output = tmp_path / f"run-{finished}"
    code, text = Program(slow_input, output, ranks).wait()
    assert code == 0, text
    same(output, reference(ranks))


def test_a_lost_rank_ends_the_job(reference, slow_input, tmp_path):
    """One rank of two is gone: the other does not wait for it, and the run can be continued."""
    program = Program(slow_input, tmp_path / "run", 2, CHAOS="exit:1:15")
    code, _ = program.wait()
    assert code != 0 and program.seconds < 30
    assert all_readable(tmp_path / "run")
    code, text = Program(slow_input, tmp_path / "run", 2).wait()
    assert code == 0, text
    same(tmp_path / "run", reference(2))


def test_frames_of_a_lost_future_are_set_aside(reference, slow_input, tmp_path):
    """Segments written after the last checkpoint: kept under another name, and made again."""
    output = tmp_path / "run"
    code, text = Program(slow_input, output, 1, checkpoint=1e9, CHAOS="signal:0:15").wait()
    assert code == 75, text
    first = (output / "00-toy.traj-0000.h5").read_bytes()
    for n in (1, 2, 3):
        (output / f"00-toy.traj-000{n}.h5").write_bytes(first)
    code, text = Program(slow_input, output, 1, checkpoint=1e9).wait()
    assert code == 0 and "set aside 00-toy.traj-0001.h5, 00-toy.traj-0002.h5" in text, text
    assert (output / "00-toy.traj-0003.h5.surplus-1").read_bytes() == first
    same(output, reference(1))
