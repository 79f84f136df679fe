#!/usr/bin/env bash
# OVITO's GSD export of a tilted cell: another volume, and particles outside of the cell land elsewhere.
#
# Versions   ovito 3.17.2, gsd 4.2.0, numpy 2.3.5. OVITO's wheel wants Debian's libegl1 libgl1 libxkbcommon0 libdbus-1-3
#            libfontconfig1.
# Behaviour  Cell with the edges (10, 0, 0), (3, 10, 0), (0, 0, 10). Written is Ly = 10.44, the length of the second edge instead
#            of its height, and xy = 3 / 10.44; OVITO itself reads that back as a cell of volume 1044 instead of 1000. Then each
#            coordinate is wrapped by itself: two images of one place, a whole second edge apart, are three tenths of a first edge
#            apart in the file, also with its image numbers. No error, no warning.
# Expected   the box 10, 10, 10, 0.3, 0, 0, and images that differ by whole edges.
# Source     HOOMD-blue's page on boxes: for edges v1 and v2, with a = v1 v2 / |v1|, Ly is sqrt(|v2|^2 - a^2) and xy is a / Ly.
# Why here   GSD is the one format in which OVITO keeps "this system is flat", so that sheared 2D glasses are exchanged in it.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install ovito==3.17.2 gsd==4.2.0 numpy==2.3.5 2>/dev/null
cat >look.py <<'PY'
import gsd.hoomd
import numpy as np
from ovito.data import DataCollection
from ovito.io import export_file, import_file

edges = np.array([[10.0, 0.0, 0.0], [3.0, 10.0, 0.0], [0.0, 0.0, 10.0]])          # rows
data = DataCollection()
cell = data.create_cell(np.column_stack([edges.T, np.zeros(3)]), pbc=(True, True, True))
place = np.array([1.0, 2.0, 3.0])
data.create_particles(count=2).create_property("Position", data=[place, place + edges[1]])
export_file(data, "tilted.gsd", "gsd/hoomd")
with gsd.hoomd.open("tilted.gsd") as file:
    frame = file[0]
x, y, z, xy, xz, yz = box = frame.configuration.box.astype(float)
written = np.array([[x, 0, 0], [xy * y, y, 0], [xz * z, yz * z, z]])
position = frame.particles.position + frame.particles.image @ edges                # images undone, with the right edges
apart = np.linalg.solve(edges.T, frame.particles.position[1] - frame.particles.position[0])
print("box in the file:", np.round(box, 4).tolist())
print("box of the cell:", [10.0, 10.0, 10.0, 0.3, 0.0, 0.0])
print(f"volume of the cell {cell.volume:.0f}, in the file {np.linalg.det(written):.0f}, "
      f"as OVITO reads it back {import_file('tilted.gsd').compute().cell.volume:.0f}")
print("two images of one place are apart, in edges of the cell:", np.round(apart, 3).tolist())
print("and with the image numbers, in lengths:", np.round(position[1] - position[0], 3).tolist(), "instead of", edges[1].tolist())
PY
venv/bin/python look.py 2>/dev/null | tee seen
grep -q '^volume of the cell 1000, in the file 1044, as OVITO reads it back 1044$' seen || { echo "CHANGED: the cell"; exit 1; }
grep -qF 'in edges of the cell: [0.3, 0.0, 0.0]' seen || { echo "CHANGED: the positions"; exit 1; }
echo "as described"
