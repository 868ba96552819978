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
    """Neighbouring columns, one for each feature, of floating-point numbers that need no conversion."""

    read_rows: ReadMatrix
    track: Track

    @classmethod
    def of(cls, track: Track) -> FeatureMatrix | None:
        """Return the matrix of a track's features; None if its columns must be read one by one."""
        sources = [track.features.get(i) for i in range(len(track.feature_set))]
        columns = [source.column for source in sources if source and source.is_unchanged]
        if len(columns) < len(track.feature_set):
            return None
        beside = [*([track.depth.column] if track.depth else []), *track.address.values()]
        read_rows = track.file.matrix(columns, beside)
        return cls(read_rows, track) if read_rows else None

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
        known = extremes(rows)
        doubtful = self._may_be_invalid(known)
        for i in np.flatnonzero(doubtful).tolist():
            values = Coding().values(np.ascontiguousarray(rows[:, i]))
            rows[:, i] = measurable(self.track.markers[i].without(values), self.track.feature_set[i])
        if rows.dtype == np.float32:
            return rows, extremes(rows) if doubtful.any() else known
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
            narrow = np.ascontiguousarray(rows, np.float32)
        if doubtful.any():
            narrow = without_sentinels(
                narrow, sentinels=NEVER_VALUES
            )  # a float64 number may have been rounded to a sentinel
        return narrow, extremes(narrow)

    def _may_be_invalid(self, known: Extremes) -> NDArray[np.bool_]:
        """Return which columns may contain values other than NaN that are not measurements; shape (n_features,)."""
        lowest, highest = (
            [getattr(self.track.markers[i], end) for i in range(len(known.lowest))] for end in ("lowest", "highest")
        )
        doubtful = (known.lowest <= lowest) | (known.highest >= highest)
        return np.asarray(doubtful | (self.track.feature_set.is_log1p & (known.lowest <= -1)))
