"""What a run read and wrote, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .features import FEATURE_NAMES, FEATURES
from .missing import bit_counts
from .rows import Block
from .scan import Scan

PLAUSIBLE = np.array([feature.plausible for feature in FEATURES], np.float32).T


@dataclass
class Summary:
    """What a run read and wrote.

    Attributes
    ----------
    scan : Scan
        What was understood of the file.
    n_rows : int
        Rows written.
    bin_width : float or None
        Width of the depth bins in metres; None where the rows are the scan's own.
    n_missing : ndarray of shape (6,)
        Rows in which each feature is missing.
    n_nan : int
        Rows without an embedding.
    n_left_out : int
        Samples left out because their depth is missing.
    n_implausible : ndarray of shape (6,)
        Rows in which each feature lies beyond its plausible range.
    highest : ndarray of shape (6,)
        Largest value of each feature.
    depth_range : tuple of float, or None
        Shallowest and deepest row in metres.
    """

    scan: Scan
    n_rows: int = 0
    bin_width: float | None = None
    n_missing: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FEATURE_NAMES), np.int64))
    n_implausible: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FEATURE_NAMES), np.int64))
    highest: NDArray[np.float32] = field(default_factory=lambda: np.full(len(FEATURE_NAMES), -np.inf, np.float32))
    n_nan: int = 0
    n_left_out: int = 0
    depth_range: tuple[float, float] | None = None

    def take(self, block: Block, embeddings: NDArray[np.float32], missing: NDArray[np.uint8]) -> None:
        """Count the rows of a block, with their embeddings and their `missing_bits`."""
        features, depth = block.features, block.depth
        self.n_rows += len(features)
        self.n_missing += bit_counts(missing)
        self.n_implausible += ((features < PLAUSIBLE[0]) | (features > PLAUSIBLE[1])).sum(axis=0)
        self.highest = np.fmax(self.highest, np.fmax.reduce(features, axis=0, initial=-np.inf))
        self.n_nan += int(np.isnan(embeddings[:, 0]).sum())
        if depth is not None and not np.isnan(depth).all():
            low, high = float(np.nanmin(depth)), float(np.nanmax(depth))
            known = self.depth_range or (low, high)
            self.depth_range = (min(low, known[0]), max(high, known[1]))
