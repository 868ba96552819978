"""A track: the columns of one instrument, read stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.formats.hdf5.column import Column
from lithovae.runtime.formats.hdf5.reading import read_numbers, read_texts
from lithovae.runtime.missing import measurable

from .address import ADDRESS
from .source import Source

if TYPE_CHECKING:
    from .section_depths import Placement

BLOCK_ROWS = 65_536
MAX_BLOCK_ROWS = 1 << 20
MAX_BLOCK_BYTES = 1 << 25
ROWS_IN_FLIGHT = 1 << 21
"""Rows that are in memory at once, however many threads there are: at 100 bytes or so each."""
BYTES_IN_FLIGHT = 1 << 27
"""Bytes that are read at once, however many threads there are. To inflate them, undo the shuffle and turn a table on
its side takes up to five times as much, which has to stay below `lithovae.runtime.process.heartbeat.MEMORY`."""


def blocks_in_flight(threads: int, rows: int, n_bytes: int = 1) -> int:
    """Tell how many blocks of so many rows, and bytes, may be begun but not done with.

    Three more than threads, memory allowing. With one thread it is one: then the caller's is the only thread.
    """
    return 1 if threads == 1 else max(1, min(threads + 3, ROWS_IN_FLIGHT // rows, BYTES_IN_FLIGHT // n_bytes))


def spans(length: int, rows: int) -> Iterator[tuple[int, int]]:
    """Part a length into stretches of so many rows, the last of what is left."""
    return ((start, min(start + rows, length)) for start in range(0, length, rows))


@dataclass(frozen=True)
class Track:
    """Columns of one instrument, or of one table: as many samples each, at the same depths.

    Attributes
    ----------
    features : dict of int to Source
        Features that are taken from here, by position in `FEATURES`.
    depth : Source or None
        Depth of the samples, or their offset in their section where there is a `placement`.
    address : dict of str to Column
        Columns that say where a sample comes from: hole, core, section, ...
    length : int
        Number of samples.
    constants : dict of str to str
        Parts of the address that hold for the whole track: from attributes, or from the names of groups.
    placement : Placement, optional
        Gives samples their depth by their section and their offset in it.
    """

    features: dict[int, Source]
    depth: Source | None
    address: dict[str, Column]
    length: int
    constants: dict[str, str] = field(default_factory=dict)
    placement: Placement | None = None

    @property
    def columns(self) -> list[Column]:
        """All columns that are read."""
        sources = [*self.features.values(), *([self.depth] if self.depth else [])]
        return [source.column for source in sources] + list(self.address.values())

    @property
    def name(self) -> str:
        """What tells it from the other tracks, for people: its depth may be theirs, too."""
        return f"{self.depth_text} beside {next(iter(self.features.values())).column.path}"

    @property
    def depth_text(self) -> str:
        """What its depths are, for people: the column, and the table of sections that places them."""
        return ", ".join(str(part) for part in (self.depth, self.placement) if part)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the address that its samples have, constant or not, from the widest to the narrowest."""
        return tuple(part for part in ADDRESS if part in self.address or part in self.constants)

    @property
    def block_rows(self) -> int:
        """Rows to read at once: whole storage chunks, so that none is decompressed twice."""
        chunk = max(source.column.chunk_rows for source in self.features.values())
        rows = min(-(-BLOCK_ROWS // chunk) * chunk, MAX_BLOCK_ROWS)
        rows = max(1, min(rows, MAX_BLOCK_BYTES // max(source.column.row_bytes for source in self.features.values())))
        return rows // chunk * chunk or rows

    @property
    def block_bytes(self) -> int:
        """Bytes that are read for a block: of whole datasets, of which it is one column perhaps."""
        datasets = {column.place: column for column in self.columns if column.ends is None}
        return max(1, self.block_rows * sum(column.row_bytes for column in datasets.values()))

    def spans(self) -> Iterator[tuple[int, int]]:
        """Part the track into blocks, from a row on (inclusive) to another (exclusive)."""
        return spans(self.length, self.block_rows)

    def stretches(self) -> Iterator[Stretch]:
        """Read the track block by block.

        Raises
        ------
        ScanError
            If the file is damaged.
        """
        return map(self.read, self.spans())

    def read(self, span: tuple[int, int]) -> Stretch:
        """Read a block; several threads may each read one of their own.

        Raises
        ------
        ScanError
            If the file is damaged there.
        """
        return self._read(span, self.features)

    def read_beside(self, span: tuple[int, int]) -> Stretch:
        """Read what lies beside the features in a block: depth and address. Raises as `read` does."""
        return self._read(span, {})

    def _read(self, span: tuple[int, int], features: dict[int, Source]) -> Stretch:
        start, stop = span
        sources = [*features.values(), *([self.depth] if self.depth else [])]
        blocks = read_numbers([source.column for source in sources], start, stop)
        numbers = [scaled(block, source.factor) for source, block in zip(sources, blocks, strict=True)]
        texts = read_texts(list(self.address.values()), start, stop)
        address: dict[str, NDArray[np.str_]] = {
            part: np.broadcast_to(np.array(text), stop - start) for part, text in self.constants.items()
        }
        address |= dict(zip(self.address, texts, strict=True))
        depth = np.asarray(numbers[-1], np.float64) if self.depth else None
        if self.placement and depth is not None:
            depth = self.placement.place(address, depth)
        return Stretch(
            track=self,
            length=stop - start,
            features={i: measurable(values, i) for i, values in zip(features, numbers, strict=False)},
            depth=depth,
            address=address,
        )

    def address_types(self) -> dict[str, np.dtype[Any]]:
        """Find the width of each part of the address, reading a column once where its type does not tell."""
        constant = {part: np.array(text).dtype for part, text in self.constants.items()}
        return constant | {part: _text_type(column) for part, column in self.address.items()}


@dataclass(frozen=True)
class Stretch:
    """A block of a track.

    Attributes
    ----------
    track : Track
        The track.
    length : int
        Number of samples.
    features : dict of int to ndarray of shape (length,), float
        Features in the models' units, by position; NaN where one is missing.
    depth : ndarray of shape (length,), float64, or None
        Depth in metres; NaN where it is missing.
    address : dict of str to ndarray of shape (length,), str
        Parts of the address.
    """

    track: Track
    length: int
    features: dict[int, NDArray[Any]]
    depth: NDArray[np.float64] | None
    address: dict[str, NDArray[np.str_]]


def scaled(values: NDArray[Any], factor: Fraction) -> NDArray[Any]:
    """Bring values to another unit."""
    if factor == 1:
        return values
    # Dividing by 100 rounds as the file in metres would have been; multiplying by 0.01 does not.
    return np.asarray(values.astype(np.float64) * factor.numerator / factor.denominator)


def _text_type(column: Column) -> np.dtype[Any]:
    if column.dtype.kind == "S" and not column.selection.is_line:
        return np.dtype(f"<U{max(1, column.dtype.itemsize)}")
    if column.is_number and column.dtype.kind in "iu":
        info = np.iinfo(column.dtype)
        return np.dtype(f"<U{max(len(str(info.min)), len(str(info.max)))}")
    width = 1
    for start in range(0, column.length, BLOCK_ROWS):
        (texts,) = read_texts([column], start, min(start + BLOCK_ROWS, column.length))
        width = max(width, texts.dtype.itemsize // 4)
    return np.dtype(f"<U{width}")
