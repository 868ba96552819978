"""Whether HDF5 can lock files in a folder: some network file systems have no locks."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import h5py

VARIABLE = "HDF5_USE_FILE_LOCKING"
"""Environment variable by which libhdf5 decides, whatever a program asks for."""
CHOICES = ("TRUE", "1", "FALSE", "0", "BEST_EFFORT")
"""Its values; libhdf5 ignores any other."""


def try_folder(folder: Path) -> tuple[str, str]:
    """Write and read a small HDF5 file in a folder, and remove it.

    Returns
    -------
    tuple of str
        Why a file cannot be read as a run reads it, and why it cannot be locked; each empty if it can.

    Raises
    ------
    OSError
        If no file can be written there.
    """
    with tempfile.TemporaryDirectory(prefix=".lithovae-doctor-", dir=folder) as own:
        path = Path(own) / "locks.h5"
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            file["x"] = [1.0]
        path.write_bytes(memory.getvalue())  # without a lock, so that only reading is tried
        return _why_not(path, None), _why_not(path, True)


def _why_not(path: Path, locking: bool | None) -> str:
    try:
        with h5py.File(path, "r", locking=locking) as file:
            file["x"][:]
    except OSError as error:
        return " ".join(str(error).split())
    return ""


def variable() -> str | None:
    """Return the value of `VARIABLE`; None if it is not set."""
    return os.environ.get(VARIABLE)
