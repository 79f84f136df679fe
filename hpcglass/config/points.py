"""The input at each point of its sweep, quickly: only tables that name a parameter are read again, and for each value once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpcglass.config.blocks import check_blocks
from hpcglass.config.checks import check_earlier, check_stage
from hpcglass.config.models import EnsembleParams, SystemParams
from hpcglass.config.problems import Problems
from hpcglass.config.reader import Reader
from hpcglass.config.sweep import Number
from hpcglass.config.toml import Path
from hpcglass.potentials.model import Model
from hpcglass.stages.base import Stage, StageParams

KEPT = 10_000       # tables that are kept


@dataclass(frozen=True)
class Point:
    """What `Config` has, as far as a run's needs depend on it."""

    system: SystemParams | None
    model: Model | None
    stage: tuple[StageParams, ...]
    ensemble: EnsembleParams
    classes: Mapping[str, type[Stage]]

    def glass(self) -> Model | None:
        return self.model

    def stages(self) -> list[Stage]:
        return [self.classes[params.kind](params) for params in self.stage]


class Wrong(Exception):
    """At this point something is wrong."""


class Points:
    """Tables of a valid input with other values of its parameters.

    follows : keys of [system] that the input does not say, since they follow from other numbers
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.follows = tuple(key for key in ("particles", "density") if key not in reader.data.get("system", {}))
        self._parameters: dict[str, Number] = dict(reader.data.get("parameters", {}))
        self._seed = reader.references.get(("seed",))
        self._system = _Piece(reader, lambda: reader.system()[:2], ("system",), ("model",))
        self._ensemble = _Piece(reader, lambda: reader.typed(EnsembleParams, "ensemble"), ("ensemble",))
        self._stages = [_Piece(reader, partial(reader.stage, k), ("stage", k)) for k in range(len(reader.data["stage"]))]
        self._fits: dict[int, tuple[Any, ...]] = {}     # stage, system and model that were compared last

    def at(self, values: Mapping[str, Number]) -> Point | None:
        """The tables at a point; None if something is wrong there: `Config.parse` says what.

        Parameters
        ----------
        values : of those parameters that the sweep goes over
        """
        numbers = {**self._parameters, **values}
        try:
            if self._seed is not None:
                self._check_seed(numbers[self._seed])
            system, model = self._system(numbers)
            stages = tuple(self._stage(k, piece(numbers), system, model) for k, piece in enumerate(self._stages))
            if any(next(check_earlier(stages, k), None) for k in range(len(stages))):
                raise Wrong
            if system is not None and any(next(check_blocks(stages, k, system), None) for k in range(len(stages))):
                raise Wrong
            ensemble = self._ensemble(numbers) or EnsembleParams.model_validate({})
        except (Wrong, OverflowError, ZeroDivisionError):
            return None
        return Point(system, model, stages, ensemble, self.reader.classes)

    @staticmethod
    def _check_seed(seed: Number) -> None:
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise Wrong

    def _stage(self, number: int, params: StageParams, system: SystemParams | None, model: Model | None) -> StageParams:
        """Does the stage fit the system?"""
        if system is None or model is None:
            return params
        before = self._fits.get(number, (None, None, None))
        if before[0] is not params or before[1] is not system or before[2] is not model:
            if next(check_stage(params, ("stage", number), system, model), None):
                raise Wrong
            self._fits[number] = (params, system, model)
        return params


class _Piece:
    """A part of the input that is read anew when its parameters have other values.

    read : from the input's data
    places : where in the data its names may stand
    """

    def __init__(self, reader: Reader, read: Callable[[], Any], *places: Path) -> None:
        self._reader, self._read = reader, read
        self._names = [(path, name) for path, name in reader.references.items()
                       if any(path[: len(place)] == place for place in places)]
        self._known: dict[tuple[Number, ...], Any] = {}

    def __call__(self, numbers: Mapping[str, Number]) -> Any:
        key = tuple([numbers[name] for _, name in self._names])
        if key not in self._known:
            for path, name in self._names:
                self._reader.put(path, numbers[name])
            self._reader.problems = Problems(self._reader.problems.source)
            found = self._read()
            if self._reader.problems.found:
                raise Wrong
            if len(self._known) > KEPT:
                self._known.clear()
            self._known[key] = found
        return self._known[key]
