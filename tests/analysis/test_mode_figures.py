"""Figures of the stage `modes`: for the lowest modes, a range, a full spectrum, in 2D and 3D, of a saddle; what they show."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from hpcglass.analysis.figures.files import save
from hpcglass.analysis.figures.modes import draw_modes, draw_spectrum, figures
from hpcglass.analysis.open_run import StageResults, Table

WAVES = {"frequency": [0.9, 1.3, 1.9, 2.2, 9.0], "degeneracy": [4, 4, 8, 4, 8], "branch": [0, 0, 0, 1, 1]}


def table(columns):
    return Table({name: np.asarray(values, dtype=float) for name, values in columns.items()}, {}, {})


def stage(tmp_path, rows=12, dimension=2, count=50, lowest=0.8, spectrum=False, sound=True, **params):
    rng = np.random.default_rng(1)
    omega = np.sort(np.append(lowest, rng.uniform(1.0, 3.0, rows - 1))) if rows else np.zeros(0)
    modes = rng.normal(size=(count, dimension, rows))
    tables = {"modes": table(dict(index=np.arange(rows), omega2=omega**2, omega=omega, residual=0 * omega,
                                  participation=rng.uniform(0.01, 0.6, rows)))}
    if sound:
        tables["phonons"] = table(WAVES)
    if spectrum:
        tables["density_of_states"] = table(dict(omega=[0.5, 1.5, 2.5], density=[0.1, 0.5, 0.4], cumulative=[0.1, 0.6, 1.0]))
    box = np.eye(dimension) * count ** (1 / dimension)
    results = {"modes_total": 1000, **({"debye_level": 0.01} if sound else {})}
    return StageResults(tmp_path / "00-modes.h5", "modes", params={"kind": "modes", **params}, tables=tables, results=results,
                        fields={"modes": modes}, position=rng.random((count, dimension)) @ box.T, box=box,
                        diameter=np.ones(count))


@pytest.mark.parametrize("options", [{}, {"rows": 1}, {"spectrum": True, "all": True}, {"dimension": 3, "count": 200},
                                     {"lowest": -0.7}, {"range": [0.5, 3.0]}, {"sound": False}, {"count": 4000}], ids=str)
def test_every_kind_is_drawn(tmp_path, options):
    drawn = figures(stage(tmp_path, **options))
    assert [suffix for suffix, _ in drawn] == ["", "-map"]
    for number, (_, draw) in enumerate(drawn):
        save(draw(), tmp_path / f"{number}")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000


def test_other_stages_have_none(tmp_path):
    assert figures(StageResults(tmp_path / "00-swap.h5", "swap")) == []
    assert figures(stage(tmp_path, rows=0)) == []
    bare = stage(tmp_path)
    del bare.fields["modes"]
    assert [suffix for suffix, _ in figures(bare)] == [""]


def test_points_lines_and_steps(tmp_path):
    given = stage(tmp_path)
    participation, number = draw_spectrum(given).axes
    points = next(item for item in participation.collections if isinstance(item, PathCollection)).get_offsets()
    assert np.allclose(points[:, 1], 50 * given.tables["modes"]["participation"])
    # the wave at 9 is out of sight; numbers of waves are written above
    lines = {line.get_xdata()[0] for line in number.lines if len(line.get_xdata()) == 2}
    assert lines == {0.9, 1.3, 1.9, 2.2}
    assert [text.get_text() for text in participation.texts] == ["4", "4", "8", "4"]
    steps = next(line for line in number.lines if line.get_drawstyle() == "steps-post")
    assert steps.get_ydata()[-1] == 12
    debye = next(line for line in number.lines if line.get_label() == "Debye")
    x = debye.get_xdata()[-1]
    assert debye.get_ydata()[-1] == pytest.approx(1000 * 0.01 * x**2 / 2)


def test_debye_of_a_range_starts_at_its_lower_end(tmp_path):
    number = draw_spectrum(stage(tmp_path, range=[0.5, 3.0])).axes[1]
    debye = next(line for line in number.lines if line.get_label() == "Debye")
    assert debye.get_xdata()[0] == 0.5 and debye.get_ydata()[0] == 0.0
    assert "0.5" in number.get_ylabel()


def test_density_with_its_debye_level(tmp_path):
    density = draw_spectrum(stage(tmp_path, spectrum=True, all=True)).axes[1]
    debye = next(line for line in density.lines if line.get_label() == "Debye")
    assert debye.get_ydata() == pytest.approx(0.01 * debye.get_xdata())
    assert density.get_ylabel() == r"$D(\omega)$"


def test_arrows_are_the_mode(tmp_path):
    given = stage(tmp_path)
    axes = draw_modes(given).axes
    assert len(axes) == 5               # the last one is the scale of colours, common to all
    arrows = next(item for item in axes[1].collections if isinstance(item, Quiver))
    mode = given.fields["modes"][..., 1]
    size, largest = np.linalg.norm(mode, axis=1), np.linalg.norm(given.fields["modes"][..., :4], axis=1).max()
    order = np.argsort(size, kind="stable")
    order = order[size[order] > 0.02 * largest]
    assert np.allclose(np.column_stack([arrows.U, arrows.V]), mode[order])
    assert np.allclose(arrows.get_offsets(), given.position[order])
    assert f"{given.tables['modes']['omega'][1]:.4g}" in axes[1].get_title()
    assert len(draw_modes(stage(tmp_path, rows=3)).axes) == 4
