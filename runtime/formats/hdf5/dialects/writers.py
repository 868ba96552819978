"""The layouts of programs, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node

from . import matlab, netcdf, pandas, pytables, shapes, xtgeo


class Dialect(Protocol):
    """Interface of each dialect module in this folder."""

    def is_mine(self, node: Node) -> bool:
        """Return whether a group or dataset has this layout."""

    def columns_of(self, node: Node) -> Iterator[Hdf5Column]:
        """List its columns."""


WRITERS: tuple[Dialect, ...] = (matlab, pytables, pandas, xtgeo, netcdf)


def claims(node: Node) -> Dialect | None:
    """Return the dialect of the program that wrote a node; None if none recognises it."""
    return next((dialect for dialect in WRITERS if dialect.is_mine(node)), None)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a dataset."""
    return (claims(node) or shapes).columns_of(node)
