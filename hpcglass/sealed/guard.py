"""What HDF5 files may not do: reach outside themselves, or ask for more memory than there is.

An HDF5 file can name other files whose data then appear as its own (external links, external storage, virtual datasets), and a
file of a few kilobytes can hold a dataset of 1e15 numbers, all of them a fill value or compressed to nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Our files are renamed into place, so a lock protects nothing; on several parallel file systems it fails.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
import h5py

from hpcglass.errors import FileError

__all__ = ["h5py", "memory", "refuse_large", "refuse_reaching_out"]

SMALL = 1 << 26         # bytes that a dataset may have whatever is stored of it
RATIO = 1100            # bytes that a stored one may stand for: somewhat more than the best that gzip can do
TEXTS = 4096            # elements of variable length, each of which may be as long as the file


def memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def refuse_reaching_out(file: Any, path: Path, soft: bool) -> None:
    """Raise FileError if anything in an open file leads out of it, or claims to be much larger than it is.

    soft : soft links are allowed (as no link leads out, they lead to something inside)
    """
    def look(name: bytes, link: Any) -> str | None:         # what it returns ends the walk; exceptions do not come through
        what = None
        if link.type == h5py.h5l.TYPE_HARD:
            try:
                what = _fault(h5py.h5o.open(file.id, name))
            except Exception as error:
                what = f"cannot be read ({error})"
        elif link.type != h5py.h5l.TYPE_SOFT or not soft:
            kind = {h5py.h5l.TYPE_SOFT: "a soft", h5py.h5l.TYPE_EXTERNAL: "an external"}.get(link.type, "an unknown")
            what = f"is {kind} link; hpcglass follows none here: copy what it leads to into the file"
        return what and f"{path}: {name.decode(errors='replace')} {what}"

    wrong = file.id.links.visit(look, info=True)
    if wrong:
        raise FileError(wrong)


def _fault(item: Any) -> str | None:
    """What is wrong with a dataset."""
    if not isinstance(item, h5py.h5d.DatasetID):
        return None
    creation = item.get_create_plist()
    if creation.get_layout() == h5py.h5d.VIRTUAL or creation.get_external_count():
        return "has its data in another file; hpcglass reads none there: copy them into this one"
    size, stored = item.get_space().get_simple_extent_npoints() * item.get_type().get_size(), item.get_storage_size()
    if size > max(SMALL, RATIO * stored):
        return f"claims to have {size:.3g} bytes, of which {stored} are in the file"
    return None


def refuse_large(item: Any, where: str, size: int) -> None:
    """Raise FileError if `size` bytes of a dataset do not fit into the memory of this machine."""
    if size > memory():
        raise FileError(f"{where} needs {size / 1e9:.3g} GB of memory; this machine has {memory() / 1e9:.3g}")
    texts = h5py.check_string_dtype(item.dtype)
    if (texts and item.size > TEXTS) or (not texts and h5py.check_vlen_dtype(item.dtype)):
        raise FileError(f"{where} has {item.size} elements of variable length, which hpcglass does not read")
