"""Neighbouring features of one dataset, in the model's order: read at once instead of column by column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.formats.codes import Coding
from lithovae.runtime.formats.file import ReadMatrix
from lithovae.runtime.missing import NEVER_VALUES, Extremes, extremes, measurable, without_sentinels
from lithovae.runtime.scan.track import Track


class FeatureMatrix(NamedTuple):
    """Neighbouring columns, one for each feature, of floating-point numbers that need no conversion.

    Attributes
    ----------
    read_rows : callable
        Reads rows as they are stored.
    track : Track
        The track of the columns.
    lowest, highest : ndarray of shape (n_features,), float64
        Limits between which all values of a column are measurements.
    """

    read_rows: ReadMatrix
    track: Track
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    @classmethod
    def of(cls, track: Track) -> FeatureMatrix | None:
        """Return the matrix of a track's features; None if its columns must be read one by one."""
        sources = [track.features.get(i) for i in range(len(track.feature_set))]
        columns = [source.column for source in sources if source and source.is_unchanged]
        if len(columns) < len(track.feature_set):
            return None
        beside = [*([track.depth.column] if track.depth else []), *track.address.values()]
        read_rows = track.file.matrix(columns, beside)
        if read_rows is None:
            return None
        markers = [track.markers[i] for i in range(len(columns))]
        lowest, highest = np.array([(marker.lowest, marker.highest) for marker in markers]).T
        lowest[track.feature_set.is_log1p] = np.maximum(lowest[track.feature_set.is_log1p], -1)
        return cls(read_rows, track, lowest, highest)

    def read(self, span: tuple[int, int]) -> tuple[NDArray[np.float32], Extremes]:
        """Read rows, with NaN for missing values: bit for bit what reading column by column returns.

        Parameters
        ----------
        span : tuple of int
            First row, and the row after the last.

        Returns
        -------
        tuple
            Features, a C-contiguous float32 array of shape (n, n_features), and their extremes.

        Raises
        ------
        ScanError
            If the file is damaged at these rows.
        """
        rows: NDArray[Any] = self.read_rows(*self.track.rows(span))
        known, is_known = extremes(rows), True
        doubtful = np.flatnonzero((known.lowest <= self.lowest) | (known.highest >= self.highest)).tolist()
        for i in doubtful:
            stored = np.ascontiguousarray(rows[:, i])
            values = measurable(self.track.markers[i].without(Coding().values(stored)), self.track.feature_set[i])
            if values is not stored:  # seldom: a susceptibility may be 1000
                rows[:, i], is_known = values, False
        if rows.dtype != np.float32:
            with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
                narrow = rows = np.ascontiguousarray(rows, np.float32)
                known = Extremes(known.lowest.astype(np.float32), known.highest.astype(np.float32), known.has_nan)
            if doubtful:  # a float64 number may have been rounded to a sentinel
                rows = without_sentinels(narrow, sentinels=NEVER_VALUES)
                is_known &= rows is narrow
        return rows, known if is_known else extremes(rows)
