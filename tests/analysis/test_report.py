"""The page of a run, an ensemble, a sweep: well-formed, alone, of bounded size, every text escaped; and what its maps hold."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from inprocess import hpcglass

from hpcglass.analysis.open_run import StageResults, open_run, read_stage
from hpcglass.analysis.report import frames
from hpcglass.analysis.report.frames import encoded, read_map, shading
from hpcglass.analysis.report.gather import gather
from hpcglass.analysis.report.markup import data, folded, table, tag

HOSTILE = """</title></script><script>alert(1)</script><img src=x onerror="alert(2)"> & 'so' on"""
INPUT = """
title = '''{title}'''
seed = 1
[parameters]
T_p = 0.2
[sweep]
T_p = [0.2, 0.4]
[ensemble]
samples = 2
[system]
model = "ipl12"
dimension = 2
particles = 64
[[stage]]
kind = "swap"
temperature = "$T_p"
sweeps = 20
[[stage]]
kind = "quench"
[[stage]]
kind = "shear"
strain_step = 5e-3
max_strain = 0.1
frames_every = 4
event_frames = false
"""
OURS = set("html head meta title style body h1 h2 h3 p nav a div table thead tbody tr th td span details summary pre figure "
           "figcaption img select button input output canvas script".split())
VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, in its order. Keeps elements, attributes that lead somewhere, texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.links, self.texts = [], [], [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert not any(name.startswith("on") for name, _ in attrs)
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "data", "poster", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of two tasks with two samples each, of a hostile title, in a directory of a hostile name."""
    place = tmp_path_factory.mktemp("report")
    (place / "in.toml").write_text(INPUT.format(title=HOSTILE))
    out = place / "a<b>&'c'"
    done = hpcglass("run", place / "in.toml", "--output", out, "--no-plots")
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def pages(sweep, tmp_path_factory):
    """Pages of the sweep, of one of its ensembles, of a single run."""
    place = tmp_path_factory.mktemp("pages")
    task = sorted(sweep.iterdir())[0]
    written = {}
    for name, directory in (("sweep", sweep), ("ensemble", task), ("run", task / "sample-0000")):
        written[name] = place / f"{name}.html"
        done = hpcglass("report", directory, "-o", written[name])
        assert done.returncode == 0, done.stdout + done.stderr
    return written


def maps(page):
    return [json.loads(text) for text in page.texts["script"] if text.startswith("{")]


@pytest.mark.parametrize("name", ["sweep", "ensemble", "run"])
def test_page_stands_alone(pages, name):
    text = pages[name].read_text()
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>") and len(text) < 4_000_000
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    targets = {given["id"] for _, given in page.elements if "id" in given}
    assert {link[1:] for link in page.links if link.startswith("#")} <= targets
    css = "".join(page.texts["style"])
    assert "url(" not in css and "@import" not in css
    policy, = (given["content"] for tag, given in page.elements if given.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    scripts = [given for tag, given in page.elements if tag == "script"]
    assert [given for given in scripts if given.get("type") != "application/json"] == [{}]      # ours alone runs


@pytest.mark.parametrize("name", ["sweep", "ensemble", "run"])
def test_texts_of_users_are_texts(pages, name):
    page = Page(pages[name].read_text())
    assert page.texts["h1"] == [HOSTILE]
    assert {tag for tag, _ in page.elements} <= OURS
    assert all(given.get("src", "").startswith("data:image/") for tag, given in page.elements if tag == "img")
    assert any(HOSTILE in text for text in page.texts["pre"])           # the input


def test_sweep_has_its_tasks_curves_and_means(pages):
    page = Page(pages["sweep"].read_text())
    cells = page.texts["td"]
    assert cells.count("2 of 2") == 2 and "T_p=0.2" in cells
    shown = [text for text in page.texts["figcaption"] if "of stage shear" in text]
    assert shown[0].startswith("Means over the samples") and shown[1].startswith("Table loading") and len(shown) == 2
    assert any(re.fullmatch(r"-?[\d.e-]+ ± [\d.e-]+", cell) for cell in cells)
    assert len(maps(page)) == 2
    one, two = (dict((field["name"], field) for field in drawn["fields"]) for drawn in maps(page))
    name = next(name for name in one if name.startswith("D²min"))
    assert one[name]["ticks"] == two[name]["ticks"]                     # one scale


def decoded(texts, kind):
    found = []
    for text in texts:
        found.append(np.frombuffer(base64.b64decode(text), dtype=kind) if text else found[-1])
    return found


def test_map_holds_the_frames(pages, sweep):
    drawn, = maps(Page(pages["run"].read_text()))
    stage = open_run(sorted(sweep.iterdir())[0] / "sample-0000")["shear"]
    assert drawn["kind"] == "discs" and drawn["frames"][0]["label"] == "step 4, strain 0.02"
    assert drawn["frames"][-1]["label"] == "step 20, strain 0.1"
    low, high = np.array(drawn["limits"]).reshape(2, 2)
    position = low + decoded(drawn["position"], "<u2")[-1].reshape(-1, 2) / 65535 * (high - low)
    assert np.abs(position - stage.position).max() < 1e-3
    assert decoded(drawn["diameter"], np.uint8)[-1] / 255 * drawn["largest"] == pytest.approx(stage.diameter, abs=0.005)
    outline = np.array(drawn["frames"][-1]["outlines"][0]).reshape(-1, 2)
    assert outline[2] == pytest.approx(stage.box.sum(axis=1), abs=1e-3)
    fields = {field["name"]: decoded(field["values"], np.uint8) for field in drawn["fields"]}
    order = np.argsort(stage.fields["d2min"])
    assert (np.diff(fields["D²min, first to last [length²]"][-1][order].astype(int)) >= 0).all()
    moved, = (values for name, values in fields.items() if "first frame" in name)
    assert len(set(moved[0])) == 1 and len(set(moved[-1])) > 20        # nothing has moved in the first one


def glass(path, count):
    rng = np.random.default_rng(1)
    values = {"d2min": rng.random(count), "whole": np.arange(count), "vector": rng.random((count, 2))}
    return StageResults(path, "shear", fields=values, position=rng.random((count, 2)) * 100, box=100 * np.eye(2),
                        diameter=np.ones(count))


def test_many_particles_become_pixels_and_many_frames_fewer(sweep, monkeypatch):
    path = sorted(sweep.iterdir())[0] / "sample-0000" / "02-shear.h5"
    stage = read_stage(path)
    monkeypatch.setattr(frames, "MOST_FRAMES", 2)
    drawn, = encoded([("a", read_map(stage, 10**9))])
    assert [frame["label"] for frame in drawn["frames"]] == ["step 4, strain 0.02", "step 20, strain 0.1"]
    assert drawn["note"].startswith("2 of ") and "frames" in drawn["note"]
    few, = encoded([("a", read_map(stage, 100))])
    assert len(few["frames"]) == 1 and len(json.dumps(few)) < 20_000
    monkeypatch.setattr(frames, "MOST_PARTICLES", 10)
    pixels, = encoded([("a", read_map(stage, 10**9))])
    assert pixels["kind"] == "pixels" and "pixel" in pixels["note"] and max(pixels["shape"]) == frames.PIXELS
    values = decoded(pixels["fields"][0]["values"], np.uint8)[-1]
    assert len(values) == np.prod(pixels["shape"]) and 0 < np.count_nonzero(values) <= 64


def test_size_of_a_map_is_bounded(sweep, monkeypatch):
    """A stage of a hundred thousand particles takes no more than its budget and a half."""
    stage = read_stage(sorted(sweep.iterdir())[0] / "sample-0000" / "02-shear.h5")
    big = glass(stage.path, 100_000)
    monkeypatch.setattr(frames, "segments", lambda _: {})
    drawn, = encoded([("big", read_map(big, 300_000))])
    assert drawn["kind"] == "pixels" and len(json.dumps(drawn)) < 450_000
    assert {field["name"] for field in drawn["fields"]} == {"D²min, first to last [length²]", "whole", "diameter [length]"}


def test_large_lattices_are_averaged(tmp_path):
    rng = np.random.default_rng(1)
    grids = {"stress": rng.normal(size=(3, 450, 450)), "events": rng.integers(0, 2, (3, 450, 450))}
    stage = StageResults(tmp_path / "00-epm.h5", "epm", grids=grids, grid_strain=np.array([0.1, 0.2, 0.3]))
    drawn, = encoded([("lattice", read_map(stage, 10**7))])
    assert drawn["shape"] == [150, 150] and drawn["note"] == "Means of 3 x 3 sites."
    stress = next(field for field in drawn["fields"] if field["name"] == "stress")
    assert ["0"] == [text for at, text in stress["ticks"] if at == 0.5]         # both signs: zero in the middle


@pytest.mark.parametrize("values, kind, colors", [
    ([-1.0, 2.0], "SymLogNorm", "RdBu_r"), ([1.0, 2.0, 3.0], "Normalize", "viridis"), ([1.0, 40.0], "LogNorm", "viridis"),
    ([0.0, 0.001, 0.001, 5.0], "LogNorm", "inferno"), ([], "Normalize", "viridis"), ([2.0], "Normalize", "viridis"),
    ([np.nan, 1.0], "Normalize", "viridis"), ([0.0, 0.0], "Normalize", "viridis")])
def test_scales_suit_the_values(values, kind, colors):
    norm, name = shading([np.array(values)])
    assert type(norm).__name__ == kind and name == colors and norm.vmin < norm.vmax


def test_damaged_and_missing_files_are_left_out_and_said(sweep, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(sweep, copy)
    task, other = (path for path in sorted(copy.iterdir()) if path.is_dir())
    for name in ("DONE", "02-shear.h5"):
        (other / "sample-0001" / name).unlink()
    assert [task.finished for task in gather(copy).tasks] == [2, 1]
    victim = task / "sample-0001" / "02-shear.h5"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    (task / "sample-0000" / "log.txt").open("a").write("2026-01-01 00:00:00  warning: <b>it wobbles</b>\n")
    done = hpcglass("report", copy)
    assert done.returncode == 4 and "02-shear.h5" in done.stdout
    page = Page((copy / "report.html").read_text())
    said = " ".join(page.texts["div"] + page.texts["p"])
    assert "Left out, damaged" in said and "02-shear.h5" in said and "warning: <b>it wobbles</b>" in said
    assert {"1 of 2", "2 of 2"} < set(page.texts["td"])


def test_wrong_calls(tmp_path):
    assert hpcglass("report", tmp_path / "none").returncode == 2
    assert "no stage of a run is finished" in hpcglass("report", tmp_path).stderr
    (tmp_path / "file").touch()
    assert "is a file" in hpcglass("report", tmp_path / "file", "-o", tmp_path / "x.html").stderr
    assert "must end in .html" in hpcglass("report", tmp_path, "-o", tmp_path / "x.pdf").stderr
    assert "there is no directory" in hpcglass("report", tmp_path, "-o", tmp_path / "no" / "x.html").stderr


def test_markup_escapes():
    assert tag("p", "1 < 2 & 3", class_="x\"y") == '<p class="x&quot;y">1 &lt; 2 &amp; 3</p>'
    assert tag("p", tag("b", "<")) == "<p><b>&lt;</b></p>"
    assert tag("p", "a\x00\x1b‮b") == r"<p>a\x00\x1b\u202eb</p>"
    assert "<td>&lt;i&gt;</td>" in table(["h"], [["<i>"]]) and "<summary>&lt;" in folded("<", "x")
    assert "</script><" not in data({"x": "</script><"}, "y")[:-len("</script>")]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")
def test_in_a_browser(pages, tmp_path):
    """It opens without a complaint and asks for nothing; slider, keys, choice of field and the button change what is seen."""
    picture = "document.querySelector('.map canvas').toDataURL()"
    told = "document.querySelector('.map output').textContent"
    with Browser() as browser:
        for name, path in pages.items():
            browser.open(path)
            assert [url for url in browser.asked if not url.startswith("data:")] == [path.as_uri()]
            assert browser.value("document.querySelectorAll('img').length") > 3
            assert browser.value("[...document.images].every(image => image.complete && image.naturalWidth > 0)"), name
            assert browser.value("document.querySelector('h1').textContent") == HOSTILE
            last, at_the_end = browser.value(picture), browser.value(told)
            assert "strain 0.1" in at_the_end
            browser.value("document.querySelector('.map input').focus()")
            browser.press("Home", 36)
            first = browser.value(picture)
            assert "frame 1 of" in browser.value(told) and first != last
            browser.press("ArrowRight", 39)
            assert "frame 2 of" in browser.value(told) and browser.value(picture) != first
            browser.press("End", 35)
            assert browser.value(told) == at_the_end and browser.value(picture) == last
            browser.value("(c => {c.value = c.options[1].value; c.dispatchEvent(new Event('change'))})"
                          "(document.querySelector('.map select'))")
            assert browser.value(picture) != last
            browser.value("document.querySelector('.map button').click()")
            browser.value("new Promise(done => setTimeout(done, 400))")
            assert browser.value(told) != at_the_end
            browser.screenshot(tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size > 30_000
        assert browser.errors == []
