"""What counts as a missing value, and how a row says which of its features are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import FEATURE_NAMES

SENTINELS = (-999.0, -999.25, -999.99, -9999.0)
"""Numbers that stand for "no value" in core logs and well logs (LAS's -999.25 among them)."""
FIRST_COLOUR = 3


def without_sentinels(
    values: NDArray[Any], declared: tuple[float, ...] = (), sentinels: tuple[float, ...] = SENTINELS
) -> NDArray[Any]:
    """Replace sentinels, and the fill values that a dataset declares, by NaN.

    Parameters
    ----------
    values : ndarray, float
        Not changed; returned as it is where it holds no sentinel.
    declared : tuple of float
        Fill values of the dataset that the values come from.
    sentinels : tuple of float
        The sentinels.
    """
    bad = values <= max(sentinels, default=-np.inf)  # one comparison suffices for nearly every block
    if bad.any():
        bad &= np.isin(values, np.array(sentinels, values.dtype))
    with np.errstate(over="ignore"):
        for fill in declared:
            bad |= values == values.dtype.type(fill)
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def measurable(values: NDArray[Any], feature: int) -> NDArray[Any]:
    """Replace what cannot be a measurement by NaN: infinity, and a colour of -1 or less, which log1p does not take.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        Samples of one feature. Not changed.
    feature : int
        Position of the feature.
    """
    bad = np.isinf(values)
    if feature >= FIRST_COLOUR:
        bad |= values <= -1
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def missing_bits(features: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Tell which features of each row are missing.

    Parameters
    ----------
    features : ndarray of shape (n, 6), float32
        Raw features, without sentinels. NaN and infinity are missing, and so is a colour of -1 or less, for which the
        scaler's log1p has no value.

    Returns
    -------
    ndarray of shape (n,), uint8
        Bit ``i`` (value ``2**i``) is set where feature ``i`` is missing.
    """
    missing = ~np.isfinite(features)
    missing[:, FIRST_COLOUR:] |= features[:, FIRST_COLOUR:] <= -1
    return np.packbits(missing, axis=1, bitorder="little")[:, 0]


def bit_counts(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the rows in which each feature is missing; shape (6,)."""
    return np.array([np.count_nonzero(bits & (1 << i)) for i in range(len(FEATURE_NAMES))])
