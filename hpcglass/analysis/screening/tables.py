"""Tables of what was found in many displacement fields: a row per field, and a row per group of equal inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpcglass.analysis.open_run import Table
from hpcglass.analysis.screening.annulus import elastic_energy
from hpcglass.analysis.screening.files import ENERGIES, Case
from hpcglass.analysis.screening.fit import EVIDENCE, Deviation, Screening
from hpcglass.analysis.screening.radial import Profile

Found = tuple[Case, Profile, Screening, Deviation]
COMPETING = 9.0         # a minimum competes with the best one if its misfit is less: three standard errors
COLUMNS = {
    "dimension": ("", "number of space dimensions"), "r_in": ("length", "radius of the inner wall"),
    "r_out": ("length", "radius of the outer wall"), "d_0": ("length", "displacement of the inner wall"),
    "particles": ("", "particles in the profile"), "screened": ("", "1 if delta says so, and misfit_scaled does not contradict"),
    "delta": ("", "twice the logarithm of the evidence for screening over that for elasticity"),
    "kappa": ("1/length", "screening parameter"), "kappa_low": ("1/length", "lower end of its interval of 68 %"),
    "kappa_high": ("1/length", "upper end of its interval of 68 %"),
    "competing": ("", "other minima within three standard errors"), "misfit_elastic": ("", "misfit of the elastic solution"),
    "amplitude": ("", "measured over fitted displacement, median"),
    "noise": ("", "typical residual, as a part of the elastic displacement"),
    "elastic_amplitude": ("", "A with which A times the elastic displacement fits best"),
    "misfit_scaled": ("", "its misfit; negative: it fits better than the best kappa"),
    "M": ("", "deviation from elasticity"), "M_error": ("", "its error"), "abs_M": ("", "modulus of the deviation"),
    "abs_M_error": ("", "its error"), "energy_change": ("energy", "after less before"),
    "energy_elastic": ("energy", "what the glass gives back when the wall returns"),
    "energy_plastic": ("energy", "the rest of the change"), "work": ("energy", "of the inner wall"),
    "energy_medium": ("energy", "what a homogeneous elastic medium would take up")}
AVERAGED = ("M", "energy_change", "energy_plastic")
OWN_COLUMNS = ("d_0", "fraction", "r_in", "r_out", "particles")     # inputs that are columns of the table by themselves


def summary(found: Sequence[Found], medium: tuple[float, float, float] | None = None) -> Table:
    """A row per displacement field; the inputs in which the runs differ come first.

    Parameters
    ----------
    found : fields, and what was found
    medium : bulk modulus, shear modulus and pressure, for `energy_medium`
    """
    inputs = [case.inputs for case, *_ in found]
    differing = {name: [one[name] for one in inputs] for name in varying(inputs)}
    rows = []
    for case, profile, fit, deviation in found:
        geometry = case.annulus
        others = int((fit.minima[1:, 1] < COMPETING).sum())
        taken_up = elastic_energy(geometry, *medium) if medium else np.nan
        rows.append([geometry.dimension, geometry.r_in, geometry.r_out, geometry.d_0, profile.count.sum(),
                     fit.screened, fit.delta, fit.kappa, fit.low, fit.high, others, fit.misfit_elastic, fit.amplitude, fit.noise,
                     fit.elastic_amplitude, fit.misfit_scaled, deviation.signed, deviation.signed_error, deviation.absolute,
                     deviation.absolute_error, *(case.energies.get(name, np.nan) for name in ENERGIES), taken_up])
    columns = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)).T
    described = {**{name: ("", f"{name} of the input") for name in differing}, **COLUMNS}
    values = {name: np.array(column) for name, column in differing.items()} | dict(zip(COLUMNS, columns, strict=True))
    return Table(values, {name: units for name, (units, _) in described.items()},
                 {name: text for name, (_, text) in described.items()})


def varying(inputs: Sequence[dict[str, float]]) -> list[str]:
    """Names of the inputs that all runs have with different values, without those that are columns by themselves."""
    return [name for name in (inputs[0] if inputs else ()) if all(name in one for one in inputs)
            and len({one[name] for one in inputs}) > 1
            and not any(part in OWN_COLUMNS for part in name.split("."))]


def groups(table: Table) -> Table:
    """A row per set of fields with equal inputs and equal d_0: share that is screened, κ, M, ΔE.

    Notes
    -----
    The interval of the share is Wilson's, of 68 %; quartiles of κ are those of the screened fields; errors of means are
    standard errors of independent samples.
    """
    names = [name for name in table if name not in COLUMNS] + ["r_in", "r_out", "d_0"]
    keys = np.stack([[float(f"{value:.9g}") for value in table[name]] for name in names], axis=1)
    found, which = np.unique(keys, axis=0, return_inverse=True)
    rows = [[*key, *_group(table, which.ravel() == k)] for k, key in enumerate(found)]
    described = {**{name: (table.units[name], table.long_name[name]) for name in names},
                 "fields": ("", "number of fields"), "screened_share": ("", "share that is screened"),
                 "screened_low": ("", "lower end of its interval of 68 %"), "screened_high": ("", "upper end of it"),
                 "kappa_lower_quartile": ("1/length", "lower quartile of kappa where screened"),
                 "kappa_median": ("1/length", "its median"), "kappa_upper_quartile": ("1/length", "its upper quartile")}
    for name in AVERAGED:
        described |= {f"{name}_mean": (table.units[name], f"mean: {table.long_name[name]}"),
                      f"{name}_mean_error": (table.units[name], "its standard error")}
    columns = np.array(rows, dtype=np.float64).T
    return Table(dict(zip(described, columns, strict=True)), {name: units for name, (units, _) in described.items()},
                 {name: text for name, (_, text) in described.items()})


def _group(table: Table, chosen: NDArray[np.bool_]) -> list[float]:
    n, screened = int(chosen.sum()), table["screened"] == 1
    row = [n, *share(n, int((screened & chosen).sum()))]
    kappa = table["kappa"][screened & chosen]
    row += np.quantile(kappa, [0.25, 0.5, 0.75]).tolist() if len(kappa) else [np.nan] * 3
    for name in AVERAGED:
        values = table[name][chosen]
        row += [values.mean(), values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan]
    return [float(value) for value in row]


def share(n: int, k: int) -> tuple[float, float, float]:
    """k/n and its interval of 68 % (E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927))."""
    middle, half = (k + 0.5) / (n + 1), np.sqrt(k * (n - k) / n + 0.25) / (n + 1)
    return k / n, float(middle - half), float(middle + half)


def describe(table: Table) -> str:
    """The groups as text, a line each."""
    names = list(table)[: list(table).index("fields")]
    shown = [name for name in names if name == "d_0" or len(np.unique(table[name])) > 1]
    lines = [[*shown, "fields", "screened", "kappa (quartiles)", "M", "dE", "plastic"]]
    for k in range(table.rows):
        row = {name: float(column[k]) for name, column in table.items()}
        lines.append([*(f"{row[name]:.4g}" for name in shown), f"{row['fields']:.0f}",
                      f"{row['screened_share']:.2f} [{row['screened_low']:.2f}, {row['screened_high']:.2f}]",
                      f"{row['kappa_median']:.3g} [{row['kappa_lower_quartile']:.3g}, {row['kappa_upper_quartile']:.3g}]"
                      if np.isfinite(row["kappa_median"]) else "-",
                      *(_mean(row[f"{name}_mean"], row[f"{name}_mean_error"]) for name in AVERAGED)])
    width = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(word.rjust(size) for word, size in zip(line, width, strict=True)) for line in lines)


def _mean(value: float, error: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3g}" + (f" +- {error:.1g}" if np.isfinite(error) else "")


def statistics(table: Table) -> dict[str, tuple[float, str]]:
    """What all fields have in common: name -> (number, what it is).

    Share of screened ones with Wilson's interval of 68 %, quartiles of κ among them, and Spearman's rank correlations with ΔE.
    Across samples the paper expects correlations only for one configuration at different d_0.
    """
    from scipy.stats import spearmanr

    part, low, high = share(table.rows, int(table["screened"].sum()))
    found = {"fields": (float(table.rows), "number of fields"), "screened_share": (part, "share that is screened"),
             "screened_low": (low, "lower end of its interval of 68 %"),
             "screened_high": (high, "upper end of its interval of 68 %"),
             "scaled_share": (float((table["misfit_scaled"] < -EVIDENCE).mean()),
                              "share that another amplitude of the elastic field fits better than kappa does"),
             "elastic_amplitude": (float(np.median(table["elastic_amplitude"])), "median of that amplitude, of all fields")}
    if part:
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
