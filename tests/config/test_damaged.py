"""Damaged inputs, extreme numbers and every key misspelt: clear errors, no other exception. See also tools/chaos/inputs.py."""

import random
import re

import mutations
import pytest

from hpcglass.__main__ import main
from hpcglass.config import Config
from hpcglass.config.suggest import edit_distance, suggest
from hpcglass.errors import InputError

SEED = 20_240


@pytest.fixture(scope="module")
def complete():
    text = mutations.complete()
    Config.parse(text, "input.toml")      # valid before it is damaged
    return text


def misspelt(word, rng):
    """One or two random edits."""
    letters = list(word)
    for _ in range(rng.choice([1, 1, 2])):
        place = rng.randrange(len(letters))
        kind = rng.randrange(4)
        if kind == 0 and len(letters) > 2:
            del letters[place]
        elif kind == 1:
            letters.insert(place, rng.choice("abcdefghijklmnopqrstuvwxyz_"))
        elif kind == 2:
            letters[place] = rng.choice("abcdefghijklmnopqrstuvwxyz_")
        elif place + 1 < len(letters):
            letters[place: place + 2] = letters[place: place + 2][::-1]
    return "".join(letters)


def test_every_key_misspelt_twice_is_refused_and_nearly_always_understood(complete):
    rng = random.Random(SEED)
    lines = complete.split("\n")
    right, wrong = 0, []
    for number, line in enumerate(lines):
        key = re.match(r"([a-z_]+) = |\[+([a-z_]+)\]+$", line)
        if key is None or lines[number - 1] in ("[parameters]", "[sweep]"):
            continue
        name = key[1] or key[2]
        for _ in range(2):
            typo = misspelt(name, rng)
            while typo == name:
                typo = misspelt(name, rng)
            damaged = [*lines[:number], line.replace(name, typo, 1), *lines[number + 1:]]
            with pytest.raises(InputError) as error:
                Config.parse("\n".join(damaged), "input.toml")
            if f"did you mean '{name}'?" in str(error.value) or f":{number + 1}: not valid TOML" in str(error.value):
                right += 1
            else:
                wrong.append((name, typo, str(error.value)[:150]))
    assert right >= 0.95 * (right + len(wrong)), wrong
    assert right > 200


def test_five_hundred_damaged_inputs_end_with_a_message_and_exit_code_2(complete, tmp_path, capsys):
    rng = random.Random(SEED)
    refused = 0
    for number in range(500):
        path = tmp_path / f"{number}.toml"
        path.write_bytes(mutations.damage(complete, rng))
        code = main(["validate", str(path)])
        out, err = capsys.readouterr()
        assert code in (0, 2), (number, code)
        assert "Traceback" not in err
        if code:
            refused += 1
            assert str(path) in err
        else:
            assert out.startswith("valid")
    assert refused > 400      # the rest are changes of a digit or a comment


@pytest.mark.parametrize("number", range(len(mutations.single_stages())))
def test_extreme_numbers_end_with_a_message_or_an_estimate(number, tmp_path, capsys):
    """Every number of every stage, and of [system] and [model] at one of them, at 0, negative, tiny, huge, and 2^62."""
    rng, path = random.Random(number), tmp_path / "input.toml"
    text = mutations.single_stages()[number]
    refused = 0
    damaged = mutations.every_extreme(text)
    for changed in rng.sample(damaged, min(len(damaged), 100)):
        path.write_text(changed)
        code = main(["validate", str(path)])
        out, err = capsys.readouterr()
        assert code in (0, 2) and (out.startswith("valid") if code == 0 else str(path) in err), (code, err)
        assert "inf" not in out.replace("inflate", ""), out
        refused += code == 2
    assert refused > 10


def test_damaged_set_arguments(complete, tmp_path, capsys):
    rng = random.Random(SEED)
    path = tmp_path / "input.toml"
    path.write_text(complete)
    paths = ["seed", "system", "system.model", "stage", "stage.0", "stage.1.time", "s2.algorithm", "model.mixing", "sweep.T", "T",
             "a.b", ".", ""]
    for _ in range(200):
        value = rng.choice([*mutations.WRONG, *mutations.EXTREME, "[[[", "a\nb = 1", "{x = 1}", "\x00"])
        argument = rng.choice(paths) + rng.choice(["=", "", "=="]) + value
        code = main(["validate", str(path), f"--set={argument}"])
        assert code in (0, 2)
        assert "Traceback" not in capsys.readouterr().err


def test_edit_distance():
    assert edit_distance("strain", "strain") == 0
    assert edit_distance("strian", "strain") == 1       # neighbours exchanged
    assert edit_distance("sed", "seed") == 1
    assert edit_distance("", "abc") == 3
    assert suggest("strian_stp", ["strain_step", "max_strain"]) == "strain_step"
    assert suggest("time_stp", ["time", "time_step"]) == "time_step"
    assert suggest("xyz", ["strain_step"]) is None
    assert suggest("tim", ["time", "tile"], present=["time"]) == "time"
