"""Names for the columns of a matrix or the channels of an image: an attribute, or a text dataset in the same group."""

from __future__ import annotations

from collections.abc import Sequence

import h5py

from lithovae.runtime.features import letters
from lithovae.runtime.formats.hdf5.attributes import as_texts, find_attributes
from lithovae.runtime.formats.hdf5.short_texts import read_names
from lithovae.runtime.formats.hdf5.walk import Node

NAME_ATTRIBUTES = ("columns", "columnnames", "featurenames", "features", "names", "fields", "channels", "labels")
NAMES_BESIDE = ("columns", "columnnames", "featurenames", "features", "fields", "channels")


def names_for(node: Node) -> list[list[str]]:
    """List the lists of names that may apply to the columns of a dataset: from its attributes, then from its group."""
    stated = [as_texts(value) for value in find_attributes(node.item, *NAME_ATTRIBUTES)]
    own = letters(node.path.rpartition("/")[2])
    return stated + texts_beside(node, [*NAMES_BESIDE, *(f"{own}{name}" for name in NAME_ATTRIBUTES)])


def texts_beside(node: Node, names: Sequence[str]) -> list[list[str]]:
    """List the contents of the text datasets with these names in the group of a dataset."""
    return [
        read_names(item)
        for name, item in node.beside.items()
        if letters(name) in names and isinstance(item, h5py.Dataset) and item.shape is not None
    ]
