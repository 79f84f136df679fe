"""All indicators by name. Light to import."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpcglass.errors import InputError
from hpcglass.indicators import contacts, nonlinear, response, saddles, soft_modes, softness, strength, structure
from hpcglass.indicators.base import Indicator
from hpcglass.plugins import Catalogue

FAMILIES = (structure, contacts, response, soft_modes, nonlinear, saddles, softness, strength)


def _wrong(name: str, thing: Any) -> str:
    if not isinstance(thing, Indicator):
        return "it is no hpcglass.indicators.base.Indicator"
    return "" if thing.name == name else f"its name is '{thing.name}', and must be the entry point's"


# hpcglass's own, then those of users' packages (group "hpcglass.indicators")
INDICATORS: Catalogue[Indicator] = Catalogue(
    "indicator", {indicator.name: indicator for family in FAMILIES for indicator in family.INDICATORS}, lambda own: own, _wrong)


def families() -> dict[str, list[str]]:
    """Names of the members of each family."""
    found: dict[str, list[str]] = {}
    for name in INDICATORS:
        found.setdefault(INDICATORS[name].family, []).append(name)
    return found


def needs(words: Iterable[str]) -> set[str]:
    """What the indicators need that names, families or "all" mean, in any dimension; unknown words are passed over."""
    words = set(words)
    return {INDICATORS[name].needs for name in INDICATORS
            if words & {name, "all"} or (words - set(INDICATORS) and INDICATORS[name].family in words)}


def chosen(words: Iterable[str], dimension: int) -> list[Indicator]:
    """The indicators that names, families or "all" mean, in the catalogue's order.

    Of a family, or of all, those that are not defined in so many dimensions, or lack a package on this machine, are left out.

    Raises
    ------
    InputError
        A word that is neither; an indicator that is not defined in so many dimensions.
    """
    groups, wanted = families(), set()
    for word in words:
        if word in INDICATORS:
            if dimension not in INDICATORS[word].dimensions:
                raise InputError(f"indicator {word} is defined in {INDICATORS[word].dimensions[0]}D only")
            wanted.add(word)
        elif word in groups or word == "all":
            members = [name for name in INDICATORS if not INDICATORS[name].given] if word == "all" else groups[word]
            wanted |= {name for name in members
                       if dimension in INDICATORS[name].dimensions and not INDICATORS[name].lacks(dimension)}
        else:
            raise InputError(f"no indicator or family is called {word!r}; families: {', '.join(groups)}; "
                             f"indicators: {', '.join(INDICATORS)}")
    return [INDICATORS[name] for name in INDICATORS if name in wanted]
