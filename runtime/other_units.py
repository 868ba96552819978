"""Values that can only be in another unit than the models need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import LILY
from .missing import extremes, without_sentinels

FIRST_COLOUR, PLAUSIBLE = 3, LILY.plausible

_SAMPLE = 256
"""Rows that are looked at first: one ordinary value of each feature among them makes a pass over all rows needless."""


def other_units(rows: NDArray[Any]) -> list[str]:
    """Describe the features whose values, all of them, can only be in another unit.

    Parameters
    ----------
    rows : ndarray of shape (n, 6), float
        Raw features. NaN and sentinels are ignored.

    Returns
    -------
    list of str
        What is wrong and what the models need, one text for each feature; R, G and B share one. Usually empty.
    """
    if len(rows):
        density, susceptibility, _, *colours = rows[0].tolist()
        if 0 < density < 100 and 0.001 < abs(susceptibility) < 900 and 1 < max(colours) <= 255:  # no NaN, no sentinel
            return []
    step = max(1, len(rows) // _SAMPLE)
    return _other_units(rows) if _other_units(rows[::step]) else []


def _other_units(rows: NDArray[Any]) -> list[str]:
    rows = without_sentinels(rows)
    lowest, highest, _ = extremes(rows)
    found = []
    if lowest[0] >= 1000 * PLAUSIBLE[0, 0] and highest[0] <= 1000 * PLAUSIBLE[1, 0]:
        found.append(f"no density is below {lowest[0]:.6g}: the models need g/cm3 (kg/m3 divided by 1,000)")
    is_small = 1e-7 < max(-lowest[1], highest[1]) < 0.001  # a mean of counts may differ from 0 by a rounding error
    if is_small and np.count_nonzero(np.abs(rows[:, 1]) > 0) > 1:
        found.append("no magnetic susceptibility is above 0.001: the models need instrument units, not SI")
    colours = rows[:, FIRST_COLOUR:]
    least, most = np.fmin.reduce(lowest[FIRST_COLOUR:]), np.fmax.reduce(highest[FIRST_COLOUR:])
    if 0 < most <= 1 and np.any(colours % 1 > 0):  # 0 and 1 are shades of black
        found.append("no colour is above 1: the models need R, G and B from 0 to 255, not from 0 to 1")
    elif least > 255:
        found.append(f"no colour is below {least:.6g}: the models need R, G and B from 0 to 255")
    return found
