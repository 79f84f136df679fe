"""Models beyond the built-in ones, as an input or a package may define them; the shared tests take them by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from hpcglass.config import ModelParams

INPUTS = Path(__file__).parents[1] / "inputs" / "models"
SIZES = {"smallest": 0.8, "largest": 1.4}


def model(**keys):
    """A model of the keys of [model]."""
    lists = {"sizes": SIZES, **keys}
    return ModelParams.model_validate(_tuples(lists)).build()


def _tuples(value):
    """TOML's lists as what the typed models take."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def of_input(name):
    """The model of inputs/models/NAME.toml."""
    return model(**tomllib.loads((INPUTS / f"{name}.toml").read_text())["model"])


def lennard_jones(x):
    return 4 * (x**-12.0 - x**-6.0)


def table(continuity, points=120, start=0.85):
    """Keys of a table of Lennard-Jones up to 2.5."""
    r = np.linspace(start, 2.5, points)
    return {"r": tuple(r), "phi": tuple(lennard_jones(r)), "continuity": continuity}


OWN = {
    "hertz": of_input("hertz-packing"),
    "lj-cut": of_input("lj-cut"),
    "kob-andersen": of_input("kob-andersen"),
    "ka2d": of_input("kob-andersen-2d"),
    "hertz-mixed": model(name="hertz-mixed", density=0.95, segment=[
        {"upto": 1.0, "of": "1 - x", "powers": [2.5, 3, 3.7], "coefficients": [0.4, 0.2, 0.1]}]),
    "fractional": model(name="fractional", density=0.9, shift=4, mixing={"nonadditivity": 0.1}, segment=[
        {"upto": 1.4, "powers": [-10.5, -2.25, 1], "coefficients": [1.0, 0.5, 0.1]}]),
    "two-pieces": model(name="two-pieces", density=0.9, segment=[
        {"upto": 1.0, "of": "1 - x", "powers": [0, 1, 2, 3.5], "coefficients": [0.25, 1.0, 1.0, 2.0]},
        {"upto": 1.5, "powers": [0, 1, 2], "coefficients": [2.25, -3.0, 1.0]}]),
    "spline": model(name="spline", density=0.9, shift=4, table=table(3)),
}
