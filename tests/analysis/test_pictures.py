"""What figures show: outlines, scales, units, ticks, keys; how they are written; the numbers behind them."""

import csv

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from test_figures import stage_file

from hpcglass.__main__ import main
from hpcglass.analysis.figures import cells
from hpcglass.analysis.figures.activity import draw_first
from hpcglass.analysis.figures.cells import scale, view
from hpcglass.analysis.figures.draw import figures, plot_stage_file
from hpcglass.analysis.figures.files import Look, fit, save
from hpcglass.analysis.figures.lattice import draw_maps as draw_lattice
from hpcglass.analysis.figures.maps import draw_maps
from hpcglass.analysis.figures.style import BLUE, GREEN, RED, STYLE, grid, named, panels, spelled, units
from hpcglass.analysis.open_run import StageResults, Table, read_stage
from hpcglass.analysis.screening.figures import draw_groups

N = 400


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(STYLE):
        yield


def glass(path, dimension=2, tilt=0.0, walls=None):
    """Particles all over a cell of edge 20 whose last edge leans along x; two fields of D2min, one a thousand times larger."""
    rng = np.random.default_rng(2)
    box = 20.0 * np.eye(dimension)
    box[0, -1] = 20.0 * tilt
    small = 10.0 ** rng.uniform(-4, -1, N)
    return StageResults(path / "00-shear.h5", "shear", fields={"d2min": small, "event_d2min": 1000 * small}, box=box, walls=walls,
                        position=rng.random((N, dimension)) @ box.T, diameter=rng.uniform(0.5, 1.5, N))


def test_maps_to_be_compared_have_one_scale_which_holds_the_largest_value(tmp_path):
    stage = glass(tmp_path)
    figure = draw_maps(stage)
    first, second, bar = figure.axes
    norm = first.collections[0].norm
    assert second.collections[0].norm is norm
    assert norm.vmax > max(stage.fields["event_d2min"])
    assert "length" in bar.get_ylabel()
    assert first.collections[0].colorbar is None and second.collections[0].colorbar.extend == "min"     # cut, and with a sign


def test_scale_is_not_cut_above():
    values = np.append(np.ones(10_000), 50.0)
    assert scale(values).vmax >= 50.0 and scale(values, np.array([700.0])).vmax >= 700.0
    assert scale(np.zeros(4)).vmax == 1


@pytest.mark.parametrize("tilt", [0.0, 0.4, -0.9])
def test_particles_of_a_tilted_cell_are_inside_its_outline(tmp_path, tilt):
    from matplotlib.path import Path

    seen = view(glass(tmp_path, 3, tilt))
    outline, = seen.outlines
    assert seen.slab and 20 < len(seen.position) < N
    assert Path(outline).contains_points(seen.position, radius=1e-9).all() or Path(outline).contains_points(
        seen.position, radius=-1e-9).all()


@pytest.mark.parametrize("dimension", [2, 3])
def test_walls_are_drawn_and_not_the_cell(tmp_path, dimension):
    walls = np.array([10.0] * dimension + [2.0, 9.0])
    panel = draw_maps(glass(tmp_path, dimension, walls=walls)).axes[0]
    radii = [np.unique(np.hypot(*(line.get_xydata() - 10).T).round(9)).tolist() for line in panel.lines]
    assert radii == [[2.0], [9.0]]
    assert panel.get_xlim()[0] == pytest.approx(1.0, abs=0.5) and panel.get_aspect() == 1.0


def test_maps_have_a_bar_of_length(tmp_path):
    bar, = (artist for artist in draw_maps(glass(tmp_path)).axes[0].artists)
    assert bar.txt_label.get_text() == "5 lengths"
    assert bar.size_bar.get_children()[0].get_width() == 5.0


def test_a_field_of_both_signs_has_a_scale_of_both_signs(tmp_path):
    rng = np.random.default_rng(1)
    grids = {name: rng.uniform(0.1, 2.0, (3, 8, 8)) for name in ("events", "plastic_strain", "threshold")}
    grids["stress"] = rng.uniform(-1, 2.5, (3, 8, 8))
    figure = draw_lattice(StageResults(tmp_path / "00-epm.h5", "epm", grids=grids, grid_strain=np.arange(3.0)))
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels[:3]] == [rf"$\gamma = {k}$" for k in range(3)]
    images = np.array([axes.images[0] for axes in panels], dtype=object).reshape(4, 3)
    assert all(image.norm is images[row, 0].norm for row in range(4) for image in images[row])
    stress, threshold = images[2, 0], images[3, 0]
    assert stress.norm.vmin == -stress.norm.vmax == -grids["stress"].max() and stress.cmap.name.startswith("RdBu")
    assert (threshold.norm.vmin, threshold.norm.vmax) == (grids["threshold"].min(), grids["threshold"].max())


def test_names_of_users_are_no_mathematics(tmp_path):
    assert named("T_p", 0.08) == r"$T_\mathrm{p}$ = 0.08" and named("x", 3) == "x = 3"
    figure, (axes,) = panels(1)
    axes.set_title(named("a$b", r"\frac{$x$"))        # neither half a formula nor a wrong one
    save(figure, tmp_path / "named")


def test_units_are_those_of_the_dimension(tmp_path):
    assert spelled("energy/length^d", 3) == "energy/length^3"
    assert [spelled("(length^2/energy)^(d/2)", d) for d in (2, 3)] == ["(length^2/energy)", "(length^2/energy)^(3/2)"]
    assert spelled("energy^1/2/length", 2) == "energy^1/2/length"
    assert units("energy/length^2") == " [energy/length$^{2}$]" and units("") == ""
    x = np.arange(9.0)
    for dimension in (2, 3):
        stage = read_stage(stage_file(tmp_path / "00-shear.h5", {"loading": dict(strain=x, shear_stress=x, energy=x)},
                                      dimension=dimension))
        stage.tables["loading"].units["shear_stress"] = "energy/length^d"
        (_, draw), = figures(stage)
        assert draw().axes[0].get_ylabel() == f"shear stress [energy/length$^{{{dimension}}}$]"


@pytest.mark.parametrize("strains", [[0.0123411, 0.0123432, 0.0123467], [1.1e-7, 1.32e-7, 2.9e-7], [0.01, 0.11], [1e-5, 123.0]])
def test_labels_of_ticks_do_not_touch(tmp_path, strains):
    table = Table({"strain": np.array(strains)}, {"strain": ""}, {})
    results = {"first_event_strain": np.mean(strains), "first_event_strain_error": np.std(strains), "first_event_none": 0}
    figure = draw_first(StageResults(tmp_path / "m.h5", "m", tables={"first_event": table}, results=results))
    for width in (None, 86.0, 70.0):
        save(figure, tmp_path / "first", Look(dpi=60, width=width))     # is looked at by the fixture of this folder


def test_panels_that_would_be_too_narrow_stand_below_each_other(tmp_path):
    cases = ((2, 2, 86.0, (2, 1)), (2, 2, 178.0, (1, 2)), (3, 6, 120.0, (3, 2)), (3, 5, 86.0, (5, 1)))
    for across, count, width, geometry in cases:
        figure, drawn = grid(count, across, 3.0, 2.0)
        for axes in drawn:
            axes.plot([1, 2])
        before = figure.get_figheight() / (-(-count // across))
        fit(figure, Look(width=width))
        assert drawn[-1].get_subplotspec().get_gridspec().get_geometry() == geometry
        assert figure.get_figheight() / geometry[0] == pytest.approx(before * width / 25.4 / geometry[1] / 3.0)


def test_crowded_ticks_are_thinned_evenly():
    figure, (axes,) = panels(1, width=1.6, height=1.4)
    axes.plot([1.234567e5, 1.2346e5, 1.2347e5], [0, 1, 2])
    before = len(axes.get_xticks())
    fit(figure)
    assert 2 <= len(axes.get_xticks()) < before and len(set(np.diff(axes.get_xticks()).round(6))) == 1


def test_a_key_does_not_look_like_data(tmp_path):
    x = np.arange(9.0)
    names = ("sweep", "energy", "acceptance_displacement", "acceptance_swap", "temperature_configurational", "exchange_ratio")
    (_, draw), = figures(read_stage(stage_file(tmp_path / "00-swap.h5", {"measurements": dict.fromkeys(names, x)})))
    legends = [axes.get_legend() for axes in draw().axes if axes.get_legend()]
    assert len(legends) == 3 and all(legend.get_frame_on() and legend.get_frame().get_alpha() >= 0.8 for legend in legends)


def test_colours_differ_for_all_eyes():
    """Also in lightness, which everybody sees, by a twentieth of the scale or more, or in blue against red."""
    from matplotlib.colors import to_rgb

    # G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE TVCG 15, 1291 (2009): deuteranopia
    seen_as = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
    colors = [seen_as @ np.array(to_rgb(color)) ** 2.2 for color in (BLUE, RED, GREEN)]
    assert min(np.linalg.norm(a - b) for k, a in enumerate(colors) for b in colors[:k]) > 0.12


def test_groups_show_every_series_and_every_field():
    sizes, temperatures = np.repeat([0.1, 0.2], 2), np.tile([0.1, 0.3], 2)
    columns = {"T_m": temperatures, "d_0": sizes, "fields": np.full(4, 5.0), "screened_share": np.full(4, 0.4),
               "screened_low": np.full(4, 0.2), "screened_high": np.full(4, 0.6)}
    kappa = np.append(np.full(8, 0.05), np.linspace(0.001, 0.31, 12))
    figure = draw_groups(Table({"kappa": kappa, "screened": np.arange(20) < 8}, {}, {}), Table(columns, {}, {}))
    shares, distribution = figure.axes
    points = np.concatenate([container.lines[0].get_xydata() for container in shares.containers])
    assert len(np.unique(points.round(9), axis=0)) == 4         # equal shares beside each other
    assert sum(bar.get_height() for bars in distribution.containers for bar in bars) == 20
    assert [text.get_text() for text in distribution.get_legend().get_texts()] == ["8 screened", r"12 elastic (best $\kappa$)"]
    assert not distribution.lines       # nobody else's numbers
    assert distribution.get_xlim()[1] > 0.31 and "length" in distribution.get_xlabel()


def test_width_and_dots_per_inch(tmp_path):
    from matplotlib.image import imread

    x = np.arange(9.0)
    path = stage_file(tmp_path / "00-shear.h5", {"loading": dict(strain=x, shear_stress=x, energy=x)})
    assert main(["plot", str(path), "--width", "single", "--dpi", "100"]) == 0
    assert imread(tmp_path / "00-shear.png").shape[1] == pytest.approx(86 / 25.4 * 100, abs=1)
    assert main(["plot", str(path), "--width", "120", "--format", "svg"]) == 0
    assert f'width="{120 / 25.4 * 72:.4f}'[:12] in (tmp_path / "00-shear.svg").read_text()
    assert main(["plot", str(path), "--format", "pdf"]) == 0
    assert (tmp_path / "00-shear.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("wrong", [["--width", "wide"], ["--width", "5"], ["--width", "nan"]])
def test_sizes_that_no_figure_can_have(tmp_path, capsys, wrong):
    (tmp_path / "00-swap.h5").touch()
    assert main(["plot", str(tmp_path / "00-swap.h5"), *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def table_of(path):
    with path.open() as file:
        lines = file.readlines()
    about = [line for line in lines if line.startswith("#")]
    return about, list(csv.DictReader(lines[len(about):]))


def test_data_behind_a_figure(tmp_path):
    x = np.linspace(0, 1, 9)
    events = dict(step=[4.0], strain=[0.5], stress=[3.0], stress_drop=[0.5])
    d2min = np.random.default_rng(1).random(64)
    path = stage_file(tmp_path / "02-shear.h5", {"loading": dict(strain=x, shear_stress=x**2, energy=1 - x), "events": events},
                      {"d2min": d2min})
    files = plot_stage_file(path, look=Look(data=True))
    assert {file.name for file in files} == {f"02-shear{name}" for name in (".png", ".csv", "-map.png", "-map.csv")}
    about, rows = table_of(tmp_path / "02-shear.csv")
    stress = [row for row in rows if row["panel"] == "0" and row["kind"] == "line"]
    assert [float(row["x"]) for row in stress] == x.tolist() and [float(row["y"]) for row in stress] == (x**2).tolist()
    assert [(float(row["x"]), row["series"]) for row in rows if row["kind"] == "path"] == [(0.375, "1 event")]
    assert any("strain" in line and "shear stress" in line for line in about)
    about, rows = table_of(tmp_path / "02-shear-map.csv")
    discs = [row for row in rows if row["kind"] == "ellipse"]
    stage = read_stage(path)
    order = np.argsort(d2min)
    assert [float(row["value"]) for row in discs] == d2min[order].tolist()
    assert [float(row["diameter"]) for row in discs] == stage.diameter[order].tolist()
    assert [float(row["y"]) for row in discs] == stage.position[order, 1].tolist()
    assert any("length" in line and "value" in line for line in about)


def test_data_of_all_kinds_of_artists(tmp_path):
    figure, (axes,) = panels(1)
    axes.errorbar([1, 2], [3, 4], [0.5, 0.25], fmt="o", label="measured")
    axes.errorbar([1, 2], [3, 4], xerr=0.5, yerr=[[0.1, 0.2], [0.3, 0.4]], fmt="none")
    axes.fill_between([0, 1, 2], [1, 2, 1], [4, 5, 6])
    axes.axhline(7.0)
    axes.hist([1, 1, 2], bins=[0, 1.5, 3])
    axes.stairs([2, 3], [0, 1, 2])
    axes.quiver([0], [1], [2], [3], [4])
    axes.imshow([[1.0, np.nan], [3.0, 4.0]], extent=(0, 2, 0, 2), origin="lower")
    save(figure, tmp_path / "all", Look(dpi=40, data=True))
    _, rows = table_of(tmp_path / "all.csv")
    kinds = {}
    for row in rows:
        numbers = {name: float(value) for name, value in list(row.items())[3:] if value}
        kinds.setdefault((row["kind"], row["series"]), []).append(numbers)
    assert kinds["points", "measured"] == [dict(x=1, y=3, y_low=2.5, y_high=3.5), dict(x=2, y=4, y_low=3.75, y_high=4.25)]
    assert kinds["points", ""][1] == pytest.approx(dict(x=2, y=4, x_low=1.5, x_high=2.5, y_low=3.8, y_high=4.4))
    assert [(row["y_low"], row["y_high"]) for row in kinds["fillbetweenpoly", ""]] == [(1, 4), (2, 5), (1, 6)]
    assert kinds["line", ""] == [dict(y=7), dict(y=7)]
    assert kinds["bar", ""] == [dict(x_low=0, x_high=1.5, y_low=0, y_high=2), dict(x_low=1.5, x_high=3, y_low=0, y_high=1)]
    assert kinds["bins", ""] == [dict(x_low=0, x_high=1, y=2), dict(x_low=1, x_high=2, y=3)]
    assert kinds["quiver", ""] == [dict(x=0, y=1, dx=2, dy=3, value=4)]
    assert kinds["pixels", ""] == [dict(x=0.5, y=0.5, value=1), dict(x=0.5, y=1.5, value=3), dict(x=1.5, y=1.5, value=4)]


def test_an_empty_figure_has_no_data(tmp_path):
    assert [path.name for path in save(Figure(), tmp_path / "nothing", Look(data=True))] == ["nothing.png", "nothing.csv"]


@pytest.mark.parametrize("dense", ["largest", "least", "mean"])
def test_a_very_large_number_of_particles_is_an_image(monkeypatch, dense):
    """Each pixel has what was asked for of the particles in it; those without a number do not count."""
    monkeypatch.setattr(cells, "DISCS", 1000)
    monkeypatch.setattr(cells, "PIXELS", 10)
    rng = np.random.default_rng(4)
    position, values = rng.random((2000, 2)) * [20.0, 10.0], rng.normal(size=2000)
    values[7] = np.nan
    outline = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 10.0], [0.0, 10.0], [0.0, 0.0]])
    seen = cells.View(np.ones(2000, bool), position, np.ones(2000), [outline], False)
    _, (axes,) = panels(1)
    pixels = np.ma.filled(cells.discs(axes, seen, values, dense).get_array(), np.nan)
    assert pixels.shape == (5, 10) and np.isfinite(pixels).all()
    pick = {"largest": lambda v: v[np.abs(v).argmax()], "least": np.min, "mean": np.mean}[dense]
    for down in range(5):
        for across in range(10):
            inside = (position // 2 == [across, down]).all(axis=1) & np.isfinite(values)
            assert pixels[down, across] == pytest.approx(pick(values[inside]), abs=1e-14)
    monkeypatch.setattr(cells, "PIXELS", 10**6)        # then a pixel is two spacings wide, of 0.316 each
    assert cells.discs(axes, seen, values, dense).get_array().shape == (15, 31)
