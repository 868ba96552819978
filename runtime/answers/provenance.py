"""Provenance of a result: that of its rows, the choices of the user and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.session import ORT_VERSION
from lithovae.runtime.rows.provenance import about_rows
from lithovae.runtime.settings import Settings


def about(
    scan: ScanDescription,
    bundle: Bundle,
    *,
    bin_width: float | None,
    missing: str,
    notes: list[str],
    settings: Settings | None = None,
    identity: Mapping[str, Any] | None = None,
    simulated: str = "",
) -> dict[str, Any]:
    """Return the provenance that is written into the output, as plain values for JSON.

    It has no time, so that the same input gives the same bytes.

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
    settings : Settings, optional
        The choices of the user; by default, they are not stated.
    identity, simulated
        As of `lithovae.runtime.rows.provenance.about_rows`.
    """
    rows = about_rows(scan, bin_width=bin_width, notes=notes, identity=identity, simulated=simulated)
    return {
        **rows,
        "versions": {**rows["versions"], "onnxruntime": ORT_VERSION},
        "missing": missing,
        "bundle": bundle.name,
        "bundle_sha256": bundle.sha256,
        "checkpoint_sha256": bundle.description.get("checkpoint_sha256"),
        "trained_on": bundle.trained_on,
        "warning": bundle.warning,
        **({"options": _options(settings)} if settings else {}),
    }


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "map": dict(settings.mapping),
        "bin": settings.bin_width,
        "missing": settings.missing,
        "values": settings.values,
        "top": settings.top,
        "all_probabilities": settings.all_probabilities,
        "quality": settings.quality,
    }
