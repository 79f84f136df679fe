"""The page about lattices works as it stands."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pages import Reader


def test_the_lattice_page_works(tmp_path):
    text = Reader(tmp_path, {}).follow("epm.md")
    assert "(3, 32, 32) [0.05 0.1  0.5 ]" in text and "avalanches in the last step" in text
    assert {path.name for path in (tmp_path / "results" / "lattice").glob("*.png")} >= {"00-epm.png", "00-epm-map.png"}
