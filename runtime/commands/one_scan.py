"""A scan through a model into a file, block by block: memory does not grow with the scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.answers.summary import Summary
from lithovae.runtime.errors import OutputError, ScanError
from lithovae.runtime.features import FEATURE_NAMES, FEATURES
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.outputs.npz import Packed, npz_stream, require_writable
from lithovae.runtime.process.pool import in_order
from lithovae.runtime.rows.policy import Embedded, Missing, MissingPolicy
from lithovae.runtime.rows.rows import BinWidth, Block, Progress, rows_of
from lithovae.runtime.scan.scan import Scan, open_scan


def embed_scan(
    path: str | PathLike[str],
    out: str | PathLike[str],
    model: LithoModel,
    mapping: dict[str, str] | None = None,
    *,
    bin_width: BinWidth = "auto",
    missing: Missing = "auto",
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
        Columns to take, by feature; see `lithovae.runtime.scan.scan.open_scan`.
    bin_width : float, None or "auto"
        Width of the depth bins in metres; None for the scan's own rows. By default bins of 0.2 m where features have
        grids of their own, and the scan's own rows where a table holds all of them.
    missing : {"auto", "nan", "impute", "drop", "error"}
        What is done with a row that lacks a feature: as the model was trained, no embedding, an embedding from the
        scaler's mean in its place, no row, or an end to the run.
    announce : callable, optional
        Called with what was understood of the file, before anything is computed.
    progress : callable, optional
        Wraps what passes, to show how far the run is.

    Returns
    -------
    Summary
        What was read and written, counted.

    Raises
    ------
    InputError
        If there is no such bin width or policy.
    ScanError
        If the file cannot be read or understood, or a feature is missing and ``missing`` is "error".
    OutputError
        If the result cannot be written. Nothing is left under its name.
    """
    out, path = Path(out), Path(path)
    require_writable(out)  # better known before an hour's binning than after it
    if out.exists() and path.exists() and out.samefile(path):
        raise OutputError(f"the result would replace the scan {path}: choose another name", out)
    with open_scan(path, mapping) as scan:
        policy = MissingPolicy(model, missing, path)
        lacking = ", ".join(feature.name for i, feature in enumerate(FEATURES) if i not in scan.sources)
        if lacking and policy.name == "drop":
            raise ScanError(f"{path}: no row has all six features, this scan has no {lacking}: nothing to keep", path)
        announce(scan)
        summary = Summary(scan, rows_of(scan, progress, bin_width, model.threads), policy)
        _write(out, model, summary, progress)
    return summary


def _write(out: Path, model: LithoModel, summary: Summary, progress: Progress) -> None:
    rows, policy = summary.rows, summary.policy
    members: dict[str, tuple[Any, int | None]] = {
        "embeddings": (np.float32, model.latent_dim),
        "missing": (np.uint8, None),
        "implausible": (np.uint8, None),
    }
    members |= {"depth": (np.float64, None)} if rows.has_depth else {}
    members |= {"samples": (np.int64, len(FEATURES))} if rows.bin_width is not None else {}
    members |= {part: (dtype, None) for part, dtype in rows.address_types.items()}

    def embed(read: Callable[[], Block]) -> tuple[Embedded, Packed]:
        done = policy.apply(read())
        block = done.block
        columns: dict[str, NDArray[Any]] = {"embeddings": done.embeddings, "missing": done.missing}
        columns |= {"implausible": done.implausible, **block.address}
        columns |= {} if block.depth is None else {"depth": block.depth}
        columns |= {} if block.samples is None else {"samples": block.samples}
        return done, stream.pack(**columns)

    with (
        npz_stream(out, rows.n, members, fewer=policy.name == "drop") as stream,
        in_order(embed, rows.blocks, model.threads, rows.in_flight) as embedded,
    ):
        for done, packed in progress(embedded, "embedding", rows.n, lambda each: each[0].n_rows):
            summary.take(done)
            stream.write(packed)
        stream.add("features", np.array(FEATURE_NAMES))
        stream.add("about", np.array(json.dumps(about(model, summary), ensure_ascii=False)))


def about(model: LithoModel, summary: Summary) -> dict[str, Any]:
    """Say in the output itself what it was made from."""
    scan = summary.scan
    return {
        "scan": scan.path.name,
        "sources": {FEATURES[i].name: ", ".join(map(str, sources)) for i, sources in scan.sources.items()},
        "depth": sorted({track.depth_text for track in scan.tracks if track.depth}),
        "bin_width": summary.bin_width,
        "missing": summary.policy.name,
        "bundle": model.bundle.name,
        "checkpoint_sha256": model.bundle.description.get("checkpoint_sha256"),
        "notes": [*scan.notes, *summary.notes],
    }
