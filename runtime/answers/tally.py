"""Counts what a run reads and writes, block by block."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.missing import bit_counts
from lithovae.runtime.rows.rows import Rows
from lithovae.runtime.rows.tally import RowTally
from lithovae.runtime.summary import Summary

from .answers import Answers
from .embedding import Embedded, Embedder


class Tally:
    """Counts rows as they are embedded.

    Parameters
    ----------
    rows : Rows
        The rows of the scan.
    embedder : Embedder
        The embedder of the rows.
    answers : Answers
        The answers about the rows.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, rows: Rows, embedder: Embedder, answers: Answers, *, has_depth_unit: bool = True) -> None:
        self._answers = answers
        self._rows, self._embedder = RowTally(rows, has_depth_unit=has_depth_unit), embedder
        self._n_nan = self._n_dropped = 0
        self._dropped = np.zeros(len(rows.features), np.int64)

    def take(self, done: Embedded) -> None:
        """Count the rows of a block."""
        self._rows.take(done.rows)
        self._n_dropped += len(done.rows.dropped)
        self._dropped += bit_counts(done.rows.dropped, len(self._dropped))
        self._n_nan += done.n_nan

    def summary(self, scan: ScanDescription) -> Summary:
        """Return the counts, after all rows have been taken."""
        bundle, answers, faults = self._embedder.model.bundle, self._answers, self._answers.faults
        counts, said = vars(self._rows.summary(scan)), {fault.text for fault in faults}
        of_rows = [note for note in counts["notes"] if note not in said]
        notes = [*answers.notes, *of_rows, *filter(None, [self._embedder.policy.note])]
        intervals = answers.intervals()
        return Summary(
            **{**counts, "notes": notes},
            model=bundle.name,
            trained_on=bundle.trained_on,
            latent_dim=bundle.latent_dim,
            missing=self._embedder.policy.name,
            imputes=self._embedder.model.imputes,
            n_nan=self._n_nan,
            n_dropped=self._n_dropped,
            dropped=self._dropped,
            lithologies=answers.counts,
            intervals=intervals,
            faults=faults,
            drift=answers.drift,
            warning=bundle.warning if answers.counts or intervals else "",
        )
