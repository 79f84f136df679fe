"""A model glass is data: a piecewise sum of powers, a mixing rule, a distribution of sizes.

    phi(r) = eps_ij * sum_k c_k y^p_k   on the segment that holds  x = r / lambda_ij,   zero beyond x_c.

The powers may be any numbers, and y is x, the overlap 1 - x, or the distance from a knot of a spline. All derivatives follow from
the same table, so forces, Hessian and higher contractions can never disagree; and it says how many of them there are. This
module uses the standard library only: `validate` and `list` read it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property

HIGHEST = 4             # derivative that anything asks for
JUMP = 1e-5             # of the sum of the terms' sizes: less is rounding of the numbers a user wrote
GRID = 1000             # places at which the attraction is looked for


@dataclass(frozen=True)
class Segment:
    """phi = sum_k coefficients[k] * y**powers[k] for x below `upto` (and above the previous segment's).

    y = sign (x - origin): x itself unless told otherwise, 1 - x with origin 1 and sign -1. It is never negative.
    """

    upto: float
    powers: tuple[float, ...]
    coefficients: tuple[float, ...]
    origin: float = 0.0
    sign: int = 1

    def derivative(self, x: float, order: int = 0) -> float:
        """d^order phi / dx^order at x; infinite where it is."""
        return sum(self._terms(x, order))

    def size(self, x: float, order: int = 0) -> float:
        """The same with the magnitudes of all terms: what its rounding errors are to be compared with."""
        return sum(map(abs, self._terms(x, order)))

    def _terms(self, x: float, order: int) -> list[float]:
        y = self.sign * (x - self.origin)
        terms = []
        for power, coefficient in zip(self.powers, self.coefficients, strict=True):
            for n in range(order):
                coefficient *= power - n
            if not coefficient:
                terms.append(0.0)
            elif y == 0 and power < order:
                terms.append(math.copysign(math.inf, coefficient * self.sign**order))
            else:
                terms.append(coefficient * self.sign**order * y ** (power - order))
        return terms

    def bounded(self, start: float) -> float:
        """Order of the highest derivative that stays finite on [start, upto]; infinite if all do. x = 0 is left out."""
        if self.origin == 0.0 or not start <= self.origin <= self.upto:
            return math.inf
        singular = [p for p, c in zip(self.powers, self.coefficients, strict=True) if c and not (p >= 0 and p == int(p))]
        return min((math.floor(p) if p >= 0 else -1.0 for p in singular), default=math.inf)

    def plus(self, polynomial: tuple[float, ...], about: float) -> Segment:
        """The same with sum_k polynomial[k] (x - about)^k added."""
        added = dict.fromkeys(range(len(polynomial)), 0.0)
        for n, value in enumerate(polynomial):          # x - about = sign y + (origin - about)
            for k in range(n + 1):
                added[k] += value * math.comb(n, k) * self.sign**k * (self.origin - about) ** (n - k)
        terms = dict(zip(self.powers, self.coefficients, strict=True))
        for k, value in added.items():
            terms[k] = terms.get(k, 0.0) + value
        return replace(self, powers=tuple(terms), coefficients=tuple(terms.values()))


@dataclass(frozen=True)
class PairPotential:
    """Segments in order of x; the last one ends at the cut-off x_c."""

    segments: tuple[Segment, ...]

    @property
    def cutoff(self) -> float:
        """x_c, in units of lambda_ij."""
        return self.segments[-1].upto

    @cached_property
    def _ends(self) -> tuple[float, ...]:
        return tuple(segment.upto for segment in self.segments)

    def derivative(self, x: float, order: int = 0) -> float:
        """d^order phi / dx^order for eps = 1; zero at and beyond the cut-off."""
        number = bisect_right(self._ends, x)
        return self.segments[number].derivative(x, order) if number < len(self.segments) else 0.0

    @property
    def plain(self) -> bool:
        """Whether all powers are whole powers of x itself."""
        return all(s.origin == 0.0 and s.sign == 1 and all(p == int(p) for p in s.powers) for s in self.segments)

    @property
    def finite(self) -> bool:
        """Whether phi is finite where two particles lie upon each other."""
        first = self.segments[0]
        return first.origin != 0.0 or min(first.powers) >= 0

    @cached_property
    def bounded(self) -> float:
        """Order of the highest derivative that is finite everywhere (beyond x = 0); infinite if all are."""
        starts = (0.0, *self._ends)
        return min(segment.bounded(start) for segment, start in zip(self.segments, starts, strict=False))

    @cached_property
    def continuity(self) -> int:
        """Order, up to 4, to which phi and its derivatives are continuous; -1 if phi itself jumps."""
        return next((n - 1 for n in range(HIGHEST + 1) if n > self.bounded or self.jump(n)), HIGHEST)

    def jump(self, order: int) -> tuple[int, float, float] | None:
        """(segment, derivative at its end, and beyond) where the derivative of this order jumps first, if anywhere."""
        for number, segment in enumerate(self.segments):
            x, last = segment.upto, number + 1 == len(self.segments)
            here, there = segment.derivative(x, order), 0.0 if last else self.segments[number + 1].derivative(x, order)
            if not math.isfinite(here) or not abs(there - here) <= JUMP * max(segment.size(x, order), 1e-300):
                return number, here, there
        return None

    def shifted(self, order: int) -> PairPotential:
        """Minus its Taylor polynomial at the cut-off: phi and its first order - 1 derivatives vanish there.

        Order 1 is the truncated and shifted potential, 2 the shifted-force one; 3 adds phi'', and so on.

        Raises
        ------
        ValueError
            One of these derivatives is infinite.
        """
        last = self.segments[-1]
        infinite = next((n for n in range(order) if not math.isfinite(last.derivative(last.upto, n))), None)
        if infinite is not None:
            raise ValueError(f"derivative {infinite} of phi is infinite at the cut-off: shift = {infinite} at most")
        taylor = tuple(-last.derivative(last.upto, n) / math.factorial(n) for n in range(order))
        return PairPotential(tuple(segment.plus(taylor, last.upto) for segment in self.segments))

    @cached_property
    def attraction(self) -> float:
        """Largest attractive force phi' for eps = 1, on a grid of x; 0 if all repel."""
        return max(0.0, *(self.derivative(k / GRID * self.cutoff, 1) for k in range(GRID // 10, GRID)))


@dataclass(frozen=True)
class Mixing:
    """lambda_ij and eps_ij of a pair.

    By diameters: lambda_ij = (D_i + D_j)/2 * (1 - n_a |D_i - D_j|), eps_ij = 1.
    By species (when `length` is given): lambda_ij = length[a, b], eps_ij = energy[a, b].
    Both times lambda_ij**energy_power (2 for springs of given stiffness: k (r - lambda)^2 / 2).
    """

    nonadditivity: float = 0.0
    energy_power: int = 0
    length: tuple[tuple[float, ...], ...] | None = None
    energy: tuple[tuple[float, ...], ...] | None = None

    @property
    def by_species(self) -> bool:
        return self.length is not None


@dataclass(frozen=True)
class Sizes:
    """Distribution of diameters, or of species.

    kind = "power": p(D) ~ D^-exponent on [smallest, largest].
    kind = "species": fractions of each species; `diameters` are their lambda_aa; `names` are what files may call each,
    the first of them is shown.
    """

    kind: str
    smallest: float = 1.0
    largest: float = 1.0
    exponent: float = 3.0
    fractions: tuple[float, ...] = ()
    diameters: tuple[float, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()

    def name(self, species: int) -> str:
        """What a species is called: its first name, or its number."""
        return self.names[species][0] if self.names else str(species)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest diameter that can occur."""
        if self.kind == "species":
            return min(self.diameters), max(self.diameters)
        return self.smallest, self.largest


@dataclass(frozen=True)
class Model:
    """Everything that defines a glass former in reduced units (energy eps, mass 1, k_B = 1)."""

    name: str
    summary: str
    potential: PairPotential
    mixing: Mixing
    sizes: Sizes
    density: dict[int, float] = field(default_factory=dict)   # dimension -> number density N/V
    repulsive: bool = False    # phi >= 0 and decreasing: lets swap Monte Carlo reject early
    reference: str = ""        # key of the paper in references.bib

    @property
    def largest_cutoff(self) -> float:
        """Upper bound of the interaction range over all pairs of this model."""
        if self.mixing.length is not None:
            return self.potential.cutoff * max(max(row) for row in self.mixing.length)
        # lambda_ij <= max(D) as long as n_a D_max < 1/2, else bounded by the additive mean
        return self.potential.cutoff * self.sizes.bounds[1]
