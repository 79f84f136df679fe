"""The documents agree with the repository: links lead somewhere, and the README shows the input that it runs."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "findings" / "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_paths_in_words_exist():
    """What a page, or a comment, calls by its path in the repository is there."""
    path = re.compile(r"(?<![\w/.])(?:hpcglass|tests|tools|inputs|jobscripts)/[\w/.-]+\.(?:py|toml|sbatch)\b")
    files = [*DOCUMENTS, *(ROOT / "hpcglass").rglob("*.py")]
    named = {(file.name, found) for file in files for found in path.findall(file.read_text(encoding="utf-8"))}
    assert len(named) > 20 and [pair for pair in sorted(named) if not (ROOT / pair[1]).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_imports_shown_in_pages_work(document):
    for block in re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "hpcglass":
                module = import_module(node.module)
                assert [name.name for name in node.names if not hasattr(module, name.name)
                        and find_spec(f"{node.module}.{name.name}") is None] == []


def test_every_finding_is_in_the_table():
    table = (ROOT / "findings" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.sh)\)", table, re.MULTILINE)) == sorted(
        path.name for path in (ROOT / "findings").glob("*.sh"))


def test_readme_shows_the_quickstart_input():
    shown = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert tomllib.loads(shown[1]) == tomllib.loads((ROOT / "inputs" / "quickstart.toml").read_text(encoding="utf-8"))


def test_version_is_the_same_everywhere():
    from hpcglass import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(__version__)}$", citation, re.MULTILINE)
