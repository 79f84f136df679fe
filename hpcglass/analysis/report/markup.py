"""HTML in which every text is escaped unless it was made here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from hpcglass.words import plain


class Html(str):
    """Text that is HTML already."""


def text(content: object) -> Html:
    """A text of a user, or a number.

    >>> text("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    return content if isinstance(content, Html) else Html(escape(plain(content)))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element; attributes as `id="..."`, `class_="..."`.

    >>> tag("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{''.join(map(text, content))}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    """One after another."""
    return Html("\n".join(map(text, parts)))


def table(heads: Sequence[object], rows: Iterable[Sequence[object]], **attributes: object) -> Html:
    """A table; numbers to the right."""
    top = tag("thead", tag("tr", *(tag("th", head) for head in heads)))
    body = tag("tbody", *(tag("tr", *(_cell(value) for value in row)) for row in rows))
    return tag("div", tag("table", top, body, **attributes), class_="wide")


def _cell(value: object) -> Html:
    number = isinstance(value, int | float | np.number)
    return tag("td", short(value), class_="number") if number else tag("td", short(value))


def short(value: object) -> object:
    """A number with the digits that one reads; anything else as it is."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value


def folded(title: object, *content: object) -> Html:
    """What is seen after a click on its title."""
    return tag("details", tag("summary", title), *content)


def picture(content: bytes, kind: str, title: str, width: float) -> Html:
    """An image within the page, so wide in pixels. Scripts of an SVG do not run in an <img>."""
    kind = {"svg": "svg+xml"}.get(kind, kind)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Html(f'<img alt="{text(title)}" width="{width:.0f}" src="{source}">')


def data(content: Any, name: str) -> Html:
    """What the script of the page reads; no text in it can end the element."""
    lines = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Html(f'<script type="application/json" id="{text(name)}">{lines.replace("<", chr(92) + "u003c")}</script>')
