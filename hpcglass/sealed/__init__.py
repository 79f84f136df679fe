"""Files that say themselves whether they are whole: a seal over every byte, checked before HDF5 sees the file. No MPI.

`File` (file.py) is how everybody reads HDF5; only `io.h5` writes it.
"""
