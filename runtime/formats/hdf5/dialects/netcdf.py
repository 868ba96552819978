"""netCDF-4 files and CF conventions: datasets with named dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lithovae.runtime.errors import ScanError
from lithovae.runtime.formats.hdf5.attributes import as_numbers, find_attributes, first_text, has_attribute
from lithovae.runtime.formats.hdf5.column import PLAIN, Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node

from . import shapes

LAYOUT = "netCDF-4 (CF)"
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
_PREFIX = "_nc4_non_coord_"
"""Prefix of a variable that has the name of a dimension but is not its coordinate."""
_RAGGED = ("sampledimension", "instancedimension")


def is_mine(node: Node) -> bool:
    """Return whether the netCDF library wrote a dataset, recognised by its dimensions."""
    if node.is_group:
        return False
    return _is_bare_dimension(node.item) or is_netcdf(node.item) or has_attribute(node.item, *_RAGGED)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a variable; none for a dimension without values.

    Raises
    ------
    ScanError
        If the variable divides a ragged array: only it says which sample belongs to which hole.
    """
    if _is_bare_dimension(node.item):
        return
    if has_attribute(node.item, *_RAGGED):
        raise ScanError(
            f"{node.location} divides a ragged array (CF), which is not supported: write a column that names the hole "
            "of each sample, or one group per hole"
        )
    for column in shapes.columns_of(node):
        yield replace(
            column,
            name=column.name.removeprefix(_PREFIX),
            layout=LAYOUT if column.layout == PLAIN else f"{LAYOUT}, {column.layout}",
            dimension=dimension_of(node.item, column.selection.axis),
        )


def _is_bare_dimension(dataset: Any) -> bool:
    """Return whether a dataset only represents a dimension, without values."""
    return first_text(dataset, "class") == "DIMENSION_SCALE" and first_text(dataset, "name").startswith(NO_VARIABLE)


def dimension_of(dataset: Any, axis: int) -> int | None:
    """Return the identifier of the dimension along an axis; None if the file does not number its dimensions.

    The numbers are those that the netCDF library writes in addition to references; references are not followed.
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
    """Return whether a dataset has netCDF dimensions."""
    return has_attribute(dataset, "netcdf4coordinates", "netcdf4dimid", "dimensionlist")


def with_consistent_dimensions(columns: list[Hdf5Column]) -> list[Hdf5Column]:
    """Return the columns, all without dimensions if any variable lacks their numbers (older netCDF libraries)."""
    without = {column.location: column.dataset for column in columns if column.dimension is None}
    if not any(map(is_netcdf, without.values())):
        return columns
    return [replace(column, dimension=None) for column in columns]
