"""Embeds many scans in one process with one model, and prints a line for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lithovae.runtime.console import complain, explained
from lithovae.runtime.errors import InputError, OutputError
from lithovae.runtime.outputs.writer import DEFAULT_EXTENSION
from lithovae.runtime.process import guard
from lithovae.runtime.report.run_log import conclude_one
from lithovae.runtime.summary import Summary

from .report import PICTURES


def embed_scans(
    scans: Sequence[Path],
    folder: Path,
    embed: Callable[..., Summary],
    *,
    intervals: Path | None = None,
    report: Path | None = None,
) -> list[Path]:
    """Embed scans into a folder, each as a file with the scan's name. Existing files are replaced.

    A scan that cannot be embedded is reported on one line, and the others are still embedded.

    Parameters
    ----------
    scans : sequence of Path
        The scans.
    folder : Path
        Folder for the results; created if it does not exist.
    embed : callable
        Takes a scan and the file to write: `lithovae.runtime.commands.one_scan.embed_scan` with its other arguments
        bound.
    intervals, report : Path, optional
        Folders for intervals and pages; created if they do not exist.

    Returns
    -------
    list of Path
        The scans that failed.

    Raises
    ------
    InputError
        If two results would have the same name, or a folder has the name of a file; nothing is embedded.
    OutputError
        If the folder cannot be created.
    """
    scan_of: dict[Path, Path] = {}
    for scan in scans:
        out = folder / f"{scan.stem}{DEFAULT_EXTENSION}"
        if out in scan_of:
            raise InputError(
                f"{scan_of[out]} and {scan} would both be written to {out}: rename one, or run them separately"
            )
        scan_of[out] = scan
    for each in filter(None, (intervals, report)):
        if each.suffix.lower() in (".csv", ".html", *PICTURES) and not each.is_dir():
            raise InputError(f"{each} must be a folder, like {folder}: each scan has its own file in it")
    for each in filter(None, (folder, intervals, report)):
        try:
            each.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create the folder {each}: {error.strerror}", each) from error
    begun, done = guard.several()
    failed = [scan for scan in scans if str(scan) in begun - done]
    for out, scan in scan_of.items():
        if str(scan) in begun:  # by a child process that has crashed on a scan
            continue
        guard.reading(scan)
        try:
            summary = embed(
                scan,
                out,
                intervals=intervals and intervals / f"{scan.stem}.csv",
                report=report and report / f"{scan.stem}.html",
            )
        except Exception as error:  # any error concerns this scan only: go on with the others
            complain(explained(error))
            failed.append(scan)
        else:
            guard.done(scan)
            conclude_one(summary, out)
    return failed
