"""Values and depths of all rows together that can only be in another unit than the models need; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FeatureSet
from lithovae.runtime.other_units import OtherUnits
from lithovae.runtime.scan.address import run_starts
from lithovae.runtime.scan.track import Track

from .block import Block

DEEPEST = 12_500.0
"""Depth (m) that no borehole reaches."""
LONGEST = {"section": 20.0, "core": 100.0}
"""Length (m) that no section, and no core, reaches."""
COARSEST_STEP, LONGEST_CORE = 0.5, 100.0
"""Depths without a unit that go in larger steps (m), and end below this depth (m), are in cm."""
MAX_SPANS = 10_000
FOOT = 0.3048
FULL_SECTION, FULL_CORE = (1.35, 1.56), (5.5, 10.6)
"""Lengths (m) of most sections and cores of scientific drilling: cut at 1.5 m, from a core barrel of 9.5 m."""
ROUND = np.array([1, 2, 2.5, 3, 4, 5, 6, 8])
"""Steps along a core are these, times a power of ten."""
NEARLY, EXACTLY = 0.01, 0.001
"""A step that differs by more than the first share from a round number is not one; by less than the second, it is."""
SMALLEST_STEP, STEP_ROWS, FEWEST_STEPS = 0.001, 4096, 100
"""Smallest step (m) that is judged, number of depths of a track that are looked at, and fewest steps among them."""


class DepthCheck:
    """Collects the depths of rows, block by block, and says if they are in another unit than metres.

    Parameters
    ----------
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    steps : iterable of float
        Steps between the samples of each instrument, in metres, as far as they are known; see `steps_of`.
    """

    def __init__(self, has_depth_unit: bool, steps: Iterable[float] = ()) -> None:
        self._has_depth_unit = has_depth_unit
        self._in_feet = [step for step in steps if is_round_in_feet(step)]
        self._deepest = self._last = -np.inf
        self._step: float | None = None
        self._spans: dict[str, list[float]] = {part: [] for part in LONGEST}
        self._open: dict[str, tuple[tuple[str, ...], float, float]] = {}

    def add(self, block: Block) -> None:
        """Add some rows."""
        if block.depth is None or block.depth_range is None:
            return
        self._deepest = max(self._deepest, block.depth_range[1])
        if self._step is None and not self._has_depth_unit:
            steps = np.abs(np.diff(block.depth, prepend=self._last))
            steps = np.sort(steps[(steps > 0) & (steps < np.inf)])
            self._step = float(steps[len(steps) // 2]) if len(steps) else None
            self._last = float(block.depth[-1])
        self._add_spans({part: texts[block.starts] for part, texts in block.address.items()}, block)

    def _add_spans(self, address: dict[str, NDArray[np.str_]], block: Block) -> None:
        """Add the length of each run of rows of one section, and of one core; the last may go on in the next block."""
        assert block.depth is not None
        parts = [part for part in address if part not in LONGEST]
        for part in ("core", "section"):
            if part not in address:
                continue
            parts.append(part)
            texts = [address[each] for each in parts]
            runs = run_starts(texts, len(block.starts))
            starts = block.starts[runs]
            if len(runs) == 1:  # most blocks
                low, high = np.array(block.depth_range)[:, None]
            else:
                low, high = np.fmin.reduceat(block.depth, starts), np.fmax.reduceat(block.depth, starts)
            first, last = (tuple(str(column[row]) for column in texts) for row in (0, -1))
            key, lowest, highest = self._open.get(part, (first, np.nan, np.nan))
            if key == first:
                low[0], high[0] = np.fmin(low[0], lowest), np.fmax(high[0], highest)
            else:
                self._close(part, [key[-1]], np.array([highest - lowest]))
            self._close(part, address[part][runs[:-1]].tolist(), (high - low)[:-1])
            self._open[part] = last, float(low[-1]), float(high[-1])

    def _close(self, part: str, names: list[str], lengths: NDArray[np.float64]) -> None:
        known = self._spans[part]
        found = [length for name, length in zip(names, lengths.tolist(), strict=True) if name and length == length]
        known += found[: MAX_SPANS - len(known)]

    def _lengths(self, part: str) -> list[float]:
        """Return the lengths of the sections or cores so far, ascending."""
        key, low, high = self._open.get(part, (("",), np.nan, np.nan))
        return sorted([*self._spans[part], *([high - low] if key[-1] and high >= low else [])])

    @property
    def notes(self) -> list[str]:
        """What is wrong and what to do. Usually empty."""
        return list(self._of_depths())

    def _of_depths(self) -> Iterator[str]:
        advice = "are they in cm or mm? State the unit"
        for part in LONGEST:
            lengths = self._lengths(part)
            if lengths and (length := lengths[len(lengths) // 2]) > LONGEST[part]:
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
        else:
            yield from self._of_feet()

    def _of_feet(self) -> Iterator[str]:
        advice = "are they in feet? State the unit"
        if self._in_feet:
            step = self._in_feet[0]
            yield (
                f"depths seem to be in feet: samples are {step:.4g} m apart, which is no round number, but "
                f"{step * FOOT:.3g} m if these are feet; {advice}"
            )
            return
        sections, cores = self._lengths("section"), self._lengths("core")
        if len(sections) >= 6 and len(cores) >= 2:
            section, core = (lengths[len(lengths) * 3 // 4] * FOOT for lengths in (sections, cores))
            whole = FULL_SECTION[0] <= section <= FULL_SECTION[1] and FULL_CORE[0] <= core <= FULL_CORE[1]
            if whole and sections[-1] * FOOT <= 1.1 * FULL_SECTION[1] and cores[-1] * FOOT <= 1.1 * FULL_CORE[1]:
                yield (
                    f"depths seem to be in feet: sections are {section / FOOT:.1f} m and cores {core / FOOT:.0f} m "
                    f"long, which are the usual {section:.1f} m and {core:.1f} m if these are feet; {advice}"
                )


def is_round_in_feet(step: float) -> bool:
    """Return whether a step (m) is no round number, but would be one if it were in feet."""
    return _distance(step) > NEARLY and _distance(step * FOOT) <= EXACTLY


def _distance(step: float) -> float:
    """Return by which share a step differs from the nearest round number."""
    mantissa = step / 10.0 ** np.floor(np.log10(step))
    return float(np.abs(mantissa / np.append(ROUND, 10) - 1).min())


def steps_of(tracks: Iterable[Track]) -> list[float]:
    """Return the mean step (m) between the first samples of each track whose depths are regular.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    found = []
    for track in tracks:
        if track.depth is None or track.section_depths is not None:
            continue
        steps = np.abs(np.diff(track.read_depth((0, min(track.length, STEP_ROWS)))))
        steps = steps[steps > 0]
        if len(steps) < FEWEST_STEPS:
            continue
        regular = steps[np.abs(steps / np.median(steps) - 1) < 0.3]  # others are gaps
        if len(regular) > 0.8 * len(steps) and (step := float(np.mean(regular))) >= SMALLEST_STEP:
            found.append(step)
    return found


class UnitCheck:
    """Collects the values and depths of rows, block by block.

    Parameters
    ----------
    features : FeatureSet
        The features of the rows.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    """

    def __init__(self, features: FeatureSet, has_depth_unit: bool) -> None:
        self._features, self._depths = OtherUnits(features), DepthCheck(has_depth_unit)

    def add(self, block: Block) -> None:
        """Add some rows."""
        if not len(block):
            return
        self._features.add(block.extremes, block.features)
        if block.left_out:
            self._features.add(block.left_out)
        self._depths.add(block)

    @property
    def notes(self) -> list[str]:
        """Notes for the user."""
        return [*self._features.notes, *self._depths.notes]
