"""The dialects of programs, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node

from . import matlab, netcdf, pandas, pytables, shapes, xtgeo


class Dialect(Protocol):
    """What each module of this folder that is a dialect has."""

    def is_mine(self, node: Node) -> bool:
        """Tell whether a group or dataset is laid out so."""

    def columns_of(self, node: Node) -> Iterator[Hdf5Column]:
        """List its columns."""


WRITERS: tuple[Dialect, ...] = (matlab, pytables, pandas, xtgeo, netcdf)


def claims(node: Node) -> Dialect | None:
    """Give the dialect of the program that wrote a group; None where its members are looked at one by one."""
    return next((dialect for dialect in WRITERS if dialect.is_mine(node)), None)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a dataset."""
    return (claims(node) or shapes).columns_of(node)
