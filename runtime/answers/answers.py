"""What a run says of rows beside their embeddings: lithologies, quality, intervals, and the log for a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.log import Drift, Fault, Interval
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.result import Lithologies
from lithovae.runtime.rows.missing_policy import Prepared
from lithovae.runtime.scan.track import Track
from lithovae.runtime.settings import Settings

if TYPE_CHECKING:
    from .faults import Checks
    from .intervals import IntervalBuilder
    from .kept_rows import KeptRows
    from .lithology import Classifier
    from .quality import Quality

TOP_IN_REPORT = 3
"""Likeliest lithologies of a row in a report, if the run writes none."""


class Answers:
    """Answers about the rows of one scan.

    `columns` may be called by any thread, in any order; `take` once for each block, in order.

    Parameters
    ----------
    model : LithoModel
        The model.
    settings : Settings
        What is written for each row.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    tracks : sequence of Track
        The tracks of the scan.
    intervals : {"none", "if any", "wanted"}
        Whether intervals of lithology are made. "wanted": that there can be none, because no row has a depth and an
        embedding, is an error.
    bin_width : float, optional
        Width of the rows' depth bins in metres; None for the scan's own rows.
    min_thickness : float
        Least thickness of an interval in metres.
    keeps_rows : bool
        Whether rows are kept for a report. They are thinned if there are many.

    Attributes
    ----------
    kept : KeptRows or None
        The rows that were kept for a report.

    Raises
    ------
    BundleError
        If the model cannot give what is wanted.
    """

    def __init__(
        self,
        model: LithoModel,
        settings: Settings,
        *,
        has_depth_unit: bool = True,
        tracks: Sequence[Track] = (),
        intervals: Literal["none", "if any", "wanted"] = "none",
        bin_width: float | None = None,
        min_thickness: float = 0.0,
        keeps_rows: bool = False,
    ) -> None:
        top = settings.top or (TOP_IN_REPORT if keeps_rows and model.classes else 0)
        self._classifier: Classifier | None = None
        self._quality: Quality | None = None
        self._checks: Checks | None = None
        self._intervals: IntervalBuilder | None = None
        self.kept: KeptRows | None = None
        # Each is imported only where it is needed: most runs need none.
        if top:
            from .lithology import Classifier

            self._classifier = Classifier(model, min(top, len(model.classes) or 1), settings.all_probabilities)
        if settings.quality or (keeps_rows and model.bundle.reference is not None):
            from .faults import Checks
            from .quality import Quality

            self._quality = Quality(model)
            self._checks = Checks(model.bundle, has_depth_unit=has_depth_unit, tracks=tracks)
        if intervals != "none":
            from .intervals import IntervalBuilder

            self._intervals = IntervalBuilder(model, bin_width=bin_width, min_thickness=min_thickness)
            _ = model.graphs.classifier  # one that cannot run must fail now, not after the last row
        if keeps_rows:
            from .kept_rows import KeptRows

            self.kept = KeptRows()
        self._counts = np.zeros(len(model.classes), np.int64)
        self._warning = model.bundle.warning
        self._settings, self._classes = settings, model.classes
        self._needs_intervals = intervals == "wanted"

    @property
    def lithologies(self) -> Lithologies | None:
        """The columns of lithologies that are written; None if there are none."""
        return self._classifier.schema if self._classifier and self._settings.top else None

    @property
    def is_ordered(self) -> bool:
        """Whether `take` adds columns, so that a block can be written only after it."""
        return self._settings.quality

    def columns(self, rows: Prepared, embeddings: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return columns of the result for a block of rows, by name."""
        columns: dict[str, NDArray[Any]] = {"values": rows.values} if self._settings.values or self.kept else {}
        if self._classifier:
            columns |= self._classifier.columns(embeddings)
            columns["lithology_warning"] = np.broadcast_to(np.array(self._warning), len(embeddings))
        if self._quality:
            columns |= self._quality.columns(rows, embeddings)
        return columns

    def take(self, rows: Prepared, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Take the columns of the next block of rows; return the columns that depend on the blocks before it."""
        more: dict[str, NDArray[Any]] = {}
        if self._checks:
            more["flags"] = self._checks.take(rows, columns)
        if self._settings.top:
            first = columns["lithologies"][:, 0]
            self._counts += np.bincount(first[first < len(self._classes)], minlength=len(self._classes))
        if self._intervals:
            self._intervals.add(rows.block.depth, rows.block.hole, columns["embeddings"], rows.missing)
        if self.kept:
            self.kept.take(rows.block, {**columns, **more})
        return more

    def intervals(self) -> list[Interval]:
        """Return the intervals of lithology, after all rows have been taken.

        Raises
        ------
        ScanError
            If they are wanted, and no row has a depth and an embedding.
        """
        try:
            return self._intervals.finish() if self._intervals else []
        except ScanError:
            if self._needs_intervals:
                raise
            return []

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by their likeliest lithology, the commonest first; empty if none are written."""
        order = np.argsort(-self._counts, kind="stable")
        return {self._classes[i]: int(self._counts[i]) for i in order if self._counts[i]}

    @property
    def faults(self) -> list[Fault]:
        """Likely faults in the rows so far."""
        return self._checks.faults if self._checks else []

    @property
    def drift(self) -> list[Drift]:
        """Comparison of the rows so far with the training rows."""
        return self._checks.drift if self._checks else []

    @property
    def notes(self) -> list[str]:
        """Notes about the rows so far, the most important first."""
        return self._checks.notes if self._checks else []
