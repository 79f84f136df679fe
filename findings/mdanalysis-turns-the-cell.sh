#!/usr/bin/env bash
# MDAnalysis turns the cell of an H5MD file so that its first edge lies along x, and leaves the positions where they were.
#
# Versions   MDAnalysis 2.11.0, h5py 3.16.0, numpy 2.4.0
# Behaviour  H5MD allows any three edge vectors. The reader turns them into lengths and angles, from which MDAnalysis builds a cell
#            with its first edge along x and its second in the xy plane. The positions are not turned with it. Two particles that
#            touch across a face of the cell come out far apart, without an error or a warning.
# Expected   positions turned like the cell, or a refusal of edges that are not (x, 0, 0), (x, y, 0), (x, y, z).
# Source     H5MD 1.1, "Simulation box": edges is a DxD matrix with the rows as directional vectors of the box.
# Why here   A glass sheared in the plane zx (velocity along z, gradient along x) has a first edge off x.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install MDAnalysis==2.11.0 h5py==3.16.0 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import warnings

import h5py
import numpy as np

warnings.simplefilter("ignore")
import MDAnalysis
from MDAnalysis.lib.distances import distance_array

edges = np.array([[10.0, 0.0, 3.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]])       # rows; sheared by 0.3 in zx
position = np.array([[0.5, 5.0, 5.0], [0.5, 5.0, 5.0]])
position[1] += edges[0] - [1.0, 0.0, 0.0]                       # one length apart, through the face of the first edge
with h5py.File("sheared.h5", "w") as file:
    file.create_group("h5md").attrs["version"] = [1, 1]
    for name in ("author", "creator"):
        file["h5md"].create_group(name).attrs["name"] = "nobody"
    group = file.create_group("particles/all")
    box = group.create_group("box")
    box.attrs["dimension"], box.attrs["boundary"] = 3, ["periodic"] * 3
    for where, values in ((box.create_group("edges"), edges), (group.create_group("position"), position)):
        where["value"], where["step"], where["time"] = values[None], [0], [0.0]
universe = MDAnalysis.Universe.empty(2, trajectory=False)
universe.load_new("sheared.h5", format="H5MD", convert_units=False)
cell = MDAnalysis.lib.mdamath.triclinic_vectors(universe.dimensions)
distance = distance_array(universe.atoms.positions[:1], universe.atoms.positions[1:], box=universe.dimensions)[0, 0]
print("edges of the file:", edges.tolist())
print("edges in MDAnalysis:", np.round(cell, 3).tolist())
print("positions are those of the file:", np.allclose(universe.atoms.positions, position, atol=1e-5))
print(f"distance of two particles that are 1 apart: {distance:.3f}")
PY
venv/bin/python look.py | tee seen
if grep -q '^distance of two particles that are 1 apart: 1.000$' seen; then echo "CHANGED: MDAnalysis now has the right distance"; exit 1; fi
grep -q '^positions are those of the file: True$' seen || { echo "CHANGED: MDAnalysis now moves the positions"; exit 1; }
echo "as described"
