#!/usr/bin/env bash
# chemfiles takes the bounding box in a LAMMPS dump for the edges of the tilted cell.
#
# Versions   chemfiles 0.10.4, mdtraj 1.11.1.post2 (for comparison), numpy 2.4.0
# Behaviour  For a tilted cell "ITEM: BOX BOUNDS xy xz yz" gives the box around the parallelepiped, wider than the cell by the
#            tilts. chemfiles reads the tilts but takes the bounds for the edge lengths: a cell sheared by 0.3 is 30 % too wide,
#            at 0.5 it is 50 %. Minimum images and densities are wrong, without an error or a warning. LAMMPS data files are read
#            right.
# Expected   xhi - xlo after the largest of 0, xy, xz, xy + xz has been taken off the upper bound and the smallest off the lower
#            one; likewise y with 0 and yz. MDTraj (compared here), OVITO and ASE do that.
# Source     LAMMPS manual, "Triclinic simulation boxes" and command dump: xlo_bound, xhi_bound. MDAnalysis had the same fault
#            (MDAnalysis/mdanalysis#3383, mended).
# Why here   dump is how LAMMPS stores a sheared glass, and tilts grow with the strain.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install chemfiles==0.10.4 mdtraj==1.11.1.post2 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import chemfiles
import mdtraj
import numpy as np

for strain in (0.0, 0.3, 0.5):
    xy = 10 * strain
    with open("sheared.lammpstrj", "w") as file:
        file.write("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS xy xz yz pp pp pp\n"
                   f"0 {10 + xy} {xy}\n0 10 0\n0 10 0\nITEM: ATOMS id type x y z\n1 1 1 2 3\n")
    edges = [[10.0, 0.0, 0.0], [xy, 10.0, 0.0], [0.0, 0.0, 10.0]]
    with chemfiles.Trajectory("sheared.lammpstrj") as file:
        frame = file.read()
        rows = {"chemfiles": np.array(frame.cell.matrix).T}
    topology = mdtraj.Topology()
    topology.add_atom("A", mdtraj.element.argon, topology.add_residue("A", topology.add_chain()))
    rows["mdtraj"] = 10 * mdtraj.load("sheared.lammpstrj", top=topology).unitcell_vectors[0]      # it counts in nanometres
    for name, cell in rows.items():
        verdict = "right" if np.allclose(cell, edges, atol=1e-4) else "wrong"
        print(f"strain {strain}: {name} {np.round(cell, 3).tolist()}, {verdict}, volume {np.linalg.det(cell):.0f}")
PY
venv/bin/python look.py | tee seen
grep -q '^strain 0.0: chemfiles .* right' seen && grep -q '^strain 0.5: mdtraj .* right' seen ||
    { echo "CHANGED: the comparison"; exit 1; }
grep -q '^strain 0.3: chemfiles .* wrong, volume 1300$' seen && grep -q '^strain 0.5: chemfiles .* wrong, volume 1500$' seen ||
    { echo "CHANGED: chemfiles now does something else"; exit 1; }
echo "as described"
