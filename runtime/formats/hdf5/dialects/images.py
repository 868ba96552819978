"""A line-scan image: red, green and blue of each row, averaged across the width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from lithovae.runtime.features import DEPTH, letters
from lithovae.runtime.formats.hdf5.attributes import first_text
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.limits import MAX_ROW_BYTES
from lithovae.runtime.formats.hdf5.selection import ACROSS, ROWS, Axis
from lithovae.runtime.formats.hdf5.walk import Node

from .names import names_for

LAYOUT = "line-scan image, averaged across its width"
ORDERS = ("rgba", "bgra", "rgb", "bgr")
_IMAGE_WORDS = ("rgb", "bgr", "image", "img", "colour", "color", "camera", "photo", "linescan", "lsimg", "pixel")


def is_mine(node: Node) -> bool:
    """Return whether a dataset has three dimensions, as an image has."""
    return len(node.shape) == 3


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the channels of an image; none if it is not a colour image."""
    channels = _channels(node)
    for i, (name, index) in enumerate(channels):
        number = i, len(channels)
        yield Hdf5Column(node.item, name, node.select(*index), name or str(i), number, LAYOUT, node.home)


def _channels(node: Node) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the name and the index of each channel."""
    dataset, shape = node.item, node.shape
    last, first = shape[2] in (3, 4), shape[0] in (3, 4)
    if first_text(dataset, "interlacemode") == "INTERLACE_PLANE":  # HDF5 Image and Palette Specification
        last = False
    elif first_text(dataset, "interlacemode") == "INTERLACE_PIXEL":
        first = False
    if not (last or first) or dataset.dtype.kind not in "iuf":
        return []
    if last and first:
        node.note(f"{shape} could have its channels along the first or the last dimension: not used")
        return []
    rows, width, n = shape if last else (shape[1], shape[2], shape[0])
    axes: tuple[Axis, Axis] = (ROWS, ACROSS)
    depths = {item.shape[0] for name, item in node.beside.items() if _is_depth(name, item)}
    if width in depths and rows not in depths:  # rows and width are swapped
        axes, width = (ACROSS, ROWS), rows
    if width * n * 8 > MAX_ROW_BYTES:
        node.note(f"{shape} has rows too wide for a line scan: not used")
        return []
    channels = next((names for names in names_for(node) if len(names) == n), None)
    if channels is None and not _is_image(node):
        node.note(
            f"{shape} is not marked as an image: not used (name it image or RGB, name its channels in an attribute "
            f"'columns', or map them, as in --map R={node.location}:0)"
        )
        channels = [""] * n
    channels = channels or _order(node, n)
    return [(name, (*axes, i) if last else (i, *axes)) for i, name in enumerate(channels)]


def _is_depth(name: str, item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and DEPTH.rank(name) is not None and bool(item.shape)


def _is_image(node: Node) -> bool:
    """Return whether a dataset is an image: by unsigned bytes, path, or class (HDF5 Image Specification)."""
    dtype = node.item.dtype
    if (dtype.kind == "u" and dtype.itemsize == 1) or first_text(node.item, "class") == "IMAGE":
        return True
    return any(word in letters(node.path) for word in _IMAGE_WORDS)


def _order(node: Node, n: int) -> list[str]:
    """Return the channel names in the order that the dataset's name states; R, G, B if it states none."""
    name = letters(node.path.rpartition("/")[2])
    order = next((order for order in ORDERS if len(order) == n and order in name), "bgra" if "bgr" in name else "rgba")
    return ["alpha" if channel == "a" else channel.upper() for channel in order[:n]]


def colour_order(name: str, n: int) -> list[str]:
    """Return column names for a matrix or array field whose name ends in ``RGB`` or the like; empty for any other."""
    order = next((order for order in ORDERS if len(order) == n and letters(name).endswith(order)), "")
    return ["alpha" if channel == "a" else channel.upper() for channel in order]
