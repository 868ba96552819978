"""An HDF5 file: its columns, in any supported layout, and their values."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import letters
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File, ReadMatrix

from .attributes import as_text, named_attributes
from .column import Hdf5Column
from .dialects import netcdf, writers
from .links import identity
from .reading import matrix_of, read_numbers, read_texts
from .short_texts import read_text
from .uneven import evened
from .unsupported import why_unsupported
from .walk import Node, Walk

HDF5_VERSION = ".".join(map(str, h5py.h5.get_libversion()))
"""Version of the HDF5 library."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_mine(path: Path) -> bool:
    """Return whether a file is HDF5: it has the signature at its start or after a user block (512, 1024, … bytes)."""
    with path.open("rb") as file:
        offset = 0
        while True:
            file.seek(offset)
            head = file.read(len(_SIGNATURE))
            if head == _SIGNATURE or len(head) < len(_SIGNATURE):
                return head == _SIGNATURE
            offset = max(512, 2 * offset)


@contextmanager
def open_file(path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None) -> Iterator[Hdf5File]:
    """Open an HDF5 file.

    Parameters
    ----------
    path : Path
        The file.
    findings : Findings
        Receives notes on what is not read, and why.
    swmr, locking : optional
        Passed to `h5py.File`, for a file that is being written.

    Raises
    ------
    ScanError
        If the file cannot be opened.
    """
    try:
        file = h5py.File(path, "r", swmr=swmr, locking=locking)
    except OSError as error:
        raise ScanError(
            f"the file cannot be opened; it is truncated, damaged or still being written: {error}"
        ) from error
    with file:
        yield Hdf5File(file, findings)


class Hdf5File(File):
    """An open HDF5 file.

    Parameters
    ----------
    file : h5py.File
        The file.
    findings : Findings
        Receives notes on what is not read, and why.
    """

    def __init__(self, file: Any, findings: Findings) -> None:
        self.findings = findings
        self._file = file
        self._single: dict[str, dict[str, Any]] = {}
        self._statements: dict[str, list[tuple[str, str]]] = {}

    @cached_property
    def columns(self) -> Sequence[Column]:
        """All columns: everything that could hold one value per sample."""
        walk = Walk(self.findings)
        found = list(self._walk(walk))
        self._statements = walk.statements
        return netcdf.with_consistent_dimensions(evened(found, self.findings))

    def _walk(self, walk: Walk) -> Iterator[Hdf5Column]:
        seen: set[Any] = set()
        groups = [self._file["/"]]
        while groups:
            group = groups.pop()
            if identity(group) in seen:
                continue
            seen.add(identity(group))
            node = Node(group, walk)
            if writer := writers.claims(node):
                yield from writer.columns_of(node)
                continue
            inner = []
            for name, item in node.beside.items():
                if isinstance(item, h5py.Group):
                    inner.append(item)
                elif item.shape is not None:
                    self._single.setdefault(node.path, {})[name] = item
                    for column in writers.columns_of(Node(item, walk, node.beside)):
                        walk.count_column(item)
                        yield column
            groups += reversed(inner)
        walk.conclude()

    def why_unsupported(self) -> str:
        """Return what the file is, and what to do, if it is an HDF5 format of another kind; else empty."""
        return why_unsupported(self._file)

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the metadata of a group, its scalar datasets and its attributes state, in this order."""
        _ = self.columns  # on the way to which they are found
        found = list(self._statements.get(path, []))
        for name, dataset in self._single.get(path, {}).items():
            if (plain := letters(name)) in names and (text := read_text(dataset)):
                found.append((plain, text))
        return found + [(name, as_text(value) or "") for name, value in named_attributes(self._file[path], names)]

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns, each dataset once."""
        return read_numbers(cast("Sequence[Hdf5Column]", columns), start, stop)

    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text, each dataset once."""
        return read_texts(cast("Sequence[Hdf5Column]", columns), start, stop)

    def matrix(self, columns: Sequence[Column], beside: Sequence[Column]) -> ReadMatrix | None:
        """Return a function that reads adjacent columns of a 2-D floating-point dataset at once; None for others."""
        return matrix_of(cast("Sequence[Hdf5Column]", columns), cast("Sequence[Hdf5Column]", beside))
