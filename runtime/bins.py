"""Depth bins, defined once for the runtime and the training package.

As in the published training table: bin = round(depth / width) * width (halves to even), value = mean of the channel's
samples in the bin, for each hole separately (see ``training/published/README.md``). There is a row for every bin with
at least one sample.

The mean is defined to the last bit: the samples are added one by one in float64, in the order in which they are given,
and the sum is divided by their number. It therefore does not depend on how the samples are split into blocks, and a
scan that is followed while it grows gives the same bits as one that is read as a whole.

The runtime leaves implausible samples out before it adds them. The published table does not: it drops the bins whose
mean density is implausible, and so does the training package, which reproduces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .features import DEPTH

BIN_WIDTH = 0.2
"""Width of the published training table's bins, in metres."""

_HOLE_STRIDE = 1 << 40
MAX_DEPTH = DEPTH.plausible[1]
"""Samples whose absolute depth (m) is greater are left out: it cannot be a depth below a sea floor or a core's top."""


MIN_WIDTH, MAX_WIDTH = 1e-4, 1000.0
"""Smallest and largest width of a bin in metres: from the step of a line-scan camera to the length of a hole."""


def require_width(width: float) -> float:
    """Check the width of a bin, in metres, and return it.

    Raises
    ------
    InputError
        If it is not between 0.1 mm and 1 km.
    """
    if not MIN_WIDTH <= width <= MAX_WIDTH:  # False for NaN
        raise InputError(f"bins must be {MIN_WIDTH:g} to {MAX_WIDTH:g} m wide, not {width:g} m")
    return width


class DepthBins:
    """Running sums of samples in depth bins; memory grows with the number of bins, never with the samples.

    Each bin is a row. Rows are in ascending order of `keys`: by hole, then by depth. The row of a bin changes when bins
    are added above it; its key does not.

    Parameters
    ----------
    n_channels : int
        Number of channels.
    width : float
        Width of a bin in metres.
    n_labels : int
        Number of labels that are kept for each bin.
    flags : dtype, optional
        Type of the bits that a bin collects from its samples; uint8 by default.

    Attributes
    ----------
    n_left_out : int
        Samples left out because their depth is missing or beyond `MAX_DEPTH`.
    """

    def __init__(
        self, n_channels: int, width: float = BIN_WIDTH, n_labels: int = 0, flags: np.dtype[Any] | None = None
    ) -> None:
        self.width = width
        self.n_left_out = 0
        self._n = 0
        # The last axis is the bins, with spare capacity at the end; the values of a channel are contiguous.
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty((n_channels, 0))
        self._counts = np.empty((n_channels, 0), np.int64)
        self._labels = np.empty((n_labels, 0), np.int64)
        self._flags = np.empty(0, flags or np.uint8)

    def __len__(self) -> int:
        return self._n

    def add(
        self,
        depth: NDArray[np.float64],
        values: Mapping[int, NDArray[Any]],
        holes: NDArray[np.int64] | int = 0,
        labels: NDArray[np.int64] | None = None,
        flags: NDArray[Any] | None = None,
    ) -> NDArray[np.int64]:
        """Add a block of samples of one track.

        Parameters
        ----------
        depth : ndarray of shape (n,)
            Depth of each sample in metres; NaN where it is missing.
        values : mapping of int to ndarray of shape (n,)
            Samples by channel, of some of the channels; NaN where one is missing.
        holes : int or ndarray of shape (n,)
            Code of each sample's hole, not negative. Samples of different holes never share a bin.
        labels : ndarray of shape (n, n_labels), optional
            Label codes; -1 for none. For each label, a bin keeps the code of its first sample that has one.
        flags : ndarray of shape (n,), of bits, optional
            Bits that a bin collects from its samples. A sample with a bit has a bin even if it has no value.

        Returns
        -------
        ndarray of shape (bins,), int64
            Keys of the bins that contain the samples, ascending.
        """
        if not len(depth):
            return np.empty(0, np.int64)
        use: NDArray[np.bool_] | None = None  # all
        lacking = {channel: np.isnan(column) for channel, column in values.items() if np.isnan(column.min())}
        if len(lacking) == len(values):  # else each sample has a value of some channel
            use = ~np.logical_and.reduce([np.ones(len(depth), np.bool_), *lacking.values()])
            use = use if flags is None else use | (flags != 0)
        if not (depth.min() >= -MAX_DEPTH and depth.max() <= MAX_DEPTH):  # also if one is NaN
            has_depth = np.abs(depth) <= MAX_DEPTH
            self.n_left_out += int(np.count_nonzero(~has_depth))
            use = has_depth if use is None else use & has_depth
        samples = {channel: np.asarray(column, np.float64) for channel, column in values.items()}
        if use is not None and not use.all():
            depth, holes = depth[use], holes[use] if isinstance(holes, np.ndarray) else holes
            samples = {channel: column[use] for channel, column in samples.items()}
            lacking = {channel: some for channel, mask in lacking.items() if (some := mask[use]).any()}
            labels = None if labels is None else labels[use]
            flags = None if flags is None else flags[use]
            if not len(depth):
                return np.empty(0, np.int64)
        keyed = self.numbers(depth)
        keyed += np.asarray(holes, np.int64) * _HOLE_STRIDE
        starts = np.flatnonzero(np.append(True, keyed[1:] != keyed[:-1]))  # of runs of samples in the same bin
        keys = keyed[starts]
        if (keys[1:] < keys[:-1]).any():
            keys = np.unique(keys)
        self._make_room(keys)
        runs, lengths = np.searchsorted(self._keys[: self._n], keyed[starts]), np.diff(starts, append=len(depth))
        rows = np.repeat(runs, lengths)
        with np.errstate(over="ignore", invalid="ignore"):  # a sum that overflows is infinite, and so missing
            for channel, column in samples.items():
                targets, n = rows, lengths
                if channel in lacking:
                    valid = ~lacking[channel]
                    targets, column, n = rows[valid], column[valid], np.add.reduceat(valid, starts, dtype=np.int64)
                np.add.at(self._sums[channel], targets, column)  # one by one, in order
                np.add.at(self._counts[channel], runs, n)
        if flags is not None:
            np.bitwise_or.at(self._flags, rows, flags)
        if labels is not None:
            for known, codes in zip(self._labels, labels.T, strict=True):
                first = starts if (codes[starts] >= 0).all() else np.flatnonzero(codes >= 0)
                first = first[known[rows[first]] < 0][::-1]  # the earliest is written last, and so it is kept
                known[rows[first]] = codes[first]
        return keys

    def numbers(self, depth: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the number of each depth's bin; a bin's depth is its number times the width.

        Parameters
        ----------
        depth : ndarray of shape (n,), float64
            Depths in metres; not NaN.

        Returns
        -------
        ndarray of shape (n,), int64
            The numbers.
        """
        numbers = depth / self.width
        return np.rint(numbers, out=numbers).astype(np.int64)

    def _make_room(self, keys: NDArray[np.int64]) -> None:
        """Add rows for those of some ascending keys that have none yet."""
        known = self._keys[: self._n]
        index = np.searchsorted(known, keys)
        is_new = np.append(known, np.iinfo(np.int64).min)[index] != keys
        if not is_new.any():
            return
        new, index = keys[is_new], index[is_new]
        old = np.arange(self._n) + np.searchsorted(new, known)
        self._n += len(new)
        self._keys = _moved(self._keys, old, self._n, 0)
        self._sums = _moved(self._sums, old, self._n, 0)
        self._counts = _moved(self._counts, old, self._n, 0)
        self._labels = _moved(self._labels, old, self._n, -1)
        self._flags = _moved(self._flags, old, self._n, 0)
        self._keys[index + np.arange(len(new))] = new

    @property
    def keys(self) -> NDArray[np.int64]:
        """Key of each row, ascending; a bin keeps its key when others are added. Shape (bins,), int64."""
        return self._keys[: self._n]

    @property
    def hole(self) -> NDArray[np.int64]:
        """Hole code of each row, ascending; shape (bins,), int64."""
        return split_keys(self.keys)[0]

    @property
    def depth(self) -> NDArray[np.float64]:
        """Depth of each row in metres, ascending within a hole; shape (bins,)."""
        return np.asarray(split_keys(self.keys)[1] * self.width)

    @property
    def label(self) -> NDArray[np.int64]:
        """Label codes of each row, -1 for none; shape (bins, n_labels), int64. See `add`."""
        return self._labels[:, : self._n].T

    @property
    def flags(self) -> NDArray[Any]:
        """Bits of each row, collected from its samples; shape (bins,). See `add`."""
        return self._flags[: self._n]

    @property
    def count(self) -> NDArray[np.int64]:
        """Number of samples behind each mean; shape (bins, n_channels), int64."""
        return self._counts[:, : self._n].T

    def mean(self, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """Return the mean of each channel, NaN where it has no sample, of all rows or of some.

        Parameters
        ----------
        rows : ndarray of shape (n,), int, or slice
            The rows.

        Returns
        -------
        ndarray of shape (n, n_channels), float64
            The means.
        """
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums[:, : self._n][:, rows] / self._counts[:, : self._n][:, rows]).T

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the current row of each key; all keys must be known."""
        return np.searchsorted(self.keys, keys)


def split_keys(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the hole code and the bin number of each key; depth = number * width."""
    holes = (keys + _HOLE_STRIDE // 2) // _HOLE_STRIDE
    return holes, keys - holes * _HOLE_STRIDE


def _moved(old: NDArray[Any], indices: NDArray[np.intp], n: int, fill: int) -> NDArray[Any]:
    """Move the values of the last axis to ascending indices, with capacity for ``n``; the others are ``fill``."""
    capacity = old.shape[-1]
    if n <= capacity and (not len(indices) or indices[-1] == len(indices) - 1):
        return old  # new bins at the end: nothing moves
    new = np.full((*old.shape[:-1], capacity if n <= capacity else max(n, 2 * capacity)), fill, old.dtype)
    new[..., indices] = old[..., : len(indices)]
    return new
