"""Co-registration: samples of instruments with different depth grids, averaged in common depth bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import MAX_DEPTH, DepthBins
from lithovae.runtime.errors import ScanError
from lithovae.runtime.missing import Bits, Extremes, outside_plausible
from lithovae.runtime.scan.address import (
    ADDRESS,
    HOLE_PARTS,
    AddressCodes,
    run_starts,
    split_core,
)
from lithovae.runtime.scan.depths import Depths
from lithovae.runtime.scan.holes import Holes
from lithovae.runtime.scan.restart import DepthRanges
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.section_depths import NOTHING_LOST
from lithovae.runtime.scan.track import Stretch

from .block import Block
from .coarse import CoarseDepths


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
    left_out : ndarray of shape (n_features,), int64
        Number of samples of each feature's instrument that were left out because their depth is missing.
    n_implausible : ndarray of shape (n_features,), int64
        Number of samples of each feature that were left out of the means because they are not plausible. Judged here,
        one by one: a spike among twenty good samples would make a mean that is wrong and looks right.
    lost : Lost
        The samples, of all instruments, whose depth the table of sections does not give.

    Raises
    ------
    ScanError
        If a track has no depth, or a column of its address cannot be read.
    """

    def __init__(self, scan: Scan, width: float) -> None:
        for track in scan.tracks:
            if track.depth is None:
                names = ", ".join(source.column.path for source in track.features.values())
                raise ScanError(
                    f"no depth for {names}: the samples cannot be put in bins; choose a column with "
                    "--map depth=PATH, or try --bin none"
                )
            if track.unreadable:
                raise ScanError(
                    f"{track.unreadable}: samples from different places could be averaged. Write it as text, or use "
                    "--bin none, which keeps the rows of one table unchanged"
                )
        self._scan, self._features = scan, scan.feature_set
        n = len(self._features)
        known = [part for part in ADDRESS if any(part in track.parts for track in scan.tracks)]
        self._hole_parts = [part for part in known if part in HOLE_PARTS]
        self._parts = [part for part in known if part not in HOLE_PARTS]
        shared = [part for part in HOLE_PARTS if all(part in track.parts for track in scan.tracks)]
        self._holes, self._labels = Holes(scan.address, shared), {part: AddressCodes() for part in self._parts}
        self._ranges: dict[frozenset[int], DepthRanges] = {}  # of each instrument: all may measure one section
        self.bins = DepthBins(n, width, n_labels=len(self._parts), flags=self._features.bits)
        self._steps: dict[str, CoarseDepths] = {}
        self.left_out = np.zeros(n, np.int64)
        self.n_implausible = np.zeros(n, np.int64)
        self._implausible = Extremes(np.full(n, np.nan), np.full(n, np.nan), has_nan=False)
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
        n = stretch.length
        starts = run_starts(list(stretch.address.values()), n)
        n_runs = len(starts)
        texts = {part: column[starts] for part, column in stretch.address.items()}
        lengths = np.diff(starts, append=n)
        holes = self._holes.encode(texts, n_runs)
        none = np.full(n_runs, -1)
        codes = [self._labels[part].encode([texts[part]], n_runs) if part in texts else none for part in self._parts]
        ranges = self._ranges.setdefault(frozenset(stretch.track.features), DepthRanges())
        depths, name = Depths(stretch.depth), stretch.track.name
        ranges.add(texts, starts, depths, name)
        self._steps.setdefault(name, CoarseDepths(self.bins.width)).add(depths)
        before = self.bins.n_left_out
        features, flags = self._plausible(stretch)
        keys = self.bins.add(
            stretch.depth,
            features,
            holes=np.repeat(holes, lengths) if n_runs > 1 else int(holes[0]),
            labels=np.repeat(np.stack(codes, axis=1), lengths, axis=0) if codes else None,
            flags=flags,
        )
        self.left_out[list(stretch.features)] += self.bins.n_left_out - before
        self.lost = self.lost.plus(stretch.lost)
        return keys

    def _plausible(self, stretch: Stretch) -> tuple[dict[int, NDArray[Any]], Bits | None]:
        """Replace implausible samples with NaN, and return their features as bits, shape (n,); None if none is."""
        features, flags = dict(stretch.features), None
        for i, values in stretch.features.items():
            outside = outside_plausible(values, self._features[i])
            if outside is not None:
                features[i] = np.where(outside, values.dtype.type(np.nan), values)
                flags = np.zeros(stretch.length, self._features.bits) if flags is None else flags
                flags |= outside.astype(flags.dtype) << flags.dtype.type(i)
                self.n_implausible[i] += np.count_nonzero(outside)
                lowest, highest, _ = self._implausible
                lowest[i] = np.fmin(lowest[i], values[outside].min())
                highest[i] = np.fmax(highest[i], values[outside].max())
        return features, flags

    def places(self, stretch: Stretch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the hole code and the bin number of each sample that has a depth; both int64, shape (n,)."""
        assert stretch.depth is not None
        texts = {part: column for part, column in stretch.address.items() if part in HOLE_PARTS}
        starts = run_starts(list(texts.values()), stretch.length)
        holes = self._holes.encode({part: column[starts] for part, column in texts.items()}, len(starts))
        has_depth = np.abs(stretch.depth) <= MAX_DEPTH
        hole_codes = np.repeat(holes, np.diff(starts, append=stretch.length))
        return hole_codes[has_depth], self.bins.numbers(stretch.depth[has_depth])

    def require_rows(self) -> None:
        """Check that there are bins, and that their depths are depths in the hole.

        Raises
        ------
        ScanError
            If no sample has both a depth and a value, or the depths start again with each section or core.
        """
        if not len(self.bins):
            raise ScanError("no sample has both a depth and a value")
        if restart := next(filter(None, (ranges.restart() for ranges in self._ranges.values())), None):
            raise ScanError(
                f"{restart}: samples from different places would be averaged. Add a column hole or, for depths in "
                "sections, columns core and section and a table of their top depths (docs/scan-format.md); "
                "--bin none keeps the rows of one table unchanged"
            )

    @property
    def notes(self) -> list[str]:
        """Notes on depths that are coarser than the bins."""
        return [note for name, steps in self._steps.items() if (note := steps.note(name))]

    def block(self, rows: NDArray[np.intp] | slice = slice(None)) -> Block:
        """Return some of the bins, by default all, as rows for the model."""
        bins, labels = self.bins, self.bins.label[rows]
        address = {part: np.full(len(labels), text) for part, text in self._scan.address.items()}
        for part in self._hole_parts:
            address[part] = self._holes.names(part)[bins.hole[rows]]
        for i, part in enumerate(self._parts):
            texts = [*self._labels[part].texts(), self._scan.address.get(part, "")]
            address[part] = np.array(texts, np.str_)[labels[:, i]]  # code -1 selects the last
        if {"core", "type"} <= address.keys() and "core" in self._parts:  # one instrument may write 3H, another 3 and H
            cores = [*self._labels["core"].texts(), self._scan.address.get("core", "")]
            numbers, types = (np.array(texts, np.str_) for texts in zip(*map(split_core, cores), strict=True))
            codes = labels[:, self._parts.index("core")]
            address["core"] = numbers[codes]
            address["type"] = np.where(types[codes] != "", types[codes], address["type"])
        with np.errstate(over="ignore"):  # a mean beyond float32 becomes infinite, and so missing
            features = bins.mean(rows).astype(np.float32)
        first = rows.indices(len(bins))[0] if isinstance(rows, slice) else None
        return Block(
            features,
            bins.depth[rows],
            address,
            bins.count[rows],
            first,
            implausible=bins.flags[rows],
            left_out=self._implausible,
        )
