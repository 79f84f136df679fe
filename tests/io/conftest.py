"""Files of other programs are read at once in these tests; the program that tries HDF5 beforehand has tests of its own."""

import pytest


@pytest.fixture(autouse=True)
def no_probe(monkeypatch, request):
    if "probe" not in request.node.name:
        monkeypatch.setattr("hpcglass.sealed.file.survives", lambda path: "")
