"""The columns of an open HDF5 file, in whatever layout they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import h5py

from lithovae.runtime.features import DEPTH, FEATURES, letters
from lithovae.runtime.scan.address import address_part, stated_part

from . import matlab, netcdf
from .attributes import as_texts, find_attributes, first_text
from .column import PLAIN, Column
from .image import IMAGE, colour_order, image_columns
from .limits import Walk
from .nodes import children, identity
from .pandas import is_pandas_store, pandas_columns
from .selection import ROWS, Axis, Selection
from .texts import read_names, read_text
from .xtgeo import is_well, well_columns

MAX_NAMELESS_COLUMNS = 64
NAME_ATTRIBUTES = ("columns", "columnnames", "featurenames", "features", "names", "fields", "channels", "labels")
NAMES_BESIDE = ("columns", "columnnames", "featurenames", "features", "fields", "channels")
COMPOUND, MATRIX, LYING = "compound tables", "a matrix with named columns", "a matrix with named rows"


@dataclass
class Contents:
    """What a file holds.

    Attributes
    ----------
    columns : list of Column
        All columns.
    addresses : dict of str to dict
        By the path of a group: parts of the address that its scalar datasets or its metadata state.
    """

    columns: list[Column] = field(default_factory=list)
    addresses: dict[str, dict[str, str]] = field(default_factory=dict)


def find_contents(file: Any, notes: list[str]) -> Contents:
    """List what an open file holds; what is left out is said in ``notes``.

    Raises
    ------
    ScanError
        If a ragged array is not whole, or names are compressed by a filter that is not to be had.
    """
    found = Contents()
    dimensions: dict[str, int] = {}
    seen: set[Any] = set()
    groups = [file["/"]]
    walk = Walk(file, notes)
    while groups:
        group = groups.pop()
        if identity(group) in seen or not walk.enter(group):
            continue
        seen.add(identity(group))
        nodes = children(group, walk)
        if is_pandas_store(group):
            found.columns += pandas_columns(group, nodes, notes)
            continue
        if is_well(group, nodes):
            columns, address = well_columns(group, nodes, walk, notes)
            found.columns += columns
            found.addresses[str(group.name)] = address
            continue
        inner = []
        for name, node in nodes.items():
            if isinstance(node, h5py.Group):
                if not (first_text(node, "class") == "TINDEX" or matlab.is_internal(node)):  # a PyTables index
                    inner.append(node)
                continue
            if first_text(node, "class") == "DIMENSION_SCALE" and (number := netcdf.dimension_of(node, 0)) is not None:
                dimensions[name] = number
            found.columns += _columns_of(node, nodes, walk, notes)
            if address_part(name) and node.shape is not None and (text := read_text(node)):
                found.addresses.setdefault(str(group.name), {}).update(stated_part(name, text))
        groups += reversed(inner)
    walk.conclude()
    found.columns = netcdf.numbered(found.columns)
    found.columns += netcdf.spread_ragged(found.columns, dimensions, notes)
    return found


def _columns_of(dataset: Any, beside: Mapping[str, Any], walk: Walk, notes: list[str]) -> Iterator[Column]:
    if dataset.shape is None or netcdf.is_bare_dimension(dataset) or not matlab.is_readable(dataset, notes):
        return
    if dataset.dtype.shape:
        notes.append(f"{str(dataset.name).lstrip('/')} holds an array in each place: not read")
        return
    is_matlab = matlab.is_matlab(dataset)
    for column in _by_shape(dataset, beside, notes, is_matlab=is_matlab):
        walk.take_column(dataset)
        if is_matlab:
            yield replace(column, layout=matlab.MATLAB)
        elif netcdf.is_netcdf(dataset):
            dimension = netcdf.dimension_of(dataset, column.selection.axis)
            layout = netcdf.NETCDF if column.layout == PLAIN else f"{netcdf.NETCDF}, {column.layout}"
            yield replace(column, layout=layout, dimension=dimension)
        else:
            yield column


def _by_shape(dataset: Any, beside: Mapping[str, Any], notes: list[str], *, is_matlab: bool) -> Iterator[Column]:
    """List the columns of a dataset; ``shape`` and all indices are in the order in which its writer thinks."""
    shape = dataset.shape[::-1] if is_matlab else dataset.shape

    def select(*index: int | Axis, field: tuple[str, ...] = ()) -> Selection:
        n = len(shape)
        return Selection((index[:n][::-1] if is_matlab else index[:n]) + index[n:], field)

    home, own_name = _home_and_name(dataset)
    line: tuple[int | Axis, ...] = (ROWS,) if len(shape) == 1 else ()
    if len(shape) == 2 and 1 in shape:
        line = (ROWS, 0) if shape[1] == 1 else (0, ROWS)
    if dataset.dtype.names:
        if line:
            yield from _fields(dataset, select(*line))
    elif len(shape) == 3:
        names = _names_for(dataset, beside)
        depths = {node.shape[0] for name, node in beside.items() if _is_depth(name, node)}
        channels = image_columns(dataset, shape, names, depths, notes)
        for i, (name, index) in enumerate(channels):
            yield Column(dataset, name, select(*index), name or str(i), (i, len(channels)), IMAGE, _group_of(dataset))
    elif len(shape) == 1:
        yield Column(dataset, own_name, select(ROWS), home=home)
    elif len(shape) == 2 and _is_characters(dataset):
        yield Column(dataset, own_name, select(ROWS, Axis.ACROSS))
    elif len(shape) == 2:
        yield from _matrix(dataset, shape, select, beside, notes, own_name, home, line)


def _home_and_name(dataset: Any) -> tuple[str, str]:
    """Give the path of a dataset's group, and its name: ``density (g/cm3)`` is one name, though h5py makes it two."""
    above, _, name = str(dataset.name).rpartition("/")
    home, _, start = above.rpartition("/")
    if start.rfind("(") > start.rfind(")") and ")" in name and "(" not in name:
        return home, f"{start}/{name}"
    return above, netcdf.name_of(name)


def _is_characters(dataset: Any) -> bool:
    return (dataset.dtype.kind == "S" and dataset.dtype.itemsize == 1) or first_text(dataset, "matlabclass") == "char"


def _is_depth(name: str, node: Any) -> bool:
    return isinstance(node, h5py.Dataset) and DEPTH.rank(name) is not None and bool(node.shape)


def _group_of(dataset: Any) -> str:
    return str(dataset.name).rpartition("/")[0]


def _fields(dataset: Any, base: Selection) -> Iterator[Column]:
    """List the fields of a compound dataset, those within fields and those of arrays, too."""
    home, names = str(dataset.name), dataset.dtype.names

    def walk(dtype: Any, field: tuple[str, ...], number: int) -> Iterator[Column]:
        label = ".".join(field)
        if dtype.names and not dtype.shape:
            for name in dtype.names:
                yield from walk(dtype[name], (*field, name), number)
        elif not dtype.shape:
            selection = Selection(base.index, field)
            yield Column(dataset, field[-1], selection, label, (number, len(names)), COMPOUND, home)
        elif len(dtype.shape) == 1 and dtype.shape[0] <= MAX_NAMELESS_COLUMNS:
            elements = colour_order(field[-1], dtype.shape[0]) or [field[-1]] * (dtype.shape[0] == 1)
            for i in range(dtype.shape[0]):
                selection = Selection((*base.index, i), field)
                name = elements[i] if elements else ""
                yield Column(dataset, name, selection, f"{label}.{i}", (number, len(names)), COMPOUND, home)

    for number, name in enumerate(names):
        yield from walk(dataset.dtype[name], (name,), number)


def _matrix(
    dataset: Any,
    shape: Sequence[int],
    select: Any,
    beside: Mapping[str, Any],
    notes: list[str],
    own_name: str,
    home: str,
    line: tuple[int | Axis, ...],
) -> Iterator[Column]:
    place = str(dataset.name).lstrip("/")
    candidates = _names_for(dataset, beside)
    given = next((names for names in candidates if len(names) in shape), None)
    if given and shape[0] == shape[1] == len(given) > 1:
        notes.append(
            f"{place} {tuple(shape)} has as many rows as columns, so that its names may be those of either: not used "
            f"(--map {place}:0 takes a column)"
        )
        given = None
    elif given is None and line:
        yield Column(dataset, own_name, select(*line), home=home)
        return
    lies = bool(given) and len(given or ()) != shape[1]
    names = given or colour_order(own_name, shape[1])
    n = shape[0] if lies else shape[1]
    if not names and not line and (lists := [len(texts) for texts in candidates if len(texts) > 1]):
        notes.append(f"{place} {tuple(shape)} has {lists[0]} names, for neither its columns nor its rows: not used")
    if not names and any(quantity.rank(own_name) is not None for quantity in FEATURES):
        notes.append(f"{place} {tuple(shape)} has several values in a row, which are not named: not used")
    if not names and n > MAX_NAMELESS_COLUMNS:
        return
    units = next((units for units in _texts_beside(beside, ("units",)) if len(units) == n), [])
    for i in range(n):
        name = names[i] if names else ""
        label = name if names and names.count(name) == 1 else str(i)
        selection = select(i, ROWS) if lies else select(ROWS, i)
        unit = units[i] if units else None
        yield Column(
            dataset, name, selection, label, (i, n), LYING if lies else MATRIX, str(dataset.name), stated_unit=unit
        )


def _names_for(dataset: Any, beside: Mapping[str, Any]) -> list[list[str]]:
    """List what might name the columns of a dataset: its attributes, and texts in its group."""
    stated = [as_texts(value) for value in find_attributes(dataset, *NAME_ATTRIBUTES)]
    own = letters(str(dataset.name).rpartition("/")[2])
    names = [*NAMES_BESIDE, *(f"{own}{name}" for name in NAME_ATTRIBUTES)]
    return stated + _texts_beside(beside, names)


def _texts_beside(beside: Mapping[str, Any], names: Sequence[str]) -> list[list[str]]:
    return [
        read_names(node)
        for name, node in beside.items()
        if letters(name) in names and isinstance(node, h5py.Dataset) and node.shape is not None
    ]
