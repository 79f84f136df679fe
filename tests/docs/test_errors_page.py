"""docs/errors.md has a section for every exit code, and the messages that it explains are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from hpcglass import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
BUG = errors.HpcglassError.exit_code


def codes() -> set[int]:
    return {value for name, value in vars(errors).items() if name.startswith("EXIT_")} | {BUG}


def test_every_exit_code_has_its_section():
    sections = {int(code) for code in re.findall(r"^## Exit code (\d+)$", PAGE, re.MULTILINE)}
    rows = {int(code) for code in re.findall(r"^\| \[(\d+)\]\(#exit-code-\1\) \|", PAGE, re.MULTILINE)}
    assert len(codes()) == 6 and sections == rows == codes()


def test_messages_are_those_of_the_code():
    """Each heading is a piece of one text in the package, and stands below the code of errors that say it."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "hpcglass").rglob("*.py")))
    messages = re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)
    assert len(messages) > 20 and [text for text in messages if text not in source] == []
