"""What a calibration leaves: numbers and tables of its file, and a page of words with a stage to be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpcglass.stages.base import Context
from hpcglass.stages.lattice.params import CalibrateParams, LatticeParams

if TYPE_CHECKING:
    from hpcglass.epm.calibration import Calibration, Fit

CURVE = {
    "strain": ("", "strain"), "shear_stress": ("stress", "mean stress of the lattice"),
    "error": ("stress", "its standard error"), "scatter": ("stress", "standard deviation from sample to sample"),
    "target": ("stress", "mean stress of the target"), "target_error": ("stress", "its standard error"),
    "target_scatter": ("stress", "standard deviation from sample to sample of the target")}
TRIALS = {
    "c0": ("", "slip, or the part of its mean that all thresholds share"),
    "c1": ("1/stress^2", "the part that grows with the threshold"),
    "mean_slip": ("", "mean slip of renewed sites"), "share": ("", "share of c1 in it"), "samples": ("", "samples"),
    "plateau": ("stress", "plateau"), "plateau_error": ("stress", "its standard error"),
    "peak": ("stress", "peak"), "peak_error": ("stress", "its standard error")}
OBSERVABLES = {
    "plateau": ("stress", "plateau"), "peak": ("stress", "peak"), "peak_strain": ("", "strain of the peak"),
    "plateau_scatter": ("stress", "standard deviation of the stress of a sample on the plateau")}
SURE = 3.0              # standard deviations; one flat target in a hundred is called not flat where they come from 16 samples


def named(params: CalibrateParams, fit: Fit) -> dict[str, tuple[float, float]]:
    """The fitted numbers, under their names in the input, with their errors."""
    names = {"fixed": ["fixed"], "c0": ["c0"], "c0_c1": ["c0", "c1"]}[params.fit]
    return {name: (float(value), float(error)) for name, value, error in zip(names, fit.coefficients, fit.errors, strict=True)}


def observables(fit: Fit) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """Name -> (value, error) of the target, NaN where it is not known, and of the lattice."""
    unknown = (np.nan, np.nan)
    errors = np.sqrt(np.diag(fit.target.covariance))
    target = fit.target.curves.observables() if fit.target.curves else {}
    target |= {name: (float(fit.target.values[k]), float(errors[k])) if np.isfinite(fit.target.values[k]) else unknown
               for k, name in enumerate(("plateau", "peak"))}
    return {name: (target.get(name, unknown), value) for name, value in fit.predicted.observables().items()}


def store(context: Context, params: CalibrateParams, search: Calibration, fit: Fit) -> None:
    """/results: the fit and what it predicts; the curves; every trial."""
    context.result("sites", params.size**2, "", "sites of the lattice")
    for name, (value, error) in named(params, fit).items():
        units = "1/stress^2" if name == "c1" else ""
        context.result(name, value, units, f"slip, {name}")
        context.result(f"{name}_error", error, units, "its standard error")
    context.result("covariance", fit.covariance, "", "of the fitted numbers")
    for name, value, long_name in (
            ("mean_slip", fit.mean_slip, "mean slip of renewed sites"),
            ("mean_slip_error", fit.mean_slip_error, "its standard error"),
            ("share", fit.share, "share of c1 in the mean slip"), ("share_error", fit.share_error, "its standard error"),
            ("misfit", fit.misfit, "chi^2 of what was fitted: 0, or the target cannot be reached"),
            ("curve_difference", fit.curve_misfit()[0], "rms difference of the mean curves over the target's plateau"),
            ("curve_misfit", fit.curve_misfit()[1], "mean of (difference of the curves / its error)^2"),
            ("accuracy_reached", int(fit.reached), "1 if the wanted accuracy was reached"),
            ("samples", fit.samples, "samples at each of the last trials"), ("evaluations", fit.evaluations, "samples in all"),
            ("target_samples", fit.target.curves.samples if fit.target.curves else 0, "samples of the target")):
        context.result(name, value, "", long_name)
    for k, (name, (target, predicted)) in enumerate(observables(fit).items()):
        units, long_name = OBSERVABLES[name]
        for who, (value, error) in (("target", target), ("predicted", predicted)):
            context.result(f"{who}_{name}", value, units, long_name)
            context.result(f"{who}_{name}_error", error, units, "its standard error")
        if k < 2:
            context.result(f"{name}_deviation", float(fit.deviation[k]), "", "predicted less target, over its error")
    curve, goal = context.table("calibration", **CURVE), fit.target.curves
    nothing = np.full(len(fit.predicted.mean), np.nan)
    columns = (fit.predicted.protocol.strain, fit.predicted.mean, fit.predicted.error, fit.predicted.scatter,
               *((goal.mean, goal.error, goal.scatter) if goal else (nothing, nothing, nothing)))
    for row in zip(*columns, strict=True):
        curve.append(**dict(zip(CURVE, map(float, row), strict=True)))
    trials = context.table("trials", **TRIALS)
    for x, curves in search.trials():
        slip, errors = search.unknowns.slip(x), np.sqrt(np.diag(curves.covariance))
        trials.append(c0=slip.c0, c1=slip.c1, mean_slip=float(np.exp(x[0])), share=float(x[1]) if len(x) > 1 else 0.0,
                      samples=curves.samples, plateau=float(curves.values[0]), plateau_error=float(errors[0]),
                      peak=float(curves.values[1]), peak_error=float(errors[1]))


def chance(fit: Fit) -> float:
    """Standard deviation of the drift of a target that is flat, if its samples scatter as those of the lattice do."""
    assert fit.target.curves is not None
    return float(fit.predicted.drift.std(ddof=1) / np.sqrt(fit.target.curves.samples))


def words(params: CalibrateParams, fit: Fit) -> str:
    """The result on a page."""
    found = [f"{name} = {value:.4g} +- {error:.2g}" for name, (value, error) in named(params, fit).items()]
    if params.fit == "c0_c1":
        found += [f"mean slip {fit.mean_slip:.4g} +- {fit.mean_slip_error:.2g}",
                  f"share of c1 {fit.share:.3g} +- {fit.share_error:.1g}"]
    lines = ["calibrated: " + ", ".join(found), f"{'':24}{'target':>20}{'lattice':>20}{'deviation':>12}"]
    for k, (name, (target, predicted)) in enumerate(observables(fit).items()):
        cells = [f"{value:.4g}{f' +- {error:.2g}' if np.isfinite(error) else ''}" if np.isfinite(value) else "-"
                 for value, error in (target, predicted)]
        label = name.replace("_", " ") + (" (fitted)" if k < len(fit.coefficients) else "")
        deviation = f"{fit.deviation[k]:.1f} s.e." if k < 2 and np.isfinite(fit.deviation[k]) else ""
        lines.append(f"{label:24}{cells[0]:>20}{cells[1]:>20}{deviation:>12}".rstrip())
    if fit.target.curves is not None:
        difference, misfit = fit.curve_misfit()
        lines.append(f"whole curve: rms difference {difference:.2g} of the plateau, mean (difference/error)^2 {misfit:.2g}")
        drift, by_chance = float(fit.target.curves.drift.mean()), chance(fit)
        if abs(drift) > SURE * by_chance:
            lines.append(f"the target is not flat beyond plateau_from = {params.plateau_from:g}: the second half of its plateau "
                         f"is {drift:+.2g} above the first, by chance {by_chance:.1g}; load it further, or begin later")
    lines.append(f"{fit.evaluations} samples, {fit.samples} at each of the last trials and in the prediction")
    if params.fit == "c0_c1" and not fit.target.values[1] > fit.target.values[0] + np.sqrt(np.diag(fit.target.covariance)).max():
        lines.append('the target does not overshoot its plateau by more than its error: c1 means little, fit "c0"')
    if fit.misfit > 1.0:
        lines.append(f"the target cannot be reached: chi^2 = {fit.misfit:.3g} with the nearest slips")
    if not fit.reached:
        lines.append(f"accuracy = {params.accuracy:g} was not reached: raise most_samples, or be content with the errors above")
    return "\n".join([*lines, "", pasted(params, fit)])


def pasted(params: CalibrateParams, fit: Fit) -> str:
    """A stage `epm` with these slips."""
    own = params.model_dump(exclude_none=True, exclude_defaults=True, include=set(LatticeParams.model_fields) - {"kind", "label"})
    slip = {name: float(f"{value:.4g}") for name, (value, _) in named(params, fit).items()}
    lines = {**own, "slip": slip, "max_strain": params.max_strain}
    return "\n".join(["[[stage]]", 'kind = "epm"', *(f"{key} = {toml(value)}" for key, value in lines.items())])


def toml(value: Any) -> str:
    """A value of an input as it is written there."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else f"{value:.10g}"
