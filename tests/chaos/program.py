"""`python -m hpcglass` with the toy stage in its table; a write that fails if CHAOS_DISK, one that waits if CHAOS_AIM says so."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hpcglass import registry

registry.STAGES["toy"] = "toy:Toy"


def fail_to_write(count: int, rank: int) -> None:
    """From the count-th write on, writing rows fails on one rank as on a full disk."""
    from hpcglass import launcher
    from hpcglass.io import h5

    written = 0
    real = h5.write_rows

    def write(*arguments):
        nonlocal written
        written += 1
        error = real(*arguments)
        if written >= count and launcher.rank() == rank:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return error

    h5.write_rows = write


if __name__ == "__main__":
    from hpcglass.__main__ import main

    if "CHAOS_DISK" in os.environ:
        from hpcglass.__main__ import world

        world()
        fail_to_write(*(int(n) for n in os.environ["CHAOS_DISK"].split(":")))
    if "CHAOS_AIM" in os.environ:
        from hpcglass.__main__ import world

        world()
        import aim

        aim.take(os.environ["CHAOS_AIM"], sys.argv[sys.argv.index("--output") + 1])
    sys.exit(main())
