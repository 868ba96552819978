"""LAS, the format of well logs (extra ``tables``: lasio)."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError, reason_of
from lithovae.runtime.features import letters
from lithovae.runtime.findings import Findings

from .codes import Coding, number_labels
from .column import Column
from .file import File

HEAD_BYTES = 4096
MAX_BYTES = 1 << 30
"""Bytes of a file: all of it is read at once."""


def is_mine(path: Path) -> bool:
    """Return whether the first line that is neither blank nor a comment begins LAS's version section."""
    with path.open("rb") as file:
        lines = file.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").splitlines()
    first = next((line.strip() for line in lines if line.strip() and not line.lstrip().startswith(b"#")), b"")
    return first[:2].upper() == b"~V"


@contextmanager
def open_file(path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None) -> Iterator[LasFile]:
    """Open a LAS file. ``swmr`` and ``locking`` are HDF5's.

    Raises
    ------
    ScanError
        If lasio is not installed, or cannot read the file.
    """
    try:
        import lasio
    except ModuleNotFoundError as error:
        raise ScanError("it is a LAS file, which needs lasio: pip install 'lithovae[tables]'") from error
    if path.stat().st_size > MAX_BYTES:
        raise ScanError(f"the LAS file has more than {MAX_BYTES >> 20} MiB, which are read at once: split it")
    logging.getLogger("lasio").setLevel(logging.CRITICAL)
    try:
        las = lasio.read(
            str(path), null_policy="strict", mnemonic_case="preserve", encoding="utf-8", encoding_errors="replace"
        )
        opened = LasFile(las, findings)
    except ScanError:
        raise
    except Exception as error:  # lasio raises many kinds
        raise ScanError(f"the LAS file cannot be read: {reason_of(error)}") from error
    yield opened


@dataclass(frozen=True, eq=False)
class LasColumn(Column):
    """A curve.

    Attributes
    ----------
    name, unit : str, str or None
        Its mnemonic and unit.
    key : str
        The mnemonic, with a number if several curves have the same one.
    values : ndarray of shape (length,)
        Its values: numbers or text.
    """

    name: str
    unit: str | None
    key: str
    values: NDArray[Any]
    layout = "LAS curve"

    @property
    def length(self) -> int:  # type: ignore[override]
        """Number of samples."""
        return len(self.values)

    @property
    def location(self) -> str:
        """The mnemonic, which is unique in the file."""
        return self.key

    @property
    def dtype(self) -> Any:
        """float64, or text."""
        return self.values.dtype


class LasFile(File):
    """An open LAS file, which is in memory as a whole.

    Parameters
    ----------
    las : lasio.LASFile
        The file as lasio has read it.
    findings : Findings
        Receives notes on what is not read.

    Raises
    ------
    ScanError
        If it has no curves.
    """

    def __init__(self, las: Any, findings: Findings) -> None:
        self.findings = findings
        self._columns = [self._column(curve, is_index=i == 0) for i, curve in enumerate(las.curves)]
        if not self._columns or not self._columns[0].length:
            raise ScanError("the LAS file has no curves with values")
        if all(column.name.upper() in ("", "UNKNOWN") for column in self._columns):  # what lasio calls them
            raise ScanError("the LAS file does not name its curves: it needs a section ~Curve")
        if len({column.length for column in self._columns}) > 1:
            raise ScanError("the curves of the LAS file differ in length: it is damaged")
        self._stated = [(letters(item.mnemonic), str(item.value).strip()) for item in las.well]

    def _column(self, curve: Any, *, is_index: bool) -> LasColumn:
        values = np.asarray(curve.data)
        if values.dtype.kind not in "iuf":
            values = values.astype(np.str_)
        unit = str(curve.unit).strip() or None
        if is_index and unit and unit.upper() == "F":  # the standard's spelling of feet, for the index alone
            unit = "ft"
        return LasColumn(str(curve.original_mnemonic).strip(), unit, str(curve.mnemonic).strip(), values)

    @property
    def columns(self) -> Sequence[Column]:
        """The curves, the index first."""
        return self._columns

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the well section states."""
        return [(name, text) for name, text in self._stated if name in names and text] if path in ("", "/") else []

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several curves; missing values become NaN."""
        return [Coding().values(column.values[start:stop]) for column in cast("Sequence[LasColumn]", columns)]

    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several curves as text."""
        return [
            np.char.strip(column.values[start:stop])
            if column.is_text
            else number_labels(Coding().values(column.values[start:stop]))
            for column in cast("Sequence[LasColumn]", columns)
        ]
