"""Values of all rows together that can only be in another unit than the models need; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FeatureSet
from lithovae.runtime.other_units import OtherUnits
from lithovae.runtime.scan.address import run_starts

from .block import Block

DEEPEST = 12_500.0
"""Depth (m) that no borehole reaches."""
LONGEST = {"section": 20.0, "core": 100.0}
"""Length (m) that no section, and no core, reaches."""
COARSEST_STEP, LONGEST_CORE = 0.5, 100.0
"""Depths without a unit that go in larger steps (m), and end below this depth (m), are in cm."""
MAX_SPANS = 10_000


class UnitCheck:
    """Collects the extremes of rows, block by block.

    Parameters
    ----------
    features : FeatureSet
        The features of the rows.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, features: FeatureSet, has_depth_unit: bool) -> None:
        self._has_depth_unit = has_depth_unit
        self._features = OtherUnits(features)
        self._deepest = -np.inf
        self._step: float | None = None
        self._spans: dict[str, list[float]] = {part: [] for part in LONGEST}

    def add(self, block: Block) -> None:
        """Add some rows."""
        if not len(block):
            return
        self._features.add(block.extremes, block.features)
        if block.left_out:
            self._features.add(block.left_out)
        if block.depth is None or block.depth_range is None:
            return
        shallowest, deepest = block.depth_range
        self._deepest = max(self._deepest, deepest)
        if self._step is None and not self._has_depth_unit:
            steps = np.abs(np.diff(block.depth))
            steps = np.sort(steps[steps > 0])
            self._step = float(steps[len(steps) // 2]) if len(steps) else None
        if deepest - shallowest > min(LONGEST.values()):
            self._add_spans(block.address, block.depth)

    def _add_spans(self, address: dict[str, NDArray[np.str_]], depth: NDArray[np.float64]) -> None:
        """Add the length of each run of rows of one section, and of one core."""
        parts = [part for part in address if part not in LONGEST]
        for part in ("core", "section"):
            if part not in address:
                continue
            parts.append(part)
            texts = [address[each] for each in parts]
            starts = run_starts(texts, len(depth))
            lengths = np.fmax.reduceat(depth, starts) - np.fmin.reduceat(depth, starts)
            known = self._spans[part]
            known += lengths[(address[part][starts] != "") & ~np.isnan(lengths)].tolist()[: MAX_SPANS - len(known)]

    @property
    def notes(self) -> list[str]:
        """Notes for the user."""
        return [*self._features.notes, *self._of_depths()]

    def _of_depths(self) -> Iterator[str]:
        advice = "are they in cm or mm? State the unit"
        for part, spans in self._spans.items():
            if spans and (length := sorted(spans)[len(spans) // 2]) > LONGEST[part]:
                yield (
                    f"the {part}s are longer than {LONGEST[part]:g} m, by their depths: half exceed {length:,.0f} m; "
                    f"{advice}"
                )
                return
        if self._deepest > DEEPEST:
            yield f"depths are deeper than any borehole: they end at {self._deepest:,.0f} m; {advice}"
        elif not self._has_depth_unit and self._deepest > LONGEST_CORE and (self._step or 0) >= COARSEST_STEP:
            yield (
                f"depths without a unit seem not to be metres: they go in steps of {self._step:g} and end at "
                f"{self._deepest:,.0f}; {advice}"
            )
