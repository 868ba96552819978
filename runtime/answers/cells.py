"""Rows averaged in cells of 20 cm of depth, and chains of cells without a gap.

20 cm is the resolution that the models are trained at. Time and memory of what works on cells grow with depth, not with
rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH as CELL
from lithovae.runtime.bins import MAX_DEPTH
from lithovae.runtime.errors import ScanError
from lithovae.runtime.missing import Bits

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]

MAX_CELLS = 2_000_000
"""400 km of core. Only rows in no order of depth make more."""
MOST_HELD = 1 << 20
"""Rows of one cell that are held until it is complete; with more, it becomes several."""
MOST_TURNS = 0.1
"""Share of steps against the direction of the others from which the cells of a hole are sorted by depth."""


@dataclass(frozen=True)
class Cells:
    """Some cells, in the order of their rows.

    Attributes
    ----------
    hole : ndarray of shape (n,), int64
        Number of the cell's hole.
    number : ndarray of shape (n,), int64
        Depth of the cell in units of `CELL`.
    low, high : ndarray of shape (n,), float64
        Least and greatest depth of its rows in metres.
    n_rows : ndarray of shape (n,), int64
        Number of its rows.
    sums : ndarray of shape (n, latent_dim), float32
        Sum of their embeddings.
    absent : ndarray of shape (n,), of bits
        Bit ``i`` is set if all its rows lack feature ``i``.
    """

    hole: NDArray[np.int64]
    number: NDArray[np.int64]
    low: Floats
    high: Floats
    n_rows: NDArray[np.int64]
    sums: Float32s
    absent: Bits

    def __len__(self) -> int:
        return len(self.hole)

    @property
    def means(self) -> Float32s:
        """Mean embedding of each cell; shape (n, latent_dim), float32."""
        return np.asarray(self.sums / self.n_rows[:, None].astype(np.float32), np.float32)

    def take(self, which: slice | NDArray[Any]) -> Cells:
        """Return some of the cells."""
        return Cells(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def join(cls, parts: list[Cells]) -> Cells:
        """Return cells one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def merge(self, starts: NDArray[np.intp]) -> Cells:
        """Return one cell for each stretch of cells of one depth, given the first of each."""
        return Cells(
            self.hole[starts],
            self.number[starts],
            np.minimum.reduceat(self.low, starts),
            np.maximum.reduceat(self.high, starts),
            np.add.reduceat(self.n_rows, starts),
            np.add.reduceat(self.sums, starts, axis=0),
            np.bitwise_and.reduceat(self.absent, starts),
        )

    def downwards(self) -> Cells:
        """Return the cells of one hole from its top to its base.

        Rows from the base to the top are reversed, rows in no order are sorted. Where depths only fall back now and
        then, as at the top of a core that overlaps with the one above, the cells stay as they are.
        """
        steps = np.diff(self.number)
        n_up, few = int(np.count_nonzero(steps < 0)), max(1, MOST_TURNS * len(steps))
        if n_up and len(steps) - n_up < few:
            return self.take(slice(None, None, -1))
        if n_up <= few:
            return self
        cells = self.take(np.argsort(self.number, kind="stable"))
        return cells.merge(np.flatnonzero(np.append(True, np.diff(cells.number) > 0)))


@dataclass(frozen=True)
class Core:
    """The cells of one hole from its top to its base, and the chains in which they lie without a gap.

    Attributes
    ----------
    cells : Cells
        The cells.
    step : float
        Usual distance between a cell and the next in metres.
    half_row : float
        How far a row reaches up and down in metres.
    chains : list of (int, int)
        First cell of each chain, and the cell after its last one.
    """

    cells: Cells
    step: float
    half_row: float
    chains: list[tuple[int, int]]

    @classmethod
    def of(cls, cells: Cells, bin_width: float | None) -> Core:
        """Return the core that some cells of one hole make.

        Parameters
        ----------
        cells : Cells
            The cells, in the order of their rows.
        bin_width : float or None
            Height of a row in metres; None if rows are points, which reach half-way to the next.
        """
        cells = cells.downwards()
        between = cells.low[1:] - cells.high[:-1]  # from the last row of a cell to the first of the next
        usual = float(np.median(steps)) if len(steps := between[between > 0]) else 0.0
        row = bin_width or usual
        is_gap = between - row >= max(CELL, usual) - 1e-6
        breaks = 1 + np.flatnonzero(is_gap | (np.diff(cells.number) < 0))
        edges = [0, *breaks.tolist(), len(cells)]
        return cls(cells, max(CELL, usual), row / 2, list(pairwise(edges)))

    def edges(self, first: int, last: int) -> Floats:
        """Return the edges (m) of a chain's cells: the top of the first, half-way between two, the base of the last."""
        low, high = self.cells.low[first:last], self.cells.high[first:last]
        top = low[0] - self.half_row
        top = max(top, 0.0) if low[0] >= 0 else top  # the uppermost bin reaches above the sea floor by its half only
        return np.concatenate([[top], (high[:-1] + low[1:]) / 2, [high[-1] + self.half_row]])


class CellBuilder:
    """Collects rows in cells, block by block. How the rows are cut into blocks does not matter, to the last bit.

    Attributes
    ----------
    n_rows : int
        Number of rows so far, with those that are left out.
    """

    def __init__(self) -> None:
        self.n_rows = self._n_cells = 0
        self._numbers: dict[str, int] = {}
        self._parts: list[Cells] = []
        self._held: _Rows | None = None  # those of the latest cell: the next block may have more of it

    @property
    def holes(self) -> list[str]:
        """Address of each hole, in the order of its first row."""
        return list(self._numbers)

    def add(self, depth: Floats, hole: NDArray[np.str_], embeddings: Float32s, missing: Bits) -> None:
        """Take the next rows. Those without depth or embedding are left out.

        Raises
        ------
        ScanError
            If the depths of very many rows are in no order.
        """
        self.n_rows += len(depth)
        use = (np.abs(depth) <= MAX_DEPTH) & np.isfinite(embeddings[:, 0])  # False for NaN
        if not use.all():
            depth, hole, embeddings, missing = depth[use], hole[use], embeddings[use], missing[use]
        if not len(depth):
            return
        # The centre of a bin is a multiple of its width, and the middle between two a multiple and a half, to rounding.
        number = np.floor(depth / CELL + (0.5 + 1e-6)).astype(np.int64)
        rows = _Rows(self._numbered(hole), number, depth, embeddings, missing)
        if self._held is not None:
            rows = self._held.before(rows)
        starts = rows.starts()
        complete = int(starts[-1])
        self._held = rows.take(slice(complete, None)).copy()
        if complete:
            self._keep(rows.take(slice(complete)).cells(starts[:-1]))
        if len(self._held.depth) >= MOST_HELD:
            self._close()

    def finish(self) -> Cells | None:
        """Return all cells, one hole after the other; None if no row has a depth and an embedding."""
        self._close()
        if not self._parts:
            return None
        cells = Cells.join(self._parts)
        if (np.diff(cells.hole) >= 0).all():
            return cells
        cells = cells.take(np.argsort(cells.hole, kind="stable"))  # rows of several holes by turns
        return cells.merge(np.flatnonzero(np.append(True, (np.diff(cells.hole) != 0) | (np.diff(cells.number) != 0))))

    def _close(self) -> None:
        if self._held is not None:
            self._keep(self._held.cells(self._held.starts()))
            self._held = None

    def _keep(self, cells: Cells) -> None:
        self._n_cells += len(cells)
        if self._n_cells > MAX_CELLS:
            raise ScanError(
                f"the rows make more than {MAX_CELLS:,} stretches of {CELL:g} m: their depths are in no order. Sort "
                "the rows of each hole by depth"
            )
        self._parts.append(cells)

    def _numbered(self, hole: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the number of each row's hole."""
        starts = np.flatnonzero(np.append(True, _changes(hole)))
        numbers = [self._numbers.setdefault(text, len(self._numbers)) for text in hole[starts].tolist()]
        return np.repeat(np.array(numbers, np.int64), np.diff(starts, append=len(hole)))


class _Rows(NamedTuple):
    """Some rows, all with depth and embedding."""

    hole: NDArray[np.int64]
    number: NDArray[np.int64]
    depth: Floats
    embeddings: Float32s
    missing: Bits

    def take(self, which: slice) -> _Rows:
        """Return some of the rows."""
        hole, number, depth, embeddings, missing = self
        return _Rows(hole[which], number[which], depth[which], embeddings[which], missing[which])

    def copy(self) -> _Rows:
        """Return the rows without what they are a view of."""
        hole, number, depth, embeddings, missing = self
        return _Rows(hole.copy(), number.copy(), depth.copy(), embeddings.copy(), missing.copy())

    def before(self, rows: _Rows) -> _Rows:
        """Return these rows, and others after them."""
        return _Rows(
            np.concatenate([self.hole, rows.hole]),
            np.concatenate([self.number, rows.number]),
            np.concatenate([self.depth, rows.depth]),
            np.concatenate([self.embeddings, rows.embeddings]),
            np.concatenate([self.missing, rows.missing]),
        )

    def starts(self) -> NDArray[np.intp]:
        """Return the first row of each cell."""
        is_new = (self.number[1:] != self.number[:-1]) | (self.hole[1:] != self.hole[:-1])
        return np.flatnonzero(np.append(True, is_new))

    def cells(self, starts: NDArray[np.intp]) -> Cells:
        """Return the cells, given the first row of each."""
        return Cells(
            self.hole[starts],
            self.number[starts],
            np.minimum.reduceat(self.depth, starts),
            np.maximum.reduceat(self.depth, starts),
            np.diff(starts, append=len(self.depth)),
            np.add.reduceat(self.embeddings, starts, axis=0),
            np.bitwise_and.reduceat(self.missing, starts),
        )


def _changes(texts: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return where a text differs from the one before; shape (n - 1,)."""
    if texts.strides == (0,):
        return np.zeros(len(texts) - 1, np.bool_)
    words = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), -1)  # many times as fast as texts
    differ = words[1:] != words[:-1]
    return np.asarray(differ.any(axis=1)) if differ.any() else np.zeros(len(texts) - 1, np.bool_)
