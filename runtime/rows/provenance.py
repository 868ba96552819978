"""Provenance of rows: the scan, its columns, and how they were binned."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lithovae.runtime.description import ScanDescription


def about_rows(
    scan: ScanDescription,
    *,
    bin_width: float | None,
    notes: list[str],
    identity: Mapping[str, Any] | None = None,
    simulated: str = "",
) -> dict[str, Any]:
    """Return the provenance of rows, as plain values for JSON.

    Parameters
    ----------
    scan : ScanDescription
        What was found in the scan.
    bin_width : float or None
        Width of the depth bins in metres; None for the scan's own rows.
    notes : list of str
        Notes about the rows, in addition to those of ``scan``.
    identity : mapping, optional
        Size and digest of the file: `lithovae.runtime.formats.unchanged.identity_of`. A file that grows has none.
    simulated : str
        Seed of simulated rows; empty if they were measured.
    """
    return {
        "versions": {"lithovae": _version(), "numpy": np.__version__},
        "scan": os.fsencode(Path(scan.path).name).decode(errors="backslashreplace"),  # a name need not be UTF-8
        **({"scan_file": dict(identity)} if identity else {}),
        **({"simulated": simulated} if simulated else {}),
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


@cache
def _version() -> str:
    """Return the version of this distribution, from the name of its folder; empty if there is none.

    `importlib.metadata` would take longer to import than a small scan to embed.
    """
    for folder in sys.path:
        with suppress(OSError):
            for name in os.listdir(folder or "."):
                if match := re.fullmatch(r"lithovae-(.+)\.dist-info", name):
                    return match[1]
    return ""
