"""How the groups of an ensemble tell each other to stop: empty messages between their first ranks."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

_TAG = 75


class Leaders:
    """The first ranks of all groups, as one of them sees the others.

    comm : of these ranks
    """

    def __init__(self, comm: MPI.Comm) -> None:
        self._comm = comm
        self._told = False
        self._empty = [np.empty(0, dtype=np.uint8), MPI.BYTE]

    def asked(self) -> bool:
        """Whether another group was asked to stop. Not collective."""
        return bool(self._comm.Iprobe(MPI.ANY_SOURCE, _TAG))

    def tell(self) -> None:
        """Let the other groups know; once. Not collective."""
        if self._told:
            return
        self._told = True
        for rank in range(self._comm.size):
            if rank != self._comm.rank:
                self._comm.Isend(self._empty, rank, _TAG).Free()

    def finish(self) -> None:
        """Receive what nobody waited for. Collective over the leaders."""
        self._comm.Barrier()
        while self._comm.Iprobe(MPI.ANY_SOURCE, _TAG):
            self._comm.Recv(self._empty, MPI.ANY_SOURCE, _TAG)
        self._comm.Barrier()
