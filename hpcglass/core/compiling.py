"""How Numba compiles kernels, where its way costs time or bits.

Literals. Numba gives `f(x, 0)` in a kernel a version of f for the literal 0 alone, next to the one for any integer, and so on up
the calls: more to compile, and to read at every start, for the same instructions, as LLVM inlines what is small anyway. Ours
know the type of a number, not its value.

Parts. A kernel f that another one calls is a part of it, and all of it: Numba compiles f, with all below it, to the end and
stores it, takes it apart again for the caller, and so on at every level; each level gets a door for Python, which may be
longer than itself. Ours optimise and store only what Python calls: for kernels f has a second self, a part, that
stays as the compiler's front end leaves it until it is optimised with the whole. Half of the compiling is saved.

Copies. A compiled kernel holds a copy of all that it calls, optimised for that place, under a name that any other copy may stand
for: which of them is called depends on what was compiled or loaded before in the process, and copies differ in the last digit of
a sum (findings/numba-cache-bits.sh). Here all call their own, so that a run that compiles has the bits of one that finds all
kernels compiled.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.dispatcher import Dispatcher
from numba.core.environment import lookup_environment


def compile_wholes() -> None:
    """Let our kernels be parts where kernels call them, for types of numbers and not for values."""
    original, overload, parts = Dispatcher.get_call_template, Dispatcher.get_overload, {}

    def part_of(kernel: Any) -> Any:
        """The second self of one of ours; others as they are."""
        if not kernel.py_func.__module__.startswith("hpcglass."):
            return kernel
        if kernel not in parts:
            parts[kernel] = numba.jit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **kernel.targetoptions)(kernel.py_func)
        return parts[kernel]

    def call(self: Any, arguments: Any, keywords: Any) -> Any:
        part = part_of(self)
        if part is not self:
            arguments = tuple(types.unliteral(one) for one in arguments)
            keywords = {name: types.unliteral(one) for name, one in keywords.items()}
        return original(part, arguments, keywords)

    Dispatcher.get_call_template = call
    Dispatcher.get_overload = lambda self, signature: overload(part_of(self), signature)


def call_own_copies() -> None:
    """Let what is compiled call the copies of functions that it was compiled with, and leave parts to what they are parts of."""
    optimise, finish = CPUCodeLibrary._optimize_final_module, CPUCodeLibrary._finalize_final_module
    place = JITCPUCodegen.set_env

    def optimised(self: Any) -> None:
        if not is_part(self._final_module):
            optimise(self)

    def finished(self: Any) -> None:
        if self._shared_module is None:         # compiled now; it is what other kernels take their copy from
            self._shared_module = self._final_module.clone()
            for function in self._shared_module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.external:
                    function.linkage = "linkonce_odr"
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.linkonce_odr:
                    function.linkage = "internal"
        if is_part(self._final_module):
            self._finalized = True
            return
        finish(self)
        for name in [one.name for one in self._final_module.global_variables if one.name.startswith("_ZN08NumbaEnv")]:
            if lookup_environment(name) is not None:
                self._codegen.set_env(name, lookup_environment(name))

    def set_env(self: Any, name: str, environment: Any) -> None:
        if self._engine.get_global_value_address(name):         # those of parts are known when the whole is
            place(self, name, environment)

    CPUCodeLibrary._optimize_final_module = optimised
    CPUCodeLibrary._finalize_final_module = finished
    JITCPUCodegen.set_env = set_env


def is_part(module: Any) -> bool:
    """Whether a module is one of our kernels without a door for Python."""
    names = [function.name for function in module.functions if not function.is_declaration]
    return any(name.startswith("_ZN8hpcglass") for name in names) and not any(name.startswith("_ZN7cpython") for name in names)
