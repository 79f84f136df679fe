"""Elasto-plastic lattice models: blocks that yield, and the elastic stress that each of them sends to all others.

    from mpi4py import MPI
    from hpcglass.epm import Lattice, Model, Slip, named

    model = Model(size=128, modulus=20.0, thresholds=named("normal", mean=2.0, cv=0.3), slip=Slip.fixed(0.065))
    lattice = Lattice(MPI.COMM_SELF, model)
    avalanches = lattice.load(0.1)
    print(lattice.stress, lattice.observables()["localization"])

No particles, no files. One convention for both of the papers it follows: strain is γ = 2ε, a slip is the tensor component ε_0
(ε_pl), the plastic strain γ_p is twice its mean, and Σ = μ(γ − γ_p) at all times.
"""

from hpcglass.epm.dynamics import Avalanches
from hpcglass.epm.lattice import Lattice
from hpcglass.epm.model import Model, Slip
from hpcglass.epm.thresholds import Distribution, named, sample

__all__ = ["Avalanches", "Distribution", "Lattice", "Model", "Slip", "named", "sample"]
