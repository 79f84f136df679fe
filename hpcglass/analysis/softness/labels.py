"""Who is soft, who is stiff: extrema of D^2_min of the critical modes of located events.

Taken as a displacement of the configuration just before its event, a critical mode has a D^2_min at each particle. Where it is
larger than at all particles up to two contacts away the particle is soft (1), where it is smaller than at all of them, stiff (0).
Contacts are neighbours closer than x_cut lambda_ij. D. Richard et al., Phys. Rev. Materials 4, 113609 (2020), App. B 5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.frames.frame import Frame
from hpcglass.analysis.open_run import open_run
from hpcglass.analysis.structure.neighbours import Pairs, lengths, pairs
from hpcglass.errors import InputError
from hpcglass.indicators.plane import identity
from hpcglass.indicators.softness import functions_of
from hpcglass.numbers.nonaffine import d2min_of_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

X_CUT = {False: 1.33, True: 1.5}        # by species: first minimum of g(r/lambda_ij), as for Theta


def contacts(frame: Frame) -> Pairs:
    """Ordered pairs of neighbours."""
    model = frame.model
    cut = X_CUT[model.mixing.by_species]
    longest = float(np.max(model.mixing.length)) if model.mixing.length is not None else float(frame.diameter.max())
    found = pairs(frame.position, frame.box, cut * longest)
    limit = cut * lengths(model, frame.diameter, frame.species, found.i, found.j)
    return found.where(found.length2 < limit**2)


def d2min_of_mode(found: Pairs, mode: Floats) -> Floats:
    """(N,) D^2_min of a displacement field (N, d) over neighbours."""
    count, d = mode.shape
    x0, change = found.vector, mode[found.j] - mode[found.i]

    def each(values: Floats) -> Floats:
        return np.asarray(np.bincount(found.i, values, count), dtype=np.float64)

    def sums(left: Floats, right: Floats) -> Floats:
        return np.stack([each(left[:, k] * right[:, m]) for k in range(d) for m in range(d)], axis=-1).reshape(count, d, d)

    # of x - x0 instead of x, of which an affine map leaves the same: no round-off of x0, however small the mode
    return d2min_of_sums(each((change**2).sum(axis=1)), sums(change, x0), sums(x0, x0))


def extrema(values: Floats, i: Ints, j: Ints) -> tuple[Ints, Ints]:
    """(maxima, minima): particles whose value is larger, smaller, than those of all others up to two contacts away.

    i, j : ordered pairs of neighbours, both ways
    """
    top, bottom = _over(values, i, j, np.maximum), _over(values, i, j, np.minimum)
    top, bottom = _over(top, i, j, np.maximum), _over(bottom, i, j, np.minimum)
    touched = np.bincount(i, minlength=len(values)) > 0
    tie = _equal(values, i, j)
    return (np.flatnonzero(touched & (values >= top) & ~tie), np.flatnonzero(touched & (values <= bottom) & ~tie))


def _over(values: Floats, i: Ints, j: Ints, which: np.ufunc) -> Floats:
    """The largest, or smallest, of each particle and its neighbours."""
    result = values.copy()
    which.at(result, i, values[j])
    return result


def _equal(values: Floats, i: Ints, j: Ints) -> NDArray[np.bool_]:
    """Who has a neighbour of the very same value: no extremum."""
    result = np.zeros(len(values), dtype=np.bool_)
    result[i[(values[i] == values[j]) & (i != j)]] = True
    return result


def examples(directory: str | Path, stage: str, least_energy: float) -> tuple[str, Floats, Floats]:
    """(model, structure functions (n, k), labels (n,)) of the located events of a run (one process).

    Raises
    ------
    InputError
        No such stage, or its events were not located or kept.
    """
    loading = open_run(directory)[stage]
    functions, labels, model = [], [], ""
    for event in loading.events:
        if event.row.get("energy_drop", np.inf) < least_energy:
            continue
        mode = np.asarray(event.mode)
        if not mode.any():
            continue
        frame = event.before
        found = contacts(frame)
        soft, stiff = extrema(d2min_of_mode(found, np.sqrt(len(mode)) * mode), found.i, found.j)
        model = identity(frame.model)
        every = functions_of(frame.model, frame.box, frame.position, frame.diameter, frame.species)
        functions.append(every[np.concatenate([soft, stiff])])
        labels.append(np.repeat([1.0, 0.0], [len(soft), len(stiff)]))
    if not functions:
        raise InputError(f"{directory}: no located event{f' of at least {least_energy:g}' * (least_energy > 0)} in {stage}")
    return model, np.concatenate(functions), np.concatenate(labels)
