"""One pass from the text of an input to its typed tables; problems are gathered on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from hpcglass import registry
from hpcglass.config import checks, overrides, sweep, toml
from hpcglass.config.blocks import check_blocks
from hpcglass.config.models import EnsembleParams, ModelParams, SystemParams
from hpcglass.config.problems import Problems
from hpcglass.config.suggest import did_you_mean, suggest
from hpcglass.config.tables import table
from hpcglass.config.toml import Path
from hpcglass.errors import InputError
from hpcglass.potentials.model import Model
from hpcglass.stages.base import StageParams


class Reader:
    """`fields` gives the validated values of Config; `references` which name stood where."""

    def __init__(self, text: str, path: FilePath, arguments: Sequence[str], known: list[str]) -> None:
        self.path = path
        self.known = known
        self.classes = registry.stages()
        self.data = toml.parse(text, str(path))
        in_file = overrides.references(self.data).values()
        placed = overrides.apply(self.data, arguments, known)
        self.problems = Problems(str(path), text, placed)
        overrides.normalise(self.data, self.problems)
        self.references = overrides.substitute(self.data, self.problems, in_file)

    def fields(self) -> dict[str, Any]:
        """Validated values of the top level's fields.

        Raises
        ------
        InputError
            With all problems.
        """
        self.top_level()
        system, model, own = self.system()
        ensemble = self.typed(EnsembleParams, "ensemble") or EnsembleParams.model_validate({})
        stages = self.stages()
        grids = sweep.read(self.data.get("sweep", []), self.data.get("parameters", {}), self.problems)
        for number, params in enumerate(stages):
            if params is not None and system is not None and model is not None:
                self.check_stage(number, params, system, model)
                for found in check_blocks(stages, number, system):
                    self.problems.add(*found)
            for found in checks.check_earlier(stages, number):
                self.problems.add(*found)
        self.problems.raise_if_any()
        return {"title": self.data.get("title", ""), "seed": self.data.get("seed", 0),
                "parameters": self.data.get("parameters", {}), "system": system, "model": own,
                "stage": tuple(stages), "sweep": grids, "ensemble": ensemble}

    def put(self, path: Path, value: Any) -> None:
        """Another value where a parameter is named."""
        overrides.replace(self.data, path, value)

    def typed(self, kind: Any, name: str) -> Any:
        what = f" in [{name}]"
        return table(kind, self.data[name], (name,), self.problems, what) if name in self.data else None

    def top_level(self) -> None:
        known = self.known
        unknown = [key for key in self.data if key not in known]
        for key in unknown:
            hint = did_you_mean(key, known, present=self.data) or f" (known: {', '.join(known)})"
            self.problems.add((key,), f"unknown key or table{hint}")
        meant = {suggest(key, known, present=self.data) for key in unknown}
        for name in {"system", "stage"} - self.data.keys() - meant:
            if name == "stage":
                self.problems.add((), "there is no [[stage]]: nothing to do")
            elif self.needs_system():
                self.problems.add((), "[system] is missing")
        if not isinstance(self.data.get("title", ""), str):
            self.problems.add(("title",), "must be text in quotes", self.data["title"])
        seed = self.data.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            self.problems.add(("seed",), "must be a whole number >= 0", seed)

    def needs_system(self) -> bool:
        """Whether any stage acts on particles; an unknown kind, or none at all, counts as one that does."""
        classes, tables = self.classes, self.data.get("stage", [])
        kinds = [t.get("kind") if isinstance(t, dict) else None for t in tables] if isinstance(tables, list) else []
        try:
            return not kinds or any(not isinstance(kind, str) or kind not in classes or classes[kind].needs_system
                                    for kind in kinds)
        except InputError:      # a package's; that is a problem of its own
            return False

    def stages(self) -> list[StageParams | None]:
        tables = self.data.get("stage", [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.problems.add(("stage",), "write [[stage]], in double brackets, once for each stage")
            return []
        if not tables and "stage" in self.data:
            self.problems.add(("stage",), "the list is empty: nothing to do")
        return [self.stage(number) for number in range(len(tables))]

    def stage(self, number: int) -> StageParams | None:
        data, path, classes = self.data["stage"][number], ("stage", number), self.classes
        kind = data.get("kind")
        if isinstance(kind, str) and kind in classes:
            try:
                of_kind = classes[kind]
            except InputError as error:
                self.problems.add((*path, "kind"), str(error))
                return None
            params = table(of_kind.Params, data, path, self.problems, f" in a {kind} stage")
            try:
                return params and params.beside(self.path.parent)
            except FileNotFoundError as error:
                self.problems.add((*path, *error.args[0].split(".")), f"there is no file {error.args[1]}")
                return params
        known = ", ".join(classes)
        typo = next((key for key in data if suggest(key, ["kind"]) and data[key] in list(classes)), None)
        if kind is None and typo:
            self.problems.add((*path, typo), "unknown key, did you mean 'kind'?")
        elif kind is None:
            self.problems.add((*path, "kind"), f"is missing (known: {known})")
        else:
            hint = did_you_mean(kind, classes) if isinstance(kind, str) else ""
            self.problems.add((*path, "kind"), f"there is no such stage{hint or f' (known: {known})'}", kind)
        return None

    def check_stage(self, number: int, params: StageParams, system: SystemParams, model: Model) -> None:
        """Whether a stage fits the system."""
        for found in checks.check_stage(params, ("stage", number), system, model):
            self.problems.add(*found)

    def system(self) -> tuple[SystemParams | None, Model | None, ModelParams | None]:
        """The system with what follows from its model, checked; the model glass, and its table if it is the input's own.

        No model is given where system or model are so wrong that nothing can be compared with them.
        """
        system, own = self.typed(SystemParams, "system"), self.own_model()
        if system is None or self.problems.under(("model",)):
            if system is None and isinstance(given := self.data.get("system", {}), dict) and isinstance(given.get("model"), str):
                self.glass(given["model"], own)       # the table is wrong anyway; say all that is
            return system, None, own
        model = self.glass(system.model, own)
        for found in checks.check_start(system):
            self.problems.add(*found)
        if model is None or self.problems.under(("system",)):
            return system, None, own
        system = self.filled(system, model)
        if not self.problems.under(("system",)):
            for found in checks.check_box(system, model):
                self.problems.add(*found)
        return system, model, own

    def own_model(self) -> ModelParams | None:
        """[model], with the numbers of the file that its table may be in."""
        own: ModelParams | None = self.typed(ModelParams, "model")
        if own is None or own.table is None:
            return own
        try:
            return own.model_copy(update={"table": own.table.beside(self.path.parent)})
        except ValueError as error:
            self.problems.add(("model", "table", "file"), str(error))
            return own

    def glass(self, name: str, own: ModelParams | None) -> Model | None:
        known = registry.models()
        if own is not None and own.name in known.own:
            self.problems.add(("model", "name"), "is the name of a built-in model: choose another", own.name)
        elif own is not None and name != own.name:
            self.problems.add(("system", "model"), f"but [model] defines '{own.name}': use it, or remove [model]", name)
        elif own is not None:
            try:
                model = own.build()
                found = list(checks.check_sizes(model))
                found += checks.check_potential(model, own.shift) if own.segment is not None else ()
            except ValueError as error:
                self.problems.add(("model", "table") if own.table is not None else ("model", "shift"), str(error))
                return None
            except (OverflowError, ZeroDivisionError):
                self.problems.add(("model",), "its potential cannot be computed: a number is far out of range")
                return None
            for problem in found:
                self.problems.add(*problem)
            return model
        elif name in known:
            try:
                model = known[name]
            except InputError as error:
                self.problems.add(("system", "model"), str(error))
                return None
            for _, message, _ in checks.check_sizes(model) if known.origin(name) else ():
                self.problems.add(("system", "model"), f"of the package {known.origin(name)}: {message}", name)
            return model
        else:
            hint = did_you_mean(name, known) or f" (known: {', '.join(known)}; or define it in [model])"
            self.problems.add(("system", "model"), f"there is no such model{hint}", name)
        return None

    def filled(self, system: SystemParams, model: Model) -> SystemParams:
        if system.file is not None:
            file = (self.path.parent / system.file).resolve()
            if not file.is_file():
                self.problems.add(("system", "file"), f"there is no file {file}", system.file)
            return system.model_copy(update={"file": str(file)})
        d = system.dimension
        density = system.density or model.density.get(d)
        if density is None:
            self.problems.add(("system", "density"), f"is missing: {model.name} has no usual density in {d}D")
        return system.model_copy(update={
            "density": density and float(density), "start": system.start or "random", "aspect": system.aspect or (1.0,) * d,
            "tilt": system.tilt or (0.0,) * (d * (d - 1) // 2)})
