"""Writes a file atomically: it appears complete or not at all."""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard

if sys.platform != "win32":
    import fcntl

MAX_NAME_BYTES = 255
"""Bytes of a file name on the common file systems."""
NEW_SECONDS = 60
"""Age in seconds of an empty temporary file up to which its process may be about to lock it."""

_HOST = f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"
_PARTIAL = re.compile(rf"\..*\.{_HOST}-[0-9a-f]{{8}}\.partial", re.DOTALL)


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


def require_result(path: str | Path, scan: str | Path) -> Path:
    """Check that a result can be written at a path and would not replace the scan; return the path as it was given.

    Raises
    ------
    OutputError
        As `require_writable`; and if the path is the scan, also by another name.
    """
    path, scan = Path(path), Path(scan)
    require_writable(path)
    if path.exists() and scan.exists() and path.samefile(scan):
        raise OutputError(f"the result would replace the scan {scan}: choose another name", path)
    return path


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing; rename it to ``path`` when the block ends without an error.

    If the block raises, the temporary file is deleted and ``path`` is unchanged. A file that is replaced passes its
    permissions on. Temporary files that killed processes left in the folder are removed.

    Raises
    ------
    OutputError
        If the folder does not exist, or if the file cannot be written.
    """
    path = require_writable(path)
    _remove_abandoned(path.parent)
    partial = _partial(path)
    guard.writing(partial)
    try:  # before the file exists: an interrupt may come at any moment
        try:
            file = open(partial, "x+b")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise OutputError(f"cannot write in {path.parent}: {error.strerror}", path) from error
        with _locked(file):
            with file:
                if (mode := mode_of(path)) is not None:
                    os.chmod(partial, mode | stat.S_IRUSR | stat.S_IWUSR)
                yield file
            if mode is not None:
                os.chmod(partial, mode)
            os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", path) from error
    finally:
        partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    """Return a new name beside a path, no longer than file systems allow."""
    return beside(path, f".{_HOST}-{os.urandom(4).hex()}.partial")


def beside(path: Path, end: str) -> Path:
    """Return the path of a hidden file beside a file: its name and an end, no longer than file systems allow."""
    start = path.name
    while len(os.fsencode(f".{start}{end}")) > MAX_NAME_BYTES:
        start = start[:-1]  # by characters: half a character is not a valid name on macOS
    return path.with_name(f".{start}{end}")


def mode_of(path: Path) -> int | None:
    """Return the permissions of an existing file; None if there is none, or on Windows, where they are not modes."""
    try:
        return None if os.name == "nt" else stat.S_IMODE(path.stat().st_mode) & 0o777
    except FileNotFoundError:
        return None


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """Lock a file, also when it has been closed: it is to be found locked until it has its name."""
    if sys.platform == "win32":  # where an open file can be neither renamed nor removed
        yield
        return
    held = os.dup(file.fileno())
    try:
        _lock(held)
        yield
    finally:
        os.close(held)


def _lock(descriptor: int) -> bool:
    """Lock an open file until all its descriptors are closed, or their processes end; return whether that worked."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


@lru_cache(1024)  # once for each folder, however many results are written to it
def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in a folder that no process of this machine writes any more.

    Each is locked while it is written. A lock, unlike a process id, ends with its process and never passes to another.
    The name has the machine, because some network file systems keep the locks of each machine apart.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PARTIAL.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    if _is_abandoned(entry.path):
                        os.unlink(entry.path)


def _is_abandoned(partial: str) -> bool:
    with open(partial, "r+b") as file:
        found = os.fstat(file.fileno())
        is_new = found.st_size == 0 and time.time() - found.st_mtime < NEW_SECONDS  # perhaps not locked yet
        return not is_new and _lock(file.fileno())
