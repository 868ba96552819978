"""Which channels of a scan would fit the training rows much better if they were shifted, or in another unit.

The rows of a scan are compared with the density of the training rows, as they are and with one channel shifted by each
of some amounts. A channel that fits as it is gains little by any shift; one with an offset, or in another unit, gains
much. Channels that belong together (R, G, B) are also shifted together.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import GAMMA, SUSCEPTIBILITY, FeatureSet, Quantity
from lithovae.runtime.missing import Bits, unpacked
from lithovae.runtime.model.reference import Mixture

from .quality import Float32s, Scaling, Surprise, drawn

FEWEST_ROWS = 20
"""Number of rows below which nothing is said."""
LEAST_SHIFT = 2.5
"""Least offset, in standard deviations of the training rows, that is reported."""
LEAST_GAIN = 2.5
"""Mean gain in log density a row (nat) from which a shift is reported (`benchmarks/faults.py` measures it)."""
GAIN_IN_ALL = 20.0
"""Gain in the log density of all rows that must be there beyond that: a few rows may gain much by chance."""
SHIFTS = np.array([s * d for d in np.arange(LEAST_SHIFT, 7.1, 0.5) for s in (-1, 1)], np.float32)
"""Offsets that are tried, in standard deviations of the training rows."""
MOST_ROWS = 512
"""Number of rows that are kept: twice as many are thinned to every second one."""
UNLIKELY, DRAWS = 10.0, 2048
"""A row says nothing of a channel if it is less likely than the least likely of so many training rows, by more than
this (nat), with or without a change to the channel."""
MOST_PATTERNS = 8
"""Number of patterns of missing features that are looked at, the commonest first."""


class Scale(NamedTuple):
    """A unit that differs by a factor from the one that a quantity needs, where values alone don't show it.

    Attributes
    ----------
    quantity : Quantity
        The quantity.
    unit : str
        The unit.
    factor : float
        About how much greater the numbers are in that unit.
    least_gain : float
        Mean gain in log density a row (nat) from which it is reported: much less than for any shift, because one
        conversion that is known beforehand is less likely to fit by chance.
    """

    quantity: Quantity
    unit: str
    factor: float
    least_gain: float


SCALES = (
    Scale(GAMMA, "gAPI", 3.0, 0.7),
    Scale(SUSCEPTIBILITY, "SI", 1e-5, -1.0),  # values in instrument units lose more than 10 if they are multiplied
)
"""Susceptibility in 1e-6 SI is not among them: ten times an ordinary value is a value of volcanic mud."""


class Misfit(NamedTuple):
    """Channels that would fit much better otherwise.

    Attributes
    ----------
    columns : tuple of int
        Positions of the features.
    shift : float
        How far they seem to be off, in standard deviations of the training rows.
    gain : float
        Mean gain in log density a row, in nat.
    scale : Scale or None
        The unit that explains it; None for a plain shift.
    """

    columns: tuple[int, ...]
    shift: float
    gain: float
    scale: Scale | None


class Offsets:
    """Keeps some rows of a scan, and finds channels that do not fit the training rows.

    Parameters
    ----------
    features : FeatureSet
        The features.
    scaling : Scaling
        Their scaling.
    mixture : Mixture
        Density of the scaled training rows.
    """

    def __init__(self, features: FeatureSet, scaling: Scaling, mixture: Mixture) -> None:
        self._scaling, self._mixture, self._bits = scaling, mixture, features.bits
        together = {tuple(columns) for columns in features.instruments.values()}
        self._candidates = sorted({(i,) for i in range(len(features))} | together)
        self._scales = {
            i: scale
            for scale in SCALES
            for i, feature in enumerate(features)
            if (feature.name, feature.unit) == (scale.quantity.name, scale.quantity.unit)
        }
        self._surprises: dict[int, tuple[Surprise, float]] = {}
        self._rows, self._missing = np.empty((0, len(features)), np.float32), np.empty(0, self._bits)
        self._n, self._stride = 0, 1

    def add(self, scaled: Float32s, missing: Bits) -> None:
        """Add rows (n, n_features) with their missing features; every so-manieth is kept."""
        first = -self._n % self._stride
        self._n += len(scaled)
        self._rows = np.concatenate([self._rows, scaled[first :: self._stride]])
        self._missing = np.concatenate([self._missing, missing[first :: self._stride]])
        while len(self._rows) >= 2 * MOST_ROWS:
            self._rows, self._missing, self._stride = self._rows[::2], self._missing[::2], 2 * self._stride

    def misfits(self, ignored: int = 0) -> list[Misfit]:
        """Return the channels that do not fit, the worst first; the bits of ``ignored`` are features to leave out."""
        rows, missing = self._rows.copy(), self._missing | self._bits.type(ignored)
        found: list[Misfit] = []
        while True:
            taken = {column for misfit in found for column in misfit.columns}
            best = max(self._tried(rows, missing, taken), key=_excess, default=None)
            if best is None:
                return found
            found.append(best)
            if best.scale:  # what is left must be explained by other channels
                rows = self._converted(rows, best.columns[0])
            else:
                rows[:, list(best.columns)] -= np.float32(best.shift)

    def _tried(self, rows: Float32s, missing: Bits, taken: set[int]) -> list[Misfit]:
        """Return the shifts and units by which some channels, none of those taken, gain enough."""
        shifts = {columns: _Gain(len(SHIFTS)) for columns in self._candidates if taken.isdisjoint(columns)}
        scales = {column: _Gain(1) for column in self._scales if column not in taken}
        moved = dict.fromkeys(scales, 0.0)
        patterns, which, n_rows = np.unique(missing, return_inverse=True, return_counts=True)
        for i in np.argsort(-n_rows, kind="stable")[:MOST_PATTERNS].tolist():
            known = np.flatnonzero(~unpacked(patterns[i : i + 1], rows.shape[1])[0]).tolist()
            if not known:
                continue
            some = rows[which == i]
            surprise, most = self._surprise(int(patterns[i]), known)
            now, shifted = surprise.of(some[:, known]), surprise.shifted(some[:, known])
            for columns, gain in shifts.items():
                if set(columns) <= set(known):
                    gain.add(now, shifted([known.index(column) for column in columns], SHIFTS), most)
            for column, gain in scales.items():
                if column in known:
                    other = self._converted(some, column)
                    differs = ~np.isclose(some[:, column], other[:, column])  # 0 is 0 in any unit
                    after = surprise.of(other[:, known])[None]
                    gain.add(now, after, most, differs)
                    moved[column] += float((some[:, column] - other[:, column]).sum())
        found = [
            Misfit((column,), moved[column] / gain.n, float(gain.mean[0]), self._scales[column])
            for column, gain in scales.items()
            if gain.is_enough(self._scales[column].least_gain)[0]
        ]
        explained = {misfit.columns for misfit in found}
        for columns, gain in shifts.items():
            best = int(np.argmax(gain.mean))
            if columns not in explained and gain.is_enough(LEAST_GAIN)[best]:
                found.append(Misfit(columns, float(SHIFTS[best]), float(gain.mean[best]), None))
        return found

    def _converted(self, scaled: Float32s, column: int) -> Float32s:
        """Return scaled rows with one of their features converted from the unit that it may be in."""
        raw = self._scaling.raw(scaled)
        raw[:, column] /= np.float32(self._scales[column].factor)
        out = scaled.copy()
        out[:, column] = self._scaling.scaled(raw)[:, column]
        return out

    def _surprise(self, pattern: int, known: list[int]) -> tuple[Surprise, float]:
        """Return the surprise of rows with some features, and how surprising a row may be that says anything."""
        if pattern not in self._surprises:
            surprise = Surprise(self._mixture, np.array(known))
            most = float(surprise.of(self._draws[:, known]).max()) + UNLIKELY
            if len(self._surprises) >= MOST_PATTERNS:
                self._surprises.clear()
            self._surprises[pattern] = surprise, most
        return self._surprises[pattern]

    @cached_property
    def _draws(self) -> Float32s:
        return drawn(self._mixture, DRAWS)


class _Gain:
    """Gain in log density of some rows, by each of some changes to them."""

    def __init__(self, n_changes: int) -> None:
        self._sum, self._n_fitting, self.n = np.zeros(n_changes), np.zeros(n_changes, np.int64), 0

    def add(self, now: Float32s, after: Float32s, most: float, counts: NDArray[np.bool_] | None = None) -> None:
        """Add rows: their surprise (n,), that after the changes (n_changes, n), and how large either may be.

        A row that is less likely before and after a change, because of other channels, says nothing of this one. Nor do
        rows that don't count because they are not changed.
        """
        fits = np.minimum(now, after) < most
        self._sum += (np.minimum(now, most) - np.minimum(after, most)).sum(axis=1)
        self._n_fitting += np.count_nonzero(fits if counts is None else fits & counts, axis=1)
        self.n += len(now)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean gain a row by each change."""
        return self._sum / max(1, self.n)

    def is_enough(self, least: float) -> NDArray[np.bool_]:
        """Return which changes gain enough, of enough rows, by the least mean gain of a row."""
        gains_enough = self._sum >= least * self.n + GAIN_IN_ALL
        return gains_enough & (2 * self._n_fitting > self.n) & (self.n >= FEWEST_ROWS)


def _excess(misfit: Misfit) -> float:
    """Return by how much a misfit gains more than it must: the most certain one is dealt with first."""
    return misfit.gain - (misfit.scale.least_gain if misfit.scale else LEAST_GAIN)
