"""`python -m hpcglass` with another run loop, which fails as the environment asks: for test_guard.py only."""

import os
import sys
import types

from hpcglass import errors
from hpcglass.__main__ import main


def failing_run(config, text, output, comm, fresh, plots):
    kind, who = os.environ["FAIL"].split()
    if who == "all" or int(who) == comm.rank:
        raise getattr(errors, kind, None)("the reason") if hasattr(errors, kind) else getattr(__builtins__, kind)("the reason")
    comm.Barrier()      # the others wait here for ever
    return 0


sys.modules["hpcglass.run"] = types.SimpleNamespace(main=failing_run)
sys.exit(main(["run", *sys.argv[1:]]))
