"""A line-scan image as colour: red, green and blue of each row, averaged across the width."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from lithovae.runtime.features import letters

from .attributes import first_text
from .column import Column
from .selection import ACROSS, ROWS, Axis

IMAGE = "line-scan image, averaged across its width"
ORDERS = ("rgba", "bgra", "rgb", "bgr")
_IMAGE_WORDS = ("rgb", "bgr", "image", "img", "colour", "color", "camera", "photo", "linescan", "lsimg", "pixel")
MAX_ROW_BYTES = 1 << 25
"""Bytes of a row as float64 beyond which an image is no line scan."""


def image_columns(
    dataset: Any, shape: Sequence[int], names: list[list[str]], depths: Container[int], notes: list[str]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Find the colours of a 3-D dataset.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    shape : sequence of int
        Its shape in the order in which its writer thinks.
    names : list of list of str
        What might name its channels.
    depths : container of int
        Lengths of the depths beside it, which tell the rows from the width.
    notes : list of str
        Takes why it is not used.

    Returns
    -------
    list of (str, tuple)
        Name and index of each channel; empty where it is no image of colours.
    """
    place = str(dataset.name).lstrip("/")
    last, first = shape[2] in (3, 4), shape[0] in (3, 4)
    if first_text(dataset, "interlacemode") == "INTERLACE_PLANE":  # HDF5 Image and Palette Specification
        last = False
    elif first_text(dataset, "interlacemode") == "INTERLACE_PIXEL":
        first = False
    if not (last or first) or dataset.dtype.kind not in "iuf":
        return []
    if last and first:
        notes.append(f"{place} {tuple(shape)} may have its colours along either end: not used")
        return []
    rows, width, n = shape if last else (shape[1], shape[2], shape[0])
    axes: tuple[Axis, Axis] = (ROWS, ACROSS)
    if width in depths and rows not in depths:  # it lies on its side
        axes, width = (ACROSS, ROWS), rows
    if width * n * 8 > MAX_ROW_BYTES:
        notes.append(f"{place} {tuple(shape)} has rows too wide for a line scan: not used")
        return []
    channels = next((given for given in names if len(given) == n), None)
    if channels is None and not _is_image(dataset):
        notes.append(
            f"{place} {tuple(shape)} does not say that it is an image: not used (name it image or RGB, its channels in "
            f"an attribute 'columns', or map them, as in --map R={place}:0)"
        )
        channels = [""] * n
    channels = channels or _order(dataset, n)
    return [(name, (*axes, i) if last else (i, *axes)) for i, name in enumerate(channels)]


def _is_image(dataset: Any) -> bool:
    """Tell whether a dataset is an image: by its bytes, its name, or its class (HDF5 Image Specification)."""
    if (dataset.dtype.kind == "u" and dataset.dtype.itemsize == 1) or first_text(dataset, "class") == "IMAGE":
        return True
    return any(word in letters(str(dataset.name)) for word in _IMAGE_WORDS)


def _order(dataset: Any, n: int) -> list[str]:
    """Tell the order of the channels by the dataset's name; R, G, B, as images have it, where that says nothing."""
    name = letters(str(dataset.name).rpartition("/")[2])
    order = next((order for order in ORDERS if len(order) == n and order in name), "bgra" if "bgr" in name else "rgba")
    return ["alpha" if channel == "a" else channel.upper() for channel in order[:n]]


def colour_order(name: str, n: int) -> list[str]:
    """Name the columns of a matrix or an array field that is called ``RGB``; empty where it is not."""
    order = next((order for order in ORDERS if len(order) == n and letters(name).endswith(order)), "")
    return ["alpha" if channel == "a" else channel.upper() for channel in order]


def is_wide_integer(column: Column) -> bool:
    """Tell whether an image is kept in integers of more than 8 bits: from 0 to 65535, or to 255, it does not say."""
    return column.selection.is_line and column.dtype.kind in "iu" and column.dtype.itemsize > 1
