"""Provenance of a result: that of its rows, the policy for missing values and the model."""

from __future__ import annotations

from typing import Any

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.rows.provenance import about_rows


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
        **about_rows(scan, bin_width=bin_width, notes=notes),
        "missing": missing,
        "bundle": bundle.name,
        "checkpoint_sha256": bundle.description.get("checkpoint_sha256"),
    }
