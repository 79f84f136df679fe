"""Fit of the slips of a lattice model to the loading curve of a glass.

The unknowns are ln ε̄ and, with two, the share f of ε̄ that goes with the threshold:

    ε̄ = c0 + c1 ⟨σ_c²⟩,     c0 = (1 − f) ε̄,     c1 = f ε̄ / ⟨σ_c²⟩,     0 ≤ f ≤ 1,

⟨σ_c²⟩ being that of renewed thresholds. The plateau depends mostly on ε̄, the peak on both (004, Secs. 5.1, 6.1): in these
variables the problem is nearly triangular and its scales are of order one.

The model answers with the noise of its samples, so roots are not chased with secants through single evaluations. Plateau and
peak are measured at the points of a star, a centre and two points on either side of it along each unknown, with the same samples
at each point; a quadratic surface through them is solved for the target (its tangent plane, if noise has bent it off the target);
the star follows its root until this is well inside, and samples are added until plateau and peak there are as accurate as wanted.
The surface at its root is a fixed linear combination of what was measured at the points: each sample's own value of that
combination gives its covariance C, noise of the slopes included, and with the derivatives B of the surface

    cov(ln ε̄, f) = B⁻¹ (C + C_target) B⁻ᵀ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

from hpcglass.epm.loading import Curves, Floats, Protocol, covariance_of_mean
from hpcglass.epm.model import Slip
from hpcglass.errors import PhysicsError

Evaluate = Callable[[Slip, int, int], Floats]       # slip, first sample, number of samples -> (samples, points) stress

ARM = 0.2               # of the star, in both unknowns
INSIDE = 0.5            # arms between centre and root of a star that need not follow
ROUNDS = 12             # stars, at most
EDGE = 1e-6             # of the range of f
ROUND_OFF = 1e-12       # relative to the target: samples that are all the same have no error, but nothing is exact
DOUBLINGS = 12          # of ε̄, at most, to find two values with the plateau between them


@dataclass(frozen=True)
class Unknowns:
    """Which slips are looked for, and what they are in terms of the unknowns.

    Parameters
    ----------
    kind : "fixed": all slips are ε_pl = ε̄ (001); "c0": exponential, f = 0; "c0_c1": exponential, both unknowns (004)
    second_moment : ⟨σ_c²⟩ of renewed thresholds
    """

    kind: Literal["fixed", "c0", "c0_c1"]
    second_moment: float

    @property
    def number(self) -> int:
        return 2 if self.kind == "c0_c1" else 1

    def coefficients(self, x: Floats) -> Floats:
        """(c0,) or (c0, c1)."""
        mean = np.exp(x[0])
        return np.array([mean]) if self.number == 1 else np.array([mean * (1 - x[1]), mean * x[1] / self.second_moment])

    def slip(self, x: Floats) -> Slip:
        coefficients = [float(max(c, 0.0)) for c in self.coefficients(x)]
        return Slip.fixed(*coefficients) if self.kind == "fixed" else Slip.exponential(*coefficients)

    def jacobian(self, x: Floats) -> Floats:
        """Derivatives of the coefficients by the unknowns, (number, number)."""
        mean = float(np.exp(x[0]))
        if self.number == 1:
            return np.array([[mean]])
        return np.array([[mean * (1 - x[1]), -mean], [mean * x[1] / self.second_moment, mean / self.second_moment]])


@dataclass(frozen=True)
class Target:
    """What the model shall reproduce.

    Parameters
    ----------
    values : (2,) plateau and peak; the peak is NaN if it is not known
    covariance : (2, 2) of their errors; NaN if there was one sample: then the scatter of single samples of the model stands in
    curves : the samples they come from, if there are any
    """

    values: Floats
    covariance: Floats
    curves: Curves | None = None

    @classmethod
    def of(cls, curves: Curves) -> Target:
        """Plateau and peak of samples, measured as those of the model are."""
        return cls(curves.values, curves.covariance, curves)

    @classmethod
    def numbers(cls, plateau: float, plateau_error: float = 0.0, peak: float = np.nan, peak_error: float = 0.0) -> Target:
        return cls(np.array([plateau, peak]), np.diag(np.array([plateau_error, peak_error], dtype=np.float64) ** 2))

    @property
    def round_off(self) -> Floats:
        """(2,) variances below which no error is taken to be."""
        return np.asarray((ROUND_OFF * np.nan_to_num(self.values, nan=1.0)) ** 2)


@dataclass(frozen=True)
class Fit:
    """Result of a calibration.

    Attributes
    ----------
    coefficients, covariance : (n,), (n, n) ε_pl; or c0; or c0 and c1
    mean_slip, mean_slip_error : ε̄
    share, share_error : f; its error is NaN at an end of its range, where the target cannot be reached
    target : with the errors that were used
    misfit : χ² of what was fitted; 0 unless the target cannot be reached
    predicted : curves of the model with these slips, of samples that were not used in the fit
    deviation : (2,) predicted minus target plateau and peak over the standard error of the difference; NaN without a target
    reached : the accuracy that was asked for
    samples, evaluations : samples at each point of the last star; samples in all
    """

    slip: Slip
    coefficients: Floats
    covariance: Floats
    mean_slip: float
    mean_slip_error: float
    share: float
    share_error: float
    target: Target
    misfit: float
    predicted: Curves
    deviation: Floats
    reached: bool
    samples: int
    evaluations: int

    @property
    def errors(self) -> Floats:
        return np.sqrt(np.diag(self.covariance))

    def curve_misfit(self) -> tuple[float, float]:
        """Relative rms difference of the mean curves, and the mean of (difference / its error)²; NaN without a target curve.

        The second is 1 on average for a perfect model; neighbouring points are correlated, so it scatters more than a χ² of as
        many degrees of freedom would. Points where no sample has slipped yet have no error, and do not count in it.
        """
        if self.target.curves is None:
            return np.nan, np.nan
        difference = (self.predicted.mean - self.target.curves.mean)[1:]
        alone = self.target.curves.samples == 1
        variance = (self.predicted.error**2 + (self.predicted.scatter if alone else self.target.curves.error) ** 2)[1:]
        known = variance > self.target.round_off[0]
        misfit = float(np.mean(difference[known] ** 2 / variance[known])) if known.any() else np.nan
        return float(np.sqrt(np.mean(difference**2)) / abs(self.target.values[0])), misfit


class Star:
    """Plateau and peak on the points of a star, and the quadratic surface through them.

    Parameters
    ----------
    centre : (n,) unknowns
    points : 1 + 2 n sets of curves of the same samples: at the centre, and along each unknown an arm back and an arm forth
    curvature : 1; or 0 for the tangent plane at the centre
    """

    def __init__(self, centre: Floats, points: list[Curves], curvature: int = 1) -> None:
        self.centre, self.points, self.curvature = centre, points, curvature
        self._values = np.array([point.values for point in points])

    @staticmethod
    def places(centre: Floats) -> list[Floats]:
        return [centre, *(centre + sign * ARM * axis for axis in np.eye(len(centre)) for sign in (-1, 1))]

    def weights(self, d: Floats) -> Floats:
        """(points,) of the surface at centre + ARM d: Lagrange polynomials."""
        square = self.curvature * d * d
        sides = np.column_stack([square - d, square + d]).ravel() / 2
        return np.concatenate([[1 - sides.sum()], sides])

    def surface(self, d: Floats) -> Floats:
        """(2,) plateau and peak."""
        return np.asarray(self.weights(d) @ self._values)

    def slopes(self, d: Floats) -> Floats:
        """(2, n) derivatives of the surface by the unknowns."""
        bend = self.curvature * d[:, None]
        sides = (bend - 0.5) * self._values[1::2] + (bend + 0.5) * self._values[2::2]
        return np.asarray((sides - 2 * bend * self._values[0]).T / ARM)

    def covariance(self, d: Floats) -> Floats:
        """(2, 2) of the surface at d, from the scatter of the samples."""
        return covariance_of_mean(np.einsum("p,pso->so", self.weights(d), np.array([point.rows for point in self.points])))

    def solve(self, target: Target) -> Floats:
        """d of the root, within two arms and 0 <= f <= 1; of the least χ² if there is none."""
        n = len(self.centre)
        scale = np.sqrt(np.diag(self.covariance(np.zeros(n)) + np.nan_to_num(target.covariance)) + target.round_off)[:n]
        low, high = np.full(n, -2.0), np.full(n, 2.0)
        if n == 2:
            low[1], high[1] = max(-2.0, -self.centre[1] / ARM), min(2.0, (1 - self.centre[1]) / ARM)
        found = least_squares(lambda d: (self.surface(d) - target.values)[:n] / scale, np.zeros(n),
                              lambda d: self.slopes(d)[:n] * ARM / scale[:, None], bounds=(low, high), xtol=1e-12, ftol=1e-12,
                              gtol=1e-12)
        return np.asarray(found.x)


class Calibration:
    """The search; see the top of this file.

    Parameters
    ----------
    evaluate : stress of samples of the model, (slip, first sample, number of samples) -> (samples, points)
    protocol : where curves are looked at
    unknowns, target : what is looked for, and what it shall reproduce
    accuracy : wanted relative error of the model's plateau (and peak, with two unknowns)
    samples, most : to begin with, and at most, at each point

    Raises
    ------
    PhysicsError
        (from `run`) No slip gives such a plateau, or the peak says nothing about f.
    """

    def __init__(self, evaluate: Evaluate, protocol: Protocol, unknowns: Unknowns, target: Target, accuracy: float, samples: int,
                 most: int) -> None:
        self.protocol, self.unknowns, self.target = protocol, unknowns, target
        self.accuracy, self.samples, self.most = accuracy, samples, most
        self._evaluate = evaluate
        self._known: dict[tuple[float, ...], Floats] = {}
        self.evaluations = 0

    def run(self, start: float) -> Fit:
        """Look for the slips, beginning with the mean slip `start`."""
        centre = self.bracket(start)
        for _ in range(ROUNDS):
            star = self.star(centre)
            d = star.solve(self.target)
            if not self.meets(star, d):
                star = Star(centre, star.points, curvature=0)
                d = star.solve(self.target)
            follow = self.inside(centre + ARM * d)
            if np.abs(follow - centre).max() > INSIDE * ARM:
                self.samples = min(2 * self.samples, self.most)
                centre = follow
                continue
            wanted = self.wanted(star, d)
            if wanted <= self.samples or self.samples == self.most:
                return self.finish(star, d, wanted <= self.samples)
            self.samples = wanted if wanted < self.most else self.most
        return self.finish(star, d, False)

    def curves(self, x: Floats, first: int, count: int) -> Curves:
        """Samples at a point; those that are known already are not computed again."""
        key = (*x.tolist(), first)
        known = self._known.get(key, np.empty((0, len(self.protocol.strain))))
        if count > len(known):
            more = self._evaluate(self.unknowns.slip(x), first + len(known), count - len(known))
            self.evaluations += len(more)
            known = self._known[key] = np.concatenate([known, more])
        return Curves(self.protocol, known[:count])

    def trials(self) -> list[tuple[Floats, Curves]]:
        """Unknowns and curves of all points where samples were loaded, in the order in which they were first asked for."""
        return [(np.array(key[:-1]), Curves(self.protocol, stress)) for key, stress in self._known.items()]

    def star(self, centre: Floats) -> Star:
        return Star(centre, [self.curves(x, 0, self.samples) for x in Star.places(centre)])

    def inside(self, x: Floats) -> Floats:
        """The centre nearest to x whose star keeps to 0 <= f <= 1."""
        return np.array([x[0], *np.clip(x[1:], ARM, 1 - ARM)])

    def bracket(self, start: float) -> Floats:
        """A centre to begin with: ln ε̄ between two values, a factor of two apart, with the plateau between theirs."""
        x = np.array([np.log(start), 0.5][: self.unknowns.number])
        wanted, step = self.target.values[0], np.zeros(self.unknowns.number)
        here = self.curves(x, 0, self.samples).values[0]
        step[0] = np.log(2.0) if here > wanted else -np.log(2.0)        # larger slips, lower plateau
        seen = [here]
        for _ in range(DOUBLINGS):
            there = self.curves(x + step, 0, self.samples).values[0]
            if (here - wanted) * (there - wanted) <= 0 and here != there:
                return x + step * (here - wanted) / (here - there)
            x, here = x + step, there
            seen.append(here)
        raise PhysicsError(f"no slip gives a plateau of {wanted:.5g}: mean slips from {start:.3g} to {np.exp(x[0]):.3g} "
                           f"give plateaus between {min(seen):.5g} and {max(seen):.5g}. Check the thresholds, the modulus, and "
                           "the units of the target")

    def meets(self, star: Star, d: Floats) -> bool:
        """Whether d is a root, or at an end of the range of f; it is neither where noise has bent the surface off the target."""
        n = self.unknowns.number
        at_end = n == 2 and not EDGE < star.centre[1] + ARM * d[1] < 1 - EDGE
        return at_end or bool(np.allclose(star.surface(d)[:n], self.target.values[:n], rtol=1e-6))

    def wanted(self, star: Star, d: Floats) -> int:
        """Samples with which the surface at d would be as accurate as asked."""
        n = self.unknowns.number
        relative = np.sqrt(np.diag(star.covariance(d))[:n]) / np.abs(self.target.values[:n])
        return int(np.ceil(self.samples * (relative.max() / self.accuracy) ** 2))

    def finish(self, star: Star, d: Floats, reached: bool) -> Fit:
        """Errors, and a prediction with samples that the fit has not seen."""
        n, unknowns = self.unknowns.number, self.unknowns
        x, B, model = star.centre + ARM * d, star.slopes(d), star.covariance(d)
        predicted = self.curves(x, self.most, max(self.samples, 2))
        target = self.target
        if np.isnan(target.covariance[0, 0]):       # one sample: it scatters as one of the model does
            target = Target(target.values, predicted.covariance * predicted.samples, target.curves)
        free = [k for k in range(n) if k == 0 or EDGE < x[k] < 1 - EDGE]
        total = (model + target.covariance + np.diag(target.round_off))[:n, :n]
        information = B[:n, free].T @ np.linalg.solve(total, B[:n, free])
        if np.linalg.cond(information) > 1e12:
            raise PhysicsError(f"plateau and peak of {self.samples} samples do not tell c0 from c1: "
                               "raise most_samples, or fit c0")
        covariance = np.zeros((n, n))
        covariance[np.ix_(free, free)] = np.linalg.inv(information)
        residual = (star.surface(d) - target.values)[:n]
        to_coefficients = unknowns.jacobian(x)
        errors = np.sqrt(np.diag(covariance))
        # what was fitted follows the target's value whatever its error; what was not has the errors of both
        own = np.diag(predicted.covariance) + target.round_off
        deviation = (predicted.values - target.values) / np.sqrt(own + np.array(
            [model[k, k] if k < n else B[k] @ covariance @ B[k] + target.covariance[k, k] for k in range(2)]))
        return Fit(unknowns.slip(x), unknowns.coefficients(x), to_coefficients @ covariance @ to_coefficients.T,
                   float(np.exp(x[0])), float(np.exp(x[0]) * errors[0]), *self.share(x, errors, free), target,
                   float(residual @ np.linalg.solve(total, residual)), predicted, deviation, reached, self.samples,
                   self.evaluations)

    def share(self, x: Floats, errors: Floats, free: list[int]) -> tuple[float, float]:
        """f and its error."""
        if self.unknowns.number == 1:
            return 0.0, 0.0
        return float(x[1]), float(errors[1]) if 1 in free else float("nan")

