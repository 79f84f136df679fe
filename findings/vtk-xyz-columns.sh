#!/usr/bin/env bash
# VTK's reader for XYZ trajectories takes columns after the fourth for further atoms, without an error.
#
# Versions   VTK 9.7.2
# Behaviour  An XYZ file with atomic numbers and two more columns (say radius and charge). vtkXYZMolReader2 reads word by word:
#            after x, y, z of the first atom it takes the two extra words and the next line's first two for the second atom, and
#            so on. The positions are wrong from the second atom on, the number of atoms is right, the error code is 0 and nothing
#            is printed. (With element symbols most such files end in an error message instead.)
# Expected   columns after the fourth are left out, or an error.
# Source     Extended XYZ specification (libAtoms/extxyz): in a plain file columns beyond the fourth are not read. OVITO's manual,
#            "XYZ file reader", on auxiliary columns.
# Why here   Particles of a glass have numbers for species, and sizes.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install vtk==9.7.2 2>/dev/null
cat >look.py <<'PY'
from vtkmodules.vtkCommonCore import vtkVersion
from vtkmodules.vtkIOChemistry import vtkXYZMolReader2

print("VTK", vtkVersion.GetVTKVersion())
for name, more in (("four", ""), ("six", " 0.5 9")):
    with open(f"{name}.xyz", "w") as file:
        file.write("3\n\n" + "".join(f"1 {x} 0 0{more}\n" for x in range(3)))
    reader = vtkXYZMolReader2()
    reader.SetFileName(f"{name}.xyz")
    reader.Update()
    molecule = reader.GetOutput()
    positions = [[round(float(x), 3) for x in molecule.GetAtomPosition(i)] for i in range(molecule.GetNumberOfAtoms())]
    print(f"{name} columns: positions {positions}, error code {reader.GetErrorCode()}")
print("in the files:", [[float(x), 0.0, 0.0] for x in range(3)])
PY
venv/bin/python look.py | tee seen
grep -qF 'four columns: positions [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], error code 0' seen ||
    { echo "CHANGED: four columns"; exit 1; }
grep -qF 'six columns: positions [[0.0, 0.0, 0.0], [9.0, 1.0, ' seen || { echo "CHANGED: VTK now does something else"; exit 1; }
echo "as described"
