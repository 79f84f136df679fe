"""Packages that not everybody has: imported when they are first needed, and asked for by name where they are not there."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hpcglass.errors import InputError

EXTRA = {"pandas": "analysis", "xarray": "analysis", "h5netcdf": "analysis"}        # of pyproject.toml


def need(package: str, what: str) -> Any:
    """The package.

    what : the work that needs it, for the message

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise
        extra = EXTRA.get(package.partition(".")[0])
        hint = f", or hpcglass with its extra: pip install 'hpcglass[{extra}]'" if extra else ""
        raise InputError(f"{what} needs the package {error.name}, which is not installed: pip install {error.name}"
                         f"{hint}") from None
    except ImportError as error:        # as of a package for another NumPy
        raise InputError(f"{what} needs the package {package}, which cannot be imported: {error}") from None
