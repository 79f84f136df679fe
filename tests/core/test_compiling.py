"""How kernels are compiled: once for all literals, and with their own copies of what they call."""

from __future__ import annotations

import numba
import numpy as np

import hpcglass.core  # noqa: F401 (decides how kernels are compiled)


@numba.njit
def smoothed(values, rounds):
    """Long enough that LLVM calls it instead of putting it in its caller's place."""
    for _ in range(rounds):
        for i in range(1, values.size - 1):
            values[i] = np.exp(-values[i]) + np.sin(values[i - 1]) * np.cos(values[i + 1])
        for i in range(values.size - 2, 0, -1):
            values[i] = np.log(1.0 + abs(values[i])) + np.tanh(values[i - 1]) * np.sqrt(abs(values[i + 1]))
    return values.sum() + values.max() - values.min() + values.mean()


@numba.njit
def twice(values):
    return smoothed(values, 1) + smoothed(values, 2)


def test_a_literal_is_no_version_of_its_own(monkeypatch):
    for module, versions in (("hpcglass.somewhere", ["int64"]), ("elsewhere", ["Literal[int](1)", "Literal[int](2)"])):
        inner = numba.njit(smoothed.py_func)
        inner.py_func.__module__ = module
        monkeypatch.setitem(twice.py_func.__globals__, "smoothed", inner)
        numba.njit(twice.py_func)(np.ones(4))
        assert sorted(str(one[1]) for one in inner.signatures) == versions


def test_a_kernel_calls_the_copy_that_it_was_compiled_with():
    """Under no name that a copy of another kernel may stand for."""
    assert twice(np.linspace(0.0, 1.0, 8)) > 0.0
    code = twice.inspect_asm(twice.signatures[0])
    assert "smoothed" in code and ".weak" not in code
