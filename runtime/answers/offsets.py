"""Which channels of a scan would fit the training rows much better if they were shifted, or in another unit.

The rows of a scan are compared with the density of the training rows, as they are and with one channel shifted by each
of some amounts. A channel that fits as it is gains little by any shift; one with an offset, or in another unit, gains
much. Channels that belong together (R, G, B) are also shifted together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lithovae.runtime.features import GAMMA, SUSCEPTIBILITY, FeatureSet, Quantity
from lithovae.runtime.missing import Bits, unpacked
from lithovae.runtime.model.reference import Mixture

from .quality import Float32s, Scaling, Surprise

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
        self._scales = [
            (i, scale)
            for scale in SCALES
            for i, feature in enumerate(features)
            if (feature.name, feature.unit) == (scale.quantity.name, scale.quantity.unit)
        ]
        self._surprises: dict[int, Surprise] = {}
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
                rows = self._converted(rows, best.columns[0], best.scale)
            else:
                rows[:, list(best.columns)] -= np.float32(best.shift)

    def _tried(self, rows: Float32s, missing: Bits, taken: set[int]) -> list[Misfit]:
        """Return the shifts and units by which some channels, none of those taken, gain enough."""
        candidates = [columns for columns in self._candidates if taken.isdisjoint(columns)]
        scales = [(column, scale) for column, scale in self._scales if column not in taken]
        by_shift, n_by_shift = np.zeros((len(candidates), len(SHIFTS))), np.zeros(len(candidates), np.int64)
        by_scale, n_by_scale, moved = np.zeros(len(scales)), np.zeros(len(scales), np.int64), np.zeros(len(scales))
        n_zero = np.zeros(len(scales), np.int64)
        patterns, which, n_rows = np.unique(missing, return_inverse=True, return_counts=True)
        for i in np.argsort(-n_rows, kind="stable")[:MOST_PATTERNS].tolist():
            known = np.flatnonzero(~unpacked(patterns[i : i + 1], rows.shape[1])[0]).tolist()
            if not known:
                continue
            some = rows[which == i]
            surprise = self._surprise(int(patterns[i]), known)
            now, shifted = surprise.of(some[:, known]), surprise.shifted(some[:, known])
            for j, columns in enumerate(candidates):
                if set(columns) <= set(known):
                    after = shifted([known.index(column) for column in columns], SHIFTS)
                    by_shift[j] += (now - after).sum(axis=1)
                    n_by_shift[j] += len(some)
            for j, (column, scale) in enumerate(scales):
                if column in known:
                    other = self._converted(some, column, scale)
                    by_scale[j] += float((now - surprise.of(other[:, known])).sum())
                    moved[j] += float((some[:, column] - other[:, column]).sum())
                    n_zero[j] += int(np.count_nonzero(np.isclose(some[:, column], other[:, column])))
                    n_by_scale[j] += len(some)
        found = []
        for j in np.flatnonzero((n_by_scale >= FEWEST_ROWS) & (2 * n_zero < n_by_scale)).tolist():  # 0 fits any unit
            (column, scale), n = scales[j], int(n_by_scale[j])
            if by_scale[j] >= scale.least_gain * n + GAIN_IN_ALL:
                found.append(Misfit((column,), float(moved[j] / n), float(by_scale[j] / n), scale))
        explained = {misfit.columns for misfit in found}
        for j in np.flatnonzero(n_by_shift >= FEWEST_ROWS).tolist():
            n, most = int(n_by_shift[j]), int(np.argmax(by_shift[j]))
            if candidates[j] not in explained and by_shift[j, most] >= LEAST_GAIN * n + GAIN_IN_ALL:
                found.append(Misfit(candidates[j], float(SHIFTS[most]), float(by_shift[j, most] / n), None))
        return found

    def _converted(self, scaled: Float32s, column: int, scale: Scale) -> Float32s:
        """Return scaled rows with one of their features converted from a unit."""
        raw = self._scaling.raw(scaled)
        raw[:, column] /= np.float32(scale.factor)
        out = scaled.copy()
        out[:, column] = self._scaling.scaled(raw)[:, column]
        return out

    def _surprise(self, pattern: int, known: list[int]) -> Surprise:
        if pattern not in self._surprises:
            self._surprises[pattern] = Surprise(self._mixture, np.array(known))
        return self._surprises[pattern]


def _excess(misfit: Misfit) -> float:
    """Return by how much a misfit gains more than it must: the most certain one is dealt with first."""
    return misfit.gain - (misfit.scale.least_gain if misfit.scale else LEAST_GAIN)
