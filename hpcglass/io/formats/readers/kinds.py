"""Species and sizes under the names that files give them.

A `Configuration` numbers its species from 0 and keeps their names; which species of a model that is, is for `io.species` to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.io.formats.extxyz import UNKNOWN

Floats = NDArray[np.float64]
Kinds = NDArray[np.int32]

SPECIES = ("species", "type", "z", "element", "atom_types")      # the first that says anything counts
SIZES = {"diameter": 1.0, "radius": 2.0, "size": 1.0}                     # factor that makes it a diameter
# names with an order that everybody knows: ours of the models, letters, and what our first exports called species 0, 1, ...
ORDERS = (("s", "l"), ("small", "large"), tuple(ascii_uppercase.lower()), ("h", "he", "li", "ne", "o", "p", "s", "ti", "u", "xe"))
SAME = 1e-6


def known_order(names: Sequence[str]) -> tuple[int, ...] | None:
    """Places of names in an order that all of them are in, or None."""
    lower = [name.lower() for name in names]
    for order in ORDERS:
        if set(lower) <= set(order):
            return tuple(map(order.index, lower))
    return None


def numbered(words: Sequence[str], declared: Sequence[str] = ()) -> tuple[Kinds, tuple[str, ...], bool] | None:
    """Species of each particle, the names, and whether their order is the file's; None if no name says anything ("X").

    Order: as `declared`; numbers as numbers; S before L and the like; else by the alphabet, which means nothing.
    """
    present, species = np.unique(np.array(words, dtype=np.str_), return_inverse=True)
    names = [str(name) for name in present]
    if names == [UNKNOWN]:
        return None
    order = list(declared)
    if not set(names) <= set(order) or len(set(order)) < len(order):
        order = list(names)
        if all(re.fullmatch(r"[0-9]{1,9}", name) for name in names):
            order.sort(key=int)
        elif places := known_order(names):
            order = [name for _, name in sorted(zip(places, names, strict=True))]
    place = {name: k for k, name in enumerate(order)}
    number = np.array([place[name] for name in names], dtype=np.int32)
    return number[species.reshape(-1)], tuple(order), bool(declared) and order == list(declared)


def diameters(columns: Mapping[str, Floats], path: Path) -> tuple[Floats | None, list[str]]:
    """Diameters from whichever columns have sizes, and what to say about it.

    Raises
    ------
    FileError
        Two of them contradict each other.
    """
    found = {name: SIZES[name] * np.asarray(columns[name], dtype=np.float64) for name in SIZES if name in columns}
    if not found:
        return None, []
    first, *others = found
    for name in others:
        bad = np.flatnonzero(~(np.abs(found[name] - found[first]) <= SAME * np.abs(found[first])))
        if bad.size:
            raise FileError(f"{path}: particle {bad[0]} has a {first} of {columns[first][bad[0]]:.9g} and a {name} of "
                            f"{columns[name][bad[0]]:.9g}: one of them means something else, remove it")
    return found[first], ["the column size is taken for diameters"] if first == "size" else []


def same_partition(first: Kinds, second: Kinds) -> bool:
    """Whether two numberings tell the same particles apart."""
    pairs = np.unique(np.stack([first, second]), axis=1)
    return pairs.shape[1] == len(np.unique(first)) == len(np.unique(second))
