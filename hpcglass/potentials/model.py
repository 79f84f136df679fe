"""A model glass is data: a piecewise sum of powers, a mixing rule, a distribution of sizes.

    phi(r) = eps_ij * sum_k c_k x^p_k   on the segment that holds  x = r / lambda_ij,   zero beyond x_c.

All derivatives follow from the same table, so forces, Hessian and higher contractions can never
disagree. This module uses the standard library only: `validate` and `list` read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

GRID = 1000     # places at which the attraction is looked for


@dataclass(frozen=True)
class Segment:
    """phi = sum_k coefficients[k] * x**powers[k] for x below `upto` (and above the previous segment's)."""

    upto: float
    powers: tuple[int, ...]
    coefficients: tuple[float, ...]

    def derivative(self, x: float, order: int = 0) -> float:
        """d^order phi / dx^order at x."""
        value = 0.0
        for power, coefficient in zip(self.powers, self.coefficients, strict=True):
            for n in range(order):
                coefficient *= power - n
            value += coefficient * x ** (power - order) if coefficient else 0.0
        return value


@dataclass(frozen=True)
class PairPotential:
    """Segments in order of x; the last one ends at the cut-off x_c."""

    segments: tuple[Segment, ...]

    @property
    def cutoff(self) -> float:
        """x_c, in units of lambda_ij."""
        return self.segments[-1].upto

    def derivative(self, x: float, order: int = 0) -> float:
        """d^order phi / dx^order for eps = 1; zero at and beyond the cut-off."""
        for segment in self.segments:
            if x < segment.upto:
                return segment.derivative(x, order)
        return 0.0

    @cached_property
    def attraction(self) -> float:
        """Largest attractive force phi' for eps = 1, on a grid of x; 0 if all repel."""
        return max(0.0, *(self.derivative(k / GRID * self.cutoff, 1) for k in range(GRID // 10, GRID)))


@dataclass(frozen=True)
class Mixing:
    """lambda_ij and eps_ij of a pair.

    By diameters: lambda_ij = (D_i + D_j)/2 * (1 - n_a |D_i - D_j|), eps_ij = 1.
    By species (when `length` is given): lambda_ij = length[a][b], eps_ij = energy[a][b].
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
