"""Embeds one scan into a file, block by block: memory does not grow with the scan."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from lithovae.runtime.answers.embedding import Embedded, Embedder
from lithovae.runtime.answers.provenance import about
from lithovae.runtime.answers.tally import Tally
from lithovae.runtime.description import ScanDescription
from lithovae.runtime.errors import ScanError
from lithovae.runtime.formats.unchanged import unchanged
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.outputs.whole_file import require_result
from lithovae.runtime.outputs.writer import whole_format
from lithovae.runtime.process.pool import in_order
from lithovae.runtime.process.progress import Progress, silent
from lithovae.runtime.result import ResultSchema
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import Rows, rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Settings
from lithovae.runtime.summary import Summary


def embed_scan(
    path: str | PathLike[str],
    out: str | PathLike[str],
    model: LithoModel,
    settings: Settings | None = None,
    *,
    values: bool = False,
    announce: Callable[[ScanDescription], None] = lambda scan: None,
    progress: Progress = silent,
) -> Summary:
    """Embed a core scan and write the result to a file.

    Parameters
    ----------
    path : path-like
        The scan: HDF5, or a table in another format that `lithovae.runtime.formats.open` lists.
    out : path-like
        The ``.npz`` to write; ``docs/output-format.md`` documents its members.
    model : LithoModel
        The model.
    settings : Settings, optional
        Column mapping, bins and missing-value policy. Its ``model`` and ``threads`` are ignored.
    values : bool, optional
        Whether the values of the features are written, too.
    announce : callable, optional
        Called with what was found in the file, before anything is computed.
    progress : callable, optional
        Wraps iterables to show progress; see `lithovae.runtime.console.progress`.

    Returns
    -------
    Summary
        Counts of what was read and written.

    Raises
    ------
    ScanError
        If the file cannot be read, is ambiguous or changes while it is read, or if a feature is missing and
        ``settings.missing`` is "error".
    OutputError
        If the result cannot be written. A file of an earlier run is unchanged.
    """
    path, settings = Path(path), settings or Settings()
    out = require_result(Path(out), path)  # fail before an hour of binning, not after it
    open_whole = whole_format(out)
    with (
        unchanged(path) as require_unchanged,
        open_scan(path, settings.mapping, settings.calibrations, model.bundle.features) as scan,
    ):
        embedder, described = Embedder(model, settings.missing), scan.describe()
        if described.lacking and embedder.policy.name == "drop":
            lacking = ", ".join(described.lacking)
            raise ScanError(f"--missing drop would drop every row: this scan has no {lacking}")
        announce(described)
        rows = rows_of(scan, progress, settings.bin_width, model.threads)
        tally = Tally(rows, embedder, has_depth_unit=described.has_depth_unit)
        schema = ResultSchema.of(
            model.bundle.features,
            model.latent_dim,
            rows.address_types,
            has_depth=rows.has_depth,
            is_binned=rows.bin_width is not None,
            grows=False,
            has_values=values,
        )

        def embed(read: Callable[[], Block]) -> tuple[Embedded, Any]:
            done = embedder.embed(read())
            return done, writer.pack(done.columns | ({"values": done.rows.values} if values else {}))

        with (
            open_whole(out, schema, rows.n, fewer=embedder.policy.name == "drop") as writer,
            in_order(embed, rows.blocks, model.threads, rows.in_flight) as embedded,
        ):
            for done, packed in progress(embedded, "embedding", rows.n, lambda each: each[0].n_taken):
                tally.take(done)
                writer.write(packed)
            writer.state(_about(described, rows, embedder, tally))
            require_unchanged()
    return tally.summary(described)


def _about(scan: ScanDescription, rows: Rows, embedder: Embedder, tally: Tally) -> dict[str, Any]:
    return about(scan, embedder.model.bundle, bin_width=rows.bin_width, missing=embedder.policy.name, notes=tally.notes)
