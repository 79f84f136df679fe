"""Several searches side by side, whose right-hand sides are solved together.

A search is a generator that yields a right-hand side, is sent the solution, and in the end returns what it found. One solution
with the factors of a large matrix takes as long as reading these from memory; sixteen at once read them once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

from numpy.typing import NDArray

Rows = NDArray[Any]
T = TypeVar("T")
Search = Generator[Rows, Rows, T]

WIDTH = 16          # right-hand sides at once: with more, each takes as long


def alone(search: Search[T], solve: Callable[[Rows], Rows]) -> T:
    """What one search finds."""
    try:
        rows = next(search)
        while True:
            rows = search.send(solve(rows))
    except StopIteration as end:
        found: T = end.value
        return found


def together(searches: Iterable[Search[T]], solve_all: Callable[[list[Rows]], list[Rows]], width: int = WIDTH,
             ) -> Iterator[tuple[int, T]]:
    """(number, what it found) of each search, in the order in which they end; a new one begins where one has ended."""
    waiting = enumerate(searches)
    active: dict[int, Search[T]] = {}
    solutions: dict[int, Rows] = {}
    while True:
        wanted: dict[int, Rows] = {}
        for number, search in active.items():
            try:
                wanted[number] = search.send(solutions[number])
            except StopIteration as end:
                yield number, end.value
        active = {number: active[number] for number in wanted}
        while len(active) < width and (new := next(waiting, None)) is not None:
            number, search = new
            try:
                wanted[number] = next(search)
                active[number] = search
            except StopIteration as end:
                yield number, end.value
        if not active:
            return
        solutions = dict(zip(active, solve_all(list(wanted.values())), strict=True))
