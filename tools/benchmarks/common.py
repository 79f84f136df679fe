"""What the benchmarks share: the machine they ran on and tables in markdown, ready for docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def machine() -> str:
    """Processor, cores, memory and the versions that matter for speed, in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0] if names else name
    import numba
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{name}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, "
            f"NumPy {np.__version__}, numba {numba.__version__}")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def peak_memory(reset: bool = False) -> float:
    """Largest resident size of this process since the start or the last reset [bytes]; Linux only."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024.0 * next(float(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
