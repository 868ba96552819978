"""What netCDF-4 files and the CF conventions add: dimensions with names, and ragged arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lithovae.runtime.errors import ScanError

from .attributes import as_numbers, find_attributes, first_text, has_attribute
from .column import Column
from .filters import require_readable

NETCDF = "netCDF-4 (CF)"
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
_PREFIX = "_nc4_non_coord_"
MAX_INSTANCES = 1 << 20


def is_bare_dimension(dataset: Any) -> bool:
    """Tell whether a dataset only stands for a dimension's length."""
    return first_text(dataset, "class") == "DIMENSION_SCALE" and first_text(dataset, "name").startswith(NO_VARIABLE)


def name_of(name: str) -> str:
    """Give a variable's name: one called like a dimension that it does not lie along has a prefix in HDF5."""
    return name.removeprefix(_PREFIX)


def dimension_of(dataset: Any, axis: int) -> int | None:
    """Give the identifier of the dimension along an axis; None where the file does not number them.

    The numbers that the netCDF library writes beside its references are used; references are not followed.
    """
    for value in find_attributes(dataset, "netcdf4coordinates"):
        numbers = as_numbers(value)
        if len(numbers) == dataset.ndim:
            return int(numbers[axis])
    for value in find_attributes(dataset, "netcdf4dimid"):
        numbers = as_numbers(value)
        if len(numbers) == 1 and dataset.ndim == 1:
            return int(numbers[0])
    return None


def is_netcdf(dataset: Any) -> bool:
    """Tell whether the netCDF library wrote a dataset: with dimensions, numbered or not."""
    return has_attribute(dataset, "netcdf4coordinates", "netcdf4dimid", "dimensionlist")


def numbered(columns: list[Column]) -> list[Column]:
    """Let go of the dimensions where some variables lack their numbers, as older libraries left them."""
    if all(column.dimension is not None or not is_netcdf(column.dataset) for column in columns):
        return columns
    return [replace(column, dimension=None) for column in columns]


def spread_ragged(columns: Sequence[Column], dimensions: dict[str, int], notes: list[str]) -> list[Column]:
    """Let the variables of a ragged array's instances (a value per hole, say) stand beside its samples.

    Parameters
    ----------
    columns : sequence of Column
        All columns of the file.
    dimensions : dict of str to int
        The identifiers of the dimensions by name.
    notes : list of str
        Takes what was found.

    Raises
    ------
    ScanError
        If the counts do not add up, or the samples of several instances lie in another manner.
    """
    spread: list[Column] = []
    for counts in columns:
        if has_attribute(counts.dataset, "instancedimension") and not counts.selection.field:
            file = counts.dataset.file.filename
            raise ScanError(
                f"{file}: {counts.path} is the index of an indexed ragged array, which is not read: write a contiguous "
                f"one (row_size with sample_dimension), or a column that names the hole of each sample",
                file,
            )
        samples = first_text(counts.dataset, "sampledimension")
        if not samples or counts.dataset.ndim != 1:
            continue
        target = dimensions.get(samples)
        along = [column for column in columns if target is not None and column.dimension == target]
        instances = [
            column
            for column in columns
            if column.table == counts.table and (column.dimension is None or column.dimension == counts.dimension)
        ]
        if not along:
            file = counts.dataset.file.filename
            raise ScanError(
                f"{file}: {counts.path} parts the samples along {samples!r}, but which variables lie along it cannot "
                f"be told: rewrite the file with a current netCDF library, or give each sample its hole in a column",
                file,
            )
        ends = _ends(counts, along[0].length)
        notes.append(f"{counts.path} says how many samples along {samples!r} belong to each of {len(ends)}")
        for home in dict.fromkeys(column.table[0] for column in along):
            spread += [
                replace(column, ends=ends, home=home, dimension=target)
                for column in instances
                if column is not counts and column.length == len(ends)
            ]
    return spread


def _ends(counts: Column, n_samples: int) -> Any:
    file = counts.dataset.file.filename
    if counts.length > MAX_INSTANCES or counts.dtype.kind not in "iu":
        raise ScanError(f"{file}: {counts.path} ({counts.length} of {counts.dtype}) cannot be the size of rows", file)
    require_readable(counts)
    sizes = counts.dataset[:].astype(np.int64)
    if (sizes < 0).any() or (total := int(sizes.sum())) != n_samples:
        total = int(sizes.clip(0).sum())
        raise ScanError(
            f"{file}: {counts.path} adds up to {total} samples, but there are {n_samples}: the file is incomplete", file
        )
    return np.cumsum(sizes)
