"""Flags of rows, and likely faults of a scan: units, depths, stuck sensors, offsets; and its drift against training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FeatureSet, Quantity
from lithovae.runtime.log import Drift, Fault, bit_of
from lithovae.runtime.missing import Bits, Extremes, extremes, unpacked
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.other_units import UNIT_ROWS, OtherUnits
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.missing_policy import Prepared
from lithovae.runtime.rows.units import DepthCheck, steps_of
from lithovae.runtime.scan.address import HOLE_PARTS, run_starts
from lithovae.runtime.scan.track import Track

from .offsets import Misfit, Offsets
from .quality import Scaling, lacks_reference
from .stuck import Run, StuckSensors

NOVEL = 0.001
"""A row is novel if a smaller share of the training rows is as unusual."""
MANY_NOVEL = 0.01
"""Share of novel rows from which a note says so: ten times as many as among training rows."""
MOST = 0.5
"""More than this share is most."""
MOST_STUCK = 5
"""Largest number of runs of a stuck sensor that are listed for each feature."""
FEWEST_CONSTANT = 20
"""Number of values from which a channel with a single value is reported."""

IMPUTED, OUT_OF_RANGE, IS_NOVEL, STUCK, SUSPECT = (
    bit_of(flag) for flag in ("imputed", "out_of_range", "novel", "stuck_sensor", "unit_suspect")
)


class Checks:
    """Checks the rows of a scan in order, block by block. A row's flags depend on it and on the rows before it.

    Parameters
    ----------
    bundle : Bundle
        The model's bundle. Without a reference in it, offsets and the share beyond the training range are not known.
    has_depth_unit : bool
        Whether the scan states a unit for every depth.
    tracks : iterable of Track
        The tracks that the rows are read from; the steps between their first samples are looked at. By default none.
    """

    def __init__(self, bundle: Bundle, *, has_depth_unit: bool = True, tracks: Iterable[Track] = ()) -> None:
        self._features, self._scaling = bundle.features, Scaling.of(bundle)
        reference = bundle.reference
        mixture = reference.mixture if reference else None
        self._note = "" if mixture else lacks_reference(bundle)
        self._offsets = Offsets(bundle.features, self._scaling, mixture) if mixture else None
        self._ranges = reference.ranges.values[:, [0, -1]].T if reference else None
        self._units, self._depths = _Units(bundle.features), DepthCheck(has_depth_unit, steps_of(tracks))
        self._stuck = StuckSensors(bundle.features)
        self._hole: tuple[str, ...] = ()
        self._suspects, self._n, self._judged_at = 0, 0, UNIT_ROWS
        k = len(bundle.features)
        self._n_values, self._n_beyond = np.zeros((2, k), np.int64)
        self._sum, self._square = np.zeros((2, k))
        self._n_ranked = self._n_novel = 0

    def take(self, rows: Prepared, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Check the next rows, and return their flags.

        Parameters
        ----------
        rows : Prepared
            The rows.
        columns : mapping of str to ndarray
            Their columns as `lithovae.runtime.answers.quality.Quality.columns` returns them.

        Returns
        -------
        ndarray of shape (n,), uint8
            Bits of `lithovae.runtime.log.FLAGS`.
        """
        n, block = len(rows.missing), rows.block
        flags = np.zeros(n, np.uint8)
        if not n:
            return flags
        has_embedding = ~np.isnan(columns["residuals"]).all(axis=1)
        imputed = (rows.missing != 0) & has_embedding
        novelty = columns["novelty_p"]
        novel = novelty < NOVEL  # False for NaN
        flags |= imputed * np.uint8(IMPUTED) | (rows.implausible != 0) * np.uint8(OUT_OF_RANGE)
        flags |= novel * np.uint8(IS_NOVEL)
        self._n_ranked += int(np.count_nonzero(novelty == novelty))
        self._n_novel += int(np.count_nonzero(novel))
        self._depths.add(block)
        values = rows.values
        flags |= self._stuck.take(values, block.depth, self._hole_starts(block)) * np.uint8(STUCK)
        scaled = self._scaling.scaled(values)
        self._add_drift(values, scaled)
        start = 0
        while start < n:  # units are judged after the same rows, whatever the blocks
            stop = min(n, start + self._judged_at - self._n)
            some = slice(start, stop)
            flags[some] |= self._suspected(rows.missing[some], rows.implausible[some]) * np.uint8(SUSPECT)
            self._units.add(values[some], rows.implausible[some], block.left_out)
            if self._offsets:
                self._offsets.add(scaled[some], rows.missing[some])
            self._n += stop - start
            if self._n == self._judged_at:
                self._judged_at *= 2
                self._suspects = self._judge()
            start = stop
        return flags

    @property
    def faults(self) -> list[Fault]:
        """The likely faults of the rows so far: those of the depths first."""
        found = [_fault("unit", "depth", note) for note in self._depths.notes]
        units = list(self._units.found())
        found += [_fault("unit", self._names(columns), text) for columns, text in units]
        found += [self._misfit(misfit) for misfit in self._misfits(_bits(units))]
        return [*found, *self._stuck_faults()]

    @property
    def drift(self) -> list[Drift]:
        """How each channel that the scan has differs from the training rows."""
        found = []
        for i, name in enumerate(self._features.names):
            if n := int(self._n_values[i]):
                mean = self._sum[i] / n
                spread = np.sqrt(max(0.0, self._square[i] / n - mean**2))
                beyond = np.nan if self._ranges is None else self._n_beyond[i] / n
                found.append(Drift(name, n, float(mean), float(spread), float(beyond)))
        return found

    @property
    def notes(self) -> list[str]:
        """Notes for the user about the rows so far, the most important first."""
        return [*filter(None, [self._note]), *self._novel_notes()]

    def _hole_starts(self, block: Block) -> NDArray[np.intp]:
        """Return the rows at which another hole begins."""
        texts = [block.address[part][block.starts] for part in HOLE_PARTS if part in block.address]
        starts = block.starts[run_starts(texts, len(block.starts))]
        first, last = (tuple(str(column[row]) for column in texts) for row in (0, -1))
        starts = starts if first != self._hole else starts[1:]
        self._hole = last
        return starts

    def _add_drift(self, values: NDArray[np.float32], scaled: NDArray[np.float32]) -> None:
        known = ~np.isnan(scaled)
        self._n_values += np.count_nonzero(known, axis=0)
        self._sum += np.sum(scaled, axis=0, where=known, dtype=np.float64)
        self._square += np.sum(np.square(scaled, dtype=np.float64), axis=0, where=known)
        if self._ranges is not None:
            low, high = self._ranges
            self._n_beyond += np.count_nonzero((values < low) | (values > high), axis=0)

    def _suspected(self, missing: Bits, implausible: Bits) -> NDArray[np.bool_]:
        """Return which rows have a feature that seems to be in another unit by now."""
        suspects = missing.dtype.type(self._suspects)
        return np.asarray((suspects & (~missing | implausible)) != 0)

    def _judge(self) -> int:
        """Return the features that seem to be in another unit, as bits."""
        known = _bits(self._units.found())
        return known | _bits((list(each.columns), "") for each in self._misfits(known) if each.scale)

    def _misfits(self, ignored: int) -> list[Misfit]:
        return self._offsets.misfits(ignored) if self._offsets else []

    def _names(self, columns: Iterable[int]) -> str:
        return ", ".join(self._features.names[i] for i in columns)

    def _misfit(self, misfit: Misfit) -> Fault:
        names, one = self._names(misfit.columns), len(misfit.columns) == 1
        seen = (
            f"{names} {'is' if one else 'are'} about {abs(misfit.shift):.1f} standard deviations "
            f"{'above' if misfit.shift > 0 else 'below'} what the training rows suggest"
        )
        if scale := misfit.scale:
            return _fault(
                "unit",
                names,
                f"{seen}: either the values are in {scale.unit}, not in {scale.quantity.unit}, or the sensor has an "
                "offset, or the rock is unusual; check the unit and the calibration",
            )
        return _fault(
            "offset",
            names,
            f"{seen}: either the sensor has an offset (calibration, background, liner), or the values are in another "
            "unit, or the rock is unusual; check the calibration",
        )

    def _stuck_faults(self) -> Iterator[Fault]:
        advice = "check it, and treat the values as missing"
        for i, name in enumerate(self._features.names):
            runs, n_runs, only = self._stuck.runs[i], self._stuck.n_runs[i], self._stuck.constant[i]
            if only and only.n >= FEWEST_CONSTANT:
                seen = f"{name} is {only.value:g} in all {only.n:,} rows that have it"
                yield _fault("stuck", name, f"{seen}: the sensor seems stuck or switched off; {advice}")
                continue
            for run in sorted(runs, key=lambda run: -run.n)[:MOST_STUCK]:
                where = f" ({run.top:.2f} to {run.base:.2f} m)" if run.base == run.base else ""
                more = f", and so in {n_runs - 1:,} more runs" if n_runs > 1 else ""
                seen = f"{name} is {run.value:g} in {run.n:,} rows in a row{where}{more}"
                yield _fault("stuck", name, f"{seen}: the sensor seems stuck; {advice}", run)

    def _novel_notes(self) -> Iterator[str]:
        if self._n_novel > MANY_NOVEL * self._n_ranked:
            share = self._n_novel / self._n_ranked
            yield (
                f"{self._n_novel:,} rows ({share:.1%}) are novel: fewer than {NOVEL:.1%} of the training rows are as "
                "unusual; the model's answers there are extrapolated"
            )


class _Units:
    """Says which features seem to be in another unit, by their values alone.

    To the rules of `OtherUnits` it adds one for every feature: most values are implausible, and those would all be
    plausible in a unit that the catalogue knows.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._features, self._rules = features, OtherUnits(features)
        k = len(features)
        self._n_plausible, self._n_implausible = np.zeros((2, k), np.int64)
        self._lowest, self._highest = np.full(k, np.inf), np.full(k, -np.inf)

    def add(self, values: NDArray[np.float32], implausible: Bits, left_out: Extremes | None) -> None:
        """Add rows: their values, NaN where missing; their implausible bits; and what the means of bins left out."""
        self._rules.add(extremes(values), values)
        if left_out:
            self._rules.add(left_out)
        odd = unpacked(implausible, len(self._features))
        self._n_implausible += np.count_nonzero(odd, axis=0)
        self._n_plausible += np.count_nonzero(~odd & ~np.isnan(values), axis=0)
        if odd.any():
            for found in (extremes(np.where(odd, values, np.float32(np.nan))), *([left_out] if left_out else [])):
                self._lowest = np.fmin(self._lowest, found.lowest)
                self._highest = np.fmax(self._highest, found.highest)

    def found(self) -> Iterator[tuple[list[int], str]]:
        """Yield the features that seem to be in another unit, as positions, and the text about them."""
        taken = set()
        for columns, text in self._rules.found():
            taken.update(columns)
            yield columns, text
        for i, feature in enumerate(self._features):
            n, n_odd = int(self._n_plausible[i] + self._n_implausible[i]), int(self._n_implausible[i])
            if i not in taken and n_odd >= UNIT_ROWS and n_odd > MOST * n:
                units = units_of(feature, float(self._lowest[i]), float(self._highest[i]))
                span = f"{n_odd:,} of {n:,} rows are from {self._lowest[i]:g} to {self._highest[i]:g}"
                usual = "not within {:g} to {:g}".format(*feature.plausible) + f" {feature.unit}"
                seem = f"these seem to be in {' or '.join(units)}" if units else "their unit cannot be told"
                yield [i], f"{feature.name}: {span}, {usual}; {seem}: state the unit in the scan"


def units_of(feature: Quantity, lowest: float, highest: float) -> list[str]:
    """Return the units, of those that a quantity may have, in which some values would be plausible."""
    low, high = feature.plausible
    found: dict[float, str] = {}
    for unit, factor in feature.units.items():
        if unit and factor != 1 and low <= lowest * factor <= highest * factor <= high:
            found.setdefault(float(factor), unit)
    return list(found.values())


def _bits(found: Iterable[tuple[list[int], str]]) -> int:
    return sum({1 << column for columns, _ in found for column in columns})


def _fault(kind: str, what: str, text: str, run: Run | None = None) -> Fault:
    if run is None or np.isnan(run.top + run.base):
        return Fault(kind, what, None, None, text)
    return Fault(kind, what, run.top, run.base, text)
