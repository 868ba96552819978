"""Codes that stand for labels or numbers: HDF5 enumerations and the categories of pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .attributes import as_numbers, find_attributes, first_text, has_attribute, number_text
from .declared import FILL_ATTRIBUTES


@dataclass(frozen=True)
class Legend:
    """What the codes of a column stand for. A code that is not in it stands for nothing, and is missing.

    Attributes
    ----------
    codes : ndarray of shape (n,), int64
        The codes, ascending.
    values : ndarray of shape (n,), str or float64
        What each stands for.
    """

    codes: NDArray[np.int64]
    values: NDArray[Any]

    @classmethod
    def of_enum(cls, dataset: Any, dtype: Any) -> Legend | None:
        """Return the legend of an enumeration; None if a type is not one. Declared fills stand for nothing."""
        names = h5py.check_enum_dtype(dtype)
        if names is None:
            return None
        fills = {int(number) for value in find_attributes(dataset, *FILL_ATTRIBUTES) for number in as_numbers(value)}
        return cls._of_pairs([(int(code), name) for name, code in names.items() if int(code) not in fills])

    @classmethod
    def of_flags(cls, dataset: Any) -> Legend | None:
        """Return the legend of a variable whose attributes explain its numbers, as CF has it; None if none do."""
        if not has_attribute(dataset, "flagmeanings"):
            return None
        meanings = first_text(dataset, "flagmeanings").split()
        codes = [int(code) for value in find_attributes(dataset, "flagvalues") for code in as_numbers(value)]
        return cls._of_pairs(list(zip(codes, meanings, strict=True))) if len(codes) == len(meanings) else None

    @classmethod
    def _of_pairs(cls, pairs: list[tuple[int, str]]) -> Legend:
        items = sorted(pairs)
        return cls(np.array([code for code, _ in items], np.int64), np.array([name for _, name in items], np.str_))

    @classmethod
    def of_categories(cls, values: NDArray[Any]) -> Legend:
        """Return the legend of codes that count some values from 0."""
        return cls(np.arange(len(values)), values)

    def numbers(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Return the numbers that codes stand for, NaN for missing ones; the shape is kept."""
        at, is_known = self._find(stored)
        return np.where(is_known, np.append(self.values, np.nan)[at], np.nan)

    def texts(self, stored: NDArray[Any]) -> list[str]:
        """Return the labels that codes stand for, blank for missing ones; whole numbers without decimals."""
        if self.values.dtype.kind == "f":
            return [number_text(number) for number in self.numbers(stored).tolist()]
        at, is_known = self._find(stored)
        return [str(text) for text in np.where(is_known, np.append(self.values, "")[at], "")]

    def _find(self, stored: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        codes = stored.astype(np.int64)
        at = np.searchsorted(self.codes, codes)
        is_inside = at < len(self.codes)
        return at, is_inside & (np.append(self.codes, 0)[at] == codes)
