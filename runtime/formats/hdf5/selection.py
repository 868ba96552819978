"""Which values of a dataset form a column: one per row, or several across a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from numpy.typing import NDArray


class Axis(Enum):
    """Role of a dimension of a dataset."""

    ROWS = "rows"
    """The samples of a column lie along it."""
    ACROSS = "across"
    """The values of one sample lie along it: the pixels of an image row, the characters of a text."""


ROWS, ACROSS = Axis.ROWS, Axis.ACROSS


@dataclass(frozen=True)
class Selection:
    """A part of a dataset: one value per row, or one line of values per row.

    Attributes
    ----------
    index : tuple of int or Axis
        For each dimension of the dataset, and then of the field: `ROWS` (once), `ACROSS` (at most once), or the
        position that is selected. ``(ROWS,)`` is a 1-D dataset, ``(ROWS, 3)`` the fourth column of a matrix,
        ``(3, ROWS)`` the fourth row of a transposed matrix, ``(ROWS, ACROSS, 0)`` the red channel of an image.
    field : tuple of str
        Name of the field of a compound dataset, then of the field within it, and so on; empty if there is none.
    """

    index: tuple[int | Axis, ...] = (ROWS,)
    field: tuple[str, ...] = ()

    @property
    def axis(self) -> int:
        """The dimension of the dataset along which the rows lie."""
        return self.index.index(ROWS)

    @property
    def is_line(self) -> bool:
        """Whether a row has several values."""
        return ACROSS in self.index

    def of(self, block: NDArray[Any], window: tuple[slice, ...]) -> NDArray[Any]:
        """Extract the selection from a block that was read.

        Parameters
        ----------
        block : ndarray
            Values of the window.
        window : tuple of slice
            The window that was read; see `window_of`.

        Returns
        -------
        ndarray of shape (rows,) or (rows, width)
        """
        for name in self.field:
            block = block[name]
        firsts = [part.start for part in window] + [0] * (len(self.index) - len(window))
        positions = tuple(
            slice(None) if isinstance(at, Axis) else at - first for at, first in zip(self.index, firsts, strict=True)
        )
        taken = block[positions]
        return taken.T if self.is_line and self.index.index(ACROSS) < self.axis else taken


def window_of(selections: Sequence[Selection], n_dims: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the smallest window of a dataset that covers the rows ``start`` to ``stop`` of several selections."""
    window = []
    for dimension in range(n_dims):
        at = [selection.index[dimension] for selection in selections]
        if at[0] is ROWS:
            window.append(slice(start, stop))
        elif at[0] is ACROSS:
            window.append(slice(0, None))
        else:
            positions = [position for position in at if isinstance(position, int)]
            window.append(slice(min(positions), max(positions) + 1))
    return tuple(window)
