"""The JSON schema of the input: every key is in it, and every input that runs is valid by it."""

import json
import tomllib
from pathlib import Path

import pytest
from inprocess import hpcglass

from hpcglass import registry
from hpcglass.commands.listing import keys
from hpcglass.config.schema import NAMED, input_schema

INPUTS = sorted((Path(__file__).parents[2] / "inputs").rglob("*.toml"))
SCHEMA = input_schema()


def tables():
    """kind -> its table in the schema."""
    mapping = SCHEMA["properties"]["stage"]["items"]["discriminator"]["mapping"]
    return {kind: SCHEMA["$defs"][reference.removeprefix("#/$defs/")] for kind, reference in mapping.items()}


def test_every_stage_with_every_key():
    assert tables().keys() == registry.stages().keys()
    for kind, table in tables().items():
        rows = keys(registry.stages()[kind].Params)
        assert {"kind", *(row["key"] for row in rows)} == table["properties"].keys()
        assert set(table["required"]) == {"kind", *(row["key"] for row in rows if row["required"])}
        assert table["additionalProperties"] is False and table["properties"]["kind"]["const"] == kind


def test_numbers_may_be_parameters_and_have_limits():
    strain = tables()["shear"]["properties"]["max_strain"]
    assert strain["anyOf"] == [{"exclusiveMinimum": 0, "type": "number"}, NAMED] and "largest" in strain["description"]
    assert SCHEMA["properties"]["parameters"]["additionalProperties"] == {"type": "number"}


def test_every_reference_leads_somewhere():
    text = json.dumps(SCHEMA)
    named = set(text.split('"#/$defs/')[1:])
    assert {name.partition('"')[0] for name in named} <= SCHEMA["$defs"].keys()


def test_the_command():
    assert json.loads(hpcglass("list", "input", "--schema").stdout) == SCHEMA
    assert hpcglass("list", "stages", "--schema").returncode == 2


def test_inputs_are_valid_by_it():
    validator = pytest.importorskip("jsonschema").Draft202012Validator(SCHEMA)
    assert len(INPUTS) > 20
    inputs = {path.name: tomllib.loads(path.read_text()) for path in INPUTS}
    assert {name: [error.message for error in validator.iter_errors(data)] for name, data in inputs.items()} == {
        name: [] for name in inputs}
    inputs["quickstart.toml"]["stage"][0]["sweps"] = 1
    assert not validator.is_valid(inputs["quickstart.toml"])
