"""hpcglass: prepare, shear and analyse model glasses on any number of MPI ranks.

>>> import hpcglass as hg
>>> run = hg.open("results/quickstart")                   # tables of every stage, no MPI needed
>>> glass = hg.load("results/quickstart/01-quench.h5")    # a live system
>>> hg.landscape.evaluate(glass).stress
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {"open": "hpcglass.results.opening:open_results", "load": "hpcglass.library:load",
         "Run": "hpcglass.analysis.open_run:Run"}
_MODULES = ("analysis", "landscape", "moves")


def __getattr__(name: str) -> Any:
    """Load a name of the public interface when it is first used: `import hpcglass` stays fast."""
    if name in _MODULES:
        return import_module(f"hpcglass.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module 'hpcglass' has no attribute '{name}'")
    module, attribute = _LAZY[name].split(":")
    return getattr(import_module(module), attribute)
