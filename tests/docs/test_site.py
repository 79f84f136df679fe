"""The site of tools/docs, without mkdocs: every page is in it, links to other files of the repository lead to copies."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load(monkeypatch, tmp_path):
    """tools/docs as a module that stages into another folder."""
    loader = SourceFileLoader("site_of_docs", str(ROOT / "tools" / "docs"))
    spec = spec_from_loader("site_of_docs", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "SOURCE", tmp_path / "source")
    return module


def test_pages_links_and_api(monkeypatch, tmp_path):
    site = load(monkeypatch, tmp_path)
    navigation = "\n".join(site.stage())
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    assert len(pages) > 25 and all(f": {page}" in navigation for page in pages)
    for page in site.SOURCE.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), (page.name, link)
    assert (site.SOURCE / "hpcglass" / "rundir" / "lock.py").exists()
    modules = re.findall(r"^::: (\S+)$", "\n".join(path.read_text() for path in (site.SOURCE / "api").glob("*.md")), re.MULTILINE)
    assert "hpcglass" in modules and "hpcglass.landscape.modes" in modules and len(set(modules)) == len(modules)
