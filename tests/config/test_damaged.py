"""Five hundred damaged inputs and every key misspelt: clear errors, no other exception."""

import json
import random
import re

import pytest

from hpcglass import registry
from hpcglass.__main__ import main
from hpcglass.commands.listing import keys
from hpcglass.config import Config
from hpcglass.config.suggest import edit_distance, suggest
from hpcglass.errors import InputError

SEED = 20_240
COMPLETE = """\
title = "all keys"
seed = 1
[parameters]
T = 0.5
[system]
model = "mine"
dimension = 3
particles = 4000
density = 0.58
aspect = [1.0, 1.0, 2.0]
tilt = [0.1, 0.0, 0.2]
sizes = "random"
start = "lattice"
[model]
name = "mine"
summary = "of my own"
beta = 10
q = 3
x_c = 1.4
density = 0.58
mixing = {nonadditivity = 0.1, energy_power = 0}
sizes = {smallest = 1.0, largest = 2.22, exponent = 3.0}
%s
[sweep]
T = [0.5, 0.6]
[ensemble]
samples = 2
ranks_per_sample = 1
"""


def stage_tables():
    """One [[stage]] per kind with all its keys."""
    given = {"temperature": "$T", "temperature_end": 0.4, "time": 10.0, "sweeps": 100, "max_strain": 0.1, "pressure": 0.1,
             "gradient": [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "count": 10, "size": 16, "shear_modulus": 20.0, "bulk_modulus": 50.0,
             "renewed_modulus": 15.0, "fit": "c0_c1", "plateau_from": 0.05, "start": 0.03}
    thresholds = {"distribution": "normal", "mean": 1.0, "cv": 0.3, "lower": 0.1, "upper": 2.0}
    tables = {"initial": thresholds, "renewal": thresholds, "backward": thresholds, "slip": {"c0": 0.03, "c1": 0.02},
              "target": {"plateau": 0.8, "plateau_error": 0.01, "peak": 1.0, "peak_error": 0.01}}
    left_out = {"label", "range", "fraction", "strains"}       # others exclude them
    text = ""
    for number, (kind, stage) in enumerate(registry.stages().items()):
        if kind == "inflate":                       # needs walls
            continue
        text += f'[[stage]]\nkind = "{kind}"\nlabel = "s{number}"\n'
        for row in keys(stage.Params):
            if row["key"] in left_out or row["key"] in tables:
                continue
            value = given.get(row["key"], row.get("default"))
            assert value is not None, f"give a value for {kind}.{row['key']} here"
            text += f"{row['key']} = {json.dumps(value)}\n"
        for name, table in tables.items():
            if name in stage.Params.model_fields:
                text += f"[stage.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
    return text


@pytest.fixture(scope="module")
def complete():
    text = COMPLETE % stage_tables()
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


def test_every_key_misspelt_five_times_is_refused_and_nearly_always_understood(complete):
    rng = random.Random(SEED)
    lines = complete.split("\n")
    right, wrong = 0, []
    for number, line in enumerate(lines):
        key = re.match(r"([a-z_]+) = |\[+([a-z_]+)\]+$", line)
        if key is None or lines[number - 1] in ("[parameters]", "[sweep]"):
            continue
        name = key[1] or key[2]
        for _ in range(5):
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


WRONG = ['"text"', "true", "-1", "1.5", "[]", "[1, 2]", "{}", "nan", "inf", "1e400", "9" * 30, "1979-05-27T07:32:00Z",
         '"$nowhere"', '""']


def damage(text, rng):
    """Another text: a wrong value, flipped bytes, a missing piece, or lines out of place."""
    data = bytearray(text.encode())
    kind = rng.randrange(6)
    if kind == 0:
        lines = text.split("\n")
        places = [i for i, line in enumerate(lines) if " = " in line]
        place = rng.choice(places)
        lines[place] = lines[place].split(" = ")[0] + " = " + rng.choice(WRONG)
        return "\n".join(lines).encode()
    if kind == 1:
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        data = data[: rng.randrange(len(data))]
    elif kind == 3:
        start = rng.randrange(len(data))
        del data[start: start + rng.randint(1, 80)]
    elif kind == 4:
        lines = text.split("\n")
        rng.shuffle(lines)
        data = bytearray("\n".join(lines).encode())
    else:
        start = rng.randrange(len(data))
        data[start:start] = rng.choice([b"[[", b"]]", b"\x00", b'"""', b"=", b"{" * 2000,
                                        b"\n[stage]\n", b"a.b.c = 1\n", b"\xff"])
    return bytes(data)


def test_five_hundred_damaged_inputs_end_with_a_message_and_exit_code_2(complete, tmp_path, capsys):
    rng = random.Random(SEED)
    refused = 0
    for number in range(500):
        path = tmp_path / f"{number}.toml"
        path.write_bytes(damage(complete, rng))
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


def test_damaged_set_arguments(complete, tmp_path, capsys):
    rng = random.Random(SEED)
    path = tmp_path / "input.toml"
    path.write_text(complete)
    paths = ["seed", "system", "system.model", "stage", "stage.0", "stage.1.time", "s2.algorithm", "model.mixing", "sweep.T", "T",
             "a.b", ".", ""]
    for _ in range(200):
        argument = rng.choice(paths) + rng.choice(["=", "", "=="]) + rng.choice([*WRONG, "[[[", "a\nb = 1", '{x = 1}', "\x00"])
        code = main(["validate", str(path), "--set", argument])
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
