#!/usr/bin/env bash
# extxyz reads a Lattice in the preferred form of its own specification transposed; ASE's reader refuses that form.
#
# Versions   extxyz 0.4.6, ase-extxyz 0.1.2, ASE 3.29.0, NumPy 2.4.0
# Behaviour  The specification that comes with extxyz has two forms for the cell: nine numbers, the three vectors one after the
#            other, for backward compatibility; and a 3 x 3 matrix [[...], [...], [...]] whose rows are the cell vectors,
#            "preferred". Both of extxyz's parsers, and its ASE plug-in (format="cextxyz"), take the columns of the matrix for the
#            vectors: a cell sheared by xy becomes one sheared by yx, of the same volume, without a warning. ASE's own reader ends
#            in a ValueError. The old form is read alike by all. (OVITO 3.17.2 reads both forms like extxyz.)
# Expected   both forms of one cell give the same cell.
# Source     "Extended XYZ specification", README of libAtoms/extxyz and description of the package, "Lattice -> Atoms.cell".
# Why here   Extended XYZ is the common format for configurations, and sheared cells are not symmetric. Write the old form.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install extxyz==0.4.6 ase-extxyz==0.1.2 ase==3.29.0 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import ase.io
import extxyz
import numpy as np

edges = np.array([[10.0, 0.0, 0.0], [3.0, 10.0, 0.0], [0.0, 0.0, 10.0]])          # rows
forms = {"old": '"' + " ".join(map(str, edges.ravel())) + '"', "preferred": str(edges.tolist()).replace(" ", "")}
readers = {
    "extxyz": lambda name: extxyz.read_dicts(name).cell.T,                         # its cell has the vectors in columns
    "extxyz in Python": lambda name: extxyz.read_dicts(name, use_cextxyz=False).cell.T,
    "ase-extxyz": lambda name: ase.io.read(name, format="cextxyz").cell[:],
    "ase": lambda name: ase.io.read(name, format="extxyz").cell[:],
}
print("cell vectors:", edges.tolist())
for form, text in forms.items():
    header = f"Lattice={text} Properties=species:S:1:pos:R:3"
    print(header)
    with open(f"{form}.xyz", "w") as file:
        file.write(f"1\n{header}\nAr 1.0 2.0 3.0\n")
    for reader, read in readers.items():
        try:
            cell = np.asarray(read(f"{form}.xyz"))
        except ValueError:
            result = "ValueError"
        else:
            known = [name for name, matrix in (("right", edges), ("transposed", edges.T)) if np.array_equal(cell, matrix)]
            result = known[0] if known else str(cell.tolist())
        print(f"{form}, {reader}: {result}")
PY
venv/bin/python look.py | tee seen
for line in "old, "{extxyz,"extxyz in Python",ase-extxyz,ase}": right" \
    "preferred, "{extxyz,"extxyz in Python",ase-extxyz}": transposed" "preferred, ase: ValueError"; do
    grep -qxF "$line" seen || { echo "CHANGED: not any more: $line"; exit 1; }
done
echo "as described"
