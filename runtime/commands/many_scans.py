"""Many scans in one go: one process, one model, a line for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lithovae.runtime.console import complain, explained
from lithovae.runtime.errors import InputError, OutputError
from lithovae.runtime.process import guard
from lithovae.runtime.report.run_log import conclude_one
from lithovae.runtime.summary import Summary


def embed_scans(scans: Sequence[Path], folder: Path, embed: Callable[[Path, Path], Summary]) -> list[Path]:
    """Embed scans into a folder, each under its own name; results that are there are replaced, as by single runs.

    A scan that cannot be embedded is reported in one line, and the others go on.

    Parameters
    ----------
    scans : sequence of Path
        The scans.
    folder : Path
        Where the results go; made if it is not there.
    embed : callable
        Embeds a scan into a file: `lithovae.runtime.commands.one_scan.embed_scan` with its other arguments given.

    Returns
    -------
    list of Path
        The scans that failed.

    Raises
    ------
    InputError
        If two results would have the same name. Nothing is embedded then.
    OutputError
        If the folder cannot be made.
    """
    scan_of: dict[Path, Path] = {}
    for scan in scans:
        out = folder / f"{scan.stem}.npz"
        if out in scan_of:
            raise InputError(f"{scan_of[out]} and {scan} would both be written to {out}: give each a folder of its own")
        scan_of[out] = scan
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}", folder) from error
    begun, done = guard.several()
    failed = [scan for scan in scans if str(scan) in begun - done]
    for out, scan in scan_of.items():
        if str(scan) in begun:  # by a child that a scan has killed
            continue
        guard.reading(scan)
        try:
            summary = embed(scan, out)
        except Exception as error:  # whatever it is, it is this scan's: the others go on
            complain(explained(error))
            failed.append(scan)
        else:
            guard.done(scan)
            conclude_one(summary, out)
    return failed
