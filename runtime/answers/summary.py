"""What a run read and wrote, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import bit_counts
from lithovae.runtime.rows.binning import Block
from lithovae.runtime.rows.policy import Embedded, MissingPolicy
from lithovae.runtime.rows.rows import Rows
from lithovae.runtime.scan.address import run_starts
from lithovae.runtime.scan.restart import DepthRanges
from lithovae.runtime.scan.scan import Scan


def _per_feature() -> NDArray[np.int64]:
    return np.zeros(len(FEATURE_NAMES), np.int64)


class OwnDepths:
    """Looks whether the depths of a scan's own rows start again with each section; bins see to it themselves."""

    def __init__(self) -> None:
        self._ranges = DepthRanges()

    def add(self, block: Block) -> None:
        """Add some rows."""
        if block.depth is not None and len(block):
            starts = run_starts(list(block.address.values()), len(block))
            self._ranges.add({part: texts[starts] for part, texts in block.address.items()}, starts, block.depth)

    @property
    def note(self) -> str | None:
        """What a user should know of them; None where that is nothing."""
        restart = self._ranges.restart()
        return f"{restart}: rows of equal depth are from different places" if restart else None


@dataclass(repr=False)
class Summary:
    """What a run read and wrote.

    Attributes
    ----------
    scan : Scan
        What was understood of the file.
    rows : Rows
        How its rows came about.
    policy : MissingPolicy
        What was done where a feature was missing.
    n_rows : int
        Rows written.
    n_missing : ndarray of shape (6,)
        Rows written in which each feature is missing.
    n_dropped : int
        Rows not written because a feature was missing.
    dropped : ndarray of shape (6,)
        Rows of these in which each feature was missing.
    n_nan : int
        Rows written without an embedding.
    n_implausible : ndarray of shape (6,)
        Rows written in which each feature lies beyond its plausible range.
    highest : ndarray of shape (6,)
        Largest value of each feature.
    depth_range : tuple of float, or None
        Shallowest and deepest row in metres.
    """

    scan: Scan
    rows: Rows
    policy: MissingPolicy
    n_rows: int = 0
    n_missing: NDArray[np.int64] = field(default_factory=_per_feature)
    n_dropped: int = 0
    dropped: NDArray[np.int64] = field(default_factory=_per_feature)
    n_nan: int = 0
    n_implausible: NDArray[np.int64] = field(default_factory=_per_feature)
    highest: NDArray[np.float32] = field(default_factory=lambda: np.full(len(FEATURE_NAMES), -np.inf, np.float32))
    depth_range: tuple[float, float] | None = None
    _depths: OwnDepths = field(default_factory=OwnDepths)

    def __repr__(self) -> str:
        bins = "" if self.bin_width is None else f" in bins of {self.bin_width:g} m"
        return f"<Summary of {self.scan.path.name}: {self.n_rows:,} rows{bins}, {self.n_nan:,} without an embedding>"

    @property
    def bin_width(self) -> float | None:
        """Width of the depth bins in metres; None where the rows are the scan's own."""
        return self.rows.bin_width

    @property
    def n_left_out(self) -> int:
        """Samples that are in no bin because their depth is missing."""
        return self.rows.n_left_out

    @property
    def notes(self) -> list[str]:
        """What was found on the way, beyond the scan's notes; complete when all rows have been taken."""
        return [note for note in (self._depths.note, self.policy.note) if note]

    def take(self, done: Embedded) -> None:
        """Count some rows."""
        features, depth = done.block.features, done.block.depth
        self.n_rows += len(features)
        self.n_missing += bit_counts(done.missing)
        self.n_dropped += len(done.dropped)
        self.dropped += bit_counts(done.dropped)
        self.n_implausible += bit_counts(done.implausible)
        if self.bin_width is None:
            self._depths.add(done.block)
        self.n_nan += done.n_nan
        self.highest = np.fmax(self.highest, done.block.extremes.highest)
        if depth is not None and len(depth):
            low, high = float(np.fmin.reduce(depth)), float(np.fmax.reduce(depth))
            if low <= high:  # False where all are NaN
                known = self.depth_range or (low, high)
                self.depth_range = (min(low, known[0]), max(high, known[1]))
