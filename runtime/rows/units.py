"""Values of all rows together that can only be in another unit than the models need; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FEATURES
from lithovae.runtime.scan.address import run_starts

from .block import Block

DENSITY, SUSCEPTIBILITY, FIRST_COLOUR = 0, 1, 3
SMALLEST_SUSCEPTIBILITY = 0.001
"""Susceptibilities (instrument units) that are all smaller are volume susceptibilities in SI."""
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
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, has_depth_unit: bool) -> None:
        self._has_depth_unit = has_depth_unit
        self._lowest, self._highest = np.full(len(FEATURES), np.inf), np.full(len(FEATURES), -np.inf)
        self._deepest = -np.inf
        self._step: float | None = None
        self._spans: dict[str, list[float]] = {part: [] for part in LONGEST}

    def add(self, block: Block) -> None:
        """Add some rows."""
        if not len(block):
            return
        for extremes in filter(None, (block.extremes, block.left_out)):
            self._lowest = np.fmin(self._lowest, extremes.lowest)
            self._highest = np.fmax(self._highest, extremes.highest)
        if block.depth is None or block.depth_range is None:
            return
        shallowest, deepest = block.depth_range
        self._deepest = max(self._deepest, deepest)
        if self._step is None and len(block) > 1:
            steps = np.abs(np.diff(block.depth))
            steps = steps[steps > 0]
            self._step = float(np.median(steps)) if len(steps) else None
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
        return [*self._of_features(), *self._of_depths()]

    def _of_features(self) -> Iterator[str]:
        low, high = self._lowest.tolist(), self._highest.tolist()
        if 0 < max(abs(low[SUSCEPTIBILITY]), abs(high[SUSCEPTIBILITY])) < SMALLEST_SUSCEPTIBILITY:
            yield (
                f"no susceptibility is above {SMALLEST_SUSCEPTIBILITY}: the models need instrument units, and these "
                "seem to be SI (state the unit, and declare the conversion with --calibration)"
            )
        if low[DENSITY] >= 300 and low[DENSITY] <= high[DENSITY] <= 4000:
            yield (
                f"all densities are above 300: the models need g/cm3, and these ({low[DENSITY]:,.0f} to "
                f"{high[DENSITY]:,.0f}) seem to be kg/m3 (state the unit)"
            )
        if max(high[FIRST_COLOUR:]) <= 1 and np.isfinite(high[FIRST_COLOUR:]).any():
            yield "no colour is above 1: the models need R, G, B from 0 to 255, not from 0 to 1"

    def _of_depths(self) -> Iterator[str]:
        advice = "are they in cm or mm? State the unit"
        for part, spans in self._spans.items():
            if spans and (length := float(np.median(spans))) > LONGEST[part]:
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
