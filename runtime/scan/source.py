"""Columns as sources of quantities: ranking by name, and units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.description import SourceDescription
from lithovae.runtime.features import Quantity
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.settings import Calibration


@dataclass(frozen=True)
class Source:
    """A column that is used for a quantity.

    Attributes
    ----------
    column : Column
        The column.
    unit : str or None
        Unit of the values as stated by the file; None if it states none.
    factor : Fraction
        Factor that converts a value to the quantity's unit.
    is_mapped : bool
        Whether the user chose the column.
    assumed : tuple of str
        Assumptions about the column; each becomes a note if the column is used.
    calibration : Calibration, optional
        The declared conversion, which is applied instead of the factor.
    """

    column: Column
    unit: str | None
    factor: Fraction
    is_mapped: bool = False
    assumed: tuple[str, ...] = ()
    calibration: Calibration | None = None

    def __str__(self) -> str:
        if self.calibration:
            return f"{self.column.path} ({self.unit}, calibrated)"
        unit = f"({self.unit or 'no unit given'})"
        return self.column.path if self.column.path.endswith(unit) else f"{self.column.path} {unit}"

    def describe(self) -> SourceDescription:
        """Return the source as plain values."""
        column = self.column
        return SourceDescription(
            str(self), column.path, column.layout, self.unit, self.factor, self.is_mapped, self.calibration
        )

    @property
    def is_unchanged(self) -> bool:
        """Whether values need no conversion."""
        return self.factor == 1 and self.calibration is None

    def scaled(self, values: NDArray[Any]) -> NDArray[Any]:
        """Convert values to the quantity's unit; the shape is kept."""
        if self.is_unchanged:
            return values
        if self.calibration:
            return np.asarray(values.astype(np.float64) * self.calibration.gain + self.calibration.offset)
        # Dividing by 100 gives the same float as a file in metres would hold; multiplying by 0.01 does not.
        return np.asarray(values.astype(np.float64) * self.factor.numerator / self.factor.denominator)


def unit_of(quantity: Quantity, column: Column) -> str | None:
    """Return the unit stated for a column, or else the unit at the end of its name; None if there is neither."""
    return column.unit if column.unit is not None else quantity.unit_in(column.name)


class Candidate(NamedTuple):
    """A column that could be a quantity; the better its name matches, the lower its rank."""

    rank: int
    source: Source


def candidates(
    quantity: Quantity, columns: Iterable[Column], take: Callable[[Column], Source | str], findings: Findings
) -> list[Candidate]:
    """List the numeric columns that could be a quantity, the best match first.

    Parameters
    ----------
    quantity : Quantity
        The quantity.
    columns : iterable of Column
        The columns to choose from.
    take : callable
        Returns the source for a column whose name matches, or the reason why it is not used, which becomes a note
        if it is not empty.
    findings : Findings
        Receives the notes.
    """
    found = []
    for column in columns:
        rank = quantity.rank(column.name)
        if rank is None or not column.is_number:
            continue
        taken = take(column)
        if isinstance(taken, Source):
            found.append(Candidate(rank, taken))
        elif taken:
            findings.note(f"{column.path} {taken}")
    return sorted(found, key=lambda candidate: candidate.rank)


def best_of(ranked: Sequence[Candidate], name: str, findings: Findings, advice: str | None = None) -> Source | None:
    """Return the first of several candidates; None if there are none. With advice, add a note on the others."""
    if not ranked:
        return None
    best = ranked[0].source
    for note in best.assumed:
        findings.note(note)
    for _, other in ranked[1:] if advice is not None else []:
        note_passed_over(other, best, name, findings, advice or "")
    return best


def note_passed_over(other: Source, taken: Source, name: str, findings: Findings, advice: str = "") -> None:
    """Note that another column could also be the quantity."""
    if other.column.identity != taken.column.identity:
        findings.note(f"{other.column.path} could be {name} too: {taken.column.path} is taken{advice}")
