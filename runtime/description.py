"""What was found in a scan, as plain values: the source of printed text, JSON and the output's provenance."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any, NamedTuple

from .settings import Calibration


class SourceDescription(NamedTuple):
    """A column that is used for a feature or for the depth.

    Attributes
    ----------
    text : str
        Path and unit, as printed.
    path, layout : str
        Path in the file, and how the file stores the column.
    unit : str or None
        Unit of the values as the file states it; None if it states none.
    factor : Fraction
        Factor that converts a value to the unit of the feature.
    is_mapped : bool
        Whether the user has chosen the column.
    calibration : Calibration, optional
        The declared conversion that is applied instead of the factor.
    """

    text: str
    path: str
    layout: str
    unit: str | None
    factor: Fraction
    is_mapped: bool
    calibration: Calibration | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": self.path,
            "layout": self.layout,
            "unit": self.unit,
            "factor": str(self.factor),
            "mapped": self.is_mapped,
        } | ({"calibration": asdict(self.calibration)} if self.calibration else {})


class FeatureDescription(NamedTuple):
    """A feature of the model, and the columns of the scan that are used for it: none, one, or one from each table."""

    name: str
    unit: str
    sources: list[SourceDescription]


class ScanDescription(NamedTuple):
    """What was found in a scan. It can be pickled, and remains valid after the file is closed.

    Attributes
    ----------
    path : str
        The file.
    layout : list of str
        How the file stores the columns, as printed.
    address : dict of str to str
        Parts of the address that hold for the whole scan.
    features : list of FeatureDescription
        The features, in the order of the model.
    depths : list of str
        The depth of each table, as printed.
    n_tables : int
        Number of tables from which features are taken.
    notes : list of str
        What was left out or assumed, and why.
    unused : list of str
        Paths of the columns that are not used.
    has_depth_unit : bool
        Whether a unit is stated for every depth.
    """

    path: str
    layout: list[str]
    address: dict[str, str]
    features: list[FeatureDescription]
    depths: list[str]
    n_tables: int
    notes: list[str]
    unused: list[str]
    has_depth_unit: bool = True

    @property
    def lacking(self) -> list[str]:
        """Names of the features that the scan does not have."""
        return [feature.name for feature in self.features if not feature.sources]
