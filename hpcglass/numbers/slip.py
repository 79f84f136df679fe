"""How much a block of a solid has slipped: the mean over it of the plastic strain, from displacements and stresses.

A plastic event at imposed strain leaves displacements u, with the strain e = sym(grad u), and changes the stress by s. Of a
linear solid with the shear modulus mu the plastic strain (eigenstrain) along a shear is what e has beyond its elastic part,

    p = e - s / (2 mu),        <p>_cell = -<s>_cell / (2 mu),

the latter as <e> = 0 in the cell: plastic strain times volume, summed over the cell, is V Delta sigma/(2 mu), where
Delta sigma = -<s>. Its mean over a block that holds the core is the slip of a lattice of such blocks that does the same. Slips
outside the block, and images in a periodic cell, strain it elastically: they add nothing. An inclusion (J. D. Eshelby, Proc. R.
Soc. Lond. A 241, 376 (1957)) of the area a and eigenstrain e* has <p> = e* a/A in any block A around it.

Where the block is softer than the rest, p is the eigenstrain of the equivalent inclusion in the homogeneous solid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MARGIN = 2.0        # spacings beyond a ball within which particles are needed


def ball(volume: float, dimension: int) -> float:
    """Radius of the disc (ball) of a volume."""
    return float((volume / (np.pi if dimension == 2 else 4.0 / 3.0 * np.pi)) ** (1.0 / dimension))


def mean_gradient(position: Floats, displacement: Floats, radius: float) -> Floats:
    """(d, d) mean of du_a/dx_b over a ball around the origin.

    u is linear on the triangles (3D: tetrahedra) of the particles; those with their centre in the ball count. What is summed
    up are differences along their common rim, the integral of u n over it: how the core looks inside does not matter.

    Parameters
    ----------
    position, displacement : (n, d) of all particles closer than `radius` and some spacings more

    Raises
    ------
    ValueError
        There is no triangle in the ball.
    """
    from scipy.spatial import Delaunay, QhullError

    try:
        simplices = Delaunay(position).simplices
    except QhullError as error:
        raise ValueError(f"{len(position)} particles that make no triangles") from error
    corners, moved = position[simplices], displacement[simplices]
    edges, moves = corners[:, 1:] - corners[:, :1], moved[:, 1:] - moved[:, :1]
    volume = np.abs(np.linalg.det(edges))
    chosen = ((corners.mean(axis=1) ** 2).sum(axis=1) < radius**2) & (volume > 0.0)
    if not chosen.any():
        raise ValueError(f"there are no triangles within {radius:g}")
    gradient = np.linalg.solve(edges[chosen], moves[chosen])
    return np.asarray(np.einsum("s,sba->ab", volume[chosen], gradient) / volume[chosen].sum())


def along_shear(tensor: Floats, shear: Floats) -> float:
    """Component of a strain along the shear A: e_xy for simple shear xy, (e_xx - e_yy)/2 for pure shear."""
    rate = 0.5 * (shear + shear.T)
    return float((tensor * rate).sum() / np.sqrt(2.0 * (rate * rate).sum()))


def slip(position: Floats, displacement: Floats, stress_volume: Floats, density: float, radius: float, shear: Floats,
         modulus: float) -> float:
    """Mean plastic strain along a shear in a ball around the origin.

    Parameters
    ----------
    position, displacement : (n, d) of all particles closer than `radius` and MARGIN spacings more [length]
    stress_volume : (n, d, d) by how much the virial of each has changed, stress times volume [energy]
    density : particles per volume
    shear : (d, d) velocity gradient A
    modulus : mu
    """
    strain = along_shear(mean_gradient(position, displacement, radius), shear)
    inside = (position**2).sum(axis=1) < radius**2
    stress = stress_volume[inside].sum(axis=0) * density / max(int(inside.sum()), 1)
    return strain - along_shear(stress, shear) / (2.0 * modulus)


def slipped_volume(volume: float, drop: float, shear: Floats, modulus: float) -> float:
    """Plastic strain along a shear times volume, summed over the cell, of a drop of the stress sigma : A."""
    rate = 0.5 * (shear + shear.T)
    return volume * drop / (2.0 * modulus * float(np.sqrt(2.0 * (rate * rate).sum())))
