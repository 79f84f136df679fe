"""What an indicator is. Light to import: `validate` and `list` read the tables of this room, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass

Needs = Literal["positions", "potential", "hessian", "factors", "modes", "cavity"]


@dataclass(frozen=True)
class Indicator:
    """A number of each particle that may foretell where a glass yields.

    Parameters
    ----------
    name : key in inputs, and of the field in files
    symbol : in papers and figures
    units : of its values
    soft : which end of its values is soft: "low", "high"
    needs : the most that it needs: positions and sizes; a potential; its second derivatives at a minimum; their factors;
        vibrational modes; patches that are deformed
    family : its file
    source : the paper's equation
    summary : what it is, in one line
    compute : (n_owned,) values, NaN where it is not defined. Collective
    dimensions : where it is defined
    given : a key without which it cannot be computed; "all" passes over it then
    library_3d : a package without which it cannot be computed in 3D
    """

    name: str
    symbol: str
    units: str
    soft: Literal["low", "high"]
    needs: Needs
    family: str
    source: str
    summary: str
    compute: Callable[[Glass], Any]
    dimensions: tuple[int, ...] = (2, 3)
    library_3d: str = ""
    given: str = ""

    def lacks(self, dimension: int) -> str:
        """The package that is missing here, if any."""
        return self.library_3d if dimension == 3 and self.library_3d and find_spec(self.library_3d) is None else ""
