"""Results on disk: whole or not at all, and never whole in memory."""

from __future__ import annotations

import ctypes
import errno
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard
from lithovae.runtime.process.heartbeat import advanced

from .checksum import combine, crc32

_MOVE = 1 << 20


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


@contextmanager
def npz_stream(
    path: str | Path, n_rows: int, members: Mapping[str, tuple[Any, int | None]], *, fewer: bool = False
) -> Iterator[NpzStream]:
    """Open an ``.npz`` to be written block by block.

    Every member has its place from the start, so that each byte is written once, where it stays.

    Parameters
    ----------
    path : path-like
        The file; it appears when the block ends well.
    n_rows : int
        Length of every member.
    members : mapping of str to (dtype, width)
        Type of each member, and its number of columns; None for a 1-D one.
    fewer : bool
        Whether there may be fewer rows in the end, as many in each member; then what follows is moved up.
    """
    with whole_file(path) as file:
        stream = NpzStream(file, n_rows, members)
        yield stream
        stream.finish(fewer=fewer)


class Packed(NamedTuple):
    """Blocks of some members, ready to be written: bytes and CRC-32 of each, and how many rows they are."""

    blocks: dict[str, tuple[memoryview, int]]
    n_rows: int


class NpzStream:
    """Blocks of rows in, an ``.npz`` that `numpy.load` reads out; see `npz_stream`."""

    def __init__(self, file: IO[bytes], n_rows: int, members: Mapping[str, tuple[Any, int | None]]) -> None:
        self._file, self._n_rows = file, n_rows
        self._members: dict[str, _Member] = {}
        self._whole: dict[str, NDArray[Any]] = {}
        end = 0
        for name, (dtype, width) in members.items():
            member = self._members[name] = _Member(name, np.dtype(dtype), width, end)
            end = member.first + n_rows * member.row_bytes
        _reserve(file, end)

    def pack(self, **blocks: NDArray[Any]) -> Packed:
        """Make a block of some of the members ready to be written. Any thread may do this, ahead of its turn."""
        packed: dict[str, tuple[memoryview, int]] = {}
        for name, block in blocks.items():
            content = np.ascontiguousarray(block, self._members[name].dtype)
            view = content.reshape(-1).view(np.uint8).data
            packed[name] = view, crc32(view)
        return Packed(packed, len(block) if blocks else 0)

    def write(self, packed: Packed) -> None:
        """Append a block to some of the members."""
        for name, (content, crc) in packed.blocks.items():
            member = self._members[name]
            self._file.seek(member.first + member.n_rows * member.row_bytes)
            self._file.write(content)
            member.n_rows += packed.n_rows
            member.crc = combine(member.crc, crc, len(content))

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Add a small member as a whole."""
        self._whole[name] = array

    def finish(self, *, fewer: bool = False) -> None:
        """Complete the archive: every member written by blocks must have all its rows."""
        written = {name: member.n_rows for name, member in self._members.items()}
        n_rows = min(written.values()) if fewer else self._n_rows
        if any(n != n_rows for n in written.values()) or n_rows > self._n_rows:
            raise RuntimeError(f"members of an npz of {self._n_rows} rows were given {written}")
        with zipfile.ZipFile(self._file, "w") as archive:  # which writes the directory, and small members, at the end
            end = 0
            for member in self._members.values():
                end = member.settle(self._file, end)
                archive.filelist.append(member.info)
                archive.NameToInfo[member.info.filename] = member.info
            archive.start_dir = end
            for name, array in self._whole.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as small:
                    np.lib.format.write_array(small, array, allow_pickle=False)
        self._file.truncate()


class _Member:
    """A member of an archive at a known place: first the zip's header, then the array's, then its rows."""

    def __init__(self, name: str, dtype: np.dtype[Any], width: int | None, place: int) -> None:
        self.dtype, self.width = dtype, width
        self.row_bytes = dtype.itemsize * (1 if width is None else width)
        self.info = zipfile.ZipInfo(f"{name}.npy")
        self.info.external_attr = 0o600 << 16
        self.n_rows = self.crc = 0
        self.first = place + len(self.headers(place))

    def headers(self, place: int) -> bytes:
        """Both headers, for the rows that there are so far. Their length is always the same."""
        shape = (self.n_rows,) if self.width is None else (self.n_rows, self.width)
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        header, n_bytes = BytesIO(), self.n_rows * self.row_bytes
        np.lib.format.write_array_header_1_0(header, described)  # leaves room for the longest of lengths
        self.info.header_offset = place
        self.info.file_size = self.info.compress_size = header.tell() + n_bytes
        self.info.CRC = combine(crc32(header.getvalue()), self.crc, n_bytes)
        return self.info.FileHeader(zip64=True) + header.getvalue()

    def settle(self, file: IO[bytes], place: int) -> int:
        """Write the headers, after moving the rows up where those before turned out fewer; give the member's end."""
        headers = self.headers(place)
        n_bytes, target = self.n_rows * self.row_bytes, place + len(headers)
        for start in range(0, n_bytes if target < self.first else 0, _MOVE):
            advanced()
            file.seek(self.first + start)
            moved = file.read(min(_MOVE, n_bytes - start))
            file.seek(target + start)
            file.write(moved)
        file.seek(place)
        file.write(headers)
        return target + n_bytes


def _reserve(file: IO[bytes], n_bytes: int) -> None:
    """Set space aside where the file system can: a full disk is found out at once, and writing is faster for it.

    Not by `os.posix_fallocate`: where the file system cannot, that writes every block.
    """
    fallocate = _of_libc("fallocate64")
    if n_bytes and fallocate and fallocate(file.fileno(), 0, ctypes.c_int64(0), ctypes.c_int64(n_bytes)):
        number = ctypes.get_errno()
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(number, os.strerror(number))


@cache
def _of_libc(name: str) -> Callable[..., int] | None:
    """Give a function of the C library that only Linux has; None elsewhere."""
    try:
        return cast(Callable[..., int], getattr(ctypes.CDLL(None, use_errno=True), name))
    except (OSError, AttributeError, TypeError):
        return None
