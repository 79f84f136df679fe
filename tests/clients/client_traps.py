"""What docs/clients.md warns of, as clients do it at the versions of requirements.txt.

A newer version that does better makes its test fail: then the page and the recipe can be shortened.
"""

from __future__ import annotations

from client_page import Job

LETTERS = """
with open("letters.xyz", "w") as text:
    text.write('2\\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\\nB 1 1 1\\nS 3 3 3\\n')
"""

TRAPS = [
    Job("OVITO", "letters", "", LETTERS + """
from ovito.io import import_file
types = import_file("letters.xyz").compute().particles.particle_types.types
name, radius, mass = [t.name for t in types][0], [t.radius for t in types][0], [t.mass for t in types][0]
"""),
    *(Job("OVITO", f"strain-{flat}", "2d.xyz", f"""
from ovito.io import import_file
from ovito.modifiers import AtomicStrainModifier
pipeline = import_file(file)
pipeline.modifiers.append(lambda frame, data: setattr(data.cell_, "is2D", {flat}))
pipeline.modifiers.append(AtomicStrainModifier(cutoff=2.0, output_nonaffine_squared_displacements=True))
invalid = pipeline.compute().attributes["AtomicStrain.invalid_particle_count"]
""") for flat in (False, True)),
    Job("OVITO", "stage", "shear.h5", "from ovito.io import import_file\nimport_file(file)"),
    Job("ASE", "elements", "2d-binary-xy.xyz", """
import ase.io
atoms = ase.io.read(file)
symbols, mass = atoms.symbols.species(), atoms.get_masses()
symbols = " ".join(sorted(symbols))
"""),
    Job("ASE", "back", "2d-binary-xy.xyz", 'import ase.io\nase.io.write("back.xyz", ase.io.read(file))'),
    Job("extxyz", "back", "2d-binary-xy.xyz", 'import extxyz\nextxyz.write_dicts("back.xyz", extxyz.read_dicts(file))'),
    Job("OVITO", "back", "2d-binary-xy.xyz", """
import gsd.hoomd
from ovito.io import export_file, import_file
pipeline = import_file(file)
export_file(pipeline, "back.xyz", "xyz", columns=["Particle Type", "Position", "Radius"])
export_file(pipeline, "back.gsd", "gsd/hoomd")
with gsd.hoomd.open("back.gsd") as trajectory:
    box = trajectory[0].configuration.box
"""),
    Job("ASE", "sphere", "3d.data", 'import ase.io\nase.io.read(file, format="lammps-data")'),
    Job("ASE", "letters", "", LETTERS.replace("B 1", "A 1") + 'import ase.io\nase.io.read("letters.xyz")'),
    Job("ASE", "stage", "shear.h5", "import ase.io\nase.io.read(file)"),
    Job("extxyz", "cell", "2d-binary-xy.xyz", "import extxyz\ncell = extxyz.read_dicts(file).cell"),
    Job("MDAnalysis", "letters", "", LETTERS + 'import MDAnalysis\nmass = MDAnalysis.Universe("letters.xyz").atoms.masses'),
    Job("MDAnalysis", "xyz", "3d.xyz", """
import MDAnalysis
universe = MDAnalysis.Universe(file)
no_cell, position = universe.dimensions is None, universe.atoms.positions
"""),
    Job("MDAnalysis", "sphere", "3d.data", """
import MDAnalysis
universe = MDAnalysis.Universe(file)
kind, charge = universe.atoms.types.astype(float), universe.atoms.charges
"""),
    *(Job("MDAnalysis", f"gsd-{name}", f"{name}.gsd", "import MDAnalysis\ncell = MDAnalysis.Universe(file).dimensions")
      for name in ("2d", "2d-binary-xy")),
    Job("MDAnalysis", "turned", "shear.traj.h5", """
import h5py, MDAnalysis
from MDAnalysis.lib.mdamath import triclinic_vectors
universe = MDAnalysis.Universe.empty(len(h5py.File(file)["particles/all/id"]), trajectory=False)
universe.load_new(file, format="H5MD", convert_units=False)
universe.trajectory[-1]
position, edges = universe.atoms.positions, triclinic_vectors(universe.dimensions)
"""),
    Job("MDAnalysis", "flat", "2d.h5", """
import MDAnalysis
MDAnalysis.Universe.empty(120, trajectory=False).load_new(file, format="H5MD", convert_units=False)
"""),
    Job("freud", "z", "", """
import freud
freud.locality.AABBQuery(freud.box.Box.square(9), [[0, 0, 0.1], [1, 1, 0]])
"""),
    Job("freud", "narrow", "", """
import freud
points = [[0, 0, 0], [1, 1, 0]]
list(freud.locality.AABBQuery(freud.box.Box.square(9), points).query(points, {"r_max": 5.0}))
"""),
    Job("lammpsio", "sphere", "3d.data", "import lammpsio\nlammpsio.DataFile(file).read()"),
    Job("VTK", "five-columns", "3d.xyz", """
import vtk
from vtk.util.numpy_support import vtk_to_numpy
vtk.vtkObject.GlobalWarningDisplayOff()
first, second = vtk.vtkXYZMolReader(), vtk.vtkXYZMolReader2()
for reader in first, second:
    reader.SetFileName(file)
    reader.Update()
points = first.GetOutput().GetNumberOfPoints()
position, error = vtk_to_numpy(second.GetOutput().GetPoints().GetData()), second.GetErrorCode()
"""),
]
