"""Which of several frames: said, or asked for, never chosen in silence."""

from __future__ import annotations

import glasses
import numpy as np
import pytest
from mpi4py import MPI

from hpcglass.__main__ import main
from hpcglass.errors import InputError
from hpcglass.io import configuration, h5
from hpcglass.io.contents import Contents
from hpcglass.io.convert import frames, read_any
from hpcglass.library import load


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    """Three frames of a glass that drifts, and the glass; beside them the file of one stage."""
    glass, path = glasses.glass(MPI.COMM_SELF, "ipl12-2d"), tmp_path_factory.mktemp("trajectory") / "02-shear.traj-0000.h5"
    kept = [configuration.capture(glass, 0, 0.0)]
    write(path.with_name("01-quench.h5"), kept)
    for step in (10, 20):
        glass.move(np.full((glass.n_owned, 2), 0.125))
        glass.update()
        kept.append(configuration.capture(glass, step, 0.1 * step, exact=False))
    kept[0].rows.pop("position_low")
    write(path, kept)
    return path, load(path.with_name("01-quench.h5"))


def write(path, kept) -> None:
    contents = Contents()
    configuration.put(contents, MPI.COMM_SELF, kept)
    contents.value("/provenance/resolved_input", '[system]\nmodel = "ipl12"\n')
    h5.write(MPI.COMM_SELF, path, contents)


def positions(glass):
    """By id."""
    rows = glass.configuration()
    return rows["position"][np.argsort(rows["id"])]


def distance(found, expected, box) -> float:
    """Largest difference of positions in a periodic cell."""
    apart = np.linalg.solve(box, (found - expected).T)
    return float(np.abs(box @ (apart - np.rint(apart))).max())


def test_load_asks_for_a_frame_where_there_are_several(trajectory):
    path, glass = trajectory
    with pytest.raises(InputError, match=r"frames 0 to 2: choose one, load\(..., frame=-1\) for the last"):
        load(path)
    start = positions(glass)
    for frame, drift in ((0, 0.0), (1, 0.125), (2, 0.25), (-1, 0.25), (-3, 0.0)):
        assert distance(positions(load(path, frame=frame)), start + drift, glass.box) < 1e-12
    for frame in (3, -4):
        with pytest.raises(InputError, match=f"no frame {frame}, it has frames 0 to 2"):
            load(path, frame=frame)
    assert load(path.with_name("01-quench.h5"), frame=-1).n_owned == glass.n_owned


def test_export_says_which_frame_it_writes_and_takes_any_or_all(trajectory, tmp_path, capsys):
    path, glass = trajectory
    start = positions(glass)
    assert frames(path) == [0, 10, 20]
    out = tmp_path / "out.xyz"
    others = "--frame K takes another one, --frame all writes them all"
    for option, drift, said in (([], 0.25, f": frame 2 of 0 to 2, step 20\n{others}"),
                                (["--frame", "1"], 0.125, ": frame 1 of 0 to 2, step 10"),
                                (["--frame=-3"], 0.0, ": frame 0 of 0 to 2, step 0")):
        assert main(["export", str(path), "-o", str(out), *option]) == 0
        assert capsys.readouterr().out == f"{out}{said}\n"
        assert distance(read_any(out).position, start + drift, glass.box) < 1e-12
    out = out.with_suffix(".data")
    assert main(["export", str(path), "-o", str(out), "--frame", "all"]) == 0       # one file each: the format has one frame
    assert capsys.readouterr().out.count("\n") == 3
    for k in range(3):
        assert distance(read_any(tmp_path / f"out-000{k}.data").position, start + 0.125 * k, glass.box) < 1e-12
    assert main(["export", str(path), "-o", str(out), "--frame", "3"]) == 2
    assert "there is no frame 3, it has frames 0 to 2" in capsys.readouterr().err
    assert main(["export", str(path.with_name("01-quench.h5")), "-o", str(out), "--frame", "0"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert main(["export", str(tmp_path / "out-0000.data"), "-o", str(out), "--frame", "1"]) == 2      # there is one only
    with pytest.raises(SystemExit):
        main(["export", str(path), "-o", str(out), "--frame", "first"])


def test_import_says_which_frame_it_takes(trajectory, tmp_path, capsys):
    path, glass = trajectory
    start = positions(glass)
    for option, drift, said in (([], 0.25, "frame 2 of 0 to 2, step 20"), (["--frame", "0"], 0.0, "frame 0 of 0 to 2, step 0")):
        assert main(["import", str(path), "-o", str(tmp_path / "new.h5"), "--model", "ipl12", *option]) == 0
        assert said in capsys.readouterr().out
        assert distance(positions(load(tmp_path / "new.h5")), start + drift, glass.box) < 1e-12
