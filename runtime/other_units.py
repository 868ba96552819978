"""Values that, all together, can only be in another unit than the models need: the rules, and what they say.

Nothing is changed. `examples/hosts/other_units.mjs` has the same rules for JavaScript; a test compares what both say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .features import COLOURS, DENSITY, GAMMA, SUSCEPTIBILITY, FeatureSet, Quantity
from .missing import SENTINELS, Extremes, extremes, missing_bits, unpacked, without_sentinels

UNIT_ROWS = 10
"""Number of rows of a stream after which their units are judged, because its end may be days away."""
_SAMPLE = 256
"""Rows that are looked at first: one ordinary value of each feature among them makes a pass over all rows needless."""
_LOWEST_SENTINELS = max(SENTINELS)
"""Sentinels are not above this."""


@dataclass(frozen=True)
class _Rule:
    """A range that holds all values of a feature only if they are in another unit.

    Attributes
    ----------
    quantities : tuple of Quantity
        The features that the rule is about. Those that a model has are judged together.
    lowest, highest : float
        The range, including both.
    text : str
        What to say, with ``{low}`` and ``{high}`` for the extremes as whole numbers.
    beyond : float
        At least one value must be further from zero than this.
    n_rows : int
        Number of rows below which nothing is said.
    has_fractions : bool
        Whether at least one value must be a fraction between 0 and 1.
    """

    quantities: tuple[Quantity, ...]
    lowest: float
    highest: float
    text: str
    beyond: float = 0.0
    n_rows: int = 1
    has_fractions: bool = False

    def columns(self, features: FeatureSet) -> list[int]:
        """Return the columns that the rule is about; none if the feature is absent, or needed in another unit."""
        known = {(quantity.name, quantity.unit) for quantity in self.quantities}
        return [i for i, feature in enumerate(features) if (feature.name, feature.unit) in known]


_BETWEEN = "all values are from {low} to {high}; the models need "

RULES = (
    _Rule(  # the whole plausible range: with a lower bound alone, values that are no densities would pass, too
        (DENSITY,),
        DENSITY.plausible[0] * 1000,
        DENSITY.plausible[1] * 1000,
        _BETWEEN + "g/cm3, and these seem to be kg/m3 or mg/cm3 (divide by 1,000, or state the unit in the scan)",
    ),
    _Rule(  # an instrument resolves 0.1 or 1, but a mean of 0 may have a rounding error, and a single row may be near 0
        (SUSCEPTIBILITY,),
        -0.001,
        0.001,
        "no value is above 0.001; the models need instrument units, and these seem to be SI (convert them; in a scan, "
        "state the unit and declare the conversion with --calibration)",
        beyond=1e-7,  # so if all are exactly 0, nothing is said
        n_rows=2,
    ),
    _Rule(  # the highest published value is 292
        (GAMMA,),
        GAMMA.plausible[1],
        1e12,
        _BETWEEN + "cps, and these seem to be counts over a longer time than a second (divide by it)",
    ),
    _Rule(  # 0 and 1 alone are shades of black, of 0 to 255
        COLOURS,
        -math.inf,
        1.0,
        "no value is above 1; the models need 0 to 255, and these seem to be 0 to 1 (multiply by 255)",
        has_fractions=True,
    ),
    _Rule(  # all of them: one value above 255 may be a fault
        COLOURS,
        256.0,
        1e12,
        _BETWEEN + "0 to 255, and these seem to have more than 8 bits (divide by 257 if they have 16)",
    ),
)


class OtherUnits:
    """Gathers the extremes of rows, and says which features can only be in another unit.

    Parameters
    ----------
    features : FeatureSet
        The features, in the order of the columns.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._names = features.names
        self._rules = [(rule, columns) for rule in RULES if (columns := rule.columns(features))]
        self._of_fractions = sorted({i for rule, columns in self._rules if rule.has_fractions for i in columns})
        self._lowest, self._highest = np.full(len(features), np.inf), np.full(len(features), -np.inf)
        self._has_fractions = np.zeros(len(features), np.bool_)
        self._n_rows = 0

    def add(self, found: Extremes, rows: NDArray[Any] | None = None) -> None:
        """Add some rows.

        Parameters
        ----------
        found : Extremes
            The extremes of the rows, without what is missing.
        rows : ndarray of shape (n, k), float, optional
            The rows themselves. Their values are looked at only if no colour among them is above 1.
        """
        self._lowest, self._highest = np.fmin(self._lowest, found.lowest), np.fmax(self._highest, found.highest)
        if rows is None:
            return
        self._n_rows += len(rows)
        for i in self._of_fractions:
            if not self._has_fractions[i] and 0 < found.highest[i] <= 1:
                self._has_fractions[i] = bool(np.any((rows[:, i] > 0) & (rows[:, i] < 1)))

    @property
    def notes(self) -> list[str]:
        """What is wrong and what the models need, one text for each rule. Usually empty."""
        return [text for _, text in self.found()]

    def found(self) -> Iterator[tuple[list[int], str]]:
        """Yield the features that each rule finds in another unit, as positions, and the text about them."""
        for rule, columns in self._rules:
            low, high = float(min(self._lowest[columns])), float(max(self._highest[columns]))
            if not (rule.lowest <= low <= high <= rule.highest and max(-low, high) > rule.beyond):
                continue
            if self._n_rows >= rule.n_rows and (not rule.has_fractions or self._has_fractions[columns].any()):
                measured = [i for i in columns if self._lowest[i] <= self._highest[i]]
                names = ", ".join(self._names[i] for i in measured)
                yield measured, f"{names}: {rule.text.format(low=f'{math.floor(low):,}', high=f'{math.ceil(high):,}')}"


class ArrayUnits:
    """Says which features of whole arrays can only be in another unit.

    Parameters
    ----------
    features : FeatureSet
        The features, in the order of the columns.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._features = features
        found = ((rule.columns(features), rule.lowest, rule.highest) for rule in RULES)
        self._ranges = [each for each in found if each[0]]

    def notes(self, rows: NDArray[Any]) -> list[str]:
        """Describe the features whose values, all of them, can only be in another unit.

        Parameters
        ----------
        rows : ndarray of shape (n, n_features), float
            Raw features. What is missing is ignored: NaN, infinity, sentinels.

        Returns
        -------
        list of str
            What is wrong and what the models need. Usually empty, and then found without a pass over all rows.
        """
        if len(rows) and self._is_ordinary(rows[0].tolist()):
            return []
        step = max(1, len(rows) // _SAMPLE)
        return self._notes(rows) if self._notes(rows[::step]) else []

    def _is_ordinary(self, row: list[float]) -> bool:
        """Return whether a row has, for each rule, a value beside the rule's range that is not missing."""
        for columns, low, high in self._ranges:
            for i in columns:
                if _LOWEST_SENTINELS < row[i] < low or high < row[i] < math.inf:
                    break
            else:
                return False
        return True

    def _notes(self, rows: NDArray[Any]) -> list[str]:
        rows = without_sentinels(rows)
        found = extremes(rows)
        missing = missing_bits(rows, self._features, found)
        if missing.any():
            rows = np.where(unpacked(missing, len(self._features)), rows.dtype.type(np.nan), rows)
            found = extremes(rows)
        units = OtherUnits(self._features)
        units.add(found, rows)
        return units.notes
