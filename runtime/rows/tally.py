"""Counts the rows of a scan as they are written, block by block."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.missing import bit_counts
from lithovae.runtime.summary import RowSummary

from .missing_policy import Prepared
from .own_depths import OwnDepths
from .rows import Rows
from .units import UnitCheck


class RowTally:
    """Counts rows.

    Parameters
    ----------
    rows : Rows
        The rows of the scan.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, rows: Rows, *, has_depth_unit: bool = True) -> None:
        self._rows, self._n_rows = rows, 0
        self._n_missing, self._n_implausible = np.zeros((2, len(rows.features)), np.int64)
        self._depth_range: tuple[float, float] | None = None
        self._own_depths, self._lost = OwnDepths(), rows.lost
        self._units = UnitCheck(rows.features, has_depth_unit)

    def take(self, prepared: Prepared) -> None:
        """Count the rows of a block that are kept."""
        block, n = prepared.block, len(self._n_missing)
        self._n_rows += len(block)
        self._n_missing += bit_counts(prepared.missing, n)
        self._n_implausible += bit_counts(prepared.implausible, n)
        self._lost = self._lost.plus(block.lost)
        self._units.add(block)
        if self._rows.bin_width is None:
            self._own_depths.add(block)
        if block.depth_range is not None:
            low, high = block.depth_range
            known = self._depth_range or block.depth_range
            self._depth_range = (min(low, known[0]), max(high, known[1]))

    @property
    def notes(self) -> list[str]:
        """Notes about the rows so far, in addition to those of the scan."""
        return [note for note in (*self._rows.notes, *self._units.notes, self._own_depths.note) if note]

    def summary(self, scan: ScanDescription) -> RowSummary:
        """Return the counts, after all rows have been taken."""
        return RowSummary(
            scan=scan,
            features=self._rows.features,
            bin_width=self._rows.bin_width,
            n_rows=self._n_rows,
            n_missing=self._n_missing,
            n_implausible=self._n_implausible,
            n_left_out=self._rows.n_left_out,
            left_out=self._rows.left_out,
            n_implausible_samples=self._rows.n_implausible,
            depth_range=self._depth_range,
            lost=list(self._lost.notes),
            other_units=self._units.notes,
            notes=self.notes,
        )
