"""Rows of zeros among measured ones: depth and all features are 0 there, also those that cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.scan.track import Stretch
from lithovae.runtime.scan.written import is_blank_number


def blank_notes(n: int) -> list[str]:
    """Return the note on ``n`` rows that hold no reading; nothing if there is none."""
    text = f"{n:,} row{'s' * (n != 1)} at depth 0 whose values are all 0, the density too: missing there"
    return [text] if n else []


def may_have_blank_rows(depth: NDArray[np.float64] | None) -> bool:
    """Return whether a depth is 0; nearly no block has one."""
    return depth is not None and not depth.all()


def without_blank_rows(stretch: Stretch) -> tuple[Stretch, int]:
    """Set to NaN the rows of a stretch that hold no reading, and count them.

    They are at depth 0, and their features are 0 or missing, among them one that cannot be 0. Without such a feature
    they may be measured, and are kept.
    """
    depth = stretch.depth
    if depth is None or not may_have_blank_rows(depth):
        return stretch, 0
    never_0 = {i for i in stretch.features if stretch.track.feature_set[i].is_never_0}
    if not never_0:
        return stretch, 0
    is_blank, has_impossible = depth == 0, np.zeros(stretch.length, np.bool_)
    for i, values in stretch.features.items():
        is_blank &= is_blank_number(values)
        if i in never_0:
            has_impossible |= values == 0
    is_blank &= has_impossible
    if not is_blank.any():
        return stretch, 0
    features = {i: np.where(is_blank, values.dtype.type(np.nan), values) for i, values in stretch.features.items()}
    return replace(stretch, features=features, depth=np.where(is_blank, np.nan, depth)), int(is_blank.sum())
