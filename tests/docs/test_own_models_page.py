"""docs/own-models.md works as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from inprocess import hpcglass

import hpcglass as hg

sys.path.insert(0, str(Path(__file__).parent))
from pages import ROOT, Reader


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("reader"), {})
    # the inputs stand among the blocks, and the commands after them
    return reader, reader.follow("own-models.md")


def test_the_page_works(followed):
    reader, printed = followed
    assert "continuous up to phi'', phi''' is infinite at contact" in printed
    glass = hg.load(reader.directory / "results" / "table" / "00-quench.h5")
    assert glass.model.potential.continuity == 2 and len(glass.model.potential.segments) == 300
    assert (reader.directory / "results" / "hertz" / "DONE").exists()
    assert hg.load(reader.directory / "results" / "hertz" / "02-shear.h5").model.potential.bounded == 2


def test_the_page_names_all_inputs():
    named = set(re.findall(r"`models/([\w-]+\.toml)`", (ROOT / "docs" / "own-models.md").read_text()))
    assert named == {path.name for path in (ROOT / "inputs" / "models").glob("*.toml")}


def test_more_of_a_table_is_refused(followed):
    """What the page says about its model: the expansion of a Hertzian packing has order 1."""
    result = hpcglass("validate", followed[0].directory / "hertz.toml", "--set", "expand.order=2")
    assert result.returncode == 2 and "order = 1 can be had" in result.stderr
