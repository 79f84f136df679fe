"""The one place that maps names and numbers of a file's species, and its diameters, to those of a model.

Evidence, the stronger first: names that the model declares; the order that the file declares; numbers, counted from 0 or 1; names
with an order that everybody knows (`readers.kinds`); diameters. What contradicts the model is refused: diameters, shares, the
number of species. What a file lacks is None in the result, to be drawn, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import InputError
from hpcglass.io.formats.common import Configuration
from hpcglass.io.formats.readers.kinds import known_order
from hpcglass.potentials.model import Model, Sizes

Floats = NDArray[np.float64]
Kinds = NDArray[np.int32]

ROUNDED = 1e-3      # relative difference of a species' diameters that may come from few digits
OUTSIDE = 1e-5      # relative distance from a continuous distribution of diameters that may come from rounding
SIGMAS = 5.0        # a share may be so far from the model's, as that of species drawn at random is once in 10^6 times,
ROOM = 0.01         # and so much farther
MOST_TOLD = 8       # species in a message


@dataclass(frozen=True)
class Assigned:
    """Species and diameters of a model's particles.

    species, diameter : (N,); None where the file has none and they must be drawn
    said : how they were found, for the log
    """

    species: Kinds | None
    diameter: Floats | None
    said: tuple[str, ...]


def assign(found: Configuration, model: Model, source: Path) -> Assigned:
    """Species and diameters of a configuration as those of `model`.

    Raises
    ------
    InputError
        The file contradicts the model, or does not tell which species is which.
    """
    if model.sizes.kind == "species":
        return _mixture(found, model, source)
    notes = []
    if found.species is not None and len(counts := np.bincount(found.species)) > 1:
        notes.append(f"species {_counted(_labels(found), counts)} are not used: {model.name} has none")
    none = np.zeros(len(found.position), dtype=np.int32)
    if found.diameter is None:
        return Assigned(none, None, (*notes, f"warning: {source.name} has no diameters: they are drawn anew, as for a new system "
                                             f"of {model.name}; the glass is another one than in the file"))
    check_members(model, none, found.diameter, source)
    d = found.diameter
    return Assigned(none, d, (*notes, f"diameters of {source.name} from {d.min():.6g} to {d.max():.6g}, mean {d.mean():.6g}; "
                                      f"{model.name} has them from {model.sizes.smallest:.6g} to {model.sizes.largest:.6g}"))


def check_members(model: Model, species: Kinds, diameter: Floats, source: Path, ids: NDArray[np.int64] | None = None) -> None:
    """Raise InputError naming a particle whose species or diameter the model does not have; `ids` are numbers of the rows."""
    sizes, kinds = model.sizes, max(len(model.sizes.fractions), 1)

    def refuse(bad: NDArray[np.bool_], what: Callable[[int], str]) -> None:
        if bad.any():
            worst = int(np.argmax(bad))
            raise InputError(f"{source}: particle {worst if ids is None else ids[worst]} {what(worst)}")

    refuse((species < 0) | (species >= kinds), lambda i: f"is of species {species[i]}, {model.name} has {kinds}")
    if sizes.kind == "species":
        own = np.array(sizes.diameters, dtype=np.float64)[species]
        refuse(~(np.abs(diameter - own) <= ROUNDED * own), lambda i: (
            f"has the diameter {diameter[i]:.6g}, but is of species {sizes.name(int(species[i]))} of {model.name}, which has "
            f"{own[i]:.6g}: is the numbering another one, or does that column mean something else?"))
    else:
        low, high = sizes.bounds
        refuse(~((diameter >= low * (1 - OUTSIDE)) & (diameter <= high * (1 + OUTSIDE))), lambda i: (
            f"has the diameter {diameter[i]:.6g}, {model.name} has diameters from {low:.6g} to {high:.6g}"))


def check_shares(sizes: Sizes, counts: Sequence[int], name: str, source: Path) -> None:
    """Raise InputError if the numbers of particles of each species are not those of the model.

    A file with more species than the model has more `counts`.
    """
    total = sum(counts)
    labels = [sizes.name(k) if k < len(sizes.fractions) else str(k) for k in range(len(counts))]
    for label, count, share in zip(labels, counts, (*sizes.fractions, *[0.0] * len(counts)), strict=False):
        if abs(count / total - share) > ROOM + SIGMAS * (share * (1 - share) / total) ** 0.5:
            raise InputError(f"{source}: {count} of {total} particles are of species {label}, {count / total:.1%}; in {name} "
                             f"they are {share:.1%}. Is the numbering another one? (Other shares are a [model] of their own.)")


def _mixture(found: Configuration, model: Model, source: Path) -> Assigned:
    sizes = model.sizes
    own = np.array(sizes.diameters, dtype=np.float64)
    if found.species is None and found.diameter is None and len(own) > 1:
        return Assigned(None, None, (f"warning: {source.name} has neither species nor diameters: the species are drawn anew, as "
                                     f"for a new system of {model.name}; the glass is another one than in the file",))
    if found.species is None:
        species = _by_diameter(found, model, source)
        said = f"species by their diameters: {_counted([sizes.name(k) for k in range(len(own))], np.bincount(species))}"
        return Assigned(species, own[species], (said,) if len(own) > 1 else ())
    reasons, good = [], []
    for mapping, how in _candidates(found, model, source):
        species = mapping[found.species]
        try:
            if found.diameter is not None:
                check_members(model, species, found.diameter, source)
            check_shares(sizes, np.bincount(species, minlength=len(own)).tolist(), model.name, source)
            good.append((species, mapping, how))
        except InputError as reason:
            reasons.append(reason)
    if not good:
        raise reasons[0]
    if len(good) > 1:
        raise InputError(f"{source}: the species {_counted(_labels(found), np.bincount(found.species))} can be counted from 0 or "
                         f"from 1, and {model.name} ({_described(sizes)}) allows both: name them")
    species, mapping, how = good[0]
    counts = np.bincount(found.species)
    pairs = [f"{_labels(found)[k]} is {sizes.name(int(mapping[k]))} ({counts[k]})" for k in np.flatnonzero(counts)]
    return Assigned(species, own[species], (f"species of {source.name} in {model.name}, {how}: {', '.join(pairs)}",))


def _labels(found: Configuration) -> list[str]:
    most = 1 + int(found.species.max()) if found.species is not None else 0
    return list(found.names) or list(map(str, range(most)))


def _counted(labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    told = [f"{label} ({count})" for label, count in zip(labels, counts, strict=False) if count]
    return ", ".join(told) if len(told) <= MOST_TOLD else f"{', '.join(told[:MOST_TOLD])}, ... ({len(told)} in all)"


def _described(sizes: Sizes) -> str:
    return ", ".join(f"{sizes.name(k)} with diameter {diameter:.6g} and {share:.1%} of the particles"
                     for k, (diameter, share) in enumerate(zip(sizes.diameters, sizes.fractions, strict=True)))


def _candidates(found: Configuration, model: Model, source: Path) -> Iterator[tuple[Kinds, str]]:
    """(species of the model of each species of the file, why): one, or more where numbers do not tell.

    Species that no particle has may be anything: -1.
    """
    assert found.species is not None
    sizes, counts, labels = model.sizes, np.bincount(found.species), _labels(found)
    kinds, present = len(sizes.fractions), np.flatnonzero(counts)
    mine = f"{source}: the species are {_counted(labels, counts)}; {model.name} has {_described(sizes)}"

    def mapped(numbers: Sequence[int]) -> Kinds:
        mapping = np.full(len(counts), -1, dtype=np.int32)
        mapping[present] = numbers
        return mapping

    if len(present) > kinds:
        raise InputError(f"{mine}: these are more")
    declared = {name.casefold(): k for k, names in enumerate(sizes.names) for name in names}
    names = [labels[k] for k in present]
    known = [declared.get(name.casefold(), -1) for name in names] if found.names else [-1]
    if max(known) >= 0:
        if min(known) < 0 or len(set(known)) < len(known):
            raise InputError(f"{mine}: not each of these names is one of the model's")
        yield mapped(known), "by the names"
        return
    if kinds == 1:
        yield mapped([0]), "there is one"
        return
    places = None if found.ordered else known_order(names)
    numbers = [int(name) if name.isascii() and name.isdigit() else -1 for name in names]
    if found.ordered:
        options = [(present.tolist(), "in the order of the file")]
    elif min(numbers) >= 0:
        options = [([number - first for number in numbers], f"by number, counted from {first}") for first in (0, 1)
                   if first <= min(numbers)]
    elif places is not None:
        options = [(list(places), "in the usual order of the names")]
    elif found.diameter is not None and (by_size := _sizes_of(found, present, sizes)) is not None:
        options = [(by_size, "by their diameters")]
    else:
        raise InputError(f"{mine}: the names do not tell which is which; rename them, number them from 0 or 1, or add a column "
                         "`diameter`" + (" (the diameters that there are fit no species)" if found.diameter is not None else ""))
    options = [option for option in options if max(option[0]) < kinds]
    if not options:
        raise InputError(f"{mine}: the numbers must count from 0 or 1 and end with the last species of the model")
    for option, how in options:
        yield mapped(option), how


def _sizes_of(found: Configuration, present: NDArray[np.intp], sizes: Sizes) -> list[int] | None:
    """Species of the model with the diameters that each of the file's has; None if there is no such, or not each another."""
    assert found.diameter is not None
    result = []
    for kind in present:
        d = found.diameter[found.species == kind]
        fits = [k for k, own in enumerate(sizes.diameters) if (np.abs(d - own) <= ROUNDED * own).all()]
        result += fits if len(fits) == 1 else []
    return result if len(set(result)) == len(present) else None


def _by_diameter(found: Configuration, model: Model, source: Path) -> Kinds:
    """Species of each particle where the file has diameters only."""
    own = np.array(model.sizes.diameters, dtype=np.float64)
    if found.diameter is None:
        return np.zeros(len(found.position), dtype=np.int32)
    if len(own) > 1 and np.diff(np.sort(own)).min() <= 2 * ROUNDED * own.max():
        raise InputError(f"{source}: has no species, and in {model.name} the diameters do not tell them apart")
    species = np.argmin(np.abs(found.diameter[:, None] - own), axis=1).astype(np.int32)
    bad = np.flatnonzero(~(np.abs(found.diameter - own[species]) <= ROUNDED * own[species]))
    if bad.size:
        raise InputError(f"{source}: has no species, which {model.name} needs, and the diameters do not tell them: particle "
                         f"{bad[0]} has {found.diameter[bad[0]]:.6g}; {model.name} has {_described(model.sizes)}")
    check_shares(model.sizes, np.bincount(species, minlength=len(own)).tolist(), model.name, source)
    return species
