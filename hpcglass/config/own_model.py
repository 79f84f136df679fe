"""The model glass of an input, and nothing else of it: for `import --model FILE`, and for what a file says it is a glass of."""

from __future__ import annotations

from pathlib import Path

from hpcglass.config.models import ModelParams
from hpcglass.config.reader import Reader
from hpcglass.config.suggest import did_you_mean
from hpcglass.config.tables import read_text
from hpcglass.errors import InputError
from hpcglass.potentials.model import Model

TABLES = ["title", "seed", "parameters", "system", "model", "stage", "sweep", "ensemble"]


def read_model(path: Path) -> tuple[Model, ModelParams | None]:
    """The model of a TOML file with a table [model], or of an input file; and that table, None if the model is a built-in one.

    Raises
    ------
    InputError
        No such file; no model in it; or with all that is wrong with it: file, line, key, value, reason.
    """
    return parse_model(read_text(path), path)


def parse_model(text: str, path: Path) -> tuple[Model, ModelParams | None]:
    """Same, from the text of the file; `path` is for messages."""
    reader = Reader(text, path, [], TABLES)
    own = reader.own_model()
    system = reader.data.get("system", {})
    name = system.get("model") if isinstance(system, dict) else None
    if "model" not in reader.data and not isinstance(name, str):
        hint = next((hint for key in reader.data if key not in TABLES and (hint := did_you_mean(key, ["model"]))), "")
        raise InputError(f"{path}: has no table [model], and no model in [system]{hint}")
    model = None if "model" in reader.data and own is None else reader.glass(name or (own.name if own else ""), own)
    reader.problems.raise_if_any()
    assert model is not None
    return model, own
