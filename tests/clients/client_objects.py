"""`frame.to_freud()`, `to_ase()`, `to_ovito()` in the environment of the clients, which has not what hpcglass needs else."""

from __future__ import annotations

from client_page import GLASSES, ROOT, Job

ARRAYS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import h5py
import numpy
from hpcglass.analysis.frames.clients import Arrays, to_ase, to_freud, to_ovito
with h5py.File(file) as source:
    group = source["particles/all"]
    box, where = group["box/edges/value"][-1].T, group["position/value"][-1]
    diameter, kind = (group[name][()] if isinstance(group[name], h5py.Dataset) else group[name + "/value"][-1]
                      for name in ("diameter", "species"))
glass = Arrays(box, where, diameter, kind, fields={{"mine": numpy.arange(len(where)) * 0.5, "vector": where * 2}})
"""
CODE = {
    "freud": """
system = to_freud(glass)
position, edges, periodic = system.points, system.box.to_matrix().T, system.box.periodic
neighbours = len(system.query(position, {"r_max": 1.5, "exclude_ii": True}).toNeighborList()) / len(position)
flat = system.box.is2D
volume = system.box.volume
import freud
g = freud.density.RDF(20, 2.0).compute(system).rdf
""",
    "ASE": """
from ase.neighborlist import neighbor_list
atoms = to_ase(glass)
position, edges, periodic = atoms.positions, atoms.cell[:], atoms.pbc
diameter, kind, mine, vector = 2 * atoms.arrays["radius"], atoms.arrays["type"] - 1, atoms.arrays["mine"], atoms.arrays["vector"]
neighbours, mass = len(neighbor_list("i", atoms, 1.5)) / len(atoms), atoms.get_masses()
""",
    "OVITO": """
from ovito.data import CutoffNeighborFinder
data = to_ovito(glass)
position, edges, periodic = data.particles.positions[...], data.cell[:, :3].T, numpy.array(data.cell.pbc)
diameter, kind = 2 * data.particles["Radius"][...], data.particles.particle_types[...] - 1
mine, vector, flat = data.particles["mine"][...], data.particles["vector"][...], data.cell.is2D
neighbours = len(CutoffNeighborFinder(1.5, data).find_all()[0]) / len(position)
"""}

OBJECTS = [Job(client, f"object/{name}", f"{name}.h5", ARRAYS + code) for client, code in CODE.items() for name in GLASSES]
