"""Names of what a lattice is made from: labels of earlier stages, or paths."""

from __future__ import annotations

import re

LABEL = re.compile(r"[A-Za-z0-9_-]+")


def is_label(name: str) -> bool:
    """Whether a name is the label of an earlier stage; others, with a slash or a dot in them, are paths."""
    return LABEL.fullmatch(name) is not None
