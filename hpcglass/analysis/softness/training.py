"""A plane between soft and stiff neighbourhoods: a linear support vector machine, and how often it is right on other glasses.

Structure functions are standardised, as the machine penalises all weights alike; C = 1. Whole samples are held out, as particles
of one glass are not independent. (D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 5; scikit-learn's LinearSVC.)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError
from hpcglass.indicators.plane import Plane

Floats = NDArray[np.float64]
C = 1.0


@dataclass(frozen=True)
class Trained:
    """The plane, and its examples.

    accuracy : share of the held-out examples that are on the right side, the mean of soft and stiff ones: 0.5 knows nothing
    error : its standard error over held-out samples; NaN for one
    trained, held_out : numbers of examples
    """

    plane: Plane
    accuracy: float
    error: float
    trained: int
    held_out: int


def train(model: str, samples: Sequence[tuple[Floats, Floats]], every: int = 4, seed: int = 1) -> Trained:
    """Find the plane.

    Parameters
    ----------
    samples : (structure functions (n, k), labels (n,) 1 soft, 0 stiff) of each glass
    every : each so-many-th sample is held out, the last one at least
    seed : of the choice of as many soft as stiff examples, and of the machine

    Raises
    ------
    InputError
        Fewer than two samples, or examples of one kind only.
    """
    if len(samples) < 2:
        raise InputError("softness needs two samples at least: one to train on, one to be held out")
    random = np.random.default_rng(seed)
    even = [_balanced(functions, labels, random) for functions, labels in samples]
    out = set(range(every - 1, len(even), every)) or {len(even) - 1}
    x, y = (np.concatenate([sample[k] for number, sample in enumerate(even) if number not in out]) for k in range(2))
    if not len(y) or not any(len(even[number][1]) for number in out):
        raise InputError("softness: there are no soft and stiff examples, or none held out; take more events or samples")
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    machine = _machine()(C=C, dual=False, random_state=seed, max_iter=10_000).fit((x - mean) / scale, y)
    plane = Plane(model, machine.coef_[0], mean, scale, float(machine.intercept_[0]))
    right = np.array([_accuracy(plane, *even[number]) for number in sorted(out) if len(even[number][1])])
    error = float(right.std(ddof=1) / np.sqrt(len(right))) if len(right) > 1 else np.nan
    return Trained(plane, float(right.mean()), error, len(y), sum(len(even[number][1]) for number in out))


def _machine() -> Any:
    """scikit-learn's class; its import sets variables of the environment, which are none of ours."""
    before = dict(os.environ)
    from sklearn.svm import LinearSVC

    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    return LinearSVC


def _balanced(functions: Floats, labels: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """As many soft as stiff ones, by chance."""
    soft, stiff = np.flatnonzero(labels == 1.0), np.flatnonzero(labels == 0.0)
    few = min(len(soft), len(stiff))
    kept = np.sort(np.concatenate([random.permutation(soft)[:few], random.permutation(stiff)[:few]]))
    return functions[kept], labels[kept]


def _accuracy(plane: Plane, functions: Floats, labels: Floats) -> float:
    return float(((plane.softness(functions) > 0.0) == (labels > 0.5)).mean())
