"""Models, stages and indicators out of packages of users, by their entry points.

    [project.entry-points."hpcglass.models"]            in the package's pyproject.toml
    my-glass = "mypackage.glasses:MY_GLASS"

What is installed is looked up when a name is asked for that is not hpcglass's own, or when all are to be listed; a package is
imported when one of its names is used, and not before. One that cannot be imported is named, with its version and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Generic, TypeVar

from hpcglass.errors import InputError

GROUPS = {"model": "hpcglass.models", "stage": "hpcglass.stages", "indicator": "hpcglass.indicators"}
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Offer:
    """A name that a package offers: "mypackage 1.2" and where it is in it."""

    package: str
    entry: metadata.EntryPoint


@cache
def offers(kind: str) -> dict[str, tuple[Offer, ...]]:
    """Offers of the installed packages by name; several of one name if packages contradict each other."""
    found: dict[str, tuple[Offer, ...]] = {}
    for entry in metadata.entry_points(group=GROUPS[kind]):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"
        offer = Offer(package, entry)
        if offer not in found.get(entry.name, ()):
            found[entry.name] = (*found.get(entry.name, ()), offer)
    return dict(sorted(found.items()))


class Catalogue(Mapping[str, Thing], Generic[Thing]):
    """Things of one kind by name: hpcglass's own, and those of packages.

    Parameters
    ----------
    kind : "model", "stage" or "indicator"
    own : hpcglass's own by name
    load : makes the thing of an own one's value
    wrong : what is wrong with a thing of a package that has this name, or nothing
    """

    def __init__(self, kind: str, own: Mapping[str, Any], load: Callable[[Any], Thing], wrong: Callable[[str, Any], str]) -> None:
        self.kind, self.own = kind, own
        self._load, self._wrong = load, wrong

    def __getitem__(self, name: str) -> Thing:
        """The thing.

        Raises
        ------
        KeyError
            There is none of this name.
        InputError
            It is of a package, and cannot be used; the message names the package.
        """
        return self._load(self.own[name]) if name in self.own else self._offered(name)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in offers(self.kind)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (name for name in offers(self.kind) if name not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def origin(self, name: str) -> str:
        """"mypackage 1.2", or nothing for hpcglass's own."""
        return "" if name in self.own else " and ".join(offer.package for offer in offers(self.kind).get(name, ()))

    def shadowed(self) -> dict[str, str]:
        """Names of hpcglass's own that a package offers, too, and that package: these offers are not used."""
        return {name: found[0].package for name, found in offers(self.kind).items() if name in self.own}

    def _offered(self, name: str) -> Thing:
        found = offers(self.kind)[name]
        if len(found) > 1:
            raise InputError(f"{self.kind} '{name}' is in {self.origin(name)}: uninstall one of them")
        where = f"{self.kind} '{name}' of the package {found[0].package} ({found[0].entry.value}) cannot be used"
        try:
            thing = found[0].entry.load()
        except Exception as error:
            raise InputError(f"{where}: {type(error).__name__}: {error}") from error
        if wrong := self._wrong(name, thing):
            raise InputError(f"{where}: {wrong}")
        return thing
