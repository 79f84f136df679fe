#!/usr/bin/env bash
# freud takes the rows of MDAnalysis' cell matrix for columns: the box of any tilted system is another one.
#
# Versions   freud-analysis 3.4.0, MDAnalysis 2.11.0, numpy 2.3.5
# Behaviour  freud's from_system takes a Timestep of MDAnalysis and makes a box of its triclinic_dimensions, whose rows are the
#            cell vectors. The box takes the columns of a 3 x 3 matrix for vectors. A cell with the second vector (3, 10, 0)
#            becomes one with Lx = 10.44 and Ly = 9.58 (the volume stays): two particles that are 1 apart through a face are 0.6
#            apart. No error, no warning.
# Expected   the box 10, 10, 10 with xy = 0.3, as for the same cell from a GSD frame.
# Source     MDAnalysis, lib.mdamath.triclinic_vectors: box_matrix[0] is the first vector. freud, tutorial "Periodic Boundary
#            Conditions": each column of the matrix is a box vector. from_system names the Timestep among what it supports.
# Why here   It is freud's documented way to LAMMPS and other trajectories, and to shear means to tilt the cell.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install freud-analysis==3.4.0 MDAnalysis==2.11.0 numpy==2.3.5 2>/dev/null
cat >look.py <<'PY'
import warnings

import numpy as np

warnings.simplefilter("ignore")
import freud
import MDAnalysis
from MDAnalysis.lib.distances import distance_array
from MDAnalysis.lib.mdamath import triclinic_box

edges = np.array([[10.0, 0.0, 0.0], [3.0, 10.0, 0.0], [0.0, 0.0, 10.0]])          # rows
universe = MDAnalysis.Universe.empty(2, trajectory=True)
universe.dimensions = triclinic_box(*edges)
universe.atoms.positions = [[5.0, 0.5, 5.0], np.array([5.0, 0.5, 5.0]) + edges[1] - [0.0, 1.0, 0.0]]    # 1 apart, through a face
print("rows of MDAnalysis' cell:", np.round(universe.trajectory.ts.triclinic_dimensions, 3).tolist())
box = freud.locality.AABBQuery.from_system(universe.trajectory.ts).box
print("columns of freud's box:", np.round(box.to_matrix().T, 3).tolist())
here, there = universe.atoms.positions
right = distance_array(here, there, box=universe.dimensions).item()
print(f"distance in MDAnalysis {right:.3f}, in freud {np.linalg.norm(box.wrap(there - here)):.3f}")
PY
venv/bin/python look.py | tee seen
grep -q '^columns of freud.s box: \[\[10.44' seen || { echo "CHANGED: the box"; exit 1; }
grep -q '^distance in MDAnalysis 1.000, in freud 0.592$' seen || { echo "CHANGED: the distance"; exit 1; }
echo "as described"
