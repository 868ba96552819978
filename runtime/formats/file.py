"""An open file: its columns, their metadata and their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.findings import Findings

from .column import Column

ReadMatrix = Callable[[int, int], NDArray[Any]]
"""Reads rows ``start`` (inclusive) to ``stop`` (exclusive) of adjacent columns; returns shape (rows, columns)."""


class File(ABC):
    """An open file of any format. Threads may share it.

    Attributes
    ----------
    findings : Findings
        The file's path, and notes on what was not read.
    """

    findings: Findings

    @property
    @abstractmethod
    def columns(self) -> Sequence[Column]:
        """All columns: everything that could hold one value per sample."""

    def why_unsupported(self) -> str:
        """Return what the file is, if its container format can be read but its content is not supported; else empty."""
        return ""

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the file states at a path under the given names: in attributes, scalar datasets or metadata.

        Parameters
        ----------
        path : str
            Path of a group or an array, with a leading slash.
        names : container of str
            The names, reduced with `letters`.

        Returns
        -------
        list of (str, str)
            Names and texts; if a name occurs twice, the later text takes precedence.
        """
        return []

    @abstractmethod
    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns, each array once; missing values become NaN, integers become float64.

        Raises
        ------
        ScanError
            If the file is damaged in these rows.
        """

    @abstractmethod
    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text: whole numbers without decimals, missing values blank.

        Raises
        ------
        ScanError
            If the file is damaged in these rows.
        """

    def matrix(self, columns: Sequence[Column], beside: Sequence[Column]) -> ReadMatrix | None:
        """Return a function that reads adjacent columns that need no conversion as one array; None for others.

        The function returns values as stored: floating-point numbers, including sentinels. This is an optimisation
        that a format may offer.

        Parameters
        ----------
        columns : sequence of Column
            The columns.
        beside : sequence of Column
            Columns that are read separately: if one is in the same array, nothing is gained and None is returned.
        """
        return None
