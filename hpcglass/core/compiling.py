"""How Numba compiles kernels, where its way costs time or bits.

Literals. Numba gives `f(x, 0)` in a kernel a version of f for the literal 0 alone, next to the one for any integer, and so on up
the calls: more to compile, and to read at every start, for the same instructions, as LLVM inlines what is small anyway. Ours
know the type of a number, not its value.

Copies. A compiled kernel holds a copy of all that it calls, optimised for that place, under a name that any other copy may stand
for: which of them is called depends on what was compiled or loaded before in the process, and copies differ in the last digit of
a sum (findings/numba-cache-bits.sh). Here all call their own, so that a run that compiles has the bits of one that finds all
kernels compiled.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba.core import types
from numba.core.codegen import CPUCodeLibrary
from numba.core.dispatcher import Dispatcher


def forget_literals() -> None:
    """Let calls among our kernels know the type of a number, not its value."""
    original = Dispatcher.get_call_template

    def plain(self: Any, arguments: Any, keywords: Any) -> Any:
        if self.py_func.__module__.startswith("hpcglass."):
            arguments = tuple(types.unliteral(one) for one in arguments)
            keywords = {name: types.unliteral(one) for name, one in keywords.items()}
        return original(self, arguments, keywords)

    Dispatcher.get_call_template = plain


def call_own_copies() -> None:
    """Let what is compiled call the copies of functions that it was compiled with."""
    original = CPUCodeLibrary._finalize_final_module

    def own(self: Any) -> None:
        if self._shared_module is None:         # compiled now; it is what other kernels take their copy from
            self._shared_module = self._final_module.clone()
            for function in self._shared_module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.external:
                    function.linkage = "linkonce_odr"
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.linkonce_odr:
                    function.linkage = "internal"
        original(self)

    CPUCodeLibrary._finalize_final_module = own
