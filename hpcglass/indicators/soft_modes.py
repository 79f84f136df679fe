"""M: where the soft modes are, without the phonons.

    M(i) = sum over the n_k lowest modes of |T:Psi_k Psi_k|_i^2 / omega_k^2,                                    (B10)

T the third derivatives of the energy. The contraction is a derivative of the mode in space: small for plane waves, large in
the core of a quasi-localised mode. The modes come in slices of the spectrum, which are shared out to the ranks;
each rank holds all of the glass.
D. Richard et al., Phys. Rev. Materials 4, 113609 (2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcglass.indicators.base import Indicator

if TYPE_CHECKING:
    from hpcglass.indicators.glass import Glass


def soft_modes(glass: Glass) -> Any:
    """M of the `modes` lowest modes, or of half of all if that is less."""
    import numpy as np

    from hpcglass.core import comm as ranks
    from hpcglass.core.replica import Replica
    from hpcglass.indicators.bonds import interacting
    from hpcglass.landscape.matrix.hessian import Hessian
    from hpcglass.landscape.modes import FEW, Modes, number_of_modes, spectrum
    from hpcglass.landscape.slices import Slice, modes_of_slice, slices

    comm, replica = glass.system.comm, Replica(glass.system)
    hessian = Hessian(replica.system)
    bonds, total = interacting(replica.system), number_of_modes(hessian)
    count = min(glass.choices.modes, total)
    result = np.zeros(replica.system.n_owned)
    dense = count > total // 2 or total <= FEW
    pieces = [Slice(0.0, np.inf, total)] if dense else slices(hessian, count)
    below = np.cumsum([0, *(piece.number for piece in pieces)])
    for k in range(comm.rank, len(pieces), comm.size):
        modes: Modes = spectrum(hessian) if dense else modes_of_slice(hessian, pieces[k])
        modes = modes.lowest(max(min(count - int(below[k]), pieces[k].number), 0))
        result += (bonds.third_squares(modes.vectors) / modes.frequency2).sum(axis=1)
        glass.alive(f"modes {below[k]} to {below[k + 1]}")
    glass.results["modes_in_M"] = (int(ranks.largest(comm, count)), "", "number of modes in M")
    return glass.unless_loose(replica.summed(result))


INDICATORS = (
    Indicator("M", "ℳ", "energy/length^4", "high", "modes", "soft_modes", "B10", "soft modes without phonons", soft_modes),
)
