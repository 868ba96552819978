"""Compression filters that HDF5 lacks: hdf5plugin provides them, and is imported only if a dataset needs it."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

import h5py

from lithovae.runtime.errors import ScanError

from .limits import display_path

NAMES = {
    4: "szip", 305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle",
    32013: "ZFP", 32015: "Zstandard", 32017: "SZ", 32018: "FCIDECOMP", 32024: "SZ3", 32026: "Blosc2",
    32028: "SPERR",
}  # fmt: skip
"""Filters by their number, as registered by the HDF Group."""


def require_filters(dataset: Any) -> None:
    """Check that a dataset can be decompressed.

    Raises
    ------
    ScanError
        If it is compressed with a filter that is not available; the message names the filter.
    """
    properties = dataset.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        number, _, _, name = properties.get_filter(i)
        if h5py.h5z.filter_avail(number):
            continue
        known = NAMES.get(number) or f"filter {number} ({name.decode('utf-8', 'replace') or 'unnamed'})"
        location = display_path(dataset.name)
        try:
            importlib.import_module("hdf5plugin")
        except ImportError as error:
            raise ScanError(
                f"{location} is compressed with {known}, which needs hdf5plugin: pip install 'lithovae[filters]'"
            ) from error
        if not h5py.h5z.filter_avail(number):
            raise ScanError(
                f"{location} is compressed with {known}, which neither HDF5 nor hdf5plugin can read: "
                f"repack the file with gzip (h5repack)"
            )


def available_filters() -> dict[str, bool]:
    """Return whether each filter that a scan may be compressed with can be read here, with hdf5plugin if installed."""
    with suppress(ImportError):
        importlib.import_module("hdf5plugin")
    known = {1: "gzip", 2: "shuffle", 3: "Fletcher-32", **NAMES}
    return {name: bool(h5py.h5z.filter_avail(number)) for number, name in known.items()}
