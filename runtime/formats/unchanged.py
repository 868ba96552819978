"""Whether a file is still what it was when it was opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lithovae.runtime.errors import DAMAGE, ScanError


@contextmanager
def unchanged(path: Path) -> Iterator[Callable[[], None]]:
    """Watch a file while it is read. Enter the block before the file is opened.

    Size, time of modification, device and inode are compared: no byte is read. An error in the block is replaced by
    that of `require` if the file has changed, since the change explains it.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    callable
        Call it when everything has been read, before the result is kept. It raises `ScanError` if the file has changed.

    Raises
    ------
    ScanError
        If the file has changed.
    """
    before = _state(path)

    def require() -> None:
        if (now := _state(path)) == before:
            return
        if now is None:
            what = "was removed or renamed"
        elif before is None or now[:2] != before[:2]:
            what = "was replaced by another file"
        elif now[2] != before[2]:
            what = f"changed from {before[2]:,} to {now[2]:,} bytes"
        else:
            what = "was modified"
        raise ScanError(
            f"{path} {what} while it was read: run again when no program writes to it, or use `lithovae follow`", path
        )

    try:
        yield require
    except (ScanError, *DAMAGE):
        require()
        raise


def _state(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # whoever opens the file says why
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
