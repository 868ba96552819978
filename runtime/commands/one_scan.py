"""Embeds one scan into a file, block by block: memory does not grow with the scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

from lithovae.runtime.answers.answers import Answers
from lithovae.runtime.answers.embedding import Embedded, Embedder, policy_of
from lithovae.runtime.answers.provenance import about
from lithovae.runtime.answers.tally import Tally
from lithovae.runtime.console import explained
from lithovae.runtime.description import ScanDescription
from lithovae.runtime.errors import LithoError, OutputError, ScanError
from lithovae.runtime.formats.unchanged import identity_of, unchanged
from lithovae.runtime.log import as_json
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.outputs.whole_file import require_result, whole_file
from lithovae.runtime.outputs.writer import format_of, whole_format
from lithovae.runtime.process.pool import in_order
from lithovae.runtime.process.progress import Progress, silent
from lithovae.runtime.result import Columns, ResultSchema
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import rows_of, width_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.scan.simulated import simulated_seed
from lithovae.runtime.settings import Settings
from lithovae.runtime.summary import Summary


def embed_scan(
    path: str | PathLike[str],
    out: str | PathLike[str],
    model: LithoModel,
    settings: Settings | None = None,
    *,
    intervals: str | PathLike[str] | None = None,
    min_thickness: float = 0.0,
    report: str | PathLike[str] | None = None,
    announce: Callable[[ScanDescription], None] = lambda scan: None,
    progress: Progress = silent,
) -> Summary:
    """Embed a core scan and write the result to a file.

    Parameters
    ----------
    path : path-like
        The scan: HDF5, or a table in another format that `lithovae.runtime.formats.open` lists.
    out : path-like
        The file to write; ``docs/output-format.md`` documents the formats and their columns.
    model : LithoModel
        The model.
    settings : Settings, optional
        Column mapping, bins, missing-value policy, and what is written for each row. Its ``model`` and ``threads`` are
        ignored.
    intervals : path-like, optional
        A ``.csv`` to write intervals of lithology to; ``docs/intervals.md`` documents its columns.
    min_thickness : float, optional
        Least thickness of an interval in metres.
    report : path-like, optional
        A picture of the log to write: a page (``.html``), or an image (``.png``, ``.pdf``, ``.svg``).
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
    BundleError
        If the model cannot give what is wanted: lithologies without a classifier, for example.
    OutputError
        If a file cannot be written; the message names those that had been written before, if any. A file of an earlier
        run that could not be replaced is unchanged.
    """
    path, settings = Path(path), settings or Settings()
    out = require_result(Path(out), path)  # fail before an hour of binning, not after it
    open_whole = whole_format(out)
    if intervals is not None:
        intervals = _require_beside(intervals, path, out)
        if intervals.suffix.lower() != ".csv":
            raise OutputError(f"{intervals} must end in .csv", intervals)
    if report is not None:
        from .report import report_writer  # most runs need none

        report = _require_beside(report, path, out, *filter(None, [intervals]))
        write_report = report_writer(report)
    if format_of(out).needs_values:
        settings = replace(settings, values=True)
    with (
        unchanged(path) as require_unchanged,
        open_scan(path, settings.mapping, settings.calibrations, model.bundle.features) as scan,
    ):
        policy, described = policy_of(model.bundle, settings.missing), scan.describe()
        if described.lacking and policy.name == "drop":
            lacking = ", ".join(described.lacking)
            raise ScanError(f"--missing drop would drop every row: this scan has no {lacking}")
        announce(described)
        width, has_depth = width_of(scan, settings.bin_width), any(track.depth is not None for track in scan.tracks)
        if intervals and not has_depth:
            raise ScanError("--intervals needs depths, and this scan has none: name its depth with --map depth=COLUMN")
        answers = Answers(
            model,
            settings,
            has_depth_unit=described.has_depth_unit,
            tracks=scan.tracks,
            intervals="wanted" if intervals else "if any" if report and model.classes and has_depth else "none",
            bin_width=width,
            min_thickness=min_thickness,
            keeps_rows=report is not None,
        )
        rows = rows_of(scan, progress, width, model.threads)
        embedder = Embedder(model, settings.missing, answers.columns)
        tally = Tally(rows, embedder, answers, has_depth_unit=described.has_depth_unit)
        schema = ResultSchema.of(
            model.bundle.features,
            model.latent_dim,
            rows.address_types,
            has_depth=rows.has_depth,
            is_binned=rows.bin_width is not None,
            grows=False,
            has_values=settings.values,
            lithologies=answers.lithologies,
            has_quality=settings.quality,
        )

        def embed(read: Callable[[], Block]) -> tuple[Embedded, Any]:
            done = embedder.embed(read())
            return done, None if answers.is_ordered else writer.pack(_columns(schema, done.columns))

        with (
            open_whole(out, schema, rows.n, fewer=policy.name == "drop") as writer,
            in_order(embed, rows.blocks, model.threads, rows.in_flight) as embedded,
        ):
            for done, packed in progress(embedded, "embedding", rows.n, lambda each: each[0].n_taken):
                tally.take(done)
                columns = {**done.columns, **answers.take(done.rows, done.columns)}
                writer.write(packed if packed is not None else writer.pack(_columns(schema, columns)))
            summary = tally.summary(described)
            stated = about(
                described,
                model.bundle,
                bin_width=rows.bin_width,
                missing=policy.name,
                notes=summary.notes,
                settings=settings,
                identity=identity_of(path),
                simulated=simulated_seed(scan.tracks[0].file),
            ) | _found(summary)
            writer.state(stated)
            require_unchanged()
    written = [out]
    with _said_in_errors(written):
        if intervals:
            from lithovae.runtime.outputs.intervals import write_intervals

            several = len({each.hole for each in summary.intervals}) > 1
            write_intervals(intervals, summary.intervals, has_hole=several, warning=model.bundle.warning)
            written.append(intervals)
        if report:
            from .report import log_of

            log = log_of(summary, model.bundle, answers, stated)
            with whole_file(report) as file:
                write_report(cast("BinaryIO", file), log)
    return summary


@contextmanager
def _said_in_errors(written: Sequence[Path]) -> Iterator[None]:
    """Add to an error which files were written before it."""
    try:
        yield
    except (LithoError, MemoryError, OSError) as error:
        message = f"{explained(error)}; {' and '.join(map(str, written))} had been written before"
        raise OutputError(message, getattr(error, "path", None)) from error


def _require_beside(path: str | PathLike[str], scan: Path, *others: Path) -> Path:
    """Check that a file beside the result can be written, before an hour of computing, and return its path.

    Raises
    ------
    OutputError
        If it cannot, or would replace the scan or one of the other files.
    """
    from tempfile import TemporaryFile  # most runs need none

    path = require_result(Path(path), scan)
    for other in others:
        if str(path.resolve()).casefold() == str(other.resolve()).casefold():  # one file on Windows and macOS
            raise OutputError(f"{path} is the name of two results: choose another name for one of them", path)
    try:
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"cannot write in {path.parent}: {error.strerror}", path) from error
    return path


def _found(summary: Summary) -> dict[str, Any]:
    """Return, for the provenance, what was found in the rows as a whole."""
    found = {"faults": as_json(summary.faults), "drift": as_json(summary.drift)}
    return {name: value for name, value in found.items() if value}


def _columns(schema: ResultSchema, columns: Columns) -> Columns:
    """Return the columns that are written."""
    return {column.name: columns[column.name] for column in schema.columns}
