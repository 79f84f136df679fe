"""Imported by every Python with this folder in PYTHONPATH: in the first start of its job a run's first stage takes PACE seconds.

SLURM looks at time limits every 30 s only; a run that is long enough because it rests keeps no core busy meanwhile.
"""

import os
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

PACE = 0.0 if int(os.environ.get("SLURM_RESTART_COUNT", "0")) else float(os.environ.get("PACE", "0"))


class Paced(MetaPathFinder):
    """Finds hpcglass.context as everybody does, and changes it when it has been loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "hpcglass.context":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            slow_down(module.StageContext)

        spec.loader.exec_module = exec_module
        return spec


def slow_down(context):
    """Safe points of the first stage wait until as much of PACE has gone as of the stage has been done since the start."""
    original, start = context.safe_point, []

    def safe_point(self, step, total, snapshot, note=""):
        original(self, step, total, snapshot, note)
        if self.index == 0 and total:
            start[:] = start or [step, time.monotonic()]
            time.sleep(max(0.0, start[1] + PACE * (step - start[0]) / total - time.monotonic()))

    context.safe_point = safe_point


sys.meta_path.insert(0, Paced())
