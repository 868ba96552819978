"""Rows for the model: a scan's own where one table holds all, depth bins where instruments have grids of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .address import ADDRESS, HOLE_PARTS, Codes
from .bins import DepthBins
from .errors import ScanError
from .features import FEATURES
from .scan import Scan
from .track import BLOCK_ROWS, Track

Progress = Callable[[Iterable[Any], str, int, Callable[[Any], int]], Iterable[Any]]
"""Passes items on, with a label, the sum of their sizes and their size: `lithovae.runtime.command.progress` is one."""


@dataclass(frozen=True)
class Block:
    """Some consecutive rows.

    Attributes
    ----------
    features : ndarray of shape (n, 6), float32
        Raw features; NaN where one is missing.
    depth : ndarray of shape (n,), float64, or None
        Depth in metres.
    address : dict of str to ndarray of shape (n,), str
        Where each row comes from.
    samples : ndarray of shape (n, 6), int64, or None
        Samples behind each feature; None where the rows are the scan's own.
    """

    features: NDArray[np.float32]
    depth: NDArray[np.float64] | None
    address: dict[str, NDArray[np.str_]]
    samples: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of a scan, to be had block by block.

    Attributes
    ----------
    n : int
        Number of rows.
    blocks : iterator of Block
        The rows.
    address_types : dict of str to dtype
        Type of each part of the address.
    has_depth : bool
        Whether the blocks have depths.
    bin_width : float or None
        Width of the depth bins in metres; None where the rows are the scan's own.
    n_left_out : int
        Samples left out because their depth is missing.
    """

    n: int
    blocks: Iterator[Block]
    address_types: dict[str, np.dtype[Any]]
    has_depth: bool = True
    bin_width: float | None = None
    n_left_out: int = 0


def rows_of(scan: Scan, progress: Progress) -> Rows:
    """Give the rows of a scan.

    Raises
    ------
    ScanError
        If the file is damaged, or holes cannot be told apart. Bins are filled here; a scan's own rows are read as the
        blocks are taken.
    """
    return _own_rows(scan, scan.tracks[0], progress) if len(scan.tracks) == 1 else _binned_rows(scan, progress)


def _own_rows(scan: Scan, track: Track, progress: Progress) -> Rows:
    constant = {part: np.array(text) for part, text in scan.address.items()}
    types = {part: value.dtype for part, value in constant.items()} | track.address_types()

    def blocks() -> Iterator[Block]:
        for stretch in progress(track.stretches(), "embedding", track.length, lambda stretch: stretch.length):
            rows = np.full((stretch.length, len(FEATURES)), np.nan, np.float32)
            with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
                for i, values in stretch.features.items():
                    rows[:, i] = values
            broadcast = {part: np.broadcast_to(value, stretch.length) for part, value in constant.items()}
            yield Block(rows, stretch.depth, broadcast | stretch.address)

    return Rows(track.length, blocks(), types, has_depth=track.depth is not None)


def _binned_rows(scan: Scan, progress: Progress) -> Rows:
    parts = [part for part in ADDRESS if any(part in track.parts for track in scan.tracks)]
    shared = [part for part in HOLE_PARTS if all(part in track.parts for track in scan.tracks)]
    bins = DepthBins(len(FEATURES), n_labels=len(parts))
    holes, labels = Codes(), {part: Codes() for part in parts}
    named = {part: {text} for part, text in scan.address.items() if part in HOLE_PARTS}
    total = sum(track.length for track in scan.tracks)
    stretches = (stretch for track in scan.tracks for stretch in track.stretches())
    for stretch in progress(stretches, "binning", total, lambda stretch: stretch.length):
        texts, n = stretch.address, stretch.length
        for part in set(HOLE_PARTS) & set(texts) - set(shared):
            named.setdefault(part, set()).update(np.unique(texts[part]).tolist())
            if len(named[part]) > 1:
                names = ", ".join(sorted(named[part])[:4])
                raise ScanError(
                    f"{scan.path}: several holes ({part} {names}), but not every instrument says which its samples are "
                    f"from: add a {part} column to each, or keep one hole per file",
                    scan.path,
                )
        codes = [labels[part].encode([texts[part]], n) if part in texts else np.full(n, -1) for part in parts]
        bins.add(
            stretch.depth,
            np.stack([np.asarray(values, np.float64) for values in stretch.features.values()], axis=1),
            list(stretch.features),
            holes=holes.encode([texts[part] for part in shared], n),
            labels=np.stack(codes, axis=1) if parts else None,
        )
    if not len(bins):
        raise ScanError(f"{scan.path}: no sample has both a depth and a value", scan.path)
    address = {part: np.full(len(bins), text) for part, text in scan.address.items()}
    for i, part in enumerate(parts):
        texts_of_codes = [*labels[part].texts(), scan.address.get(part, "")]  # the last is for code -1
        address[part] = np.array(texts_of_codes, np.str_)[bins.label[:, i]]
    with np.errstate(over="ignore"):
        features_of_bins = bins.mean().astype(np.float32)
    depth_of_bins, samples = bins.depth, bins.count

    def blocks() -> Iterator[Block]:
        for start in range(0, len(bins), BLOCK_ROWS):
            some = slice(start, start + BLOCK_ROWS)
            yield Block(
                features_of_bins[some],
                depth_of_bins[some],
                {part: values[some] for part, values in address.items()},
                samples[some],
            )

    dtypes = {part: values.dtype for part, values in address.items()}
    return Rows(len(bins), blocks(), dtypes, bin_width=bins.width, n_left_out=bins.n_left_out)
