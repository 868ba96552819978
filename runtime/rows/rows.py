"""Rows for the model: a scan's own if all its tables hold the same features, else depth bins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH, require_width
from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import NEVER_VALUES, Extremes, without_sentinels
from lithovae.runtime.process.pool import in_order
from lithovae.runtime.process.progress import Progress
from lithovae.runtime.scan.blocks import BLOCK_ROWS, blocks_in_flight, spans
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.section_depths import NOTHING_LOST, Lost
from lithovae.runtime.scan.track import Stretch, Track
from lithovae.runtime.settings import BinWidth

from .binning import Binning
from .blank_rows import blank_notes, may_have_blank_rows, without_blank_rows
from .block import Block
from .matrix import FeatureMatrix


@dataclass(frozen=True)
class Rows:
    """The rows of a scan, in blocks that are read on demand.

    Attributes
    ----------
    features : FeatureSet
        The features of the rows.
    n : int
        Number of rows.
    blocks : iterator of callable
        Each reads and returns a `Block`. Any thread may call it.
    in_flight : int
        Largest number of blocks that may be in memory at once.
    address_types : dict of str to dtype
        Text type of each part of the address.
    has_depth : bool
        Whether the blocks have depths.
    bin_width : float or None
        Width of the depth bins in metres; None if the rows are the scan's own.
    n_left_out : int
        Number of samples, of all instruments, that are in no bin because their depth is missing.
    left_out : ndarray of shape (n_features,), int64
        Number of these for each feature's instrument.
    n_implausible : ndarray of shape (n_features,), int64
        Number of samples of each feature left out of the bins' means because they are implausible.
    lost : Lost
        The samples whose depth the table of sections does not give.
    tracks : list of Track
        The tracks that the rows are read from.
    bin_notes : list of str
        Notes on the bins.
    blank_rows : dict of int to int
        Number of rows that hold no reading, by the first row of their block.
    """

    features: FeatureSet
    n: int
    blocks: Iterator[Callable[[], Block]]
    in_flight: int
    address_types: dict[str, np.dtype[Any]]
    left_out: NDArray[np.int64]
    n_implausible: NDArray[np.int64]
    has_depth: bool = True
    bin_width: float | None = None
    n_left_out: int = 0
    lost: Lost = NOTHING_LOST
    tracks: list[Track] = field(default_factory=list)
    bin_notes: list[str] = field(default_factory=list)
    blank_rows: dict[int, int] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Notes on the bins, and on the values of the blocks that have been read so far."""
        markers = (marker for track in self.tracks for marker in track.markers.values())
        notes = [*self.bin_notes, *(note for marker in markers if (note := marker.note))]
        return [*notes, *blank_notes(sum(self.blank_rows.values()))]


def rows_of(scan: Scan, progress: Progress, bin_width: BinWidth = "auto", threads: int = 1) -> Rows:
    """Return the rows of a scan. Bins are filled before this returns; own rows are read when a block is called.

    Parameters
    ----------
    scan : Scan
        The open scan.
    progress : callable
        Wraps iterables to show progress; see `lithovae.runtime.console.progress`.
    bin_width : float, None or "auto"
        Width of the depth bins in metres; see `BinWidth`.
    threads : int
        Number of threads that read samples to be binned.

    Raises
    ------
    InputError
        If the width is out of range.
    ScanError
        If the file is damaged or, for bins, if samples have no depth, holes cannot be distinguished or depths start
        again with each section. Also if own rows are requested and the tables hold different features.
    """
    width = width_of(scan, bin_width)
    return _own_rows(scan, threads) if width is None else _binned_rows(scan, progress, width, threads)


def width_of(scan: Scan, bin_width: BinWidth) -> float | None:
    """Return the width of a scan's bins in metres; None if its own rows are kept.

    Raises
    ------
    InputError
        If the width is out of range.
    ScanError
        If own rows are requested and the tables hold different features.
    """
    alike = len({frozenset(track.features) for track in scan.tracks}) == 1
    if bin_width == "auto":
        bin_width = None if alike else BIN_WIDTH
    if bin_width is None and not alike:
        grids = "; ".join(
            dict.fromkeys(", ".join(scan.feature_set[i].name for i in track.features) for track in scan.tracks)
        )
        raise ScanError(f"`--bin none` needs one depth grid; these features use several ({grids}). Try `--bin 0.2`")
    return None if bin_width is None else require_width(bin_width)


def _own_rows(scan: Scan, threads: int) -> Rows:
    types = {part: np.array(text).dtype for part, text in scan.address.items()}
    for track in scan.tracks:
        for part, dtype in track.address_types().items():
            types[part] = np.promote_types(types.get(part, dtype), dtype)
    has_depth = any(track.depth is not None for track in scan.tracks)
    total, constant = sum(track.length for track in scan.tracks), {part: scan.address.get(part, "") for part in types}
    blank_rows: dict[int, int] = {}

    def read(track: Track, matrix: FeatureMatrix | None, span: tuple[int, int], first: int) -> Block:
        beside = None if matrix is None else track.read_beside(span)
        if matrix is None or beside is None or may_have_blank_rows(beside.depth):
            stretch, blank_rows[first] = without_blank_rows(track.read(span))
            return own_block(stretch, constant, has_depth, first)
        rows, known = matrix.read(span)
        return _make_block(beside, rows, constant, has_depth, first, known)

    def blocks() -> Iterator[Callable[[], Block]]:
        before = 0
        for track in scan.tracks:
            matrix = FeatureMatrix.of(track)
            for span in track.spans():
                yield partial(read, track, matrix, span, before + span[0])
            before += track.length

    ahead = _in_flight(scan.tracks, threads)
    nothing = np.zeros(len(scan.feature_set), np.int64)
    return Rows(
        scan.feature_set,
        total,
        blocks(),
        ahead,
        types,
        nothing,
        nothing,
        has_depth=has_depth,
        tracks=scan.tracks,
        blank_rows=blank_rows,
    )


def _in_flight(tracks: list[Track], threads: int) -> int:
    rows, n_bytes = max(track.block_rows for track in tracks), max(track.block_bytes for track in tracks)
    return blocks_in_flight(threads, rows, n_bytes)


def own_block(stretch: Stretch, constant: dict[str, str], has_depth: bool, first: int | None = None) -> Block:
    """Return the samples of a stretch as rows.

    Parameters
    ----------
    stretch : Stretch
        The samples.
    constant : dict of str to str
        All parts of the rows' address, with the text of those that the stretch does not have.
    has_depth : bool
        Whether the block has a depth; it is NaN if the stretch has none.
    first : int, optional
        Index of the first row among all rows, if it is known.
    """
    n = stretch.length
    rows = np.empty((n, len(stretch.track.feature_set)), np.float32)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
        for i in range(rows.shape[1]):
            rows[:, i] = stretch.features.get(i, np.nan)
    rows = without_sentinels(rows, sentinels=NEVER_VALUES)  # a float64 number may have been rounded to a sentinel
    return _make_block(stretch, rows, constant, has_depth, first)


def _make_block(
    stretch: Stretch,
    rows: NDArray[np.float32],
    constant: dict[str, str],
    has_depth: bool,
    first: int | None,
    known: Extremes | None = None,
) -> Block:
    n = stretch.length
    depth = np.full(n, np.nan) if stretch.depth is None and has_depth else stretch.depth
    texts = {part: np.broadcast_to(np.array(text), n) for part, text in constant.items()}
    return Block(rows, depth, texts | stretch.address, first=first, known=known, lost=stretch.lost)


def _binned_rows(scan: Scan, progress: Progress, width: float, threads: int) -> Rows:
    binning, n_blank = Binning(scan, width), 0
    total = sum(track.length for track in scan.tracks)
    reads = (partial(track.read, span) for track in scan.tracks for span in track.spans())
    with in_order(lambda read: read(), reads, threads, _in_flight(scan.tracks, threads)) as stretches:
        for stretch in progress(stretches, "binning", total, lambda stretch: stretch.length):
            written, n = without_blank_rows(stretch)
            binning.add(written)
            n_blank += n
    binning.require_rows()
    n = len(binning.bins)
    blocks = (partial(binning.block, slice(*span)) for span in spans(n, BLOCK_ROWS))
    types = {part: values.dtype for part, values in binning.block(slice(0)).address.items()}
    return Rows(
        scan.feature_set,
        n,
        blocks,
        blocks_in_flight(threads, BLOCK_ROWS),
        types,
        binning.left_out,
        binning.n_implausible,
        bin_width=width,
        n_left_out=binning.bins.n_left_out,
        lost=binning.lost,
        tracks=scan.tracks,
        bin_notes=binning.notes,
        blank_rows={0: n_blank},
    )
