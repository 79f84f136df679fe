"""Every figure that a test of this folder draws into a file is looked at as a referee would: can all of it be read?"""

from itertools import combinations

import pytest

from hpcglass.analysis.figures import files

SLACK = 1.0         # pixels


def texts(figure):
    """(what it is, box) of all words and numbers that are seen, in pixels."""
    for axes in (panel for one in figure.axes for panel in (one, *one.child_axes)):
        if not axes.get_visible():
            continue
        named = [("title", text) for text in (axes.title, axes._left_title, axes._right_title)]
        named += [("note", text) for text in axes.texts]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                along = axis.get_transform().transform
                low, high = sorted(along(axis.get_view_interval()))
                for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                    if -1e-9 <= (along(tick.get_loc()) - low) / (high - low) <= 1 + 1e-9:
                        named += [("tick", tick.label1), ("tick", tick.label2)]
                named += [("label", axis.label), ("power", axis.offsetText)]
        seen = [(kind, text) for kind, text in named if text.get_visible() and text.get_text().strip()]
        yield from ((kind, text, text.get_window_extent()) for kind, text in seen)
    for legend in [axes.get_legend() for axes in figure.axes] + figure.legends:
        if legend is not None:
            yield "legend", legend, legend.get_window_extent()


def unreadable(figure):
    """What runs into something else, or off the page."""
    figure.draw_without_rendering()
    page, found = figure.bbox, list(texts(figure))
    wrong = [f"{kind} {text} leaves the page" for kind, text, box in found
             if box.x0 < page.x0 - SLACK or box.y0 < page.y0 - SLACK or box.x1 > page.x1 + SLACK or box.y1 > page.y1 + SLACK]
    for (kind, one, a), (other, two, b) in combinations(found, 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > SLACK and down > SLACK and not {kind, other} == {"legend", "tick"}:
            wrong.append(f"{kind} {one} and {other} {two} overlap by {across:.1f} x {down:.1f}")
    return wrong


@pytest.fixture(autouse=True)
def figures_can_be_read(monkeypatch):
    fit = files.fit

    def looked_at(figure, look=files.PLAIN):
        fit(figure, look)
        assert not unreadable(figure)

    monkeypatch.setattr(files, "fit", looked_at)
