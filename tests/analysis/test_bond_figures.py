"""Figures of a stage that has modes of the bond operator: which there are, and what they show."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest

from hpcglass.analysis.figures.bonds import draw_softest, draw_spectrum, figures
from hpcglass.analysis.open_run import StageResults, Table


def table(**columns):
    return Table({name: np.asarray(values, dtype=float) for name, values in columns.items()}, {}, {})


def stage(path, dimension=2, count=30, partners=True, everything=False):
    """A made-up stage: random fields that fall off from particle 5."""
    rng = np.random.default_rng(1)
    particles = 200
    box = np.eye(dimension) * particles ** (1 / dimension)
    position = rng.random((particles, dimension)) @ box.T
    away = position - position[5]
    away -= np.rint(away @ np.linalg.inv(box).T) @ box.T
    decay = 1 / (0.3 + np.linalg.norm(away, axis=1))
    fields = {name: rng.normal(size=(particles, dimension, 4)) * decay[:, None, None] ** power
              for name, power in (("displacement_modes", 1), ("force_modes", 2), ("pseudo_harmonic_modes", 1),
                                  ("pseudo_harmonic_forces", 6)) if partners or "pseudo" not in name}
    value = np.sort(rng.pareto(2.5, count))[::-1]
    tables = {"bond_modes": table(eigenvalue=value, participation_displacement=rng.random(count),
                                  participation_force=rng.random(count))}
    r = np.geomspace(1, 7, 9)
    tables["decay"] = table(distance=r, D=1 / r, F=1 / r**2, **({"D_PH": 1 / r, "F_PH": r**-6} if partners else {}))
    if partners:
        overlap = rng.random((2, min(4, count)))
        tables["pseudo_harmonic"] = table(eigenvalue=value[:4], overlap_displacement=overlap[0], overlap_force=overlap[1])
    results = {"eigenvalue_unit": 2.0} | ({"trace": 9.0} if everything else {})
    pairs = {"bond_modes": {"id": rng.integers(0, particles, (600, 2)), "force": rng.normal(size=(600, 4))}}
    return StageResults(path, "bonds", {}, tables, results, fields, pairs=pairs, position=position, box=box,
                        diameter=rng.uniform(0.7, 1.6, particles))


@pytest.mark.parametrize("options", [{}, {"dimension": 3}, {"partners": False}, {"count": 500, "everything": True}, {"count": 1}])
def test_all_figures_are_drawn(tmp_path, options):
    drawn = figures(stage(tmp_path, **options))
    assert [suffix for suffix, _ in drawn] == ["", "-softest", "-decay"]
    for suffix, draw in drawn:
        target = tmp_path / f"figure{suffix}.png"
        draw().savefig(target)
        assert target.stat().st_size > 10_000


def test_only_what_is_there(tmp_path):
    results = stage(tmp_path)
    results.fields.clear()
    del results.tables["decay"]
    assert [suffix for suffix, _ in figures(results)] == [""]
    results.tables.clear()
    assert figures(results) == []


def test_spectrum_shows_density_or_number(tmp_path):
    """In units of lambda_0: the k-th eigenvalue has k modes above it; a density integrates to one."""
    results = stage(tmp_path)
    values = results.tables["bond_modes"]["eigenvalue"] / 2.0
    number, _ = draw_spectrum(results, results.tables["bond_modes"]).axes
    x, y = number.lines[0].get_data()
    assert x == pytest.approx(values) and y == pytest.approx(np.arange(1, 31))
    results = stage(tmp_path, count=500, everything=True)
    density, _ = draw_spectrum(results, results.tables["bond_modes"]).axes
    x, y = density.lines[0].get_data()
    assert y @ x * np.log(10) / 8 == pytest.approx(1, abs=0.02)


def test_map_is_centred_on_the_core(tmp_path):
    """Arrows start at particles around the core, also across the boundary, and the longest is the core's."""
    results = stage(tmp_path)
    results.fields["displacement_modes"][5, :, 0] = (40.0, 0.0)
    figure = draw_softest(results)
    panel = figure.axes[-1]
    arrows = panel.collections[1]
    longest = np.argmax(np.hypot(arrows.U, arrows.V))
    centre = np.mean([panel.get_xlim(), panel.get_ylim()], axis=1)
    assert arrows.XY[longest] == pytest.approx(centre)
    assert arrows.U[longest] / arrows.scale == pytest.approx(2.5)       # mean spacings; the spacing is 1
    assert len(figure.axes[0].collections[1].get_segments()) == 60      # the strongest tenth of 600 bonds
