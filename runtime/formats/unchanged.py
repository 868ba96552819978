"""Whether a file is still what it was when it was opened, and which file it was: its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lithovae.runtime.errors import DAMAGE, ScanError

WHOLE_BYTES = 8_000_000
"""Size up to which all of a file is hashed; reading a large one again would slow a run."""
SAMPLED_BLOCKS, SAMPLED_BYTES = 64, 64_000
"""Number and size of the blocks of a larger file that are hashed."""


def identity_of(path: Path) -> dict[str, Any]:
    """Return the size of a file, and its SHA-256, for provenance.

    Up to `WHOLE_BYTES` it is that of the content, ``sha256``. For a larger file it is
    ``sha256_of_size_and_64_blocks_of_64000_bytes``: that of the size, as a decimal number in ASCII, and then of 64
    blocks of 64,000 bytes; block ``i``, from 0, begins at byte ``i * (size - 64000) // 63``.

    Raises
    ------
    ScanError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= WHOLE_BYTES:
                return {"bytes": size, "sha256": hashlib.sha256(file.read()).hexdigest()}
            digest = hashlib.sha256(str(size).encode())
            for i in range(SAMPLED_BLOCKS):
                file.seek(i * (size - SAMPLED_BYTES) // (SAMPLED_BLOCKS - 1))
                digest.update(file.read(SAMPLED_BYTES))
    except OSError as error:
        raise ScanError(f"{path} cannot be read: {error.strerror or error}", path) from error
    key = f"sha256_of_size_and_{SAMPLED_BLOCKS}_blocks_of_{SAMPLED_BYTES}_bytes"
    return {"bytes": size, key: digest.hexdigest()}


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
