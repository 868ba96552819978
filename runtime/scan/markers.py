"""Numbers that mean "no reading" in some files and are values in others: what they are in one column.

A number of `BY_QUANTITY` outside the plausible range of the column's quantity means "no reading": no density is -99.9.
Inside that range it is a value (a susceptibility may be -99.9), unless the column itself says otherwise: the number
occurs again, and no other value of the column is within half its size. A measurement has neighbours; a code has none.
A single -99.9 (not -99, which may be a count) is one only if many other values are there, and none is nearly as low.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import DEPTH, RED, Quantity
from lithovae.runtime.missing import BY_QUANTITY, equals_any

from .source import Source

LEAST = 2
"""How often a number must occur in a column before it may mean "no reading" there."""
ALONE = 20
"""Number of other values, all above a tenth of it, beside which a single negative number with decimals means it too."""


_MARKS = np.array(BY_QUANTITY)


class Markers:
    """What the numbers of `BY_QUANTITY` mean in one column. Threads may share it.

    Parameters
    ----------
    source : Source
        The column.
    quantity : Quantity
        What it measures.
    read : callable
        Reads the whole column, block by block. Called at most once, and only if one of the numbers occurs.
    """

    def __init__(self, source: Source, quantity: Quantity, read: Callable[[], Iterator[NDArray[Any]]]) -> None:
        low, high = quantity.plausible
        more = _of_type(source.column.dtype, quantity)
        self._known = (*BY_QUANTITY, *more)
        marks = np.append(_MARKS, more)
        values = source.scaled(marks)
        is_value = (low <= values) & (values <= high)
        self._never = tuple(marks[~is_value].tolist())
        # Depths pass through all positive numbers.
        self._perhaps = tuple(marks[is_value & (marks < 0) if quantity is DEPTH else is_value].tolist())
        self._marks = (*self._never, *self._perhaps)
        self._path, self._read, self._lock = source.column.path, read, Lock()
        self._ordinary: frozenset[float] = frozenset()  # those of which a neighbour has been seen
        self._found: tuple[float, ...] | None = None
        self._n_found: dict[float, int] = {}
        self.lowest = max(mark for mark in self._marks if mark < 0) + 0.5
        self.highest = min(mark for mark in self._marks if mark > 0) - 0.5

    def without(self, values: NDArray[Any]) -> NDArray[Any]:
        """Replace the numbers that mean "no reading" with NaN.

        Parameters
        ----------
        values : ndarray of shape (n,), float
            Values in the unit of the file. Not modified; returned itself if it contains none.
        """
        far = (values <= self.lowest) | (values >= self.highest)
        if not far.any() or not (far := equals_any(values, far, self._marks)).any():
            return values  # nearly every block
        bad = equals_any(values, far, self._never)
        doubtful = [mark for mark in self._perhaps if mark not in self._ordinary]
        doubtful = [mark for mark in doubtful if equals_any(values, far, (mark,)).any()]
        if doubtful:
            near = _neighbours(values, doubtful, self._known)
            self._ordinary |= {mark for mark, n in zip(doubtful, near.tolist(), strict=True) if n}
            if not near.all():
                bad |= equals_any(values, far, self.found)
        return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values

    @property
    def found(self) -> tuple[float, ...]:
        """The plausible numbers that mean "no reading" in this column; it is read once to find them."""
        with self._lock:
            if self._found is None:
                self._found = self._survey()
            return self._found

    def _survey(self) -> tuple[float, ...]:
        counts, near = np.zeros((2, len(self._perhaps)), np.int64)
        lowest, n_others = np.inf, 0
        for values in self._read():
            every = np.ones(len(values), np.bool_)
            others = values[~np.isnan(values) & ~equals_any(values, every, self._known)]
            lowest, n_others = min(lowest, others.min(initial=np.inf)), n_others + len(others)
            near += _neighbours(values, self._perhaps, self._known)
            counts += [np.count_nonzero(equals_any(values, every, (mark,))) for mark in self._perhaps]
        marks = np.array(self._perhaps)
        is_alone = (counts == 1) & (marks < 0) & (marks % 1 != 0) & (lowest > marks / 10) & (n_others >= ALONE)
        self._n_found = dict(zip(marks.tolist(), counts.tolist(), strict=True))
        return tuple(marks[((counts >= LEAST) & (near == 0)) | is_alone].tolist())

    @property
    def note(self) -> str:
        """Note for the user on plausible numbers that were taken as missing; empty if there are none."""
        if not self._found:
            return ""
        named = ", ".join(f"{mark:g}" for mark in self._found)
        often = "more than once" if max(self._n_found[mark] for mark in self._found) > 1 else "once"
        return f"{self._path} holds {named} {often}, and no other value near: taken as missing"


def _of_type(dtype: np.dtype[Any], quantity: Quantity) -> tuple[float, ...]:
    """Return further numbers that a stored type makes "no reading": as float16 rounds them, extremes of single bytes.

    The latter are ordinary colours.
    """
    if dtype.kind == "f" and dtype.itemsize == 2:
        with np.errstate(over="ignore"):
            rounded = np.array(BY_QUANTITY, np.float16).astype(np.float64)
        return tuple(sorted({*rounded[np.isfinite(rounded)].tolist()} - {*BY_QUANTITY}))
    if dtype.itemsize == 1 and quantity.unit != RED.unit:
        return {"i": (-128.0, -127.0, 127.0), "u": (255.0,)}.get(dtype.kind, ())
    return ()


def _neighbours(values: NDArray[Any], marks: Sequence[float], known: tuple[float, ...]) -> NDArray[np.int64]:
    """Count the values, other than those ``known`` to be marks, that are within half the size of each mark."""
    is_mark = equals_any(values, np.ones(len(values), np.bool_), known)
    others = np.sort(values[~is_mark & ~np.isnan(values)]).astype(np.float64)
    centre, reach = np.array(marks), np.abs(marks) / 2
    return np.searchsorted(others, centre + reach, "right") - np.searchsorted(others, centre - reach, "left")
