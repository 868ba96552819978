"""What a run would do with a scan, determined without running the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.formats.unchanged import unchanged
from lithovae.runtime.missing import missing_bits
from lithovae.runtime.process.progress import Progress, silent
from lithovae.runtime.scan.address import HOLE_PARTS
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.scan.track import Track
from lithovae.runtime.settings import Settings

from .missing_policy import MissingPolicy, require_whole
from .own_depths import OwnDepths
from .rows import Rows, rows_of
from .units import UnitCheck

MAX_STEPS = 1 << 18
"""Largest number of depth steps of which the median is taken."""
EFFECTS = {"impute": "imputed", "nan": "no embedding", "drop": "left out", "error": "the run stops"}
"""Effect of a missing feature, by missing-value policy."""
MAX_NAMES = 1000
"""Largest number of holes, cores or sections that are named; all are counted."""


def inspect_scan(
    path: str | Path, settings: Settings, policy: MissingPolicy, *, progress: Progress = silent
) -> dict[str, Any]:
    """Determine what a run would do with a scan. The scan is streamed twice.

    Parameters
    ----------
    path : path-like
        The file.
    settings : Settings
        The settings of the run.
    policy : MissingPolicy
        What the run would do with a row that lacks a feature.
    progress : callable, optional
        Wraps iterables to show progress; see `lithovae.runtime.console.progress`.

    Returns
    -------
    dict
        Plain values; ``docs/scan-format.md`` documents the keys.

    Raises
    ------
    ScanError
        If the run would raise one.
    """
    with (
        unchanged(Path(path)) as require_unchanged,
        open_scan(path, settings.mapping, settings.calibrations, policy.features) as scan,
    ):
        described = scan.describe()
        tracks = [_track(track, progress) for track in scan.tracks]
        rows = rows_of(scan, progress, settings.bin_width)
        found = _read_through(rows, policy, described.has_depth_unit)
        require_unchanged()
    return {
        "scan": described.path,
        "layout": described.layout,
        "address": described.address,
        "found": {
            kind: {"n": len(names), "first": sorted(names, key=_natural)[:MAX_NAMES]}
            for kind, names in found.names.items()
        },
        "rows": {
            "kind": "own" if rows.bin_width is None else "bins",
            "bin_width_m": rows.bin_width,
            "n": rows.n,
            "depth_m": found.depth,
            "samples_without_depth": rows.n_left_out,
            "implausible_samples": dict(zip(rows.features.names, rows.n_implausible.tolist(), strict=True)),
        },
        "bundle": {"name": Path(settings.model).name, "missing": policy.name},
        "features": [
            {
                "name": feature.name,
                "short": rows.features.short_names[feature.name],
                "unit": feature.unit,
                "sources": [source.as_json() for source in feature.sources],
                "rows_with_value": n_with,
                "coverage": n_with / rows.n if rows.n else 0.0,
                "where_missing": EFFECTS[policy.name],
            }
            for feature, n_with in zip(described.features, found.n_with, strict=True)
        ],
        "tracks": tracks,
        "notes": [*described.notes, *found.notes, *filter(None, [policy.note])],
        "unused": described.unused,
    }


def _track(track: Track, progress: Progress) -> dict[str, Any]:
    """Count the values of a track, and find the range and step of its depths."""
    values = dict.fromkeys(track.features, 0)
    depths = DepthSteps()
    for stretch in progress(track.stretches(), "reading", track.length, lambda stretch: stretch.length):
        for i, samples in stretch.features.items():
            values[i] += int(np.count_nonzero(~np.isnan(samples)))
        if stretch.depth is not None:
            depths.add(stretch.depth)
    return {
        "samples": track.length,
        "values": {track.feature_set[i].name: n for i, n in values.items()},
        "depth": track.depth
        and {**track.depth.describe().as_json(), "range_m": depths.range, "median_step_m": depths.median()},
        "address": track.constants,
        "address_columns": {part: column.path for part, column in track.address.items()},
    }


class DepthSteps:
    """Range and median step of depths that are added block by block.

    If there are more than `MAX_STEPS` steps, every second, fourth, … one is kept.

    Attributes
    ----------
    range : list of float, or None
        Shallowest and deepest depth in metres; None before the first.
    """

    def __init__(self) -> None:
        self.range: list[float] | None = None
        self._steps = np.empty(0)
        self._stride = 1
        self._last = np.nan

    def add(self, depth: NDArray[np.float64]) -> None:
        """Add the depths of a block, in metres; NaN is ignored."""
        known = depth[~np.isnan(depth)]
        if not len(known):
            return
        low, high = float(known.min()), float(known.max())
        self.range = [low, high] if self.range is None else [min(low, self.range[0]), max(high, self.range[1])]
        steps = np.abs(np.diff(known, prepend=self._last))
        self._last = float(known[-1])
        self._steps = np.concatenate([self._steps, steps[~np.isnan(steps)][:: self._stride]])
        while len(self._steps) > MAX_STEPS:
            self._steps, self._stride = self._steps[::2], 2 * self._stride

    def median(self) -> float | None:
        """Return the median distance between consecutive samples in metres; None if there are fewer than two."""
        return float(np.median(self._steps)) if len(self._steps) else None


class _Rows(NamedTuple):
    """What was found in the rows: how many have each feature, range of depth (m), names in the address, and notes."""

    n_with: list[int]
    depth: list[float] | None
    names: dict[str, set[str]]
    notes: list[str]


def _read_through(rows: Rows, policy: MissingPolicy, has_depth_unit: bool) -> _Rows:
    n_with = np.zeros(len(rows.features), np.int64)
    depths, own_depths, lost = DepthSteps(), OwnDepths(), rows.lost
    units = UnitCheck(rows.features, has_depth_unit)
    names: dict[str, set[str]] = {}
    for block in (read() for read in rows.blocks):
        if policy.name == "error":
            require_whole(block, missing_bits(block.features, rows.features), rows.features)
        n_with += np.count_nonzero(np.isfinite(block.features), axis=0)
        lost = lost.plus(block.lost)
        units.add(block)
        if block.depth is not None:
            depths.add(block.depth)
        if rows.bin_width is None:
            own_depths.add(block)
        parts: list[NDArray[np.str_]] = []
        for kind, level in (("holes", HOLE_PARTS), ("cores", ("core",)), ("sections", ("section",))):
            inner = [block.address[part] for part in level if part in block.address]
            parts += inner
            if inner:
                keys = [tuple(map(str, key)) for key in np.unique(np.rec.fromarrays(parts)).tolist()]
                names.setdefault(kind, set()).update(" ".join(filter(None, key)) for key in keys if key[-1])
    notes = [*rows.notes, *lost.notes, *units.notes, *filter(None, [own_depths.note])]
    return _Rows(n_with.tolist(), depths.range, names, notes)


def _natural(name: str) -> list[tuple[str, int]]:
    """Return a sort key that puts 2 before 10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d{0,18})", name)]
