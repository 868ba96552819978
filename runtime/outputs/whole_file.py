"""Writes a file atomically: it appears complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard


def require_writable(path: str | Path) -> Path:
    """Check that a file can be written at a path, and return the path with links resolved.

    The target of a link is replaced, not the link.

    Raises
    ------
    OutputError
        If the path is a folder, a device or a pipe, or if its folder does not exist.
    """
    path = Path(path).resolve()
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it", path)
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is a device or a pipe: name a file", path)
    if not path.parent.is_dir():
        raise OutputError(f"no such folder: {path.parent}", path)
    return path


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing; rename it to ``path`` when the block ends without an error.

    If the block raises, the temporary file is deleted and ``path`` is unchanged.

    Raises
    ------
    OutputError
        If the folder does not exist, or if the file cannot be written.
    """
    path = require_writable(path)
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
    guard.writing(partial)
    try:  # before the file exists: an interrupt may come at any moment
        try:
            file = open(partial, "x+b")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise OutputError(f"cannot write in {path.parent}: {error.strerror}", path) from error
        with file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", path) from error
    finally:
        partial.unlink(missing_ok=True)
