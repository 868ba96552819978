"""A track: the columns of one instrument, read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import DEPTH, FeatureSet
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.missing import measurable

from .address import ADDRESS, normal_labels
from .blocks import BLOCK_ROWS, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, spans
from .mapping import MAPPED_DEPTH as DEPTH_KEY
from .markers import Markers
from .section_depths import NOTHING_LOST, Lost, SectionDepths
from .source import Source


@dataclass(frozen=True)
class Track:
    """Columns of one instrument or table: the same number of samples each, at the same depths.

    Attributes
    ----------
    file : File
        The file that the track is read from.
    feature_set : FeatureSet
        The features that are looked for in the scan.
    features : dict of int to Source
        Features that the track provides, by position in ``feature_set``.
    depth : Source or None
        Depth of the samples, or their offset in the section if there are `section_depths`.
    address : dict of str to Column
        Columns of the address of each sample: hole, core, section, ...
    length : int
        Number of samples.
    constants : dict of str to str
        Parts of the address that apply to the whole track, from attributes or names of groups.
    section_depths : SectionDepths, optional
        Computes depths from sections and offsets.
    unreadable : str
        Which columns of the address of its samples cannot be read, and why; empty if all can.
    first : int
        Row of the columns that holds the first sample; the rows before it were never written.
    """

    file: File
    feature_set: FeatureSet
    features: dict[int, Source]
    depth: Source | None
    address: dict[str, Column]
    length: int
    constants: dict[str, str] = field(default_factory=dict)
    section_depths: SectionDepths | None = None
    unreadable: str = ""
    first: int = 0

    @property
    def columns(self) -> list[Column]:
        """All columns that are read."""
        sources = [*self.features.values(), *([self.depth] if self.depth else [])]
        return [source.column for source in sources] + list(self.address.values())

    @property
    def name(self) -> str:
        """Name of the track for messages; it names a feature, because tracks may share a depth column."""
        return f"{self.depth_text} beside {next(iter(self.features.values())).column.path}"

    @property
    def depth_text(self) -> str:
        """Source of the depths, for messages: the column, and the table of sections if there is one."""
        return ", ".join(str(part) for part in (self.depth, self.section_depths) if part)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the address of its samples, constant or not, from the widest to the narrowest."""
        return tuple(part for part in ADDRESS if part in self.address or part in self.constants)

    @property
    def block_rows(self) -> int:
        """Number of rows to read at once: whole storage chunks, so that none is decompressed twice."""
        chunk = max(source.column.chunk_rows for source in self.features.values())
        rows = min(-(-BLOCK_ROWS // chunk) * chunk, MAX_BLOCK_ROWS)
        rows = max(1, min(rows, MAX_BLOCK_BYTES // max(source.column.row_bytes for source in self.features.values())))
        return rows // chunk * chunk or rows

    @property
    def block_bytes(self) -> int:
        """Bytes read per block: whole arrays, even if only one of their columns is used."""
        arrays = {column.array: column for column in self.columns}
        return max(1, self.block_rows * sum(column.row_bytes for column in arrays.values()))

    def spans(self) -> Iterator[tuple[int, int]]:
        """Divide the track into blocks, each from a first row (inclusive) to a last row (exclusive)."""
        return spans(self.length, self.block_rows)

    def rows(self, span: tuple[int, int]) -> tuple[int, int]:
        """Return the rows of the columns that a span of samples is in."""
        return self.first + span[0], self.first + span[1]

    def stretches(self) -> Iterator[Stretch]:
        """Read the track block by block.

        Raises
        ------
        ScanError
            If the file is damaged.
        """
        return map(self.read, self.spans())

    def read(self, span: tuple[int, int]) -> Stretch:
        """Read a block. Several threads may read different blocks at the same time.

        Raises
        ------
        ScanError
            If the file is damaged in this block.
        """
        return self._read(span, self.features)

    def read_beside(self, span: tuple[int, int]) -> Stretch:
        """Read only the depth and address of a block, without features. Raises the same errors as `read`."""
        return self._read(span, {})

    def read_depth(self, span: tuple[int, int]) -> NDArray[np.float64]:
        """Read the depth alone, without that of the section; the track must have one."""
        assert self.depth
        (values,) = self.file.read_numbers([self.depth.column], *self.rows(span))
        return self.depth.scaled(self.depth_markers.without(values))

    def _read(self, span: tuple[int, int], features: dict[int, Source]) -> Stretch:
        start, stop = self.rows(span)
        sources = [*features.values(), *([self.depth] if self.depth else [])]
        blocks = self.file.read_numbers([source.column for source in sources], start, stop)
        markers = [self.markers[i] for i in [*features, *([DEPTH_KEY] if self.depth else [])]]
        numbers = [
            source.scaled(marker.without(block)) for source, marker, block in zip(sources, markers, blocks, strict=True)
        ]
        texts = self.file.read_texts(list(self.address.values()), start, stop)
        address: dict[str, NDArray[np.str_]] = {
            part: np.broadcast_to(np.array(text), stop - start) for part, text in self.constants.items()
        }
        address |= {part: normal_labels(part, found) for part, found in zip(self.address, texts, strict=True)}
        depth = np.asarray(numbers[-1], np.float64) if self.depth else None
        lost = NOTHING_LOST
        if self.section_depths and depth is not None:
            depth, lost = self.section_depths.of(address, depth)
        return Stretch(
            track=self,
            length=stop - start,
            features={i: measurable(values, self.feature_set[i]) for i, values in zip(features, numbers, strict=False)},
            depth=depth,
            address=address,
            lost=lost,
        )

    @cached_property
    def markers(self) -> dict[int, Markers]:
        """What means "no reading" in each feature's column, by its position, and in that of the depth."""
        found = {
            i: Markers(source, self.feature_set[i], partial(self._whole, source)) for i, source in self.features.items()
        }
        if self.depth:
            found[DEPTH_KEY] = self.depth_markers
        return found

    @cached_property
    def depth_markers(self) -> Markers:
        """What means "no reading" in the column of the depth; the track must have one."""
        assert self.depth
        return Markers(self.depth, DEPTH, partial(self._whole, self.depth))

    def _whole(self, source: Source) -> Iterator[NDArray[Any]]:
        return (self.file.read_numbers([source.column], *self.rows(span))[0] for span in self.spans())

    def address_types(self) -> dict[str, np.dtype[Any]]:
        """Return the string dtype of each part of the address; a column of unlimited length is read once to find it."""
        constant = {part: np.array(text).dtype for part, text in self.constants.items()}
        return constant | {part: self._text_type(column) for part, column in self.address.items()}

    def _text_type(self, column: Column) -> np.dtype[Any]:
        width = column.text_width
        if width is None:
            width = 1
            for span in spans(column.length, BLOCK_ROWS):
                (texts,) = self.file.read_texts([column], *span)
                width = max(width, texts.dtype.itemsize // 4)
        return np.dtype(f"<U{width}")


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
        Features in the models' units, by position in the feature set; NaN where missing.
    depth : ndarray of shape (length,), float64, or None
        Depth in metres; NaN where missing.
    address : dict of str to ndarray of shape (length,), str
        Parts of the address.
    lost : Lost
        Samples without a depth because the table of sections does not provide it.
    """

    track: Track
    length: int
    features: dict[int, NDArray[Any]]
    depth: NDArray[np.float64] | None
    address: dict[str, NDArray[np.str_]]
    lost: Lost = NOTHING_LOST
