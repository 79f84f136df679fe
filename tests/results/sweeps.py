"""A sweep as runs leave it, with numbers that are known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from samples import write_sample

GRID = {"T_p": [0.1, 0.2], "d_0": [0, 1]}
STRAIN = np.linspace(0, 0.1, 5)


def stress(T_p, d_0, sample):
    return STRAIN * (1 + T_p) + 10 * d_0 + 100 * sample


def write_case(directory, T_p, d_0, sample):
    """Strains that all share, events that differ in number, numbers of which one is a tensor."""
    step = np.arange(1.0, 2 + d_0 + sample)
    write_sample(directory, {"loading": {"strain": STRAIN, "shear_stress": stress(T_p, d_0, sample)},
                             "events": {"step": step, "strain": 0.01 * step}},
                 {"energy": T_p + sample, "stress": np.array([[1.0, 2.0], [2.0, 3.0]])}, name="01-shear")
    (directory / "DONE").write_text("2026-01-31T12:00:00\n")
