"""A table of (r, phi) as a potential: a spline through all of its points.

Of degree 2 c + 1, it has 2 c continuous derivatives between the points; at the cut-off, the last of them, phi and c derivatives
vanish, so that c is the continuity of the whole. At the first point c derivatives are those of a polynomial through the nearest
points. Below it phi goes on as a x^-n + b with phi, phi' and phi'' of the spline, and terms (x - r_0)^3, ... for its further
derivatives, unless the table begins at r = 0.
SciPy is imported here alone, where there is a table: `validate` and `list` stay quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import factorial

from hpcglass.potentials.model import PairPotential, Segment

STEEPEST = 200.0        # power of the continuation below the first point
FLAT = 1e-3             # phi and its slope at the cut-off, in units of what phi is in the outer half of the table


def through(r: Sequence[float], phi: Sequence[float], continuity: int, shift: bool) -> PairPotential:
    """The spline through a table.

    Parameters
    ----------
    r : distances in units of lambda_ij, increasing; the last one is the cut-off
    phi : energies there
    continuity : derivatives c that are continuous everywhere
    shift : subtract the Taylor polynomial of order c at the cut-off first, as `PairPotential.shifted` does

    Raises
    ------
    ValueError
        The numbers cannot be made into such a potential; the message says why, and what to do.
    """
    import numpy as np
    from scipy.interpolate import make_interp_spline

    points = 2 * continuity + 2
    x, y = np.array(r), np.array(phi)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} distances r but {len(y)} energies phi")
    if len(x) < 2 * points:
        raise ValueError(f"has {len(x)} points: for continuity = {continuity} at least {2 * points} are needed")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("has numbers that are not finite: leave out the points nearest to r = 0")
    wrong = next((k for k, (a, b) in enumerate(pairwise(x), 1) if not b > a >= 0), None)
    if wrong is not None:
        raise ValueError(f"the distances must grow from row to row: row {wrong + 1} has r = {x[wrong]:g} after {x[wrong - 1]:g}")
    end, x_c = _derivatives(x[-points:], y[-points:], x[-1], continuity), x[-1]
    end[0] = y[-1]
    if shift:
        y = y - sum(value * (x - x_c) ** n / factorial(n) for n, value in enumerate(end))
        y[-1] = 0.0
    else:
        scale = float(np.abs(y[x >= 0.5 * (x[0] + x_c)]).max())
        for n, what in ((0, "phi"), (1, "phi'")):
            if abs(end[n]) * x_c**n > max(FLAT, n * FLAT * 10) * scale:
                raise ValueError(f"{what} is {end[n]:.3g} at the last point, r = {x_c:g}, where it must vanish: "
                                 f"shift = {continuity + 1} makes it so")
    start = _derivatives(x[:points], y[:points], x[0], continuity)
    orders = range(1, continuity + 1)
    y[-1] = 0.0
    spline = make_interp_spline(x, y, 2 * continuity + 1, bc_type=(
        [(n, start[n]) for n in orders], [(n, 0.0) for n in orders]))
    knots = np.unique(spline.t)
    taylor = np.array([spline(knots[:-1], n) / factorial(n) for n in range(2 * continuity + 2)])
    powers = tuple(range(2 * continuity + 2))
    segments = [Segment(float(b), powers, tuple(map(float, taylor[:, k])), origin=float(a))
                for k, (a, b) in enumerate(pairwise(knots))]
    if x[0] > 0:
        segments.insert(0, _continued(segments[0], float(x[0]), continuity))
    return PairPotential(tuple(segments))


def _derivatives(x, y, at, highest):
    """[phi, phi', ...] at a point, of the polynomial through the points."""
    import numpy as np

    width = x[-1] - x[0]
    coefficients = np.linalg.solve(np.vander((x - at) / width, increasing=True), y)
    return np.array([coefficients[n] * factorial(n) / width**n for n in range(highest + 1)])


def _continued(first: Segment, x: float, continuity: int) -> Segment:
    """a x^-n + b below a point, with phi', phi'' and the further derivatives of the segment that begins there."""
    phi, slope, curvature = (first.derivative(x, order) for order in range(3))
    power = -curvature * x / slope - 1 if slope < 0 else 0.0
    if not 0 < power < STEEPEST:
        raise ValueError(f"below its first point, r = {x:g}, it goes on as a x^-n + b, which needs phi' < 0 and phi'' > 0 there "
                         f"(they are {slope:.3g} and {curvature:.3g}): begin the table at r = 0 or where it is steeply repulsive")
    a = -slope * x ** (power + 1) / power
    steep = Segment(x, (-power, 0), (a, phi - a * x**-power))
    rest = [(first.derivative(x, n) - steep.derivative(x, n)) / factorial(n) for n in range(3, continuity + 1)]
    return steep.plus((0.0, 0.0, 0.0, *rest), x) if rest else steep


def read(text: str) -> tuple[list[float], list[float]]:
    """Two columns, r and phi; # begins a comment.

    Raises
    ------
    ValueError
        A row is something else.
    """
    r: list[float] = []
    phi: list[float] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            first, second = map(float, words)
        except ValueError:
            raise ValueError(f"line {number} has to be two numbers, r and phi, and is {line.strip()[:60]!r}") from None
        r.append(first)
        phi.append(second)
    return r, phi
