"""Displacement fields from files, of a stage or of an experiment, and the table of what was found in many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.annulus import Annulus, energy_split
from hpcglass.analysis.open_run import Table
from hpcglass.analysis.radial import Profile
from hpcglass.analysis.screening import Deviation, Screening
from hpcglass.errors import FileError, InputError

Floats = NDArray[np.float64]
NUMBERS = ("r_in", "r_out", "d_0", "energy_before", "energy_after")
COLUMNS = (("x", "y", "z", "ux", "uy", "uz"), ("x", "y", "ux", "uy"))
COMPETING = 9.0         # a minimum competes with the best one if its misfit is less: three standard errors


@dataclass(frozen=True)
class Case:
    """A measured displacement field.

    Attributes
    ----------
    path : file it is from
    annulus : geometry
    centre : (d,)
    position, displacement : (N, d)
    energy_change : E − E_0; NaN if it is not known
    """

    path: Path
    annulus: Annulus
    centre: Floats
    position: Floats
    displacement: Floats
    energy_change: float


def read_case(path: str | Path, **given: Any) -> Case:
    """Read a displacement field.

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
    reader: Callable[[Path], dict[str, Any]] = {".h5": _hdf5, ".hdf5": _hdf5, ".npz": _npz}.get(path.suffix, _text)
    try:
        found = reader(path)
    except (FileError, InputError):
        raise
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except Exception as error:      # the libraries report damage in many ways: all of them mean a bad file here
        raise FileError(f"{path}: cannot be read as displacements ({str(error).partition(chr(10))[0][:200]})") from error
    found |= {name: value for name, value in given.items() if value is not None}
    if "position" not in found or "displacement" not in found:
        has = ", ".join(sorted(found)) or "nothing"
        raise InputError(f"{path}: needs position and displacement, (N, 2) or (N, 3); has {has}")
    missing = [name for name in ("r_in", "r_out", "d_0", "centre") if name not in found]
    if missing:
        options = " ".join(f"--{name.replace('_', '-') if name != 'd_0' else 'd0'}" for name in missing)
        raise InputError(f"{path}: does not say {', '.join(missing)}; use {options}")
    arrays = (np.asarray(found[name], dtype=np.float64) for name in ("position", "displacement", "centre"))
    position, displacement, centre = arrays
    if position.ndim != 2 or position.shape != displacement.shape or centre.shape != position.shape[1:]:
        raise InputError(f"{path}: positions {position.shape}, displacements {displacement.shape} and centre {centre.shape} "
                         "do not fit each other")
    annulus = Annulus(float(found["r_in"]), float(found["r_out"]), float(found["d_0"]), position.shape[1])
    change = float(found.get("energy_after", np.nan)) - float(found.get("energy_before", np.nan))
    return Case(path, annulus, centre, position, displacement, change)


def _hdf5(path: Path) -> dict[str, Any]:
    """A stage file, or datasets (numbers also as attributes) at the top of any other."""
    import h5py

    with h5py.File(path, "r") as file:
        if "fields/displacement" not in file:
            known = [name for name in ("position", "displacement", "centre", *NUMBERS) if name in file]
            return {**{name: file.attrs[name] for name in ("centre", *NUMBERS) if name in file.attrs},
                    **{name: file[name][()] for name in known}}
        found = {name: file[f"results/{name}"][()] for name in ("centre", *NUMBERS) if f"results/{name}" in file}
        displacement = file["fields/displacement"][()]
        if "fields/position_before" in file:
            position = file["fields/position_before"][()]
        else:
            position = file["particles/all/position/value"][-1] - displacement
        return {**found, "position": position, "displacement": displacement}


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _text(path: Path) -> dict[str, Any]:
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
    return {"position": data[:, :d], "displacement": data[:, d:]}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def summary(cases: Sequence[tuple[Case, Profile, Screening, Deviation]],
            medium: tuple[float, float, float] | None = None) -> Table:
    """A row per displacement field.

    Parameters
    ----------
    cases : fields and what was found
    medium : bulk modulus, shear modulus and pressure, for the split of ΔE
    """
    rows = []
    for case, profile, fit, deviation in cases:
        nothing = (np.nan, np.nan)
        stored, plastic = energy_split(case.energy_change, case.annulus, *medium) if medium else nothing
        others = int((fit.minima[1:, 1] < COMPETING).sum())
        rows.append([case.annulus.dimension, case.annulus.r_in, case.annulus.r_out, case.annulus.d_0, profile.count.sum(),
                     fit.screened, fit.delta, fit.kappa, fit.low, fit.high, others, fit.misfit_elastic, fit.amplitude, fit.noise,
                     fit.independent, deviation.signed, deviation.signed_error, deviation.absolute, deviation.absolute_error,
                     case.energy_change, stored, plastic])
    names = {
        "dimension": ("", "number of space dimensions"), "r_in": ("length", "radius of the inner wall"),
        "r_out": ("length", "radius of the outer wall"), "d_0": ("length", "displacement of the inner wall"),
        "particles": ("", "particles in the profile"), "screened": ("", "1 if the evidence is for screening"),
        "delta": ("", "twice the logarithm of the evidence for screening over that for elasticity"),
        "kappa": ("1/length", "screening parameter"), "kappa_low": ("1/length", "lower end of its interval of 68 %"),
        "kappa_high": ("1/length", "upper end of its interval of 68 %"),
        "competing": ("", "other minima within three standard errors"), "misfit_elastic": ("", "misfit of the elastic solution"),
        "amplitude": ("", "measured over fitted displacement, median"), "noise": ("", "residual over error from sectors"),
        "independent": ("", "independent data among the bins"), "M": ("", "deviation from elasticity"),
        "M_error": ("", "its error"), "abs_M": ("", "modulus of the deviation"), "abs_M_error": ("", "its error"),
        "energy_change": ("energy", "energy after less before"), "energy_elastic": ("energy", "its elastic part"),
        "energy_plastic": ("energy", "the rest")}
    columns = np.array(rows, dtype=np.float64).reshape(-1, len(names)).T
    return Table(dict(zip(names, columns, strict=True)), {name: units for name, (units, _) in names.items()},
                 {name: text for name, (_, text) in names.items()})


def statistics(table: Table) -> dict[str, tuple[float, str]]:
    """What many fields have in common: name -> (number, what it is).

    Share of screened ones with Wilson's interval of 68 %, quartiles of κ among them, and Spearman's rank correlations with ΔE.
    Across samples the paper expects correlations only for one configuration at different d_0.
    """
    from scipy.stats import spearmanr

    n, k = table.rows, float(table["screened"].sum())
    middle, half = (k + 0.5) / (n + 1), np.sqrt(k * (n - k) / n + 0.25) / (n + 1)
    found = {"samples": (float(n), "number of fields"), "screened_share": (k / n, "share that is screened"),
             "screened_low": (float(middle - half), "lower end of its interval of 68 %"),
             "screened_high": (float(middle + half), "upper end of its interval of 68 %")}
    if k:
        quartiles = np.quantile(table["kappa"][table["screened"] == 1], [0.25, 0.5, 0.75])
        found |= {f"kappa_{name}": (float(value), f"{name.replace('_', ' ')} of kappa where screened")
                  for name, value in zip(("lower_quartile", "median", "upper_quartile"), quartiles, strict=True)}
    for name in ("kappa", "M", "abs_M"):
        good = np.isfinite(table["energy_change"])
        x, y = table[name][good], table["energy_change"][good]
        if len(x) > 3 and np.ptp(x) > 0 and np.ptp(y) > 0:
            rank = spearmanr(x, y)
            what = f"rank correlation of {name} and the change of energy"
            found |= {f"{name}_energy_correlation": (float(rank.statistic), what),
                      f"{name}_energy_p": (float(rank.pvalue), "probability of as much by chance")}
    return found
