"""A scan through a model into a file, block by block: memory does not grow with the scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .errors import OutputError
from .features import FEATURE_NAMES, FEATURES
from .model import LithoModel
from .output import npz_stream
from .rows import Progress, Rows, rows_of
from .scan import Scan, open_scan
from .summary import Summary


def embed_scan(
    path: str | PathLike[str],
    out: str | PathLike[str],
    model: LithoModel,
    mapping: dict[str, str] | None = None,
    *,
    announce: Callable[[Scan], None] = lambda scan: None,
    progress: Progress = lambda items, label, total, size: items,
) -> Summary:
    """Embed a core scan.

    Parameters
    ----------
    path : path-like
        An HDF5 file.
    out : path-like
        The ``.npz`` to write; ``docs/output-format.md`` lists its members.
    model : LithoModel
        The model.
    mapping : dict of str to str, optional
        Columns to take, by feature; see `lithovae.runtime.scan.open_scan`.
    announce : callable, optional
        Called with what was understood of the file, before anything is computed.
    progress : callable, optional
        Wraps what passes, to show how far the run is.

    Raises
    ------
    ScanError
        If the file cannot be read or understood.
    OutputError
        If the result cannot be written. Nothing is left under its name.
    """
    out, path = Path(out), Path(path)
    if out.exists() and path.exists() and out.samefile(path):
        raise OutputError(f"the result would replace the scan {path}: choose another name", out)
    with open_scan(path, mapping) as scan:
        announce(scan)
        rows = rows_of(scan, progress)
        summary = Summary(scan, bin_width=rows.bin_width, n_left_out=rows.n_left_out)
        _write(out, rows, model, summary)
    return summary


def _write(out: Path, rows: Rows, model: LithoModel, summary: Summary) -> None:
    members: dict[str, tuple[Any, int | None]] = {
        "embeddings": (np.float32, model.latent_dim),
        "missing": (np.uint8, None),
    }
    members |= {"depth": (np.float64, None)} if rows.has_depth else {}
    members |= {"samples": (np.int64, len(FEATURES))} if rows.bin_width is not None else {}
    members |= {part: (dtype, None) for part, dtype in rows.address_types.items()}
    with npz_stream(out, rows.n, members) as stream:
        for block in rows.blocks:
            embeddings, missing = model.embed(block.features), model.missing(block.features)
            summary.take(block, embeddings, missing)
            stream.write(embeddings=embeddings, missing=missing, **block.address)
            if block.samples is not None:
                stream.write(samples=block.samples)
            if block.depth is not None:
                stream.write(depth=block.depth)
        stream.add("features", np.array(FEATURE_NAMES))
        stream.add("about", np.array(json.dumps(_about(model, summary), ensure_ascii=False)))


def _about(model: LithoModel, summary: Summary) -> dict[str, Any]:
    """Say in the output itself what it was made from."""
    scan = summary.scan
    return {
        "scan": scan.path.name,
        "sources": {FEATURES[i].name: ", ".join(map(str, sources)) for i, sources in scan.sources.items()},
        "depth": sorted({str(track.depth) for track in scan.tracks if track.depth}),
        "bin_width": summary.bin_width,
        "missing": model.bundle.missing,
        "bundle": model.bundle.name,
        "checkpoint_sha256": model.bundle.description.get("checkpoint_sha256"),
        "notes": scan.notes,
    }
