"""Six features side by side in one array, as the model takes them: read as a whole, not column by column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FEATURES
from lithovae.runtime.formats.codes import UNDEFINED, Coding
from lithovae.runtime.formats.file import ReadMatrix
from lithovae.runtime.missing import FIRST_COLOUR, SENTINELS, Extremes, extremes, measurable, without_sentinels
from lithovae.runtime.scan.track import Track

_ABOVE_SENTINELS = max(SENTINELS) + 1  # with room for what rounds to one


class FeatureMatrix(NamedTuple):
    """Six neighbouring columns of floating-point numbers that need no conversion."""

    read_rows: ReadMatrix

    @classmethod
    def of(cls, track: Track) -> FeatureMatrix | None:
        """Find the matrix that a track is; None where its columns have to be read one by one."""
        sources = [track.features.get(i) for i in range(len(FEATURES))]
        columns = [source.column for source in sources if source and source.factor == 1]
        if len(columns) < len(FEATURES):
            return None
        beside = [*([track.depth.column] if track.depth else []), *track.address.values()]
        read_rows = track.file.matrix(columns, beside)
        return cls(read_rows) if read_rows else None

    def read(self, span: tuple[int, int]) -> tuple[NDArray[np.float32], Extremes]:
        """Read rows: to the bit what the columns give one by one, missing values NaN.

        Returns
        -------
        tuple
            Features (n, 6), float32, in storage order, and their extremes.

        Raises
        ------
        ScanError
            If the file is damaged there.
        """
        rows: NDArray[Any] = self.read_rows(*span)
        known = extremes(rows)
        doubtful = _are_doubtful(known)
        for i in np.flatnonzero(doubtful).tolist():
            rows[:, i] = measurable(Coding().values(np.ascontiguousarray(rows[:, i])), i)
        if rows.dtype == np.float32:
            return rows, extremes(rows) if doubtful.any() else known
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
            narrow = np.ascontiguousarray(rows, np.float32)
        if doubtful.any():
            narrow = without_sentinels(narrow)  # to which a number in float64 may have been rounded
        return narrow, extremes(narrow)


def _are_doubtful(known: Extremes) -> NDArray[np.bool_]:
    """Tell which columns may hold what is no measurement; NaN is sure to be none."""
    doubtful = (known.lowest < _ABOVE_SENTINELS) | (known.highest > UNDEFINED)
    doubtful[FIRST_COLOUR:] |= known.lowest[FIRST_COLOUR:] <= -1
    return np.asarray(doubtful)
