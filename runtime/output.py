"""Results on disk: whole or not at all, and never whole in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from . import guard
from .errors import OutputError


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
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.absolute().parent)
    except OSError as error:
        raise OutputError(f"cannot write in {path.absolute().parent}: {error.strerror}", path) from error
    guard.writing(partial)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
        os.chmod(partial, 0o666 & ~_umask())  # mkstemp's files are for their owner alone
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}", path) from error
    finally:
        Path(partial).unlink(missing_ok=True)


@contextmanager
def npz_stream(
    path: str | Path, n_rows: int | None, members: Mapping[str, tuple[Any, int | None]]
) -> Iterator[NpzStream]:
    """Open an ``.npz`` to be written block by block.

    Parameters
    ----------
    path : path-like
        The file; it appears when the block ends well.
    n_rows : int or None
        Length of every member; None where it is not known yet, but it is the same for all.
    members : mapping of str to (dtype, width)
        Type of each member, and its number of columns; None for a 1-D one. The first is written straight into the
        archive where its length is known; the others, thought to be narrower, wait in nameless files beside it.
    """
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(path))
        archive = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_STORED))
        stream = NpzStream(archive, Path(path), n_rows, members)
        stack.callback(stream.close)
        yield stream
        stream.finish()


class NpzStream:
    """Blocks of rows in, an ``.npz`` that `numpy.load` reads out; see `npz_stream`."""

    def __init__(
        self, archive: zipfile.ZipFile, path: Path, n_rows: int | None, members: Mapping[str, tuple[Any, int | None]]
    ) -> None:
        self._archive, self._n_rows, self._members = archive, n_rows, members
        self._written = dict.fromkeys(members, 0)
        self._whole: dict[str, NDArray[Any]] = {}
        self._waiting = list(members)[0 if n_rows is None else 1 :]
        self._files: dict[str, IO[bytes]] = {}
        if n_rows is not None:
            first = next(iter(members))
            self._files[first] = self._open(first)
            self._write_header(first, self._files[first], n_rows)
        for name in self._waiting:
            self._files[name] = tempfile.TemporaryFile(dir=path.absolute().parent)  # noqa: SIM115 (closed by `close`)

    def _write_header(self, name: str, file: IO[bytes], n_rows: int) -> None:
        dtype, width = self._members[name]
        shape = (n_rows,) if width is None else (n_rows, width)
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)

    def write(self, **blocks: NDArray[Any]) -> None:
        """Append a block of rows to some of the members."""
        for name, block in blocks.items():
            dtype = self._members[name][0]
            self._files[name].write(np.ascontiguousarray(block, dtype).data.cast("B") if len(block) else b"")
            self._written[name] += len(block)

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Add a small member as a whole."""
        self._whole[name] = array

    def finish(self) -> None:
        """Complete the archive: every member written by blocks must have all its rows."""
        n_rows = max(self._written.values()) if self._n_rows is None else self._n_rows
        short = {name: n for name, n in self._written.items() if n != n_rows}
        if short:
            raise RuntimeError(f"members of an npz of {n_rows} rows were given {short}")
        for name, file in self._files.items():
            if name not in self._waiting:
                file.close()
        for name in self._waiting:
            self._files[name].seek(0)
            with self._open(name) as member:
                self._write_header(name, member, n_rows)
                shutil.copyfileobj(self._files[name], member, 1 << 20)
        for name, array in self._whole.items():
            with self._open(name) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
