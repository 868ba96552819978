"""Provenance of rows: the scan, its columns, and how they were binned."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lithovae.runtime.description import ScanDescription


def about_rows(scan: ScanDescription, *, bin_width: float | None, notes: list[str]) -> dict[str, Any]:
    """Return the provenance of rows, as plain values for JSON.

    Parameters
    ----------
    scan : ScanDescription
        What was found in the scan.
    bin_width : float or None
        Width of the depth bins in metres; None for the scan's own rows.
    notes : list of str
        Notes about the rows, in addition to those of ``scan``.
    """
    return {
        "scan": os.fsencode(Path(scan.path).name).decode(errors="backslashreplace"),  # a name need not be UTF-8
        "sources": {
            feature.name: ", ".join(source.text for source in feature.sources)
            for feature in scan.features
            if feature.sources
        },
        "calibrations": {
            feature.name: asdict(source.calibration)
            for feature in scan.features
            for source in feature.sources
            if source.calibration
        },
        "depth": sorted(set(scan.depths)),
        "bin_width": bin_width,
        "notes": [*scan.notes, *notes],
    }
