"""Writes the values of a scan's rows as a table, block by block: memory does not grow with the scan."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lithovae.runtime.description import ScanDescription
from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import CATALOGUE, LILY, FeatureSet
from lithovae.runtime.formats.unchanged import identity_of, unchanged
from lithovae.runtime.outputs.whole_file import require_result
from lithovae.runtime.outputs.writer import table_format
from lithovae.runtime.process.pool import in_order
from lithovae.runtime.process.progress import Progress, silent
from lithovae.runtime.process.threads import granted_threads
from lithovae.runtime.result import DEPTH_HEADING, SIMULATED, ResultSchema
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.missing_policy import MissingPolicy, Prepared
from lithovae.runtime.rows.provenance import about_rows
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.rows.tally import RowTally
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.scan.simulated import simulated_seed
from lithovae.runtime.settings import Settings
from lithovae.runtime.summary import RowSummary

DEPTH_HEADINGS = {scale: f"Depth {scale} (m)" for scale in ("CSF-A", "CSF-B", "CCSF", "WMSF")} | {
    "vertical depth": "True vertical depth (m)"
}
"""Heading of depths whose scale is known, by its name in `lithovae.runtime.scan.depth.SCALES`."""


def write_table(
    path: str | PathLike[str],
    out: str | PathLike[str],
    settings: Settings | None = None,
    features: FeatureSet | None = None,
    *,
    announce: Callable[[ScanDescription], None] = lambda scan: None,
    progress: Progress = silent,
) -> RowSummary:
    """Write the values of a scan's rows as a table: depth bins, or the scan's own rows.

    Parameters
    ----------
    path : path-like
        The scan.
    out : path-like
        The ``.csv`` or ``.parquet`` to write; ``docs/tables.md`` documents its columns.
    settings : Settings, optional
        Column mapping, bins and calibrations; its other choices are ignored.
    features : FeatureSet, optional
        The features to write, which the scan must have; by default, all of the catalogue that it has.
    announce, progress : callable, optional
        As of `lithovae.runtime.commands.one_scan.embed_scan`.

    Returns
    -------
    RowSummary
        Counts of what was read and written.

    Raises
    ------
    ScanError
        If the file cannot be read, is ambiguous, changes while it is read, lacks a feature or has no values.
    OutputError
        If the table cannot be written. A file of an earlier run is unchanged.
    """
    path, settings, threads = Path(path), settings or Settings(), granted_threads()
    open_whole = table_format(Path(out))
    out = require_result(Path(out), path)
    with (
        unchanged(path) as require_unchanged,
        open_scan(path, settings.mapping, settings.calibrations, features or CATALOGUE) as scan,
    ):
        if features is None:
            scan = scan.with_found()
        described = scan.describe()
        if described.lacking:
            _refuse(path, settings, described)
        announce(described)
        try:
            rows = rows_of(scan, progress, settings.bin_width, threads)
        except ScanError as error:
            raise ScanError(f"{error}{_how_without(scan, features)}") from error
        policy, tally = MissingPolicy("nan", rows.features), RowTally(rows, has_depth_unit=described.has_depth_unit)
        seed = simulated_seed(scan.tracks[0].file)
        schema = ResultSchema.of_values(
            rows.features,
            rows.address_types,
            has_depth=rows.has_depth,
            is_binned=rows.bin_width is not None,
            depth_heading=DEPTH_HEADINGS.get(scan.depth_scale, DEPTH_HEADING),
            simulated=seed,
        )

        def prepare(read: Callable[[], Block]) -> tuple[Prepared, Any]:
            prepared = policy.prepare(read())
            mark = {SIMULATED: np.full(len(prepared.block), seed)} if seed else {}
            return prepared, writer.pack(prepared.columns | {"values": prepared.values} | mark)

        with (
            open_whole(out, schema, rows.n, fewer=False) as writer,
            in_order(prepare, rows.blocks, threads, rows.in_flight) as blocks,
        ):
            for prepared, packed in progress(blocks, "writing", rows.n, lambda each: len(each[0].block)):
                tally.take(prepared)
                writer.write(packed)
            summary = tally.summary(described)
            if (summary.n_missing == summary.n_rows).all():
                raise ScanError("no row has a value of any feature: there is nothing to write")
            writer.state(
                about_rows(
                    described,
                    bin_width=rows.bin_width,
                    notes=summary.notes,
                    identity=identity_of(path),
                    simulated=seed,
                )
            )
            require_unchanged()
    return summary


def _how_without(scan: Scan, features: FeatureSet | None) -> str:
    """Return how to leave out the quantities that nobody asked for, on which the rows may fail."""
    short = scan.feature_set.short_names
    needed = [short[feature.name] for feature in scan.feature_set if feature in LILY]
    if features is not None or not needed or len(needed) == len(scan.feature_set):
        return ""
    return f"; --features chooses the quantities to look for, as in --features {','.join(needed)}"


def _refuse(path: Path, settings: Settings, described: ScanDescription) -> None:
    """Say which features the scan lacks, and which of the catalogue it has."""
    found = [feature.name for feature in described.features if feature.sources]
    with (
        suppress(ScanError),  # the catalogue may have a quantity for which this scan has two columns
        open_scan(path, settings.mapping, settings.calibrations, CATALOGUE) as scan,
    ):
        found = list(scan.with_found().feature_set.names)
    short = CATALOGUE.short_names
    raise ScanError(
        f"the scan has no {', '.join(described.lacking)}: leave it out of --features, or name its column with --map; "
        f"it has {', '.join(short[name] for name in found)}"
    )
