"""Lines, words and numbers of text files. Strict: every row of a table has as many words as the others, every word its kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import FileError
from hpcglass.io.formats.common import Configuration

Floats = NDArray[np.float64]
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
OTHERS = {b"\x1f\x8b": "is compressed by gzip: unpack it first", b"BZ": "is compressed by bzip2: unpack it first",
          b"\x28\xb5\x2f\xfd": "is compressed by zstd: unpack it first", b"PK": "is a zip archive: unpack it first",
          b"\xff\xfe": "is UTF-16 text: save it as UTF-8", b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
          b"\x89HDF": "is an HDF5 file: its name should end in .h5"}


def text_lines(path: Path) -> list[str]:
    """Lines of a text file, whatever ends them; a byte-order mark is left out.

    Raises
    ------
    FileError
        When it is not text.
    """
    data = path.read_bytes()
    for start, what in OTHERS.items():
        if data.startswith(start):
            raise FileError(f"{path}: {what}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(f"{path}:{line}: byte {error.object[error.start]:#04x} is not text") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise FileError(f"{path}:{line}: has a zero byte, it is not text or was cut short")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def number(word: str, where: str) -> float:
    """A decimal number, as C and Fortran programs write it."""
    if not FLOAT.fullmatch(word):
        raise FileError(f"{where}: {shown(word)} is not a number{hint(word)}")
    return float(word)


def hint(word: str) -> str:
    """What may have been meant by a word that is no number."""
    for wrong, right in ((r"[dD](?=[+-]?[0-9]+$)", "e"), (r",", ".")):
        meant = re.sub(wrong, right, word)
        if meant != word and FLOAT.fullmatch(meant):
            return f" (write {meant})"
    return ""


class Rows:
    """The rows of a table: lines with the same number of words.

    Parameters
    ----------
    lines : as they are in the file
    path, first : for messages; number of the first line
    comments : whether "#" begins a comment

    Raises
    ------
    FileError
        Naming the first line that has not as many words as the first one; none may be empty.
    """

    def __init__(self, lines: list[str], path: Path, first: int, comments: bool = False) -> None:
        self.lines = [line.partition("#")[0] for line in lines] if comments else lines
        self.path, self.first = path, first
        self.width = len(self.lines[0].split()) if self.lines else 0
        for place, line in enumerate(self.lines):
            words = len(line.split())
            if words != self.width or not words:
                raise FileError(f"{self.at(place)}: {shown(line)} has {words} columns, the rows before have {self.width}" if words
                                else f"{self.at(place)}: a row of {self.width} columns should be here, the line is empty")

    def at(self, place: int) -> str:
        """A row as file:line."""
        return f"{self.path}:{self.first + place}"

    def numbers(self, columns: Sequence[int]) -> Floats:
        """(rows, columns) floats."""
        try:
            return np.loadtxt(self.lines, usecols=columns, ndmin=2, dtype=np.float64, comments=None)
        except (ValueError, IndexError):
            for place, line in enumerate(self.lines):
                words = line.split()
                for column in columns:
                    if not FLOAT.fullmatch(words[column]):
                        raise FileError(f"{self.at(place)}: {shown(line)} has no number in column {column + 1}"
                                        f"{hint(words[column])}") from None
            raise FileError(f"{self.at(0)}: the numbers from here on cannot be read") from None

    def words(self, column: int) -> list[str]:
        return [line.split()[column] for line in self.lines]

    def integers(self, column: int, what: str) -> NDArray[np.int64]:
        """Whole numbers, written as such: 3 and not 3.0, since a column of other numbers is not what it is taken for."""
        words = self.words(column)
        for place, word in enumerate(words):
            if not INTEGER.fullmatch(word):
                raise FileError(f"{self.at(place)}: {what} must be a whole number of at most 18 digits, not {shown(word)} "
                                f"(column {column + 1})")
        return np.array(list(map(int, words)), dtype=np.int64)


def reordered(found: Configuration, rows: Rows, column: int) -> Configuration:
    """The particles in the order of their ids, each of which is there once."""
    ids = rows.integers(column, "id")
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(np.diff(ids[order]) == 0)
    if same.size:
        raise FileError(f"{rows.at(order[same[0] + 1])}: the id {ids[order[same[0]]]} is there twice")
    return replace(found, position=found.position[order],
                   diameter=None if found.diameter is None else found.diameter[order],
                   species=None if found.species is None else found.species[order])


def shown(line: Any) -> str:
    """A line in a message, in quotes and not too long."""
    text = str(line).strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
