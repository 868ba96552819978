"""What was understood of a scan, in plain values: text, JSON and the output's provenance are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class SourceDescription:
    """A column that is taken for a feature, or for the depth.

    Attributes
    ----------
    text : str
        Path and unit, for people.
    path, layout : str
        Path in the file, and how the file holds it.
    unit : str or None
        Unit in which the file states its values.
    factor : Fraction
        What brings a value to the unit of the feature.
    is_mapped : bool
        Whether the user has chosen it.
    """

    text: str
    path: str
    layout: str
    unit: str | None
    factor: Fraction
    is_mapped: bool

    def as_json(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "path": self.path,
            "layout": self.layout,
            "unit": self.unit,
            "factor": str(self.factor),
            "mapped": self.is_mapped,
        }


@dataclass(frozen=True)
class FeatureDescription:
    """A feature of the model, and the columns of the scan that are taken for it: none, one, or one for each table."""

    name: str
    unit: str
    sources: list[SourceDescription]


@dataclass(frozen=True)
class ScanDescription:
    """What was understood of a scan. It can be pickled, and outlives the open file.

    Attributes
    ----------
    path : str
        The file.
    layout : list of str
        How the file holds the columns, in words.
    address : dict of str to str
        Parts of the address that hold for the whole scan.
    features : list of FeatureDescription
        In the order of the model.
    depths : list of str
        What the depths of each table are, for people.
    n_tables : int
        Tables that features are taken from.
    notes : list of str
        What was left out, or assumed, and why.
    unused : list of str
        Columns that are none of the features.
    """

    path: str
    layout: list[str]
    address: dict[str, str]
    features: list[FeatureDescription]
    depths: list[str]
    n_tables: int
    notes: list[str]
    unused: list[str]

    @property
    def lacking(self) -> list[str]:
        """Names of the features that the scan does not have."""
        return [feature.name for feature in self.features if not feature.sources]
