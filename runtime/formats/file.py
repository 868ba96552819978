"""An open file: its columns, what it states of them, and their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.findings import Findings

from .column import Column

ReadMatrix = Callable[[int, int], NDArray[Any]]
"""Reads rows, from one (inclusive) to another (exclusive), of neighbouring columns: shape (rows, columns)."""


class File(ABC):
    """An open file of some format. Threads may share it.

    Attributes
    ----------
    findings : Findings
        The file's path, and notes on what was left out.
    """

    findings: Findings

    @property
    @abstractmethod
    def columns(self) -> Sequence[Column]:
        """All that could hold one value per sample."""

    def why_unsupported(self) -> str:
        """Say what the file is where its format is read, but not this use of it; empty where it is."""
        return ""

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the file states at a path under some names: in attributes, single values or metadata.

        Parameters
        ----------
        path : str
            Path of a group or an array, with a leading slash.
        names : container of str
            The names, reduced to their `letters`.

        Returns
        -------
        list of (str, str)
            Names and texts; of two with the same name, the later has precedence.
        """
        return []

    @abstractmethod
    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns, each array once; missing values become NaN, integers float64.

        Raises
        ------
        ScanError
            If the file is damaged there.
        """

    @abstractmethod
    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text: numbers as a person writes them, missing values blank.

        Raises
        ------
        ScanError
            If the file is damaged there.
        """

    def matrix(self, columns: Sequence[Column], beside: Sequence[Column]) -> ReadMatrix | None:
        """Give what reads some columns as one array, where they are neighbours and need no conversion; else None.

        Values are as stored: floating-point numbers, sentinels among them. It is an optimisation that a format may
        offer.

        Parameters
        ----------
        columns : sequence of Column
            The columns.
        beside : sequence of Column
            Columns that are read by themselves: where one is in the same array, nothing is gained.
        """
        return None
