"""Writes a result as ``.npz``, with a member for each column, without holding it in memory."""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.result import Columns, ResultSchema

from .checksum import combine, crc32
from .one_value import has_one_value
from .stored import Stored, about_of, require_plausible_size
from .whole_file import whole_file

_MOVE = 1 << 20
NAMES = "_names"
"""What follows the name of a column of codes in the name of the member that lists what they stand for."""


@contextmanager
def open_whole(path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool) -> Iterator[NpzWriter]:
    """Open an ``.npz`` for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`.

    Every member has its position in the file before its first row is written, so that each byte is written once.
    """
    with whole_file(path) as file:
        writer = NpzWriter(file, n_rows, {column.name: (column.dtype, column.width) for column in schema.columns})
        yield writer
        writer.add("features", np.array(schema.features.names))
        for column in schema.columns:
            if column.categories:
                writer.add(f"{column.name}{NAMES}", np.array(column.categories))
        writer.finish(fewer=fewer)


class _Piece(NamedTuple):
    """Some rows of a member: their bytes and CRC-32; or the bytes of one value that all of them have."""

    content: memoryview
    crc: int
    is_one_value: bool = False


class Packed(NamedTuple):
    """Blocks of some members, ready to be written, and their number of rows."""

    pieces: dict[str, _Piece]
    n_rows: int


class NpzWriter:
    """Writes blocks of rows to an ``.npz`` that `numpy.load` can read.

    Parameters
    ----------
    file : file
        Receives the archive.
    n_rows : int
        Number of rows of every member that is written block by block.
    members : mapping of str to (dtype, width)
        Type and number of columns of each such member; None for a 1-D one. Text that is the same in all rows becomes a
        0-d member.
    """

    def __init__(self, file: IO[bytes], n_rows: int, members: Mapping[str, tuple[Any, int | None]]) -> None:
        self._file, self._n_rows = file, n_rows
        self._members = {name: _Member(name, np.dtype(dtype), width) for name, (dtype, width) in members.items()}
        self._placed: list[_Member] = []
        self._whole: dict[str, NDArray[Any]] = {}
        self._end = 0
        for member in self._members.values():
            if not member.is_text:
                self._place(member)
        _reserve(file, self._end)

    def _place(self, member: _Member) -> None:
        """Give a member the next place in the file."""
        member.place(self._end)
        self._placed.append(member)
        self._end = member.first + self._n_rows * member.row_bytes

    def pack(self, blocks: Columns) -> Packed:
        """Prepare a block of some of the members for writing. Any thread may call this, in any order."""
        pieces: dict[str, _Piece] = {}
        for name, block in blocks.items():
            member = self._members[name]
            if is_one_value := member.is_text and not member.is_placed and has_one_value(block):
                block = block[:1]
            content = np.ascontiguousarray(block, member.dtype).reshape(-1).view(np.uint8).data
            pieces[name] = _Piece(content, 0 if is_one_value else crc32(content), is_one_value)
        return Packed(pieces, len(next(iter(blocks.values()), ())))

    def write(self, packed: Packed) -> None:
        """Append a prepared block to its members."""
        n = packed.n_rows
        for name, piece in packed.pieces.items() if n else ():
            member = self._members[name]
            if member.is_placed:
                self._append(member, piece, n)
            elif piece.is_one_value and member.constant in (None, bytes(piece.content)):
                member.constant = bytes(piece.content)
                member.n_rows += n
            else:  # from here on it varies, and has a place of its own
                self._place(member)
                _reserve(self._file, self._end)
                before, member.n_rows = member.n_rows, 0
                if member.constant is not None:
                    self._append(member, _Piece(memoryview(member.constant), 0, is_one_value=True), before)
                self._append(member, piece, n)

    def _append(self, member: _Member, piece: _Piece, n: int) -> None:
        if piece.is_one_value:
            most = max(1, _MOVE // member.row_bytes)
            for start in range(0, n, most):
                advanced()
                rows = min(most, n - start)
                content = memoryview(bytes(piece.content) * rows)
                self._append(member, _Piece(content, crc32(content)), rows)
            return
        self._file.seek(member.first + member.n_rows * member.row_bytes)
        self._file.write(piece.content)
        member.n_rows += n
        member.crc = combine(member.crc, piece.crc, len(piece.content))

    def state(self, about: Mapping[str, Any]) -> None:
        """Add the provenance of the result, as JSON."""
        self.add("about", np.array(json.dumps(about, ensure_ascii=False)))

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Add a small member in one piece."""
        self._whole[name] = array

    def finish(self, *, fewer: bool = False) -> None:
        """Complete the archive.

        Parameters
        ----------
        fewer : bool
            Whether members may have fewer than ``n_rows`` rows; all must have the same number.

        Raises
        ------
        RuntimeError
            If members written in blocks do not have the right number of rows.
        """
        written = {name: member.n_rows for name, member in self._members.items()}
        n_rows = min(written.values()) if fewer else self._n_rows
        if any(n != n_rows for n in written.values()) or n_rows > self._n_rows:
            raise RuntimeError(f"members of an npz of {self._n_rows} rows were given {written}")
        for name, member in self._members.items():
            if not member.is_placed:
                if member.constant is not None:
                    self.add(name, np.array(np.frombuffer(member.constant, member.dtype)[0]))
                else:  # there are no rows
                    self._place(member)
        with zipfile.ZipFile(self._file, "w") as archive:  # writes the small members and the directory at the end
            end = 0
            for member in self._placed:
                end = member.write_headers(self._file, end)
                archive.filelist.append(member.info)
                archive.NameToInfo[member.info.filename] = member.info
            archive.start_dir = end
            for name, array in self._whole.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as small:
                    np.lib.format.write_array(small, array, allow_pickle=False)
        self._file.truncate()


class _Member:
    """A member of an archive: the zip header, the array header, then the rows.

    Text has no place while all rows have one value, ``constant``: it is written once, at the end.
    """

    def __init__(self, name: str, dtype: np.dtype[Any], width: int | None) -> None:
        self.dtype, self.width = dtype, width
        self.is_text = dtype.kind == "U" and width is None
        self.row_bytes = dtype.itemsize * (1 if width is None else width)
        self.info = zipfile.ZipInfo(f"{name}.npy")
        self.info.external_attr = 0o600 << 16
        self.n_rows = self.crc = 0
        self.constant: bytes | None = None
        self.first = -1

    @property
    def is_placed(self) -> bool:
        """Whether it has a place in the file."""
        return self.first >= 0

    def place(self, offset: int) -> None:
        """Begin at an offset in the file."""
        self.first = offset + len(self.headers(offset))

    def headers(self, offset: int) -> bytes:
        """Return both headers for the rows written so far. Their length never changes."""
        shape = (self.n_rows,) if self.width is None else (self.n_rows, self.width)
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        header, n_bytes = BytesIO(), self.n_rows * self.row_bytes
        np.lib.format.write_array_header_1_0(header, described)  # pads for the longest possible shape
        self.info.header_offset = offset
        self.info.file_size = self.info.compress_size = header.tell() + n_bytes
        self.info.CRC = combine(crc32(header.getvalue()), self.crc, n_bytes)
        return self.info.FileHeader(zip64=True) + header.getvalue()

    def write_headers(self, file: IO[bytes], offset: int) -> int:
        """Write the headers, after moving the rows up if earlier members have become shorter; return the end."""
        headers = self.headers(offset)
        n_bytes, target = self.n_rows * self.row_bytes, offset + len(headers)
        for start in range(0, n_bytes if target < self.first else 0, _MOVE):
            advanced()
            file.seek(self.first + start)
            moved = file.read(min(_MOVE, n_bytes - start))
            file.seek(target + start)
            file.write(moved)
        file.seek(offset)
        file.write(headers)
        return target + n_bytes


def _reserve(file: IO[bytes], n_bytes: int) -> None:
    """Reserve space if the file system supports it: a full disk is detected at once, and writing is faster.

    `os.posix_fallocate` is not used, because it writes every block if the file system does not support it.
    """
    fallocate = _libc_function("fallocate64")
    if n_bytes and fallocate and fallocate(file.fileno(), 0, ctypes.c_int64(0), ctypes.c_int64(n_bytes)):
        number = ctypes.get_errno()
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(number, os.strerror(number))


@cache
def _libc_function(name: str) -> Callable[..., int] | None:
    """Return a function of the C library; None if this platform does not have it."""
    try:
        return cast(Callable[..., int], getattr(ctypes.CDLL(None, use_errno=True), name))
    except (OSError, AttributeError, TypeError):
        return None


def read(path: Path) -> Stored:
    """Return what an ``.npz`` holds; its members are read when they are used."""
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        require_plausible_size(path, sum(info.file_size for info in infos))
        shapes = {info.filename.removesuffix(".npy"): _shape(archive, info) for info in infos}
    if "features" not in shapes:
        raise ValueError("it has no member 'features'")

    def load(name: str) -> NDArray[Any]:
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name])

    names = [name for name in shapes if name.endswith(NAMES)]
    columns = shapes.keys() - {"features", "about", *names}
    n_rows = next((shapes[name][0] for name in shapes if name in columns and shapes[name]), 1 if columns else 0)
    return Stored(
        n_rows,
        {name: partial(load, name) for name in shapes if name in columns},
        tuple(load("features").tolist()),
        {name.removesuffix(NAMES): tuple(load(name).tolist()) for name in names},
        about_of(str(load("about"))) if "about" in shapes else {},
    )


def _shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[int, ...]:
    """Return the shape of a member, from its header."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(member)
    require_plausible_size(Path(str(archive.filename)), math.prod(shape) * dtype.itemsize)
    return tuple(shape)
