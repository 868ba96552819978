"""Storage that was set aside and is filled in place: the rows that have not been filled yet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.scan.track import Stretch
from lithovae.runtime.scan.written import is_blank_number

HOLD = 2.0
"""Seconds after which a row that only some columns hold is taken: it lacks the others. A flush is faster than that."""
HEAD_ROWS = 10
"""Blank rows before a measured one, at the start of a table or in one of a fixed size, from which on it is refused."""


class UnfollowableError(ScanError):
    """The file is written in a way that cannot be followed."""


class BlankTail:
    """Where the filled rows of a track end.

    A cell is blank if it is missing or zero, as storage is before it is filled. A track counts as set aside once its
    last row has only blank features.

    Attributes
    ----------
    holds : bool
        Whether rows were read that are blank, or filled in part, and have to be read again.
    """

    def __init__(self) -> None:
        self.holds = False
        self._is_set_aside = False
        self._reached: list[tuple[float, int]] = []  # when a number of rows was first seen to be filled in part
        self._odd_since: float | None = None
        self._gap_since: float | None = None
        self._length: int | None = None  # of the track; it stays the same if all storage was set aside

    def n_filled(self, stretch: Stretch, start: int, now: float, *, last: bool) -> int:
        """Return how many rows of a stretch can be taken.

        Parameters
        ----------
        stretch : Stretch
            New rows.
        start : int
            Index of its first row in the track.
        now : float
            Time in seconds.
        last : bool
            Whether it is read for the last time: rows that are filled in part are then taken.

        Raises
        ------
        UnfollowableError
            If the first rows of the track, or later ones in storage that was set aside, are blank, but not those after
            them.
        """
        n, depth = stretch.length, stretch.depth
        ends = [_end(values) for values in stretch.features.values()]
        some = max(ends, default=n)
        if start == 0 and some > HEAD_ROWS and self._is_odd(stretch, now, last):
            self.holds = True
            return 0
        self._is_set_aside |= some < n
        self._length = stretch.track.length if self._length is None else self._length
        if not self._is_set_aside:
            return n
        if self._length == stretch.track.length and (before := self._before_gap(stretch, some, now, last)) is not None:
            self.holds = True
            return before
        every = min(ends if depth is None else [*ends, _end(depth)])
        if last:
            self.holds = False
            return some if depth is None else max(some, _end(depth))
        if not self._reached or self._reached[-1][1] < start + some:
            self._reached.append((now, start + some))
        old = [rows - start for when, rows in self._reached if now - when >= HOLD]
        taken = min(max([every, *old]), n)
        self._reached = [(when, rows) for when, rows in self._reached if now - when < HOLD]
        self.holds = taken < n
        return taken

    def _is_odd(self, stretch: Stretch, now: float, last: bool) -> bool:
        """Return whether the first rows are blank but not later ones; it may be so for the moment of a flush."""
        columns = [*stretch.features.values(), *([] if stretch.depth is None else [stretch.depth])]
        if any(_end(values[:HEAD_ROWS]) for values in columns):
            self._odd_since = None
            return False
        if self._odd_since is None:
            self._odd_since = now
        if last or now - self._odd_since > HOLD:
            raise _unfollowable(f"the first {HEAD_ROWS} rows of {stretch.track.name}")
        return True

    def _before_gap(self, stretch: Stretch, some: int, now: float, last: bool) -> int | None:
        """Return the number of rows before one that is blank while a later one is not; None if there is none.

        It may be filled in a moment, or be a row without a reading.
        """
        columns = [*stretch.features.values(), *([] if stretch.depth is None else [stretch.depth])]
        is_blank = np.logical_and.reduce([is_blank_number(values[:some]) for values in columns])
        if not is_blank.any():
            self._gap_since = None
            return None
        self._gap_since = now if self._gap_since is None else self._gap_since
        if not last and now - self._gap_since <= HOLD:
            return int(np.argmax(is_blank))
        filled = np.flatnonzero(np.append(~is_blank, True))
        if np.diff(filled, prepend=-1).max() > HEAD_ROWS:
            raise _unfollowable(f"{HEAD_ROWS} rows of {stretch.track.name}")
        return None


def _unfollowable(rows: str) -> UnfollowableError:
    return UnfollowableError(
        f"{rows} are blank, but not later ones: a table that is filled in another order than from its first row on "
        "cannot be followed; embed it with lithovae run when it is complete"
    )


def _end(values: NDArray[Any]) -> int:
    """Return the number of values up to the last that is not blank."""
    filled = np.flatnonzero(~is_blank_number(values))
    return int(filled[-1]) + 1 if len(filled) else 0
