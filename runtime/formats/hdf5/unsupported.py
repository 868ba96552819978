"""HDF5 files of other fields, which are recognised and refused: what they are, and what to do."""

from __future__ import annotations

from typing import Any

import h5py

from .attributes import first_text


def why_unsupported(file: Any) -> str:
    """Say what an HDF5 file of another field is, and what to do; empty where it is none."""
    geoscience = _group(file, "GEOSCIENCE")
    if geoscience is not None and first_text(geoscience, "version", "distanceunit"):
        return (
            "is a GEOH5 workspace (Geoscience ANALYST), whose names and depths lie in objects, types and data: "
            "export the drillhole's logs (with geoh5py, say) as one dataset per column beside a depth"
        )
    if _group(file, "RESQML") is not None:
        return (
            "is the HDF5 part of a RESQML model, whose names and units are in the .epc file beside it: "
            "export the well's logs as one dataset per column beside a depth"
        )
    return ""


def _group(file: Any, name: str) -> Any:
    node = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    return node if isinstance(node, h5py.Group) else None
