"""`python -m hpcglass` with the toy stage in its table, and a write that fails if CHAOS_DISK says so."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hpcglass import registry  # noqa: E402

registry.STAGES["toy"] = "toy:Toy"
import hpcglass.core.system as S  # TEMPORARY
if not hasattr(S, "build"):  # TEMPORARY
    def build(comm, p, model, seed):  # TEMPORARY
        import numpy as np  # TEMPORARY
        n, d = p.particles, p.dimension  # TEMPORARY
        r = np.random.default_rng(seed); box = np.array(p.box()); x = r.random((n, d)) @ box.T; dia = r.uniform(0.8, 1.2, n)  # TEMPORARY
        own = np.arange(comm.rank, n, comm.size)  # TEMPORARY
        return S.System(comm, model, box, {"id": own, "position": x[own], "diameter": dia[own], "species": np.zeros(len(own), dtype=np.int32)})  # TEMPORARY
    S.build = build  # TEMPORARY


def fail_to_write(count: int, rank: int) -> None:
    """From the count-th write on, writing rows fails on one rank as on a full disk."""
    from hpcglass import launcher
    from hpcglass.io import h5

    written = 0
    real = h5._write_rows_here

    def write(*arguments):
        nonlocal written
        written += 1
        error = real(*arguments)
        if written >= count and launcher.rank() == rank:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return error

    h5._write_rows_here = write


if __name__ == "__main__":
    from hpcglass.__main__ import main

    if "CHAOS_DISK" in os.environ:
        from hpcglass.__main__ import world

        world()
        fail_to_write(*(int(n) for n in os.environ["CHAOS_DISK"].split(":")))
    sys.exit(main())
