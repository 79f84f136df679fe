"""How results show themselves in a notebook: small tables in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any

import numpy as np

from hpcglass.words import plain

MOST = 10       # rows that are shown


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], count: int, title: str = "", most: int = MOST) -> str:
    """The first rows of a table.

    count, most : how many rows there are, and how many are shown
    """
    lines = [_row("th", heads), *(_row("td", row) for row in islice(rows, most))]
    more = f"<p>{count - most} more rows</p>" if count > most else ""
    return f"{f'<p><b>{escape(plain(title))}</b></p>' if title else ''}<table>{''.join(lines)}</table>{more}"


def _row(tag: str, cells: Iterable[Any]) -> str:
    """Numbers to the right, words to the left; no cell is broken into lines."""
    def cell(value: Any) -> str:
        side = "right" if isinstance(value, int | float | np.number) else "left"
        return f'<{tag} style="text-align:{side};white-space:nowrap">{escape(plain(_text(value)))}</{tag}>'

    return f"<tr>{''.join(map(cell, cells))}</tr>"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
