"""Structure: what positions and sizes alone tell. No potential is needed, so it can be asked of experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def _indicator(name: str, symbol: str, units: str, soft: Any, source: str, summary: str, compute: Any, flat: bool = False,
               library_3d: str = "") -> Indicator:
    return Indicator(name, symbol, units, soft, "positions", "structure", source, summary, compute, (2,) if flat else (2, 3),
                     library_3d)


# ---------------------------------------------------------------------- cells


def density(glass: Glass) -> Any:
    """rho = 1/V_i; infinite in an empty cell, which is as dense as can be."""
    import numpy as np

    with np.errstate(divide="ignore"):
        return 1.0 / glass.cell_shapes[0]


def _own_volume(glass: Glass) -> Any:
    """(n_owned,) pi lambda_ii^2 / 4, or pi lambda_ii^3 / 6."""
    import numpy as np

    d = glass.system.dimension
    return np.pi / (4.0 if d == 2 else 6.0) * glass.system.diameter[: glass.system.n_owned] ** d


def packing_fraction(glass: Glass) -> Any:
    """Volume of the particle over that of its cell."""
    return _own_volume(glass) * density(glass)


def free_volume(glass: Glass) -> Any:
    """phi = volume of the cell minus that of the particle; negative where particles overlap."""
    return glass.cell_shapes[0] - _own_volume(glass)


def anisotropy(glass: Glass) -> Any:
    """P = |centroid of the cell - centre|."""
    import numpy as np

    return np.linalg.norm(glass.cell_shapes[1], axis=1)


def divergence(glass: Glass) -> Any:
    """Q, the divergence of the same vectors."""
    from hpcglass.indicators.neighbours.cells import divergence as of_cells

    return glass.cells.around.back(of_cells(glass.cells))[0]


# ---------------------------------------------------------------------- order


def entropy(glass: Glass) -> Any:
    """s_2."""
    from hpcglass.indicators.neighbours.entropy import excess_entropy

    around, r_m = glass.entropy_range
    glass.results["s2_range"] = (r_m, "length", "upper end r_m of the integral of s_2")
    return around.back(excess_entropy(around, r_m, glass.density, glass.choices.s2_delta))[0]


def theta(glass: Glass) -> Any:
    """Theta."""
    return glass.orientation[1]


def _psi(symmetry: int) -> Any:
    return lambda glass: glass.orientation[0][:, symmetry - 2]


INDICATORS = (
    _indicator("rho", "ρ", "1/length^d", "low", "App. B 3", "density of the radical Voronoi cell, 1/volume", density,
               library_3d="pyvoro2"),
    _indicator("packing_fraction", "ϕ_p", "", "low", "App. B 3", "volume of particle over cell", packing_fraction,
               library_3d="pyvoro2"),
    _indicator("phi", "φ", "length^d", "high", "App. B 3", "free volume: cell minus particle", free_volume,
               library_3d="pyvoro2"),
    _indicator("P", "P", "length", "high", "App. B 3", "distance of the cell's centroid from the centre", anisotropy,
               library_3d="pyvoro2"),
    _indicator("Q", "Q", "", "low", "B3", "divergence of the vectors to the centroids", divergence, flat=True),
    _indicator("s2", "s₂", "k_B", "high", "B4, B5", "local excess entropy of pairs", entropy),
    *(_indicator(f"psi_{m}", f"Ψ_{m}", "", "low", "B1", f"bond-orientational order, {m}-fold", _psi(m), flat=True)
      for m in range(2, 10)),
    _indicator("theta", "Θ", "rad", "high", "B2", "misfit of the angles between neighbours", theta, flat=True),
)
