"""A kernel is compiled once for all values of a number, also where one stands in the source.

Numba gives `f(x, 0)` in a kernel a version of f for the literal 0 alone, next to the one for any integer, and so on up the calls:
half as much again to compile, and to read at every start, for the same instructions, as LLVM inlines what is small anyway.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.dispatcher import Dispatcher


def forget_literals() -> None:
    """Let calls among our kernels know the type of a number, not its value."""
    original = Dispatcher.get_call_template
    if getattr(original, "forgets", False):
        return

    def plain(self: Any, arguments: Any, keywords: Any) -> Any:
        if self.py_func.__module__.startswith("hpcglass."):
            arguments = tuple(types.unliteral(one) for one in arguments)
            keywords = {name: types.unliteral(one) for name, one in keywords.items()}
        return original(self, arguments, keywords)

    plain.forgets = True    # type: ignore[attr-defined]
    Dispatcher.get_call_template = plain
