"""Which channels of a scan would fit the training rows much better if they were shifted, or in another unit.

The rows of a scan are compared with the density of the training rows, as they are and with one channel shifted by each
of some amounts. A channel that fits as it is gains little by any shift; one with an offset, or in another unit, gains
much. Channels that belong together (R, G, B) are also shifted together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import GAMMA, FeatureSet, Quantity
from lithovae.runtime.missing import Bits, unpacked
from lithovae.runtime.model.reference import Mixture

from .quality import Float32s, Scaling, Surprise

FEWEST_ROWS = 20
"""Number of rows below which nothing is said."""
LEAST_SHIFT = 2.5
"""Least offset, in standard deviations of the training rows, that is reported."""
LEAST_GAIN = 2.25
"""Mean gain in log density a row (nat) from which a shift is reported (`benchmarks/faults.py` measures it)."""
LEAST_GAIN_BY_UNIT = 0.25
"""The same, for a conversion that is known beforehand: one hypothesis is less likely to fit by chance than many."""
SHIFTS = np.array([s * d for d in np.arange(LEAST_SHIFT, 7.1, 0.5) for s in (-1, 1)], np.float32)
"""Offsets that are tried, in standard deviations of the training rows."""
MOST_ROWS = 1024
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
    """

    quantity: Quantity
    unit: str
    factor: float


SCALES = (Scale(GAMMA, "gAPI", 3.0),)
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
        while len(found) < len(self._candidates):
            taken = {column for misfit in found for column in misfit.columns}
            best = max(self._tried(rows, missing, taken), key=lambda misfit: misfit.gain, default=None)
            if best is None:
                break
            found.append(best)
            rows[:, list(best.columns)] -= np.float32(best.shift)  # what is left must be explained by other channels
        return found

    def _tried(self, rows: Float32s, missing: Bits, taken: set[int]) -> list[Misfit]:
        """Return the shifts and units by which some channels, none of those taken, gain enough."""
        n_features = rows.shape[1]
        shape = len(self._candidates), len(SHIFTS)
        gains, counts = np.zeros(shape), np.zeros(len(self._candidates), np.int64)
        by_scale, n_by_scale = np.zeros(len(self._scales)), np.zeros(len(self._scales), np.int64)
        by_shift = np.zeros(len(self._scales))
        patterns, which, n_rows = np.unique(missing, return_inverse=True, return_counts=True)
        for i in np.argsort(-n_rows, kind="stable")[:MOST_PATTERNS].tolist():
            known = np.flatnonzero(~unpacked(patterns[i : i + 1], n_features)[0])
            if not len(known):
                continue
            place = {column: position for position, column in enumerate(known.tolist())}
            some = rows[which == i]
            surprise = self._surprise(int(patterns[i]), known)
            now = surprise.of(some[:, known])
            for j, columns in enumerate(self._candidates):
                if taken.isdisjoint(columns) and place.keys() >= set(columns):
                    after = surprise.shifted(some[:, known], [place[column] for column in columns], SHIFTS)
                    gains[j] += (now - after).sum(axis=1)
                    counts[j] += len(some)
            for j, (column, scale) in enumerate(self._scales):
                if column in place and column not in taken:
                    raw = self._scaling.raw(some)
                    raw[:, column] /= np.float32(scale.factor)
                    other = self._scaling.scaled(raw)
                    by_scale[j] += float((now - surprise.of(other[:, known])).sum())
                    by_shift[j] += float((some[:, column] - other[:, column]).sum())
                    n_by_scale[j] += len(some)
        found = []
        for j in np.flatnonzero(counts >= FEWEST_ROWS).tolist():
            most = int(np.argmax(gains[j]))
            if (gain := gains[j, most] / counts[j]) >= LEAST_GAIN:
                found.append(Misfit(self._candidates[j], float(SHIFTS[most]), float(gain), None))
        for j in np.flatnonzero(n_by_scale >= FEWEST_ROWS).tolist():
            column, scale = self._scales[j]
            if (gain := by_scale[j] / n_by_scale[j]) >= LEAST_GAIN_BY_UNIT:
                found.append(Misfit((column,), by_shift[j] / n_by_scale[j], float(gain), scale))
        return found

    def _surprise(self, pattern: int, known: NDArray[np.intp]) -> Surprise:
        if pattern not in self._surprises:
            self._surprises[pattern] = Surprise(self._mixture, known)
        return self._surprises[pattern]
