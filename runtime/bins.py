"""Depth bins: the one definition that the runtime and the training package share.

As the published training table was made: bin = round(depth / width) * width (halves to even), value = mean of the
channel's samples in the bin, hole by hole (see ``training/published/README.md``). There is a row for every bin with at
least one sample.

The mean, to the last bit: the samples are added one by one in the order in which they are given, in float64, and the
sum is divided by their number. So it does not depend on how the samples are cut into blocks, and a scan that is
followed while it grows gives the bits of one that is read as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .features import DEPTH

BIN_WIDTH = 0.2
"""Width of a bin, in metres, of the published training table."""

_HOLE_STRIDE = 1 << 40
MAX_DEPTH = DEPTH.plausible[1]
"""Depths (m) beyond this, either way, are not depths below a sea floor or a core's top: they are left out."""


MIN_WIDTH, MAX_WIDTH = 1e-4, 1000.0
"""Widths (m) between which bins make sense: from the step of a line-scan camera to the length of a hole."""


def require_width(width: float) -> float:
    """Make sure that bins can have a width, in metres.

    Raises
    ------
    InputError
        If it is not between 0.1 mm and 1 km.
    """
    if not MIN_WIDTH <= width <= MAX_WIDTH:  # False for NaN
        raise InputError(f"bins must be {MIN_WIDTH:g} to {MAX_WIDTH:g} m wide, not {width:g} m")
    return width


class DepthBins:
    """Running sums of samples in depth bins; memory grows with the bins, never with the samples.

    Rows are the bins, in ascending order of `keys`: by hole, then by depth. They move when a bin appears above others;
    a key stays.

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
        self._n = 0
        # One row of each for a bin, with room to grow at the end; a channel is contiguous.
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty((n_channels, 0))
        self._counts = np.empty((n_channels, 0), np.int64)
        self._labels = np.empty((n_labels, 0), np.int64)

    def __len__(self) -> int:
        return self._n

    def add(
        self,
        depth: NDArray[np.float64],
        values: Mapping[int, NDArray[Any]],
        holes: NDArray[np.int64] | int = 0,
        labels: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """Add a block of one track.

        Parameters
        ----------
        depth : ndarray of shape (n,)
            Depth of each sample in metres; NaN where it is missing.
        values : mapping of int to ndarray of shape (n,)
            Samples of some channels; NaN where one is missing.
        holes : int or ndarray of shape (n,)
            Non-negative code of the hole of each sample: holes never share a bin.
        labels : ndarray of shape (n, n_labels), optional
            Codes, of which a bin remembers those of its first sample that has one; -1 for none.

        Returns
        -------
        ndarray of shape (bins,), int64
            Keys of the bins that the samples fell into, ascending.
        """
        samples = {channel: np.asarray(column, np.float64) for channel, column in values.items()}
        present = {channel: ~np.isnan(column) for channel, column in samples.items()}
        has_depth = np.abs(depth) <= MAX_DEPTH  # False for NaN
        self.n_left_out += int(np.count_nonzero(~has_depth))
        use = np.logical_or.reduce(list(present.values())) & has_depth
        hole_codes = np.broadcast_to(np.asarray(holes, np.int64), depth.shape)
        if not use.all():
            depth, hole_codes = depth[use], hole_codes[use]
            samples = {channel: column[use] for channel, column in samples.items()}
            present = {channel: column[use] for channel, column in present.items()}
            labels = None if labels is None else labels[use]
        if not len(depth):
            return np.empty(0, np.int64)
        keyed = hole_codes * _HOLE_STRIDE + self.numbers(depth)
        starts = np.flatnonzero(np.append(True, keyed[1:] != keyed[:-1]))  # of runs of samples in the same bin
        keys = keyed[starts]
        if (keys[1:] < keys[:-1]).any():
            keys = np.unique(keys)
        self._make_room(keys)
        runs, lengths = np.searchsorted(self._keys[: self._n], keyed[starts]), np.diff(starts, append=len(depth))
        rows = np.repeat(runs, lengths)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and so missing
            for channel, column in samples.items():
                there, where, n = present[channel], rows, lengths
                if not there.all():
                    where, column, n = rows[there], column[there], np.add.reduceat(there, starts, dtype=np.int64)
                np.add.at(self._sums[channel], where, column)  # one by one, in order
                np.add.at(self._counts[channel], runs, n)
        if labels is not None:
            for known, codes in zip(self._labels, labels.T, strict=True):
                first = starts if (codes[starts] >= 0).all() else np.flatnonzero(codes >= 0)
                first = first[known[rows[first]] < 0][::-1]  # the earliest is written last, and stays
                known[rows[first]] = codes[first]
        return keys

    def numbers(self, depth: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give the number of the bin that each depth (m) falls into: a bin's depth is its number times the width."""
        return np.rint(depth / self.width).astype(np.int64)

    def _make_room(self, keys: NDArray[np.int64]) -> None:
        """Give each of some keys, ascending, a row."""
        known = self._keys[: self._n]
        place = np.searchsorted(known, keys)
        is_new = np.append(known, np.iinfo(np.int64).min)[place] != keys
        if not is_new.any():
            return
        new, place = keys[is_new], place[is_new]
        old = np.arange(self._n) + np.searchsorted(new, known)
        self._n += len(new)
        self._keys = _spread(self._keys, old, self._n, 0)
        self._sums = _spread(self._sums, old, self._n, 0)
        self._counts = _spread(self._counts, old, self._n, 0)
        self._labels = _spread(self._labels, old, self._n, -1)
        self._keys[place + np.arange(len(new))] = new

    @property
    def keys(self) -> NDArray[np.int64]:
        """Key of each row, ascending, which stays as it is when others are added; shape (bins,)."""
        return self._keys[: self._n]

    @property
    def hole(self) -> NDArray[np.int64]:
        """Hole code of each row, ascending; shape (bins,)."""
        return split_keys(self.keys)[0]

    @property
    def depth(self) -> NDArray[np.float64]:
        """Depth of each row in metres, ascending within a hole; shape (bins,)."""
        return np.asarray(split_keys(self.keys)[1] * self.width)

    @property
    def label(self) -> NDArray[np.int64]:
        """Label codes of each row's first labelled sample, -1 for none; shape (bins, n_labels)."""
        return self._labels[:, : self._n].T

    @property
    def count(self) -> NDArray[np.int64]:
        """Samples behind each mean; shape (bins, n_channels)."""
        return self._counts[:, : self._n].T

    def mean(self, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """Mean of each channel, NaN where it has no sample; shape (bins, n_channels), or that of some ``rows``."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums[:, : self._n][:, rows] / self._counts[:, : self._n][:, rows]).T

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """Row in which each of some keys, all of them known, stands now."""
        return np.searchsorted(self.keys, keys)


def split_keys(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the hole code of each key, and the number of its bin: depth = number * width."""
    holes = (keys + _HOLE_STRIDE // 2) // _HOLE_STRIDE
    return holes, keys - holes * _HOLE_STRIDE


def _spread(old: NDArray[Any], places: NDArray[np.intp], n: int, fill: int) -> NDArray[Any]:
    """Move what stands in the last axis to ascending ``places``, with room for ``n``; the rest is ``fill``."""
    room = old.shape[-1]
    if n <= room and (not len(places) or places[-1] == len(places) - 1):
        return old  # new bins at the end: nothing moves
    new = np.full((*old.shape[:-1], room if n <= room else max(n, 2 * room)), fill, old.dtype)
    new[..., places] = old[..., : len(places)]
    return new
