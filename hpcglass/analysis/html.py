"""How results show themselves in a notebook: small tables in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any

import numpy as np

from hpcglass.words import plain

MOST = 10       # rows that are shown


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], count: int, title: str = "") -> str:
    """The first rows of a table.

    count : how many rows there are
    """
    lines = [_row("th", heads), *(_row("td", map(_text, row)) for row in islice(rows, MOST))]
    more = f"<p>{count - MOST} more rows</p>" if count > MOST else ""
    return f"{f'<p><b>{escape(plain(title))}</b></p>' if title else ''}<table>{''.join(lines)}</table>{more}"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(plain(cell))}</{tag}>" for cell in cells) + "</tr>"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
