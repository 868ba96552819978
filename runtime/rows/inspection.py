"""What a run would do with a scan, found out without running the model: ``lithovae-run --inspect``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.answers.summary import OwnDepths
from lithovae.runtime.features import FEATURE_NAMES, FEATURES
from lithovae.runtime.missing import missing_bits
from lithovae.runtime.scan.address import HOLE_PARTS
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.scan.source import Source
from lithovae.runtime.scan.track import Track

from .policy import require_whole
from .rows import BinWidth, Progress, Rows, rows_of

MAX_STEPS = 1 << 18
EFFECTS = {"impute": "imputed", "nan": "no embedding", "drop": "left out", "error": "the run stops"}
"""What comes of a row's missing feature."""
MAX_NAMES = 1000
"""Holes, cores and sections that are named, of however many there are."""


def plan_of(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    *,
    bundle: str,
    missing: str,
    note: str = "",
    bin_width: BinWidth = "auto",
    progress: Progress = lambda items, label, total, size: items,
) -> dict[str, Any]:
    """Find out what a run would do with a scan. The scan is read through, twice, in streaming.

    Parameters
    ----------
    path : path-like
        An HDF5 file.
    mapping : mapping of str to str, optional
        Columns to take, by feature; see `lithovae.runtime.scan.scan.open_scan`.
    bundle : str
        Name of the bundle that would be run.
    missing : {"impute", "nan", "drop", "error"}
        What is done with a row that lacks a feature.
    note : str, optional
        What is to be said of that, by `lithovae.runtime.rows.policy.note_of`.
    bin_width : float, None or "auto"
        As `lithovae.runtime.commands.one_scan.embed_scan` takes it.
    progress : callable, optional
        Wraps what passes, to show how far it is.

    Returns
    -------
    dict
        Plain values; ``docs/scan-format.md`` lists the keys.

    Raises
    ------
    ScanError
        Where the run would end in one.
    """
    with open_scan(path, mapping) as scan:
        tracks = [_track(track, progress) for track in scan.tracks]
        notes = [*scan.notes, *_unplaced(scan)]  # before the samples are placed, and counted, once more
        rows = rows_of(scan, progress, bin_width)
        n_with, depth, found, restart = _rows(rows, scan, missing)
        effect = EFFECTS[missing]
        return {
            "scan": str(scan.path),
            "layout": _layout(scan),
            "address": scan.address,
            "found": {
                kind: {"n": len(names), "first": sorted(names, key=_natural)[:MAX_NAMES]}
                for kind, names in found.items()
            },
            "rows": {
                "kind": "own" if rows.bin_width is None else "bins",
                "bin_width_m": rows.bin_width,
                "n": rows.n,
                "depth_m": depth,
                "samples_without_depth": rows.n_left_out,
            },
            "bundle": {"name": bundle, "missing": missing},
            "features": [
                {
                    "name": feature.name,
                    "unit": feature.unit,
                    "sources": [_source(source) for source in scan.sources.get(i, [])],
                    "rows_with_value": n_with[i],
                    "coverage": n_with[i] / rows.n if rows.n else 0.0,
                    "where_missing": effect,
                }
                for i, feature in enumerate(FEATURES)
            ],
            "tracks": tracks,
            "notes": [*notes, *filter(None, (restart, note))],
            "unused": scan.unused,
        }


def _unplaced(scan: Scan) -> list[str]:
    return [note for track in scan.tracks if track.placement for note in track.placement.notes]


def _layout(scan: Scan) -> list[str]:
    """Name the layout of the columns, and how the file arranges them."""
    kinds = dict.fromkeys(source.column.layout for sources in scan.sources.values() for source in sources)
    several = {part for track in scan.tracks for part in track.constants if part not in scan.address}
    if len(scan.tracks) == 1:
        arranged = "all in one table"
    elif several:
        arranged = f"a group per {' and '.join(part for part in scan.tracks[0].parts if part in several) or 'address'}"
    else:
        arranged = "a table per instrument, each with its own depth"
    return [*kinds, arranged]


def _source(source: Source) -> dict[str, Any]:
    return {
        "path": source.column.path,
        "layout": source.column.layout,
        "unit": source.unit,
        "factor": str(source.factor),
        "mapped": source.is_mapped,
    }


def _track(track: Track, progress: Progress) -> dict[str, Any]:
    values = dict.fromkeys(track.features, 0)
    depths, steps = DepthSteps(), None
    for stretch in progress(track.stretches(), "looking", track.length, lambda stretch: stretch.length):
        for i, samples in stretch.features.items():
            values[i] += int(np.count_nonzero(~np.isnan(samples)))
        if stretch.depth is not None:
            depths.add(stretch.depth)
    steps = depths.median()
    return {
        "samples": track.length,
        "values": {FEATURE_NAMES[i]: n for i, n in values.items()},
        "depth": track.depth and {**_source(track.depth), "range_m": depths.range, "median_step_m": steps},
        "address": track.constants,
        "address_columns": {part: column.path for part, column in track.address.items()},
    }


class DepthSteps:
    """Range and median step of depths that come block by block.

    Beyond `MAX_STEPS` steps, every second, fourth, ... one is kept.

    Attributes
    ----------
    range : list of float, or None
        Shallowest and deepest depth in metres.
    """

    def __init__(self) -> None:
        self.range: list[float] | None = None
        self._steps = np.empty(0)
        self._stride = 1
        self._last = np.nan

    def add(self, depth: NDArray[np.float64]) -> None:
        """Add a block."""
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
        """Give the median distance from a sample to the next, in metres."""
        return float(np.median(self._steps)) if len(self._steps) else None


def _rows(
    rows: Rows, scan: Scan, missing: str
) -> tuple[list[int], list[float] | None, dict[str, set[str]], str | None]:
    """Count the rows that have each feature, and collect the holes, cores and sections that they come from.

    With them comes what is to be said of the depths of a scan's own rows.
    """
    n_with = np.zeros(len(FEATURES), np.int64)
    depths, ranges = DepthSteps(), OwnDepths()
    found: dict[str, set[str]] = {}
    for block in (read() for read in rows.blocks):
        if missing == "error":
            require_whole(block, missing_bits(block.features), scan.path)
        n_with += np.count_nonzero(np.isfinite(block.features), axis=0)
        if block.depth is not None:
            depths.add(block.depth)
        if rows.bin_width is None:
            ranges.add(block)
        parts: list[NDArray[np.str_]] = []
        for kind, names in (("holes", HOLE_PARTS), ("cores", ("core",)), ("sections", ("section",))):
            inner = [block.address[part] for part in names if part in block.address]
            parts += inner
            if inner:
                keys = [tuple(map(str, key)) for key in np.unique(np.rec.fromarrays(parts)).tolist()]
                found.setdefault(kind, set()).update(" ".join(filter(None, key)) for key in keys if key[-1])
    return n_with.tolist(), depths.range, found, ranges.note


def _natural(name: str) -> list[tuple[str, int]]:
    """Sort 2 before 10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d{0,18})", name)]
