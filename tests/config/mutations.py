"""Inputs with every key, and ways to spoil them: for the tests and for tools/chaos/inputs.py."""

from __future__ import annotations

import json
import random
import re

from hpcglass import registry
from hpcglass.commands.listing import keys

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
ANNULUS = """\
seed = 3
[system]
model = "pieces"
dimension = 2
density = 0.87
r_in = 1.5
r_out = 8.0
[model]
name = "pieces"
density = 0.8
mixing = {energy_power = 2, length = [[1.0, 1.2], [1.2, 1.4]], energy = [[1.0, 0.9], [0.9, 1.0]]}
sizes = {fractions = [0.5, 0.5], diameters = [1.0, 1.4]}
[[model.segment]]
upto = 1.0
powers = [0, 1, 2]
coefficients = [0.5, -1.0, 0.5]
[[stage]]
kind = "quench"
[[stage]]
kind = "inflate"
d_0 = [0.1, 0.05]
steps = 2
"""
ALONG = """\
seed = 3
[system]
model = "ipl12"
dimension = 2
particles = 100
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
label = "loading"
plane = "xy"
strain_step = 1e-3
max_strain = 0.1
locate = true
[[stage]]
kind = "indicators"
of = "loading"
which = ["structure"]
plane = "xy"
strains = [0.0, 0.05, 0.1]
onsets = true
before_events = [1e-3, 1e-2]
moved = true
events = 0
least_energy = 1e-2
"""
GIVEN = {"temperature": "$T", "temperature_end": 0.4, "time": 10.0, "sweeps": 100, "max_strain": 0.1, "pressure": 0.1,
         "gradient": [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "count": 10, "size": 16, "shear_modulus": 20.0, "bulk_modulus": 50.0,
         "renewed_modulus": 15.0, "x_cut": 1.3, "s2_range": 1.5, "r_c": 4.0, "fit": "c0_c1", "plateau_from": 0.05, "start": 0.03,
         "spacing": 5.0, "free": 2.0, "saddle_radius": 6.0}
THRESHOLDS = {"distribution": "normal", "mean": 1.0, "cv": 0.3, "lower": 0.1, "upper": 2.0}
TABLES = {"initial": THRESHOLDS, "renewal": THRESHOLDS, "backward": THRESHOLDS, "slip": {"c0": 0.03, "c1": 0.02},
          "target": {"plateau": 0.8, "plateau_error": 0.01, "peak": 1.0, "peak_error": 0.01}}
LEFT_OUT = {"label", "range", "fraction", "strains", "of", "compare", "softness"}       # others exclude them, or they name a file
WRONG = ['"text"', "true", "-1", "1.5", "[]", "[1, 2]", "{}", "nan", "inf", "1e400", "9" * 30, "1979-05-27T07:32:00Z",
         '"$nowhere"', '""']
EXTREME = ["0", "-1", "1e-300", "5e-324", "-1e-300", "1e300", "-1e300", "1.7976931348623157e308", "1e12", "1e15", "1000000000000",
           "2147483648", "4294967296", "1099511627776", "4611686018427387904", "9223372036854775807", "-9223372036854775808",
           "1e-12", "0.9999999999999999", "1e-5", "7"]
TEXTS = ['"' + "x" * 300 + '"', '"' + "x" * 5000 + '"', '"\\u0000"', '"\\u001b[31m"', '"../x"', '"/"', '"."', '" "', '"é\\u202e"',
         '"--help"', '"a/b"', "'''two\nlines'''"]
NUMBER = re.compile(r"(?<![\w.\"$])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.\"])")


def stage_tables() -> list[str]:
    """One [[stage]] per kind with all its keys."""
    tables = []
    for number, (kind, stage) in enumerate(registry.stages().items()):
        if kind == "inflate":                       # needs walls
            continue
        text = f'[[stage]]\nkind = "{kind}"\nlabel = "s{number}"\n'
        for row in keys(stage.Params):
            if row["key"] in LEFT_OUT or (row["key"] in TABLES and stage.Params.model_fields[row["key"]].annotation is not bool):
                continue
            value = GIVEN.get(row["key"], row.get("default"))
            assert value is not None, f"give a value for {kind}.{row['key']} here"
            text += f"{row['key']} = {json.dumps(value)}\n"
        for name, table in TABLES.items():
            if name in stage.Params.model_fields and stage.Params.model_fields[name].annotation is not bool:
                text += f"[stage.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        tables.append(text)
    return tables


def complete() -> str:
    """An input with every key of every stage that a periodic cell can have."""
    return COMPLETE % "".join(stage_tables())


def single_stages() -> list[str]:
    """Inputs of one kind of stage each, without a sweep; the first ones have all that there can be besides stages."""
    first, *others = stage_tables()
    small = "seed = 1\n" + '[system]\nmodel = "ipl10"\ndimension = 3\nparticles = 4000\n'
    whole = (COMPLETE % first).partition("[sweep]")[0] + "[ensemble]\nsamples = 2\nranks_per_sample = 1\n"
    return [whole, ANNULUS, ALONG, *(small + text.replace('"$T"', "0.5") for text in others)]


def damage(text: str, rng: random.Random) -> bytes:
    """Another text: a wrong or extreme value, flipped bytes, a missing piece, or lines out of place."""
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


def exaggerate(text: str, rng: random.Random) -> bytes:
    """One to three of the numbers replaced by extreme ones; now and then a text as well."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        match = rng.choice(list(NUMBER.finditer(text)))
        text = text[: match.start()] + rng.choice(EXTREME) + text[match.end():]
    if rng.random() < 0.15:
        match = rng.choice(list(re.finditer(r'"[^"\n]*"', text)))
        text = text[: match.start()] + rng.choice(TEXTS) + text[match.end():]
    return text.encode()


def every_extreme(text: str) -> list[str]:
    """Each number of a text in turn replaced by each extreme one."""
    return [text[: match.start()] + value + text[match.end():] for match in NUMBER.finditer(text) for value in EXTREME]
