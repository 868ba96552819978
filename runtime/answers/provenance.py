"""Provenance of a result: the scan, its columns, the settings and the model."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.model.bundle import Bundle


def about(
    scan: ScanDescription, bundle: Bundle, *, bin_width: float | None, missing: str, notes: list[str]
) -> dict[str, Any]:
    """Return the provenance that is written into the output, as plain values for JSON.

    Parameters
    ----------
    scan : ScanDescription
        What was found in the scan.
    bundle : Bundle
        The model.
    bin_width : float or None
        Width of the depth bins in metres; None for the scan's own rows.
    missing : str
        What was done with rows that lack a feature.
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
        "missing": missing,
        "bundle": bundle.name,
        "checkpoint_sha256": bundle.description.get("checkpoint_sha256"),
        "notes": [*scan.notes, *notes],
    }
