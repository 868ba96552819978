"""What netCDF-4 files and the CF conventions add: dimensions with names."""

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
"""Before the name of a variable that is called like a dimension along which it does not lie."""
_RAGGED = ("sampledimension", "instancedimension")


def is_mine(node: Node) -> bool:
    """Tell whether the netCDF library wrote a dataset: with dimensions, numbered or not."""
    if node.is_group:
        return False
    return _is_bare_dimension(node.item) or is_netcdf(node.item) or has_attribute(node.item, *_RAGGED)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a variable; none of a dimension without values.

    Raises
    ------
    ScanError
        If the variable parts the samples of a ragged array: which sample is of which hole lies in it alone.
    """
    if _is_bare_dimension(node.item):
        return
    if has_attribute(node.item, *_RAGGED):
        raise ScanError(
            f"{node.location} parts the samples of a ragged array (CF), which is not read: write a column that names "
            "the hole of each sample, or one group for each hole"
        )
    for column in shapes.columns_of(node):
        yield replace(
            column,
            name=column.name.removeprefix(_PREFIX),
            layout=LAYOUT if column.layout == PLAIN else f"{LAYOUT}, {column.layout}",
            dimension=dimension_of(node.item, column.selection.axis),
        )


def _is_bare_dimension(dataset: Any) -> bool:
    """Tell whether a dataset only stands for a dimension's length."""
    return first_text(dataset, "class") == "DIMENSION_SCALE" and first_text(dataset, "name").startswith(NO_VARIABLE)


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
    """Tell whether a dataset has netCDF dimensions."""
    return has_attribute(dataset, "netcdf4coordinates", "netcdf4dimid", "dimensionlist")


def numbered(columns: list[Hdf5Column]) -> list[Hdf5Column]:
    """Let go of the dimensions where some variables lack their numbers, as older libraries left them."""
    if all(column.dimension is not None or not is_netcdf(column.dataset) for column in columns):
        return columns
    return [replace(column, dimension=None) for column in columns]
