"""TOML text in and out: values with the line of each key, and a writer that reads back equal.

`tomllib` parses but forgets where things were. `key_lines` walks over the same text, which is
known to be valid by then, and only notes where each key begins.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from hpcglass.errors import InputError

Path = tuple[str | int, ...]

BARE = re.compile(r"[A-Za-z0-9_-]+")
TRIVIA = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SCALAR = re.compile(r"[^,\]}#\n]*")
STRINGS = [re.compile(p, re.DOTALL) for p in
           (r'"""(?:\\.|[^\\])*?"""+', r"'''.*?'''+", r'"(?:\\.|[^"\\\n])*"', r"'[^'\n]*'")]


def parse(text: str, source: str) -> dict[str, Any]:
    """The values.

    Raises
    ------
    InputError
        With file and line, when the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_syntax_message(str(error), source, text)) from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply to be read") from None
    except ValueError as error:      # e.g. an integer of more than 4300 digits
        raise InputError(f"{source}: {error}") from None


def _syntax_message(message: str, source: str, text: str) -> str:
    where = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line = where[1] if where and where[1] else str(text.count("\n") + 1)
    reason = message[: where.start()] if where else message
    return f"{source}:{line}: not valid TOML: {reason[:1].lower()}{reason[1:]}"


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) where each table, key and list item of a valid TOML text begins."""
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line, self.counted = 1, 0      # line number of the character at `counted`
        self.lines: dict[Path, int] = {}
        self.last: dict[Path, int] = {}     # array of tables -> index of its last table

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip() < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.assignment(table)
        return self.lines

    def skip(self) -> int:
        match = TRIVIA.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def mark(self, path: Path, at: int) -> None:
        self.line += self.text.count("\n", self.counted, at)
        self.counted = at
        self.lines.setdefault(path, self.line)

    def header(self) -> Path:
        start, double = self.at, self.text.startswith("[[", self.at)
        self.at += 1 + double
        *parents, name = self.key()
        self.skip()
        self.at += 1 + double
        path: Path = ()
        for part in parents:
            path = self.into(path + (part,))
        path += (name,)
        if double:
            self.last[path] = self.last.get(path, -1) + 1
        path = self.into(path)
        for end in range(1, len(path) + 1):
            self.mark(path[:end], start)
        return path

    def into(self, path: Path) -> Path:
        return path + (self.last[path],) if path in self.last else path

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip()
            parts.append(self.key_part())
            self.skip()
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def key_part(self) -> str:
        match = BARE.match(self.text, self.at) or self.string()
        self.at = match.end()
        quote = match[0][0]
        if quote == '"':
            return str(next(iter(tomllib.loads(match[0] + " = 0"))))
        return match[0][1:-1] if quote == "'" else match[0]

    def string(self) -> re.Match[str]:
        for pattern in STRINGS:
            match = pattern.match(self.text, self.at)
            if match:
                return match
        raise AssertionError(f"not a valid TOML text at character {self.at}")

    def assignment(self, table: Path) -> None:
        start = self.at
        path = table
        for part in self.key():
            path += (part,)
            self.mark(path, start)
        self.at += 1                    # =
        self.skip()
        self.value(path)

    def value(self, path: Path) -> None:
        first = self.text[self.at: self.at + 1]
        if first in ("[", "{"):
            self.collection(path, "]" if first == "[" else "}")
        elif first in ('"', "'"):
            self.at = self.string().end()
        else:
            match = SCALAR.match(self.text, self.at)
            self.at = match.end() if match else self.at

    def collection(self, path: Path, close: str) -> None:
        self.at += 1
        index = 0
        while not self.text.startswith(close, self.skip()):
            if close == "]":
                self.mark(path + (index,), self.at)
                self.value(path + (index,))
                index += 1
            else:
                self.assignment(path)
            if self.text.startswith(",", self.skip()):
                self.at += 1
        self.at += 1


def dumps(data: Mapping[str, Any]) -> str:
    """TOML of nested tables, lists of tables, lists, text, numbers and booleans."""
    plain = [f"{_key(k)} = {_value(v)}" for k, v in data.items() if not _is_table(v) and not _is_tables(v)]
    blocks = ["\n".join(plain)] if plain else []
    for name, value in data.items():
        if _is_table(value):
            blocks.append(_block(f"[{_key(name)}]", value))
        elif _is_tables(value):
            blocks.extend(_block(f"[[{_key(name)}]]", table) for table in value)
    return "\n\n".join(blocks) + "\n"


def _block(header: str, table: Mapping[str, Any]) -> str:
    return "\n".join([header, *(f"{_key(k)} = {_value(v)}" for k, v in table.items())])


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and all(map(_is_table, value))


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
