"""Damaged files: always noticed, never used, and the run finds another way.

CHAOS_FILES sets the number of damaged files (default 200). They are read in a process of their own, which must not crash.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from harness import Program, same

FILES = int(os.environ.get("CHAOS_FILES", "200"))

READ_ALL = """
import json, sys
from pathlib import Path
from hpcglass.errors import FileError
from hpcglass.io.reader import verify
answers = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        answers[path.name] = verify(path)
    except FileError as error:
        assert str(path) in str(error)
        answers[path.name] = str(error)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped in its second stage, with both checkpoints and trajectory segments."""
    from harness import write_input

    directory = tmp_path_factory.mktemp("stopped")
    source = write_input(directory / "input.toml", pause=0.015)
    for chaos in ("signal:0:10", "signal:0:30", "signal:0:20"):
        code, text = Program(source, directory / "run", 1, checkpoint=1e9, CHAOS=chaos).wait()
        assert code == 75, text
    return directory


def damage(data: bytes, dice: random.Random) -> bytes:
    """Cut the file, flip a bit, or overwrite some bytes."""
    changed = bytearray(data)
    kind = dice.randrange(4)
    if kind == 0:
        return data[: dice.randrange(len(data))]
    for _ in range(1 if kind < 3 else 8):
        # the structure is small beside the data: aim at it half of the time
        place = dice.randrange(len(data)) if kind == 1 else dice.randrange(min(len(data), 6000))
        changed[place] ^= 1 << dice.randrange(8)
    return bytes(changed)


def test_damaged_files_are_noticed(stopped, tmp_path):
    """Every damaged file is refused, wherever the damage is, and nothing crashes."""
    dice = random.Random(3)
    good = sorted((stopped / "run").glob("*.h5"))
    assert len(good) >= 4
    for n in range(FILES):
        source = good[n % len(good)]
        (tmp_path / f"{n:05d}.h5").write_bytes(damage(source.read_bytes(), dice))
    reader = subprocess.run([sys.executable, "-c", READ_ALL, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert reader.returncode == 0, reader.stderr
    answers = json.loads(reader.stdout)
    assert [name for name, answer in answers.items() if not isinstance(answer, str)] == []


@pytest.mark.parametrize("bad", [["a"], ["b"], ["a", "b"]])
def test_run_falls_back(bad, stopped, tmp_path, reference):
    """The other checkpoint, or the last finished stage, is used; the result is the same."""
    output = tmp_path / "run"
    output.mkdir()
    for path in (stopped / "run").iterdir():
        (output / path.name).write_bytes(path.read_bytes())
    for letter in bad:
        path = output / f"checkpoint-{letter}.h5"
        path.write_bytes(path.read_bytes()[:-2000])
    code, text = Program(stopped / "input.toml", output, 1).wait()
    assert code == 0, text
    assert text.count("it is not used") == 2 * len(bad)      # where it is met, and among the warnings at the end
    same(output, reference(1))


def test_damaged_stage_file_is_made_again(stopped, tmp_path, reference):
    output = tmp_path / "run"
    output.mkdir()
    for path in (stopped / "run").iterdir():
        (output / path.name).write_bytes(path.read_bytes())
    data = bytearray((output / "00-toy.h5").read_bytes())
    data[len(data) // 2] ^= 4
    (output / "00-toy.h5").write_bytes(data)
    code, text = Program(stopped / "input.toml", output, 1).wait()
    assert code == 0 and "set aside" in text, text
    assert (output / "00-toy.h5.damaged-1").exists()
    same(output, reference(1))


def test_resume_on_another_number_of_ranks(stopped, tmp_path, reference):
    """Correct, though not to the bit: the toy stage's moves do not depend on the ranks, round-off does."""
    import numpy as np

    from hpcglass.io import trajectory

    output = tmp_path / "run"
    output.mkdir()
    for path in (stopped / "run").iterdir():
        (output / path.name).write_bytes(path.read_bytes())
    code, text = Program(stopped / "input.toml", output, 2).wait()
    assert code == 0 and "continuing from checkpoint" in text, text
    steps, memory = trajectory.frames_of(output, "01-again", "memory")
    expected = reference(1)["01-again frames of memory"]
    assert np.allclose(memory.ravel(), np.frombuffer(expected), rtol=0, atol=1e-12)
    assert steps.tolist() == reference(1)["01-again steps of memory"]
