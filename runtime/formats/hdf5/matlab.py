"""What MATLAB's ``save -v7.3`` leaves: its arrays with their dimensions the other way round, its structs as groups."""

from __future__ import annotations

from typing import Any

import h5py

from .attributes import as_numbers, find_attributes, first_text

MATLAB = "MATLAB v7.3"
_NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def is_matlab(dataset: Any) -> bool:
    """Tell whether MATLAB wrote a dataset: its first dimension is then MATLAB's last."""
    return bool(first_text(dataset, "matlabclass"))


def is_internal(group: Any) -> bool:
    """Tell whether a group holds what cells and objects refer to, under names of MATLAB's own."""
    return str(group.name) in ("/#refs#", "/#subsystem#")


def is_readable(dataset: Any, notes: list[str]) -> bool:
    """Tell whether a dataset holds numbers or characters; why not, where MATLAB wrote it, is said in ``notes``."""
    kind, place = first_text(dataset, "matlabclass"), str(dataset.name).lstrip("/")
    if any(as_numbers(value) == (1.0,) for value in find_attributes(dataset, "matlabempty")):
        return False
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        what = {"cell": "a MATLAB cell array", "": "an array of references"}.get(kind, f"a MATLAB {kind}")
        notes.append(f"{place} is {what}: not read; what it leads to is read where it is a dataset of its own")
        return False
    if kind in ("", "char", "logical", *_NUMBERS):
        return True
    notes.append(
        f"{place} is a MATLAB {kind}, which only MATLAB can read: save the columns of a table as a struct, "
        f"as table2struct(T, 'ToScalar', true) makes it"
    )
    return False
