"""tools/gallery: all figures of the papers are there, what is kept fits them, the page says what is kept, and an entry runs."""

from __future__ import annotations

import doctest
import math
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

from papers import bands, campaign, entry, page, results, store  # noqa: E402
from papers.catalogue import CAMPAIGNS, ENTRIES  # noqa: E402
from papers.results import Gallery  # noqa: E402

from hpcglass.config import Config  # noqa: E402
from hpcglass.errors import InputError  # noqa: E402

FIGURES = {"000": 11, "001": 9, "002": 7, "003": 11, "004": 7}
GALLERY = str(ROOT / "tools" / "gallery")


def test_every_figure_and_table_is_there():
    """All but Fig. 2 of paper 003, which explains indicators."""
    wanted = {f"{paper}-fig{n}" for paper, last in FIGURES.items() for n in range(1, last + 1)} - {"003-fig2"}
    assert {one.id for one in ENTRIES} == wanted | {"000-table1", "000-table2"}
    assert len(ENTRIES) == 46


def test_examples_of_the_docstrings():
    assert doctest.testmod(entry).failed == 0
    assert doctest.testmod(bands).failed == 0


def test_campaigns_are_used_and_have_inputs():
    assert {name for one in ENTRIES for name in one.campaigns} == set(CAMPAIGNS)
    assert page.missing() == []


@pytest.mark.parametrize("one", CAMPAIGNS.values(), ids=lambda one: one.name)
@pytest.mark.parametrize("scale", campaign.SCALES)
def test_what_is_set_is_understood(one, scale):
    text = campaign.source(one)
    for _, member in one.members:
        try:
            Config.load(text, campaign.keys(one, member, scale))
        except InputError as error:     # what another campaign leaves need not be here
            assert all("there is no file" in line for line in str(error).splitlines()), error


def test_names_of_numbers_are_distinct_and_say_where_they_are_read():
    for one in ENTRIES:
        names = [number.name for number in one.numbers]
        assert len(set(names)) == len(names) and all(number.read for number in one.numbers), one.id
        assert one.numbers or one.note


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: one.id)
def test_what_is_kept(one):
    """Numbers have the names of the entry, and errors or a reason why not; they come from a commit; pictures are small."""
    record = store.kept(one)
    if record is not None:
        assert set(record.numbers) == {number.name for number in one.numbers}
        assert record.commit and record.date and all(line.startswith("hpcglass run inputs/papers/") for line in record.commands)
        for number in one.numbers:
            value, error = record.numbers[number.name]
            assert value is None or error is not None or number.no_error, f"{one.id}: {number.name}: no error, no reason"
    picture = store.KEPT / f"{one.id}.png"
    assert not picture.exists() or picture.stat().st_size < store.LARGEST


def test_curves_of_a_picture_are_kept(tmp_path):
    """With errors, labels and panels."""
    from hpcglass.analysis.figures.style import row

    figure, (left, right) = row(2)
    x = np.array([1.0, 2.0, 4.0])
    left.errorbar(x, x**2, 0.1 * x, fmt="o", label=r"$T_\mathrm{p} = 1$")
    left.set(xlabel=r"strain $\gamma$", ylabel="stress", yscale="log")
    right.plot(x, -x)
    right.bar([1.0], [2.0], width=0.5)
    store.keep_curves(figure, tmp_path / "curves.h5", "a title")
    with h5py.File(tmp_path / "curves.h5") as file:
        assert file.attrs["title"] == "a title" and file.attrs["commit"] and list(file) == ["panel_0", "panel_1"]
        assert dict(file["panel_0"].attrs) == {"x": "strain gamma", "y": "stress"} and list(file["panel_0"]) == ["series_0"]
        curve, line = file["panel_0/series_0"], file["panel_1/series_0"]
        assert dict(curve.attrs) == {"kind": "points", "label": "T_p = 1"} and line.attrs["label"] == ""
        assert np.array_equal(curve["x"], x) and np.array_equal(curve["y"], x**2) and np.array_equal(line["y"], -x)
        assert file["panel_1/series_1/x_low"][:] == [0.75] and file["panel_1/series_1/y_high"][:] == [2.0]
        assert curve["y_high"][:] - curve["y_low"][:] == pytest.approx(0.2 * x, rel=1e-5)


def test_nothing_else_is_kept():
    assert {path.stem for path in store.KEPT.glob("*")} <= {one.id for one in ENTRIES}


def test_the_page_is_up_to_date():
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_numbers_taken_from_tables():
    x = np.geomspace(1, 10, 9)
    assert results.slope(x, 3 * x**-2.0)[0] == pytest.approx(-2.0)
    noisy = x**0.5 * np.exp(0.02 * np.array([1, -1, 1, -1, 0, 1, -1, 1, -1]))
    n, error = results.slope(x, noisy)
    assert abs(n - 0.5) < 3 * error < 0.1
    assert results.slope(x, x, 0.1 * x)[1] == pytest.approx(0.1 / np.sqrt(((np.log(x) - np.log(x).mean()) ** 2).sum()))
    bent = x * np.array([1, 1.5, 1, 1, 1.5, 1, 1, 1.5, 1])  # by more than its errors
    assert results.slope(x, bent, 0.01 * x)[1] > 3 * results.slope(x, x, 0.01 * x)[1]
    assert results.mean([1.0, 3.0, np.nan]) == (2.0, 1.0)
    assert results.ratio((6.0, 0.6), (2.0, 0.2)) == pytest.approx((3.0, 3 * 0.1 * 2**0.5))
    value, error = results.median(np.arange(101.0))
    assert value == 50.0 and 2.0 < error < 6.0
    assert results.median([3.0, np.nan])[0] == 3.0 and math.isnan(results.median([3.0])[1])
    assert results.difference((3.0, 0.3), (1.0, 0.4)) == pytest.approx((2.0, 0.5))
    assert results.share(0, 6)[0] == 0.0 and 0.05 < results.share(0, 6)[1] < 0.2
    assert results.taken(lambda at: {}["no such column"], Gallery(Path("nowhere"), "small"))[0] is math.nan


def test_width_of_a_band_above_its_background():
    """2.355 s of a Gaussian wherever it is, whatever its height and what it stands on; NaN of a flat profile."""
    x = (np.arange(200) + 0.5) / 10
    for position, height, level in ((10.0, 1.0, 0.0), (0.3, 7.0, 3.0), (19.9, 0.2, 40.0)):
        away = (x - position + 10.0) % 20.0 - 10.0
        width = bands.half_width(level + height * np.exp(-(away**2) / 2), 20.0)
        assert width == pytest.approx(2 * np.sqrt(2 * np.log(2)), abs=0.01)
    assert math.isnan(bands.half_width(np.ones(20), 20.0))


def test_the_page_counts_what_agrees():
    """All verdicts that the sections give are in the counts of the summary; what is allowed stands beside each number."""
    text = page.page()
    counted = [int(n) for n in re.findall(r"(\d+) (?:agree,|are undecided,|differ\.)", text)]
    cells = [line.split(" | ")[-1].strip(" |") for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 5]
    assert len(counted) == 3 and counted == [cells.count(word) for word in page.VERDICTS]


def test_a_self_check_is_not_counted():
    """Slips that are fitted to the lattice's own answer say "self-check", and stand in no count of what agrees with the paper."""
    checks = [(one, number) for one in ENTRIES for number in one.numbers if number.self_check]
    assert {one.id for one, _ in checks} == {"004-fig3", "004-fig5"} and len(checks) == 12
    for one, number in checks:
        assert [entry.verdict(number, x, 0.0) for x in (number.low, 1.0)] == ["self-check agrees", "self-check differs"]
        assert entry.verdict(number, *store.kept(one).number(number.name)) not in page.VERDICTS
    said = re.search(r"Of (\d+)\s+self-checks (\d+) return", page.page())
    assert said and int(said[1]) == len(checks) >= int(said[2])


@pytest.mark.slow
def test_an_entry_runs(tmp_path):
    """The lattices of 001, Fig. 6, small: run, numbers, commands, processor time."""
    done = subprocess.run(
        [sys.executable, GALLERY, "--results", str(tmp_path / "a"), "run", "001-fig6", "--scale", "small"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    at = Gallery(tmp_path / "a", "small")
    place = at["001-fig6-epm", "micromechanics"]
    assert place.run.exists() and campaign.seconds(place) > 0.5
    one = next(one for one in ENTRIES if one.id == "001-fig6")
    record = store.measure(one, at)
    assert record.numbers["share of lattices with a band, T_p = 0.7"][0] is not None
    assert record.commands[0] == "hpcglass run inputs/papers/001-fig6-epm.toml --set L=8"
    assert len(record.commands) == len(CAMPAIGNS["001-fig6-epm"].members)
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools" / "band_widths"),
            str(place.run),
            "--stage",
            "epm",
            "--both",
            "--between",
            "0.04",
            "0.12",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and re.search(r"^n = ", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert campaign.recorded(place) > 0.0
