"""A file that is there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard


def require_writable(path: str | Path) -> Path:
    """Make sure that a file can be put somewhere; give the place, links resolved: what a link leads to is replaced.

    Raises
    ------
    OutputError
        If it is a folder, a device or a pipe, or is in a folder that is not there.
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
    """Give a file to write to that gets its name, ``path``, only when the block ends well.

    Raises
    ------
    OutputError
        If the folder is not there or cannot be written to.
    """
    path = require_writable(path)
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
    guard.writing(partial)
    try:  # from before it is there: an interrupt may come at any moment
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
