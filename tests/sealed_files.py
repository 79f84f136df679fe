"""Files with a seal, from those that tests write with plain h5py."""

import h5py
from mpi4py import MPI

from hpcglass.io import h5
from hpcglass.io.contents import Contents


def seal_file(path):
    """Put a seal on a file: all in it is written anew, as small values."""
    contents = Contents()

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            contents.value(f"/{name}", value.decode() if isinstance(value, bytes) else value)
        contents.attribute(f"/{name}", **item.attrs)

    with h5py.File(path) as file:
        file.visititems(take)
    h5.write(MPI.COMM_SELF, path, contents)
    return path
