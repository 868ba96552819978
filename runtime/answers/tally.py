"""Counts what a run reads and writes, block by block."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.missing import bit_counts
from lithovae.runtime.rows.own_depths import OwnDepths
from lithovae.runtime.rows.rows import Rows
from lithovae.runtime.rows.units import UnitCheck
from lithovae.runtime.summary import Summary

from .embedding import Embedded, Embedder


class Tally:
    """Counts rows as they are embedded.

    Parameters
    ----------
    rows : Rows
        The rows of the scan.
    embedder : Embedder
        The embedder of the rows.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, rows: Rows, embedder: Embedder, *, has_depth_unit: bool = True) -> None:
        self._rows, self._embedder = rows, embedder
        self._n_rows = self._n_nan = self._n_dropped = 0
        self._n_missing, self._n_implausible, self._dropped = np.zeros((3, len(rows.features)), np.int64)
        self._depth_range: tuple[float, float] | None = None
        self._own_depths, self._lost = OwnDepths(), rows.lost
        self._units = UnitCheck(rows.features, has_depth_unit)

    def take(self, done: Embedded) -> None:
        """Count the rows of a block."""
        rows, block, n = done.rows, done.rows.block, len(self._n_missing)
        self._n_rows += len(block)
        self._n_missing += bit_counts(rows.missing, n)
        self._n_implausible += bit_counts(rows.implausible, n)
        self._n_dropped += len(rows.dropped)
        self._dropped += bit_counts(rows.dropped, n)
        self._n_nan += done.n_nan
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
        return [
            note
            for note in (*self._rows.notes, *self._units.notes, self._own_depths.note, self._embedder.policy.note)
            if note
        ]

    def summary(self, scan: ScanDescription) -> Summary:
        """Return the counts, after all rows have been taken."""
        bundle = self._embedder.model.bundle
        return Summary(
            scan=scan,
            model=bundle.name,
            trained_on=bundle.trained_on,
            features=bundle.features,
            latent_dim=bundle.latent_dim,
            missing=self._embedder.policy.name,
            imputes=self._embedder.model.imputes,
            bin_width=self._rows.bin_width,
            n_rows=self._n_rows,
            n_missing=self._n_missing,
            n_implausible=self._n_implausible,
            n_nan=self._n_nan,
            n_dropped=self._n_dropped,
            dropped=self._dropped,
            n_left_out=self._rows.n_left_out,
            left_out=self._rows.left_out,
            n_implausible_samples=self._rows.n_implausible,
            depth_range=self._depth_range,
            lost=list(self._lost.notes),
            other_units=self._units.notes,
            notes=self.notes,
        )
