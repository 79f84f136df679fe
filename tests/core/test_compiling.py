"""How kernels are compiled: once for all literals, as parts of what Python calls, and with their own copies of what they call."""

from __future__ import annotations

import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core import event

from hpcglass.core import compiling


@numba.njit
def smoothed(values, rounds):
    """Long enough that LLVM calls it instead of putting it in its caller's place."""
    for _ in range(rounds):
        for i in range(1, values.size - 1):
            values[i] = np.exp(-values[i]) + np.sin(values[i - 1]) * np.cos(values[i + 1])
        for i in range(values.size - 2, 0, -1):
            values[i] = np.log(1.0 + abs(values[i])) + np.tanh(values[i - 1]) * np.sqrt(abs(values[i + 1]))
    if values.size < 3:
        raise ValueError("too few values")
    return values.sum() + values.max() - values.min() + values.mean()


@numba.njit
def twice(values):
    return smoothed(values, 1) + smoothed(values, 2)


@pytest.fixture
def ours(monkeypatch):
    """(smoothed, twice) as two kernels of a module of the package, or of another one."""
    def make(module):
        inner = numba.njit(smoothed.py_func)
        inner.py_func.__module__ = module
        monkeypatch.setitem(twice.py_func.__globals__, "smoothed", inner)
        return inner, numba.njit(twice.py_func)

    name = smoothed.py_func.__module__
    yield make
    smoothed.py_func.__module__ = name


class Compiled(event.Listener):
    """Types of the second argument for which `smoothed` is compiled."""

    def __init__(self):
        self.types = []

    def on_start(self, event):
        if event.data["dispatcher"].py_func is smoothed.py_func:
            self.types.append(str(event.data["args"][1]))

    def on_end(self, event):
        """Nothing more to know."""


@pytest.mark.parametrize(("module", "versions"),
                         [("hpcglass.somewhere", ["int64"]), ("elsewhere", ["Literal[int](1)", "Literal[int](2)"])])
def test_a_literal_is_no_version_of_its_own(ours, module, versions):
    _, outer = ours(module)
    with event.install_listener("numba:compile", Compiled()) as listener:
        outer(np.ones(4))
    assert sorted(set(listener.types)) == versions


def test_a_part_is_compiled_with_the_whole_alone(ours, monkeypatch):
    """What only kernels call has no machine code of its own; called from Python, it gets it, with the same result."""
    left, original = [], compiling.is_part
    monkeypatch.setattr(compiling, "is_part", lambda module: left.append(original(module)) or left[-1])
    inner, outer = ours("hpcglass.somewhere")
    values = np.linspace(0.0, 1.0, 8)
    whole = outer(values.copy())
    assert not inner.signatures
    assert left.count(True) == 2        # not optimised, not finished
    work = values.copy()
    assert inner(work, 1) + inner(work, 2) == pytest.approx(whole, rel=1e-13)
    assert len(inner.signatures) == 1
    assert numba.njit(twice.py_func)(values.copy()) == whole
    with pytest.raises(ValueError, match="too few values"):
        outer(np.ones(2))


def test_a_whole_that_is_loaded_knows_its_parts(tmp_path):
    """A second process loads what the first compiled, the whole and nothing else; errors of parts come through."""
    (tmp_path / "hpcglass_model.py").write_text(
        "import numba\nimport hpcglass.core\n\n\n@numba.njit(cache=True)\ndef part(x):\n    if x < 0.0:\n"
        "        raise ValueError('negative', x)\n    return x ** 0.3\n\n\n@numba.njit(cache=True)\ndef whole(x):\n"
        "    return part(x) + part(2.0 * x)\n\n\npart.py_func.__module__ = 'hpcglass.' + part.py_func.__module__\n"
        "print(repr(whole(0.7)), len(whole.stats.cache_hits))\ntry:\n    whole(-1.0)\nexcept ValueError as error:\n"
        "    print(error, len(part.signatures))\n")
    command = [sys.executable, str(tmp_path / "hpcglass_model.py")]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2))
    assert [first[1], second[1]] == ["0", "1"]
    assert [first[0], *first[2:]] == [second[0], *second[2:]] == [repr(0.7**0.3 + 1.4**0.3), "('negative',", "-1.0)", "0"]


def test_a_kernel_calls_the_copy_that_it_was_compiled_with():
    """Under no name that a copy of another kernel may stand for."""
    assert twice(np.linspace(0.0, 1.0, 8)) > 0.0
    code = twice.inspect_asm(twice.signatures[0])
    assert "smoothed" in code and ".weak" not in code
