"""HDF5-based formats that are recognised but not supported."""

from __future__ import annotations

from typing import Any

import h5py

from .attributes import first_text


def why_unsupported(file: Any) -> str:
    """Return which unsupported format an HDF5 file has, and what to do; empty if none is recognised."""
    geoscience = _group(file, "GEOSCIENCE")
    if geoscience is not None and first_text(geoscience, "version", "distanceunit"):
        return (
            "is a GEOH5 workspace (Geoscience ANALYST), which stores names and depths apart from the values: "
            "export the drillhole's logs (for example with geoh5py) as one dataset per column, with a depth dataset"
        )
    if _group(file, "RESQML") is not None:
        return (
            "is the HDF5 part of a RESQML model, whose names and units are in a separate .epc file: "
            "export the well's logs as one dataset per column, with a depth dataset"
        )
    return ""


def _group(file: Any, name: str) -> Any:
    node = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    return node if isinstance(node, h5py.Group) else None
