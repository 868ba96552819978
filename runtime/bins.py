"""Depth bins: the one definition that the runtime and the training package share.

As the published training table was made: bin = round(depth / width) * width, value = mean of the channel's samples in
the bin, hole by hole (see ``training/published/README.md``). There is a row for every bin with at least one sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import DEPTH

BIN_WIDTH = 0.2
"""Width of a bin, in metres, of the published training table."""

_HOLE_STRIDE = 1 << 40
MAX_DEPTH = DEPTH.plausible[1]
"""Depths (m) beyond this, either way, are not depths below a sea floor or a core's top: they are left out."""


class DepthBins:
    """Running sums of samples in depth bins; memory grows with the bins, never with the samples.

    Parameters
    ----------
    n_channels : int
        Number of channels that are brought together.
    width : float
        Width of a bin in metres.
    n_labels : int
        Number of labels that a bin remembers.

    Attributes
    ----------
    n_left_out : int
        Samples left out because their depth is missing or beyond `MAX_DEPTH`.
    """

    def __init__(self, n_channels: int, width: float = BIN_WIDTH, n_labels: int = 0) -> None:
        self.width = width
        self.n_left_out = 0
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty((0, n_channels))
        self._counts = np.empty((0, n_channels), np.int64)
        self._labels = np.empty((0, n_labels), np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def add(
        self,
        depth: NDArray[np.float64],
        values: NDArray[np.float64],
        channels: list[int],
        holes: NDArray[np.int64] | int = 0,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """Add a block of one track.

        Parameters
        ----------
        depth : ndarray of shape (n,)
            Depth of each sample in metres; NaN where it is missing.
        values : ndarray of shape (n, len(channels))
            Samples; NaN where one is missing.
        channels : list of int
            Which channels the columns of ``values`` are.
        holes : int or ndarray of shape (n,)
            Non-negative code of the hole of each sample: holes never share a bin.
        labels : ndarray of shape (n, n_labels), optional
            Codes, of which a bin remembers those of its first sample that has one; -1 for none.
        """
        has_depth = np.abs(depth) <= MAX_DEPTH  # False for NaN
        self.n_left_out += int(np.count_nonzero(~has_depth))
        use = has_depth & ~np.isnan(values).all(axis=1)
        if not use.any():
            return
        bins = np.rint(depth[use] / self.width).astype(np.int64)
        hole_codes = np.broadcast_to(np.asarray(holes, np.int64), depth.shape)[use]
        keyed = np.asarray(hole_codes * _HOLE_STRIDE + bins, np.int64)
        keys, first, position = np.unique(keyed, return_index=True, return_inverse=True)
        self._insert(keys)
        rows = np.searchsorted(self._keys, keys)
        for column, channel in enumerate(channels):
            samples = values[use, column]
            present = ~np.isnan(samples)
            where, n = position[present], len(keys)
            self._sums[rows, channel] += np.bincount(where, samples[present], n)
            self._counts[rows, channel] += np.bincount(where, minlength=n)
        if labels is not None:
            self._labels[rows] = np.where(self._labels[rows] < 0, labels[use][first], self._labels[rows])

    def _insert(self, keys: NDArray[np.int64]) -> None:
        place = np.searchsorted(self._keys, keys)
        new = np.append(self._keys, np.iinfo(np.int64).min)[place] != keys
        if not new.any():
            return
        merged = np.insert(self._keys, place[new], keys[new])
        old = np.searchsorted(merged, self._keys)
        self._sums = _spread(self._sums, old, len(merged), 0)
        self._counts = _spread(self._counts, old, len(merged), 0)
        self._labels = _spread(self._labels, old, len(merged), -1)
        self._keys = merged

    @property
    def hole(self) -> NDArray[np.int64]:
        """Hole code of each row, ascending; shape (bins,)."""
        return np.asarray((self._keys + _HOLE_STRIDE // 2) // _HOLE_STRIDE, np.int64)

    @property
    def depth(self) -> NDArray[np.float64]:
        """Depth of each row in metres, ascending within a hole; shape (bins,)."""
        return np.asarray((self._keys - self.hole * _HOLE_STRIDE) * self.width)

    @property
    def label(self) -> NDArray[np.int64]:
        """Label codes of each row's first labelled sample, -1 for none; shape (bins, n_labels)."""
        return self._labels

    @property
    def count(self) -> NDArray[np.int64]:
        """Samples behind each mean; shape (bins, n_channels)."""
        return self._counts

    def mean(self) -> NDArray[np.float64]:
        """Mean of each channel in each bin, NaN where it has no sample; shape (bins, n_channels)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums / self._counts)


def _spread(old: NDArray[Any], rows: NDArray[np.intp], n: int, fill: int) -> NDArray[Any]:
    new = np.full((n, *old.shape[1:]), fill, old.dtype)
    new[rows] = old
    return new
