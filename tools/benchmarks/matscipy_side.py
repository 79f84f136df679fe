"""matscipy as the yardstick of the linear response: its half of `response.py`, run by a Python of its own.

    .venv-matscipy/bin/python matscipy_side.py GLASS.npz ANSWER.npz TOLERANCE

It computes what matscipy's documentation advises: `Polydisperse` with its x^-10 potential, the sparse analytic Hessian, Born and
nonaffine elastic constants; TOLERANCE is that of its conjugate gradients, 1e-5 by default there. This file does not see hpcglass.
"""

from __future__ import annotations

import sys
import time

import ase
import numpy as np
from common import peak_memory
from matscipy.calculators.polydisperse import InversePowerLawPotential, Polydisperse
from matscipy.elasticity import nonaffine_elastic_contribution

REPEATS = 3


def main() -> None:
    glass, answer, tolerance = np.load(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    position, diameter = glass["position"], glass["diameter"]
    idle = peak_memory(reset=True)
    atoms = ase.Atoms(numbers=np.ones(len(position)), positions=position, cell=glass["box"].T, pbc=True)
    atoms.set_array("size", diameter)
    calculator = atoms.calc = Polydisperse(InversePowerLawPotential(1.0, 1.4, 0.1, 3, diameter.min(), diameter.max()))
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    before = time.process_time()
    for _ in range(REPEATS):
        matrix = calculator.get_hessian(atoms)
    hessian = (time.process_time() - before) / REPEATS
    image = matrix @ glass["probe"].ravel()
    before = time.process_time()
    born = calculator.get_property("born_constants", atoms)
    accuracy = {"x0": None, "rtol": tolerance, "atol": tolerance, "maxiter": None, "M": None, "callback": None}
    nonaffine = nonaffine_elastic_contribution(atoms, cg_parameters=accuracy)
    moduli = time.process_time() - before
    peak = peak_memory()
    np.savez(answer, idle=idle, peak=peak, hessian=hessian, moduli=moduli, energy=energy, forces=forces,
             image=image.reshape(-1, 3), born=born, tensor=born + nonaffine,
             birch=born + nonaffine + calculator.get_stress_contribution_to_elastic_constants(atoms))


if __name__ == "__main__":
    main()
