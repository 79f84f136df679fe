"""Displacement fields from files: of stages `inflate`, or of an experiment."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.ensembles.merge import shared_inputs, substituted
from hpcglass.analysis.open_run import STAGE_FILE
from hpcglass.analysis.screening.annulus import Annulus
from hpcglass.errors import FileError, InputError
from hpcglass.sealed.file import File
from hpcglass.sealed.runfiles import refuse_exchanged

Floats = NDArray[np.float64]
GEOMETRY = ("r_in", "r_out", "d_0", "centre")
ENERGIES = ("energy_change", "energy_elastic", "energy_plastic", "work")
COLUMNS = (("x", "y", "z", "ux", "uy", "uz"), ("x", "y", "ux", "uy"))


@dataclass(frozen=True)
class Case:
    """A measured displacement field.

    Attributes
    ----------
    path, number : file it is from, and which of its inflations
    annulus : geometry
    centre : (d,)
    position, displacement : (N, d)
    energies : those of ENERGIES that are known; the first is ΔE = E − E_0
    inputs : numbers of the run's input, by the names of its [parameters] where it has some
    """

    path: Path
    number: int
    annulus: Annulus
    centre: Floats
    position: Floats
    displacement: Floats
    energies: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, float] = field(default_factory=dict)


def find_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files among the paths, and the stage files with displacements around a core in the directories, however deep.

    Raises
    ------
    InputError
        There is none in a directory.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(path.rglob("*.h5")) if STAGE_FILE.fullmatch(file.name) and _is_inflation(file)]
        if not inside:
            raise InputError(f"{path}: no stage `inflate` is finished in it")
        found += inside
    return list(dict.fromkeys(found))


def _is_inflation(path: Path) -> bool:
    with File(path) as file:
        return "/results/inflation/d_0" in file


def read_cases(path: str | Path, **given: Any) -> list[Case]:
    """Read the displacement fields of a file: one, or one for each d_0 of a stage `inflate`.

    Parameters
    ----------
    path : stage file of an inflation; or HDF5 or .npz with `position` and `displacement` (N, d); or text with the columns
        x y [z] ux uy [uz], separated by blanks or commas, with or without a line of names
    given : `r_in`, `r_out`, `d_0`, `centre`, which replace those in the file; None is as if not given

    Raises
    ------
    FileError
        The file is damaged or cannot be read.
    InputError
        It has no displacement field, or the geometry is neither in the file nor given.
    """
    path = Path(path)
    reader: Callable[[Path], list[dict[str, Any]]] = {".h5": _hdf5, ".hdf5": _hdf5, ".npz": _npz}.get(path.suffix, _text)
    try:
        fields = reader(path)
    except (FileError, InputError):
        raise
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except Exception as error:      # the libraries report damage in many ways: all of them mean a bad file here
        raise FileError(f"{path}: cannot be read as displacements ({str(error).partition(chr(10))[0][:200]})") from error
    known = {name: value for name, value in given.items() if value is not None}
    return [_case(path, number, {**found, **known}) for number, found in enumerate(fields)]


def _case(path: Path, number: int, found: dict[str, Any]) -> Case:
    if "position" not in found or "displacement" not in found:
        has = ", ".join(sorted(found)) or "nothing"
        raise InputError(f"{path}: needs position and displacement, (N, 2) or (N, 3), or to be of a stage `inflate`; has {has}")
    missing = [name for name in GEOMETRY if name not in found]
    if missing:
        options = " ".join(f"--{name.replace('_', '-') if name != 'd_0' else 'd0'}" for name in missing)
        raise InputError(f"{path}: does not say {', '.join(missing)}; use {options}")
    arrays = (np.asarray(found[name], dtype=np.float64) for name in ("position", "displacement", "centre"))
    position, displacement, centre = arrays
    if position.ndim != 2 or position.shape != displacement.shape or centre.shape != position.shape[1:]:
        raise InputError(f"{path}: positions {position.shape}, displacements {displacement.shape} and centre {centre.shape} "
                         "do not fit each other")
    annulus = Annulus(float(found["r_in"]), float(found["r_out"]), float(found["d_0"]), position.shape[1])
    energies = {name: float(found[name]) for name in ENERGIES if name in found}
    return Case(path, number, annulus, centre, position, displacement, energies, found.get("inputs", {}))


def _hdf5(path: Path) -> list[dict[str, Any]]:
    """A stage file, or datasets (numbers also as attributes) at the top of any other."""
    with File(path, foreign=True) as file:
        if "/results/inflation/d_0" not in file:
            known = [name for name in ("position", "displacement", *GEOMETRY, *ENERGIES) if name in file]
            told = file.attributes()
            return [{**{name: told[name] for name in (*GEOMETRY, *ENERGIES) if name in told},
                     **{name: file.value(name) for name in known}}]
        refuse_exchanged(file)
        common = {name: file.value(f"/results/{name}") for name in ("centre", "r_in", "r_out")}
        common |= {"position": file.value("/fields/position_before"), "inputs": _inputs(file, path)}
        table = {name: file.value(f"/results/inflation/{name}") for name in ("d_0", *ENERGIES)}
        names = ["displacement"] if len(table["d_0"]) == 1 else [f"displacement_{k}" for k in range(len(table["d_0"]))]
        return [{**common, "displacement": file.value(f"/fields/{name}"), **{key: column[k] for key, column in table.items()}}
                for k, name in enumerate(names)]


def _inputs(file: File, path: Path) -> dict[str, float]:
    """Numbers of the resolved input up to this stage; `T_m` rather than `stage.0.temperature`, where it is "$T_m"."""
    match = STAGE_FILE.fullmatch(path.name)
    if "/provenance/resolved_input" not in file or match is None:
        return {}
    data = tomllib.loads(file.value("/provenance/resolved_input"))
    written, numbers = (shared_inputs(some, int(match[1])) for some in (data, substituted(data)))
    return {str(written[key]).removeprefix("$") if isinstance(written[key], str) else key: float(value)
            for key, value in numbers.items() if isinstance(value, int | float) and not isinstance(value, bool)}


def _npz(path: Path) -> list[dict[str, Any]]:
    with np.load(path) as file:
        return [{name: file[name] for name in file.files}]


def _text(path: Path) -> list[dict[str, Any]]:
    lines = [line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [words for words in lines if words and not words[0].startswith("#")]
    names = tuple(word.strip('"').lower() for word in rows[0]) if rows else ()
    header = bool(rows) and not _is_number(rows[0][0])
    width = len(rows[0]) if rows else 0
    fitting = [some for some in COLUMNS if (set(some) <= set(names) if header else len(some) == width)]
    if not fitting:
        raise InputError(f"{path}: needs the columns x y ux uy, or x y z ux uy uz; "
                         f"its first line is {' '.join(names)[:80] or 'empty'}")
    order = [names.index(name) for name in fitting[0]] if header else list(range(width))
    data = np.array([[float(words[k]) for k in order] for words in rows[header:]])
    d = len(fitting[0]) // 2
    return [{"position": data[:, :d], "displacement": data[:, d:]}]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
