#!/usr/bin/env bash
# HDF5's scale-offset filter: one NaN at the front of a chunk, and all other numbers of the chunk are lost when it is written.
#
# Versions   HDF5 2.0.0 in h5py 3.16.0, NumPy 2.4.0
# Behaviour  Eight single-precision numbers in one chunk, three decimals to be kept. With a NaN in the first place writing
#            succeeds, reading fails for ever after ("filter returned failure"): the other seven cannot be had. HDF5 1.10.8, for
#            writing and reading, gives eight zeros instead and reports nothing. With a NaN in another place it comes back as an
#            ordinary number, without an error.
# Expected   the seven numbers to three decimals and a NaN, or an error when the chunk is written.
# Source     h5py's guide, "Scale-Offset filter": floats keep the given number of decimals; a warning there says that NaN and
#            infinity are not preserved (h5py/h5py#783, #1009). That finite numbers go with them is not said.
# Why here   Displacements and local moduli are stored with few decimals to save space, and NaN marks a particle without a value.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/pip -q install h5py==3.16.0 numpy==2.4.0 2>/dev/null
cat >look.py <<'PY'
import h5py
import numpy as np

print("HDF5", h5py.version.hdf5_version)
for place in (None, 3, 0):
    values = np.linspace(0.5, 1.5, 8, dtype=np.float32)
    if place is not None:
        values[place] = np.nan
    with h5py.File("small.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, scaleoffset=3)
    finite = np.isfinite(values)
    with h5py.File("small.h5") as file:
        try:
            read = file["x"][:]
        except OSError as error:
            print(f"NaN at {place}: written, but reading fails: {error}")
            continue
    print(f"NaN at {place}: {read.tolist()}, the finite ones right: {np.allclose(read[finite], values[finite], atol=1e-3)}, "
          f"NaN in it: {np.isnan(read).any()}")
PY
venv/bin/python look.py | tee seen
grep -q '^NaN at None: .* the finite ones right: True' seen || { echo "CHANGED: without NaN"; exit 1; }
grep -q '^NaN at 3: .* the finite ones right: True, NaN in it: False$' seen ||
    { echo "CHANGED: a NaN inside is kept, or costs more"; exit 1; }
if grep -q '^NaN at 0: .* the finite ones right: True' seen; then echo "CHANGED: HDF5 now keeps the finite numbers"; exit 1; fi
grep -q '^NaN at 0: ' seen || { echo "CHANGED: writing fails"; exit 1; }
echo "as described"
