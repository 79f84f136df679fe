"""What an entry is: a figure of a paper, the campaigns that make it, and numbers that must agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from papers.results import Gallery

PAPERS = {
    "000": "A. Kumar, M. Moshe, I. Procaccia, M. Singh, Anomalous elasticity in classical glass-formers",
    "001": "D. Richard, Connecting microscopic and mesoscopic mechanics in model structural glasses",
    "002": "J. A. Giannini, D. Richard, M. L. Manning, E. Lerner, Bond-space operator disentangles quasi-localized and phononic "
    "modes in structural glasses",
    "003": "D. Richard et al., Predicting plasticity in disordered solids from structural indicators",
    "004": "B. Tyukodi et al., Coarse-graining amorphous plasticity: impact of rejuvenation and disorder",
}
Measured = tuple[float, float]  # a number and its standard error, NaN if it has none


@dataclass(frozen=True)
class Campaign:
    """Runs of one input. Entries that name the same campaign share its glasses.

    Attributes
    ----------
    name : of the directory of its results, and of the input in inputs/papers, if `input` does not say another
    measured : keys for this machine, as for --set
    members : runs that differ, name -> keys, at all scales; a single one without keys has no name
    after : hpcglass commands on the results. {run} is a member's directory, {task} each task of its sweep, or the run itself;
        {out} is what the files that they write begin with
    minutes : of one core, about, at the scale `measured`
    """

    name: str
    measured: tuple[str, ...] = ()
    members: tuple[tuple[str, tuple[str, ...]], ...] = (("", ()),)
    after: tuple[str, ...] = ()
    minutes: float = 1.0
    input: str = ""


@dataclass(frozen=True)
class Number:
    """One number of a figure.

    Attributes
    ----------
    name : what it is
    read : where in the paper
    of : takes it from the results
    low, high : what agrees with the paper; infinite where it only says that something is large or small; NaN if it says nothing
    theirs : the paper's words for that
    no_error : why it has none, if it has none
    self_check : it tests a method on inputs that are made of the paper's numbers: no comparison, and not counted as one
    """

    name: str
    read: str
    of: Callable[[Gallery], Measured]
    low: float = math.nan
    high: float = math.nan
    theirs: str = "-"
    no_error: str = ""
    self_check: bool = False

    @property
    def allowed(self) -> str:
        """What agrees, before errors, in words.

        >>> Number("exponent", "Eq. 1", lambda at: (0.0, 0.0), **about(3.5, 0.1)).allowed
        '3.4 to 3.6'
        """
        if math.isnan(self.low):
            return ""
        if math.isinf(self.low) or math.isinf(self.high):
            return f"> {self.low:.4g}" if math.isinf(self.high) else f"< {self.high:.4g}"
        return f"{self.low:.4g} to {self.high:.4g}" if self.high > self.low else f"{self.low:.4g}"


@dataclass(frozen=True)
class Entry:
    """A figure or table.

    Attributes
    ----------
    id : "001-fig1", "000-table1"
    what : what it shows
    campaigns : names of those it takes its numbers from
    numbers : the first one stands in the table at the top of the page
    note : where the two differ and why, or what is missing, in plain sentences
    picture : a file of the results, or a function that draws
    """

    id: str
    what: str
    campaigns: tuple[str, ...]
    numbers: tuple[Number, ...] = ()
    note: str = ""
    picture: str | Callable[[Gallery], Any] = ""

    @property
    def figure(self) -> str:
        """As the paper calls it.

        >>> Entry("001-fig1", "", ()).figure, Entry("000-table2", "", ()).figure
        ('Fig. 1', 'Table II')
        """
        kind, number = ("Table", "I" * int(self.id[-1])) if "table" in self.id else ("Fig.", self.id.rpartition("fig")[2])
        return f"{kind} {number}"


def about(value: float, slack: float, *rest: Any) -> dict[str, Any]:
    """What agrees: `value`, within `slack`."""
    return {"low": value - slack, "high": value + slack, "theirs": rest[0] if rest else f"{value:g}"}


def between(low: float, high: float, words: str = "") -> dict[str, Any]:
    """What agrees: anything from `low` to `high`."""
    return {"low": low, "high": high, "theirs": words or f"{low:g} to {high:g}"}


def above(low: float, words: str = "") -> dict[str, Any]:
    """What agrees: anything larger."""
    return {"low": low, "high": math.inf, "theirs": words or f"> {low:g}"}


def below(high: float, words: str = "") -> dict[str, Any]:
    """What agrees: anything smaller."""
    return {"low": -math.inf, "high": high, "theirs": words or f"< {high:g}"}


def verdict(number: Number, value: float, error: float) -> str:
    """What the page says: whether a number agrees with the paper, or a self-check with what it must return."""
    said = compared(number, value, error)
    return f"self-check {said}" if number.self_check else said


def compared(number: Number, value: float, error: float) -> str:
    """Does a measured value agree with what is allowed?

    If that is a range: within two standard errors of it, unless two errors are more than half of its middle (of one, where
    zero is allowed). If it is more or less than a limit: beyond the limit by two errors. Else it is undecided, or differs by
    more.

    >>> one = Number("exponent", "Eq. 1", lambda at: (0.0, 0.0), **about(3.5, 0.1))
    >>> compared(one, 3.75, 0.1), compared(one, 3.8, 0.05), compared(one, 3.4, 2.0), compared(one, math.nan, 0.1)
    ('agrees', 'differs', 'undecided', 'no value')
    >>> one = Number("share", "Eq. 1", lambda at: (0.0, 0.0), **above(0.5))
    >>> compared(one, 0.8, 0.1), compared(one, 0.6, 0.1), compared(one, 0.4, 0.1), compared(one, 0.2, 0.1)
    ('agrees', 'undecided', 'undecided', 'differs')
    """
    if not math.isfinite(value):
        return "no value"
    if math.isnan(number.low):
        return "no number in the paper"
    margin = 2 * error if math.isfinite(error) else 0.0
    if not number.low - margin <= value <= number.high + margin:
        return "differs"
    if math.isinf(number.high - number.low):
        return "agrees" if number.low + margin <= value <= number.high - margin else "undecided"
    middle = abs(number.low + number.high) / 2
    return "undecided" if margin > (1.0 if number.low <= 0 <= number.high else middle) / 2 else "agrees"


def shown(value: float, error: float = math.nan) -> str:
    """A number with its error, two digits of it.

    >>> shown(3.4712, 0.0523), shown(0.75), shown(1234.5, 20), shown(1.234e-5, 2e-6), shown(math.nan)
    ('3.471 ± 0.052', '0.75', '1234 ± 20', '1.23e-05 ± 2e-06', '-')
    """
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(error) or error <= 0:
        return f"{value:.3g}"
    if not 1e-4 <= max(abs(value), error) < 1e5:
        return f"{value:.3g} ± {error:.1g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
