"""Chosen entries of the inverse of a sparse, symmetric, positive definite matrix, by nested dissection.

Particles are cut in two by a line (a plane), and so on; those on one side of a cut that touch the other are its separator. Inner
particles are eliminated before the separators around them. With p the particles eliminated in a front and b those that they are
coupled to by then, all eliminated later,

    up:     G = F_pp^-1 F_pb,   what b is left with: F_bb - F_bp G;
    down:   X_pb = -G X_bb,     X_pp = F_pp^-1 - X_pb G^T:

X_bb is known from the front above, and every entry of the inverse X between coupled particles lies in some front (A. George,
SIAM J. Numer. Anal. 10, 345 (1973); K. Takahashi, J. Fagan, M. Chen, 8th PICA Conf., 63 (1973)). Fronts are dense: N^1.5
operations and N log N numbers in two dimensions, N^2 and N^(4/3) in three, as for factors. Parts far down the tree are shared
out to ranks; the separators above them are the same on all.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dtrtrs

from hpcglass.core import comm as ranks
from hpcglass.core.look import Look, straight_on

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAF = 48           # particles that are not cut any more
SHARES = 6          # parts of the tree for each rank


@dataclass
class Front:
    """Particles that are eliminated together.

    pivots, boundary : rows of the particles p and b
    children : fronts that are eliminated before and reach here
    """

    pivots: Integers
    children: tuple[int, ...]
    boundary: Integers

    @property
    def cost(self) -> float:
        """Operations, about."""
        p, b = len(self.pivots), len(self.boundary)
        return float(p) * (p**2 + 4.0 * p * b + 4.0 * b**2)


def selected_inverse(comm: Any, coordinate: Floats, start: Integers, columns: Integers, blocks: Floats,
                     look: Look = straight_on) -> Floats:
    """Blocks of the inverse where the matrix has blocks. Collective; all arguments and results the same on all ranks.

    Parameters
    ----------
    coordinate : (N, d) places of the rows, by which they are cut; anything is right, neighbours near each other are quick
    start, columns : (N+1,), (b,) compressed block rows of a symmetric pattern with its diagonal
    blocks : (b, d, d) of a symmetric matrix
    look : called between parts of the tree

    Returns
    -------
    (b, d, d)

    Raises
    ------
    numpy.linalg.LinAlgError
        The matrix is not positive definite.
    MemoryError
        On this or another rank.
    """
    fronts = dissect(coordinate, start, columns)
    return _Elimination(comm, fronts, start, columns, blocks, look).inverse()


def dissect(coordinate: Floats, start: Integers, columns: Integers) -> list[Front]:
    """Fronts, each behind its children; the last has no boundary."""
    fronts: list[Front] = []
    side, number = np.zeros(len(coordinate), dtype=np.int8), np.empty(len(coordinate), dtype=np.int64)
    nothing = np.empty(0, dtype=np.int64)

    def divide(members: Integers) -> int:
        pivots, children = members, tuple[int, ...]()
        if len(members) > LEAF:
            below, above, between = _cut(coordinate, members, side, start, columns)
            if len(between) < len(members) // 2:
                pivots = between
                children = tuple(divide(part) for part in (below, above) if len(part))
        number[pivots] = len(fronts)
        fronts.append(Front(pivots, children, nothing))
        return len(fronts) - 1

    divide(np.arange(len(coordinate)))
    for k, front in enumerate(fronts):
        reached = [columns[_couplings(front.pivots, start)[1]], *(fronts[child].boundary for child in front.children)]
        front.boundary = np.unique(np.concatenate([rows[number[rows] > k] for rows in reached]))
    return fronts


def _cut(coordinate: Floats, members: Integers, side: NDArray[np.int8], start: Integers, columns: Integers) \
        -> tuple[Integers, Integers, Integers]:
    """Members below and above the median along the longest extent, and those below that touch one above."""
    x = coordinate[members]
    along = x[:, np.argmax(x.max(axis=0) - x.min(axis=0))]
    half = len(members) // 2
    order = np.argpartition(along, half)
    below, above = members[order[:half]], members[order[half:]]
    side[above] = 1
    which, slot = _couplings(below, start)
    touching = np.zeros(half, dtype=bool)
    touching[which[side[columns[slot]] == 1]] = True
    side[above] = 0
    return below[~touching], above, below[touching]


def _couplings(rows: Integers, start: Integers) -> tuple[Integers, Integers]:
    """(which of the rows, slot) of all blocks in these rows."""
    count = start[rows + 1] - start[rows]
    which = np.repeat(np.arange(len(rows)), count)
    return which, np.arange(len(which)) + (start[rows] - np.cumsum(count) + count)[which]


@numba.njit(cache=True)
def _extend(rows, update, d, front):
    """Add the blocks of a child to those of its parent."""
    for a in range(rows.size):
        for b in range(rows.size):
            for s in range(d):
                for t in range(d):
                    front[d * rows[a] + s, d * rows[b] + t] += update[d * a + s, d * b + t]


@numba.njit(cache=True)
def _complete(start, columns, number, blocks):
    """Blocks of rows with rows eliminated before are the transposes of others."""
    for i in range(start.size - 1):
        for slot in range(start[i], start[i + 1]):
            j = columns[slot]
            if number[j] < number[i]:
                other = start[j] + np.searchsorted(columns[start[j]:start[j + 1]], i)
                blocks[slot] = blocks[other].T


class _Elimination:
    """The way up and down a tree of fronts."""

    def __init__(self, comm: Any, fronts: list[Front], start: Integers, columns: Integers, blocks: Floats, look: Look) -> None:
        self.comm, self.fronts, self.look = comm, fronts, look
        self.start, self.columns, self.blocks, self.d = start, columns, blocks, blocks.shape[1]
        self.place, self.number = np.full((2, len(start) - 1), -1, dtype=np.int64)      # row in the present front, front
        for k, front in enumerate(fronts):
            self.number[front.pivots] = k
        self.waiting: dict[int, Floats] = {}                    # up: what boundaries are left with; down: X_bb
        self.kept: dict[int, tuple[Floats, Floats]] = {}        # G, F_pp^-1

    def inverse(self) -> Floats:
        """Blocks of the inverse on the pattern."""
        result = np.zeros_like(self.blocks)
        top, parts, owner = _shares(self.fronts, self.comm.size)
        mine = [part for part, rank in zip(parts, owner, strict=True) if rank == self.comm.rank]
        turns = max(owner.count(rank) for rank in range(self.comm.size))
        for turn in range(turns):
            self._agreed(self._up, mine[turn] if turn < len(mine) else [])
        for part, rank in zip(parts, owner, strict=True):
            self.waiting[part[-1]] = ranks.broadcast(self.comm, self.waiting.get(part[-1]), rank)
        for k in top:
            self._agreed(self._up, [k])
        self.waiting = {len(self.fronts) - 1: np.empty((0, 0))}
        for k in reversed(top):
            self._agreed(lambda k: self._down(k, result if self.comm.rank == 0 else None), [k])
        for turn in range(turns):
            self._agreed(lambda k: self._down(k, result), mine[turn][::-1] if turn < len(mine) else [])
        result = ranks.total(self.comm, result)
        _complete(self.start, self.columns, self.number, result)
        return result

    def _agreed(self, step: Callable[[int], None], fronts: Iterable[int]) -> None:
        """A step for each front; whatever stops one rank stops all. Collective."""
        trouble = 0
        try:
            for k in fronts:
                step(k)
        except np.linalg.LinAlgError:
            trouble = 1
        except MemoryError:
            trouble = 2
        trouble = int(ranks.largest(self.comm, trouble))
        if trouble:
            raise MemoryError if trouble == 2 else np.linalg.LinAlgError("the matrix is not positive definite")
        self.look()

    def _places(self, front: Front) -> tuple[Integers, Integers, Integers]:
        """Where the rows of a front stand in it; and its blocks of the pattern: (row, column there, slot), those with rows that
        were eliminated before left out."""
        p = len(front.pivots)
        self.place[front.pivots] = np.arange(p)
        self.place[front.boundary] = np.arange(p, p + len(front.boundary))
        row, slot = _couplings(front.pivots, self.start)
        column = self.place[self.columns[slot]]
        here = column >= 0
        return row[here], column[here], slot[here]

    def _leave(self, front: Front) -> None:
        self.place[front.pivots] = self.place[front.boundary] = -1

    def _up(self, k: int) -> None:
        """Eliminate the pivots of a front."""
        front, d = self.fronts[k], self.d
        p, size = len(front.pivots) * d, len(front.pivots) + len(front.boundary)
        row, column, slot = self._places(front)
        matrix = np.zeros((size * d, size * d))
        view = matrix.reshape(size, d, size, d)
        view[row, :, column] = self.blocks[slot]
        view[column, :, row] = self.blocks[slot].transpose(0, 2, 1)
        for child in front.children:
            _extend(self.place[self.fronts[child].boundary], self.waiting.pop(child), d, matrix)
        self._leave(front)
        if p:
            root, info = dpotrf(matrix[:p, :p].T, lower=1, overwrite_a=0)
            if info:
                raise np.linalg.LinAlgError
            half = dtrtrs(root, matrix[p:, :p].T, lower=1)[0]
            gain = dtrtrs(root, half, lower=1, trans=1)[0]
            inverse = np.tril(dpotri(root, lower=1, overwrite_c=1)[0])
            self.kept[k] = gain, inverse + np.tril(inverse, -1).T
            rest = matrix[p:, p:] - half.T @ half
        else:
            rest = matrix
        self.waiting[k] = rest

    def _down(self, k: int, result: Floats | None) -> None:
        """Entries of the inverse between the rows of a front."""
        front, d = self.fronts[k], self.d
        outer, p = self.waiting.pop(k), len(front.pivots) * d
        inverse = np.empty((p + len(outer),) * 2)
        inverse[p:, p:] = outer
        if p:
            gain, own = self.kept.pop(k)
            across = -(gain @ outer)
            inverse[:p, p:], inverse[p:, :p] = across, across.T
            inverse[:p, :p] = own - across @ gain.T
        row, column, slot = self._places(front)
        if result is not None:
            size = len(front.pivots) + len(front.boundary)
            result[slot] = inverse.reshape(size, d, size, d)[row, :, column]
        for child in front.children:
            rows = (self.place[self.fronts[child].boundary][:, None] * d + np.arange(d)).ravel()
            self.waiting[child] = inverse[rows[:, None], rows]
        self._leave(front)


def _shares(fronts: Sequence[Front], size: int) -> tuple[list[int], list[list[int]], list[int]]:
    """(fronts of all ranks, parts of the tree, rank of each part): the costliest parts are opened until there are enough."""
    whole: list[float] = []
    for front in fronts:
        whole.append(front.cost + sum(whole[child] for child in front.children))
    queue, top = [(-whole[-1], len(fronts) - 1)], []
    while len(queue) < SHARES * size and fronts[queue[0][1]].children:
        k = heapq.heappop(queue)[1]
        top.append(k)
        for child in fronts[k].children:
            heapq.heappush(queue, (-whole[child], child))
    heads = [k for _, k in sorted(queue)]
    load, owner = np.zeros(size), []
    for k in heads:
        owner.append(int(np.argmin(load)))
        load[owner[-1]] += whole[k]
    return sorted(top), [sorted(_below(fronts, k)) for k in heads], owner


def _below(fronts: Sequence[Front], k: int) -> Iterator[int]:
    yield k
    for child in fronts[k].children:
        yield from _below(fronts, child)
