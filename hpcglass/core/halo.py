"""Ghosts: copies of particles near a brick, and the two verbs that keep them true.

The plan is built once per rebuild and applied to any array: `forward` copies owners to ghosts,
`reverse_add` adds what was accumulated on ghosts to their owners. Ghosts are images: one owner can have several, on any
rank, its own included. Copies within a rank do not pass through MPI. Cost: one message per neighbouring rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from hpcglass.core.comm import send_rows
from hpcglass.core.decomposition import Bricks

Array = NDArray[Any]


class Halo:
    """Which owned rows are whose ghosts.

    Attributes
    ----------
    n_ghosts : int
    periods : (n_ghosts, d) int64
        Cell periods to add to the owner's position: x_ghost = x_owner + h @ periods.
    owners : (n_ghosts,) int64 or None
        Owner's row of each ghost, where all owners are ours.
    """

    def __init__(self, comm: MPI.Comm, bricks: Bricks, fraction: Array, width: Array) -> None:
        self.comm = comm
        rows, ranks, periods = [], [], []
        near: dict[tuple[int, int], Array] = {}
        for offset, rank, crossed in bricks.neighbours(width):
            for k in np.flatnonzero(offset):
                if (k, offset[k]) not in near:
                    near[k, offset[k]] = bricks.near(fraction, k, offset[k], width[k])
            chosen = np.flatnonzero(np.logical_and.reduce([near[k, offset[k]] for k in np.flatnonzero(offset)]))
            rows.append(chosen)
            ranks.append(np.full(chosen.size, rank, dtype=np.int64))
            periods.append(np.broadcast_to(-crossed, (chosen.size, fraction.shape[1])))
        row = np.concatenate(rows) if rows else np.empty(0, np.int64)
        rank_of = np.concatenate(ranks) if ranks else np.empty(0, np.int64)
        period = np.concatenate(periods) if periods else np.empty((0, fraction.shape[1]), np.int64)
        order = np.argsort(rank_of, kind="stable")
        self._send_rows = row[order]
        self._send_count = np.bincount(rank_of, minlength=comm.size)
        arrived, source = send_rows(comm, rank_of, np.ascontiguousarray(period, dtype=np.int64),
                                    np.full(row.size, comm.rank, dtype=np.int64))
        self.periods: NDArray[np.int64] = arrived
        self.n_ghosts = len(arrived)
        self._receive_count = np.bincount(source, minlength=comm.size)
        self._slot = np.arange(self.n_ghosts)      # place of the k-th arriving row among the ghosts
        self._find_peers()

    def _find_peers(self) -> None:
        send_start = np.concatenate(([0], np.cumsum(self._send_count)))
        receive_start = np.concatenate(([0], np.cumsum(self._receive_count)))
        here = self.comm.rank
        spans = [(rank, slice(send_start[rank], send_start[rank + 1]), slice(receive_start[rank], receive_start[rank + 1]))
                 for rank in range(self.comm.size) if self._send_count[rank] or self._receive_count[rank]]
        self._self = [span for span in spans if span[0] == here]
        self._peers = [span for span in spans if span[0] != here]
        self.owners = None if self._peers else self._send_rows

    def sort(self, order: Array) -> None:
        """Put the ghosts in another order: ghost k becomes the one that was `order[k]`."""
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        self._slot = place[self._slot]
        if self.owners is not None:
            self.owners = self.owners[order]
        self.periods = self.periods[order]

    def forward(self, values: Array, n_owned: int) -> None:
        """Fill rows [n_owned:] of `values` with their owners' rows. Collective among neighbours."""
        if self.owners is not None:
            np.take(values, self.owners, axis=0, out=values[n_owned:])
            return
        send = values[self._send_rows]
        arrived = np.empty((self.n_ghosts, *values.shape[1:]), dtype=values.dtype)
        self._exchange(send, arrived, reverse=False)
        values[n_owned + self._slot] = arrived

    def reverse_add(self, values: Array, n_owned: int) -> None:
        """Add rows [n_owned:] of `values` to their owners' rows. Collective among neighbours."""
        send = values[n_owned + self._slot]
        arrived = np.empty((self._send_rows.size, *values.shape[1:]), dtype=values.dtype)
        self._exchange(send, arrived, reverse=True)
        np.add.at(values, self._send_rows, arrived)

    def _exchange(self, send: Array, arrived: Array, reverse: bool) -> None:
        requests = []
        for rank, out, back in self._peers:
            there, here = (back, out) if reverse else (out, back)
            if here.stop > here.start:
                requests.append(self.comm.Irecv(arrived[here], source=rank, tag=7))
            if there.stop > there.start:
                requests.append(self.comm.Isend(send[there], dest=rank, tag=7))
        for _, out, back in self._self:
            there, here = (back, out) if reverse else (out, back)
            arrived[here] = send[there]
        MPI.Request.Waitall(requests)
