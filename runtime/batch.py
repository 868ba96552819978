"""Many scans in one go: one process, one model, a line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .command import complain
from .errors import InputError, LithoError, OutputError
from .guard import Scans, advanced
from .report import conclude_one
from .summary import Summary


def embed_scans(scans: Sequence[Path], folder: Path, embed: Callable[..., Summary]) -> list[Path]:
    """Embed scans into a folder, each under its own name; what is there already is replaced, as by a run of its own.

    A scan that cannot be embedded is said in one line, and the others go on.

    Parameters
    ----------
    scans : sequence of Path
        The scans.
    folder : Path
        Where the results go; made if it is not there.
    embed : callable
        Embeds a scan into a file: `lithovae.runtime.pipeline.embed_scan` but for these two and its ``progress``.

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
    guarded = Scans(scans)
    for scan in guarded:
        out = folder / f"{scan.stem}.npz"
        try:
            summary = embed(scan, out, progress=_silent)
        except LithoError as error:
            complain(str(error))
        else:
            guarded.done()
            conclude_one(summary, out)
    return guarded.failed


def _silent(items: Iterable[Any], label: str, total: int, size: Callable[[Any], int]) -> Iterator[Any]:
    for item in items:
        advanced()
        yield item
