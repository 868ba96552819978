"""What a result says of its own origin: the scan, the columns, the settings, the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.model.bundle import Bundle


def about(
    scan: ScanDescription, bundle: Bundle, *, bin_width: float | None, missing: str, notes: list[str]
) -> dict[str, Any]:
    """Give what the output states of itself, in plain values for JSON.

    Parameters
    ----------
    scan : ScanDescription
        What was understood of the scan.
    bundle : Bundle
        The model.
    bin_width : float or None
        Width of the depth bins in metres; None for the scan's own rows.
    missing : str
        What was done where a feature was missing.
    notes : list of str
        Notes on the rows, beyond the scan's own.
    """
    return {
        "scan": Path(scan.path).name,
        "sources": {
            feature.name: ", ".join(source.text for source in feature.sources)
            for feature in scan.features
            if feature.sources
        },
        "depth": sorted(set(scan.depths)),
        "bin_width": bin_width,
        "missing": missing,
        "bundle": bundle.name,
        "checkpoint_sha256": bundle.description.get("checkpoint_sha256"),
        "notes": [*scan.notes, *notes],
    }
