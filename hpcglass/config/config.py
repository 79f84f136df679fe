"""An input file: TOML in, typed and checked tables out, every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializeAsAny

from hpcglass import registry
from hpcglass.config import toml
from hpcglass.config.models import EnsembleParams, ModelParams, SystemParams
from hpcglass.config.points import Points
from hpcglass.config.reader import Reader
from hpcglass.config.tables import read_text
from hpcglass.config.toml import Path
from hpcglass.errors import InputError
from hpcglass.potentials.model import Model
from hpcglass.stages.base import Stage, StageParams


class Config(BaseModel):
    """A whole input, with every default filled in. `load` or `parse` make one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("", description="what this run is about")
    seed: int = Field(0, ge=0, lt=2**63, description="all random numbers follow from it")
    parameters: dict[str, int | float] = Field({}, description='numbers that values may name as "$name"')
    system: SystemParams | None = Field(None, description="the glass and how it starts; stages on a lattice need none")
    model: ModelParams | None = Field(None, description="a model glass of one's own")
    stage: tuple[SerializeAsAny[StageParams], ...] = Field(description="what is done, in order")
    sweep: tuple[dict[str, tuple[int | float, ...]], ...] = Field((), description="grids of parameters: one run per point")
    ensemble: EnsembleParams = Field(EnsembleParams.model_validate({}), description="independent samples")

    _references: dict[Path, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, path: str | FilePath, overrides: Sequence[str] = ()) -> Config:
        """Read an input file.

        Parameters
        ----------
        path : path of a TOML file
        overrides : list of "key=value"
            As after `--set` on the command line.

        Raises
        ------
        InputError
            With all problems, one per line: file, line, key, value, reason.
        """
        path = FilePath(path)
        return cls.parse(read_text(path), path, overrides)

    @classmethod
    def parse(cls, text: str, path: str | FilePath, overrides: Sequence[str] = ()) -> Config:
        """Same, from the text of the file; `path` is for messages and for files named in it."""
        return cls.parse_sweep(text, path, overrides)[0]

    @classmethod
    def parse_sweep(cls, text: str, path: str | FilePath, overrides: Sequence[str] = ()) -> tuple[Config, Points]:
        """Same, and what its tables are at each point of the sweep."""
        try:
            reader = Reader(text, FilePath(path), overrides, list(cls.model_fields))
            result = cls(**reader.fields())
        except RecursionError:
            raise InputError(f"{path}: nested too deeply to be read") from None
        except (OverflowError, ZeroDivisionError) as error:
            raise InputError(f"{path}: a number is far out of range, what follows from it cannot be computed ({error})") from None
        result._references = reader.references
        return result, Points(reader)

    def to_toml(self) -> str:
        """The input with every default filled in; it loads back to an equal Config. Packages it uses are named at its head."""
        data = self.model_dump(exclude_none=True)
        for path, name in self._references.items():
            table: Any = data
            for part in path[:-1]:
                table = table[part]
            if isinstance(table, tuple):     # a list item: rebuild the list it is in
                table = _listed(data, path[:-1])
            table[path[-1]] = f"${name}"
        head = "".join(f"# {what}: {package}\n" for what, package in self.packages().items())
        return head + toml.dumps({key: value for key, value in data.items() if value not in ({}, ())})

    def packages(self) -> dict[str, str]:
        """Package and version of what is not hpcglass's own: 'stage "name"' -> "mypackage 1.2"."""
        known, classes = registry.models(), registry.stages()
        name = self.system.model if self.system is not None and self.model is None else ""
        used = {f'model "{name}"': known.origin(name)} if name else {}
        used |= {f'stage "{params.kind}"': classes.origin(params.kind) for params in self.stage}
        return {what: package for what, package in used.items() if package}

    def stages(self) -> list[Stage]:
        """One Stage object per [[stage]]."""
        classes = registry.stages()
        return [classes[params.kind](params) for params in self.stage]

    def glass(self) -> Model | None:
        """The model glass of the system, built-in or the input's own; None without a system."""
        if self.system is None:
            return None
        return self.model.build() if self.model is not None else registry.models()[self.system.model]


def _listed(data: Any, path: Path) -> list[Any]:
    """Turn the tuple at `path` (and tuples around it) into lists, in place; return it."""
    for part in path[:-1]:
        if isinstance(data[part], tuple):
            data[part] = list(data[part])
        data = data[part]
    data[path[-1]] = list(data[path[-1]])
    result: list[Any] = data[path[-1]]
    return result
