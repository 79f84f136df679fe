"""All indicators by name. Light to import."""

from __future__ import annotations

from collections.abc import Iterable

from hpcglass.errors import InputError
from hpcglass.indicators import contacts, nonlinear, response, soft_modes, structure
from hpcglass.indicators.base import Indicator

INDICATORS: dict[str, Indicator] = {indicator.name: indicator for family in (structure, contacts, response, soft_modes, nonlinear)
                                    for indicator in family.INDICATORS}


def families() -> dict[str, list[str]]:
    """Names of the members of each family."""
    found: dict[str, list[str]] = {}
    for indicator in INDICATORS.values():
        found.setdefault(indicator.family, []).append(indicator.name)
    return found


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
            members = INDICATORS if word == "all" else groups[word]
            wanted |= {name for name in members
                       if dimension in INDICATORS[name].dimensions and not INDICATORS[name].lacks(dimension)}
        else:
            raise InputError(f"no indicator or family is called {word!r}; families: {', '.join(groups)}; "
                             f"indicators: {', '.join(INDICATORS)}")
    return [indicator for name, indicator in INDICATORS.items() if name in wanted]
