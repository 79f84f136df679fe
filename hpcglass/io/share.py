"""Work on many files shared out to ranks: each item is given to one of them, and all hear the answers in the order of the items.

What is made of the answers, one after the other, is then the same to the bit on any number of ranks. An answer is a text (JSON,
as a rule) and arrays. A process that is alone needs no MPI, and none is loaded.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hpcglass.errors import HpcglassError
from hpcglass.words import show

if TYPE_CHECKING:
    from mpi4py import MPI

T = TypeVar("T")
Array = NDArray[Any]
Answer = tuple[str, Sequence[Array]]
ROUND = 1 << 28         # weight of the items after which the answers are told, so that memory is bounded
OVERHEAD = 4096         # weight of an item besides its size: opening a file
_ALIGNED = 16


class Ranks:
    """The ranks that share the work; all methods are collective.

    Parameters
    ----------
    comm : None for a process that is alone
    """

    def __init__(self, comm: MPI.Comm | None = None) -> None:
        self.comm = comm if comm is not None and comm.size > 1 else None
        self.rank: int = self.comm.rank if self.comm is not None else 0
        self.size: int = self.comm.size if self.comm is not None else 1

    def say(self, text: object) -> None:
        """Print a text for people, once."""
        if self.rank == 0:
            show(text)

    def first(self, work: Callable[[], str]) -> str:
        """The answer of rank 0, on all; what it raises is raised on all."""
        if self.comm is None:
            return work()
        from hpcglass.io.agree import broadcast_text, together

        text = ""
        with together(self.comm):
            text = work() if self.rank == 0 else ""
        return broadcast_text(self.comm, text)

    def each(self, work: Callable[[T], Answer], items: Sequence[T], sizes: Sequence[int] | None = None) -> Iterator[Answer]:
        """The answer to each item, in their order, on all ranks: `map`, shared out so that all have about the same to do.

        Parameters
        ----------
        work : must not communicate; what it raises for an item is raised on all ranks, where its answer would come
        items, sizes : equal on all ranks; by default all are of one size

        Notes
        -----
        All ranks must take all answers.
        """
        if self.comm is None:
            yield from map(work, items)
            return
        for chosen, owner in self._rounds([1] * len(items) if sizes is None else sizes):
            yield from self._round(work, items, chosen, owner)

    def of_all(self, work: Callable[[], Answer]) -> list[Answer]:
        """The answers of all ranks to one question, in their order, on all; what one raises is raised on all."""
        if self.comm is None:
            return [work()]
        return list(self._round(lambda _: work(), range(self.size), range(self.size), dict(enumerate(range(self.size)))))

    def _rounds(self, sizes: Sequence[int]) -> Iterator[tuple[range, dict[int, int]]]:
        """Consecutive items, and the rank of each: the largest first, to the rank that has the least to do."""
        begin = 0
        while begin < len(sizes):
            end, weight = begin, 0
            while end < len(sizes) and (weight < ROUND or end - begin < self.size):
                weight += sizes[end] + OVERHEAD
                end += 1
            load, owner = [(0, rank) for rank in range(self.size)], {}
            for item in sorted(range(begin, end), key=lambda item: -sizes[item]):
                least, owner[item] = load[0]
                heapq.heapreplace(load, (least + sizes[item] + OVERHEAD, owner[item]))
            yield range(begin, end), owner
            begin = end

    def _round(self, work: Callable[[T], Answer], items: Sequence[T], chosen: range, owner: dict[int, int]) -> Iterator[Answer]:
        from hpcglass.io.agree import again, described, together

        assert self.comm is not None
        mine: list[tuple[int, Answer, Any]] = []
        with together(self.comm):
            for item in (item for item in chosen if owner[item] == self.rank):
                try:
                    mine.append((item, work(items[item]), None))
                except (HpcglassError, OSError) as error:
                    mine.append((item, ("", ()), described(error)))
                    break           # the answers after it are not wanted
        for answer, failure in self._told(mine):
            if failure is not None:
                raise again(*failure)
            yield answer

    def _told(self, mine: Iterable[tuple[int, Answer, Any]]) -> list[tuple[Answer, Any]]:
        """(number, answer, failure) of all ranks, sorted by number."""
        from hpcglass.core.comm import gathered

        assert self.comm is not None
        data = gathered(self.comm, np.concatenate([np.empty(0, dtype=np.uint8), *(_pack(*one) for one in mine)]))
        found, place = [], 0
        while place < len(data):
            number, answer, failure, place = _unpack(data, place)
            found.append((number, answer, failure))
        return [(answer, failure) for _, answer, failure in sorted(found, key=lambda one: one[0])]


def _pack(number: int, answer: Answer, failure: Any) -> Array:
    """Bytes: length of the head, head in JSON, arrays; each begins where an array may."""
    text, arrays = answer
    head = json.dumps([number, text, failure, [[array.dtype.str, array.shape] for array in arrays]])
    parts = [np.frombuffer(head.encode(), dtype=np.uint8), *(np.ravel(array).view(np.uint8) for array in arrays)]
    parts.insert(0, np.array([len(parts[0])], dtype=np.int64).view(np.uint8))
    return np.concatenate([np.pad(part, (0, -len(part) % _ALIGNED)) for part in parts])


def _unpack(data: Array, place: int) -> tuple[int, Answer, Any, int]:
    """What was packed at a place, and the next place."""
    length = int(data[place: place + 8].view(np.int64)[0])
    place += _ALIGNED
    number, text, failure, described = json.loads(data[place: place + length].tobytes())
    place += length + -length % _ALIGNED
    arrays = []
    for dtype, shape in described:
        length = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
        arrays.append(data[place: place + length].view(dtype).reshape(shape))
        place += length + -length % _ALIGNED
    return number, (text, arrays), failure, place
