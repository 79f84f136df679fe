#!/usr/bin/env bash
# MDAnalysis takes the tilt factors of a GSD file for the cosines of the cell's angles, and in the wrong order.
#
# Versions   MDAnalysis 2.11.0, gsd 4.2.0, numpy 2.3.5
# Behaviour  The box of a GSD frame is Lx, Ly, Lz, xy, xz, yz with tilt factors (lengths over lengths). The reader takes arccos of
#            these three for alpha, beta, gamma: a cell whose second edge leans along x (xy = 0.3) becomes one in which second and
#            third edge are at 72.5 degrees. Minimum images are then those of another cell, without an error.
# Expected   the angles of the tilted cell, here gamma = 73.3 degrees, or a refusal.
# Source     GSD's HOOMD schema, configuration/box: "xy, xz, and yz are the tilt factors for the box".
# Why here   GSD is the usual way from a sheared glass to analysis tools.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install MDAnalysis==2.11.0 gsd==4.2.0 numpy==2.3.5 2>/dev/null
cat >look.py <<'PY'
import warnings

import gsd.hoomd
import numpy as np

warnings.simplefilter("ignore")
import MDAnalysis

frame = gsd.hoomd.Frame()
frame.particles.N = 2
frame.particles.position = np.array([[0, 0, 0], [1, 0, 0]], dtype=np.float32)
frame.particles.types, frame.particles.typeid = ["A"], [0, 0]
frame.configuration.box = [10, 10, 10, 0.3, 0, 0]
with gsd.hoomd.open("tilted.gsd", "w") as file:
    file.append(frame)
universe = MDAnalysis.Universe("tilted.gsd")
edges = MDAnalysis.lib.mdamath.triclinic_vectors(universe.dimensions)
print("edges in MDAnalysis:", np.round(edges, 2).tolist())
print("edges of the file:", [[10.0, 0.0, 0.0], [3.0, 10.0, 0.0], [0.0, 0.0, 10.0]])
print("lengths and angles in MDAnalysis:", np.round(universe.dimensions, 3).tolist())
print("angles of the cell:", [90.0, 90.0, round(float(np.degrees(np.arctan2(1, 0.3))), 3)])
PY
venv/bin/python look.py | tee seen
grep -q '^lengths and angles in MDAnalysis: \[10.0, 10.0, 10.0, 72.54[0-9]*, 90.0, 90.0\]$' seen || { echo "CHANGED: MDAnalysis now does something else"; exit 1; }
echo "as described"
