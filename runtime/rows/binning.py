"""Co-registration: samples of instruments with different depth grids, averaged in common depth bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import MAX_DEPTH, DepthBins
from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FEATURES
from lithovae.runtime.missing import outside_plausible
from lithovae.runtime.scan.address import (
    ADDRESS,
    HOLE_PARTS,
    AddressCodes,
    is_short_for,
    run_starts,
    several_places,
)
from lithovae.runtime.scan.restart import DepthRanges
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.section_depths import NOTHING_LOST
from lithovae.runtime.scan.track import Stretch

from .block import Block


class Binning:
    """The bins of a scan, filled stretch by stretch; memory grows with the number of bins and sections.

    Parameters
    ----------
    scan : Scan
        The open scan; each of its tracks needs a depth.
    width : float
        Width of a bin in metres.

    Attributes
    ----------
    bins : DepthBins
        The bins.
    left_out : ndarray of shape (6,), int64
        Number of samples of each feature's instrument that were left out because their depth is missing.
    n_implausible : ndarray of shape (6,), int64
        Number of samples of each feature that were left out of the means because they are not plausible. Judged here,
        one by one: a spike among twenty good samples would make a mean that is wrong and looks right.
    lost : Lost
        The samples, of all instruments, whose depth the table of sections does not give.

    Raises
    ------
    ScanError
        If a track has no depth.
    """

    def __init__(self, scan: Scan, width: float) -> None:
        for track in scan.tracks:
            if track.depth is None:
                names = ", ".join(source.column.path for source in track.features.values())
                raise ScanError(f"no depth for {names}: the samples cannot be put in bins; try --bin none")
        self._scan = scan
        self._parts = [part for part in ADDRESS if any(part in track.parts for track in scan.tracks)]
        self._shared = [part for part in HOLE_PARTS if all(part in track.parts for track in scan.tracks)]
        self._holes, self._labels = AddressCodes(), {part: AddressCodes() for part in self._parts}
        self._named = {part: {text} for part, text in scan.address.items() if part in HOLE_PARTS}
        self._ranges = DepthRanges()
        self.bins = DepthBins(len(FEATURES), width, n_labels=len(self._parts))
        self.left_out = np.zeros(len(FEATURES), np.int64)
        self.n_implausible = np.zeros(len(FEATURES), np.int64)
        self.lost = NOTHING_LOST

    def add(self, stretch: Stretch) -> NDArray[np.int64]:
        """Add a stretch of one of the scan's tracks.

        Returns
        -------
        ndarray of shape (bins,), int64
            Keys of the bins that contain its samples, ascending.

        Raises
        ------
        ScanError
            If there are several holes and the track does not say which of them its samples are from.
        """
        assert stretch.depth is not None
        n, columns = stretch.length, [stretch.address[part] for part in self._parts if part in stretch.address]
        starts = run_starts(columns, n)
        n_runs = len(starts)
        texts = {part: column[starts] for part, column in stretch.address.items()}
        self._require_one_hole({part: column for part, column in texts.items() if part not in self._shared})
        lengths = np.diff(starts, append=n)
        holes = self._holes.encode([texts[part] for part in self._shared], n_runs)
        none = np.full(n_runs, -1)
        codes = [self._labels[part].encode([texts[part]], n_runs) if part in texts else none for part in self._parts]
        self._ranges.add(texts, starts, stretch.depth, stretch.track.name)
        before = self.bins.n_left_out
        features, flags = self._plausible(stretch)
        keys = self.bins.add(
            stretch.depth,
            features,
            holes=np.repeat(holes, lengths),
            labels=np.repeat(np.stack(codes, axis=1), lengths, axis=0) if columns else None,
            flags=flags,
        )
        self.left_out[list(stretch.features)] += self.bins.n_left_out - before
        self.lost = self.lost.plus(stretch.lost)
        return keys

    def _plausible(self, stretch: Stretch) -> tuple[dict[int, NDArray[Any]], NDArray[np.uint8] | None]:
        """Replace implausible samples with NaN, and return their features as bits, shape (n,); None if none is."""
        features, flags = dict(stretch.features), None
        for i, values in stretch.features.items():
            outside = outside_plausible(values, i)
            if outside is not None:
                features[i] = np.where(outside, values.dtype.type(np.nan), values)
                flags = np.zeros(stretch.length, np.uint8) if flags is None else flags
                flags |= outside.view(np.uint8) << i
                self.n_implausible[i] += np.count_nonzero(outside)
        return features, flags

    def places(self, stretch: Stretch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the hole code and the bin number of each sample that has a depth; both int64, shape (n,)."""
        assert stretch.depth is not None
        shared = [stretch.address[part] for part in self._shared]
        starts = run_starts(shared, stretch.length)
        holes = self._holes.encode([column[starts] for column in shared], len(starts))
        has_depth = np.abs(stretch.depth) <= MAX_DEPTH
        hole_codes = np.repeat(holes, np.diff(starts, append=stretch.length))
        return hole_codes[has_depth], self.bins.numbers(stretch.depth[has_depth])

    def _require_one_hole(self, texts: dict[str, NDArray[np.str_]]) -> None:
        for part in set(HOLE_PARTS) & set(texts):
            if names := several_places(self._named.setdefault(part, set()), texts[part]):
                raise ScanError(
                    f"several holes ({part} {names}), but not every instrument says which its samples are from: add a "
                    f"column {part} to each, or put each hole in a file of its own"
                )

    def require_rows(self) -> None:
        """Check that there are bins, and that their depths are depths in the hole.

        Raises
        ------
        ScanError
            If no sample has both a depth and a value, or the depths start again with each section or core.
        """
        if not len(self.bins):
            raise ScanError("no sample has both a depth and a value")
        if restart := self._ranges.restart():
            raise ScanError(
                f"{restart}: samples from different places would be averaged. Add a column hole or, for depths in "
                "sections, columns core and section and a table of their top depths (docs/scan-format.md); "
                "--bin none keeps the rows of one table unchanged"
            )

    def block(self, rows: NDArray[np.intp] | slice = slice(None)) -> Block:
        """Return some of the bins, by default all, as rows for the model."""
        bins, labels = self.bins, self.bins.label[rows]
        address = {part: np.full(len(labels), text) for part, text in self._scan.address.items()}
        for i, part in enumerate(self._parts):
            whole = self._scan.address.get(part, "")
            texts = [whole if is_short_for(text, whole) else text for text in self._labels[part].texts()]
            address[part] = np.array([*texts, whole], np.str_)[labels[:, i]]  # code -1 selects the last
        with np.errstate(over="ignore"):  # a mean beyond float32 becomes infinite, and so missing
            features = bins.mean(rows).astype(np.float32)
        first = rows.indices(len(bins))[0] if isinstance(rows, slice) else None
        return Block(features, bins.depth[rows], address, bins.count[rows], first, implausible=bins.flags[rows])
