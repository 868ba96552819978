"""LAS, the format of well logs (extra ``tables``: lasio)."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError, reason_of
from lithovae.runtime.features import DEPTH, letters
from lithovae.runtime.findings import Findings

from .codes import Coding, number_labels
from .column import Column
from .file import File
from .text.cells import Cells, Lines, Style, number_of
from .text.layout import encoding_of

HEAD_BYTES = 4096
MAX_BYTES = 1 << 30
"""Bytes of a file: all of it is read at once."""
MAX_SAMPLE = 1 << 16
"""Bytes of the data that tell how its values are separated."""
_DATA_SECTION = re.compile(rb"^[ \t]*~(?:A|LOG_DATA)[^\n]*\n?", re.IGNORECASE | re.MULTILINE)


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
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    head, data, first_line = _parted(content)
    encoding = encoding_of(content)
    try:
        las = lasio.read(
            io.StringIO(head.decode(encoding)), ignore_data=True, mnemonic_case="preserve", null_policy="none"
        )
    except Exception as error:  # lasio raises many kinds
        raise ScanError(f"the LAS file cannot be read: {reason_of(error)}") from error
    yield LasFile(las, _Data(data, first_line, encoding), findings)


def _parted(content: bytes) -> tuple[bytes, bytes, int]:
    """Part a file into its header, its section of data, and the number of the line at which that begins.

    Raises
    ------
    ScanError
        If it has several sections of data, or none.
    """
    starts = [match.end() for match in _DATA_SECTION.finditer(content)]
    if len(starts) != 1:
        what = (
            f"has {len(starts):,} sections of data: write each into a file of its own"
            if starts
            else ("has no section of data (~ASCII), so no curves with values")
        )
        raise ScanError(f"the LAS file {what}")
    return content[: starts[0]], content[starts[0] :], 1 + content.count(b"\n", 0, starts[0])


class _Data:
    """The section of data of a LAS file.

    Parameters
    ----------
    content : bytes
        Its lines.
    first_line : int
        The number of the first.
    encoding : str
        Of texts.
    """

    def __init__(self, content: bytes, first_line: int, encoding: str) -> None:
        self._content, self._first_line, self._encoding = content, first_line, encoding

    def curves(self, n: int, *, is_wrapped: bool, delimiter: str) -> list[NDArray[Any]]:
        """Read the values of each curve: numbers, or text where there are other words.

        Raises
        ------
        ScanError
            If a line, or all of them where lines are wrapped, has not as many values as there are curves.
        """
        content = self._content
        if is_wrapped:  # one value after the other, whatever the lines
            words = b"\n".join(line for line in content.split(b"\n") if not line.lstrip().startswith(b"#")).split()
            if len(words) % n:
                raise ScanError(f"its wrapped data have {len(words):,} values, which {n:,} curves do not share evenly")
            content = b"\n".join(b" ".join(words[i : i + n]) for i in range(0, len(words), n))
        mark = {"COMMA": b",", "TAB": b"\t"}.get(delimiter.upper(), b" ")
        sample = content[:MAX_SAMPLE].strip()
        first = sample.partition(b"\n")[0]
        if len(first.split()) == n and mark == b",":
            mark = b" "
        elif len(first.split()) != n and first.count(b",") == n - 1:
            mark = b","
        decimal = "," if mark == b" " and b"," in sample and b"." not in sample else "."
        style = Style(mark[0], ord(decimal), encoding=self._encoding)
        lines = Lines(np.frombuffer(content, np.uint8), style)
        rows = np.flatnonzero(~lines.is_blank() & ~lines.are_comments())
        cells = Cells(lines, rows)
        if (wrong := np.flatnonzero(cells.widths != n)).size:
            line = self._first_line + int(rows[wrong[0]])
            count = int(cells.widths[wrong[0]])
            raise ScanError(
                f"line {line:,} has {count:,} value{'s' * (count != 1)}, but the LAS file names {n:,} curves: write "
                "its NULL where there is no reading"
            )
        found: list[NDArray[Any]] = []
        for i in range(n):
            values, word = cells.numbers(i)
            found.append(values if word < 0 else cells.texts(i))
        return found


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
        The header as lasio has read it.
    data : _Data
        Its section of data.
    findings : Findings
        Receives notes on what is not read.

    Raises
    ------
    ScanError
        If it has no curves, or not as many values in each row.
    """

    def __init__(self, las: Any, data: _Data, findings: Findings) -> None:
        self.findings = findings
        well = {letters(item.mnemonic): item for item in las.well}
        version = {letters(item.mnemonic): str(item.value).strip() for item in las.version}
        names = [curve for curve in las.curves if str(curve.original_mnemonic).strip().upper() not in ("", "UNKNOWN")]
        if not names:
            raise ScanError("the LAS file does not name its curves: it needs a section ~Curve")
        is_wrapped = version.get("wrap", "").upper().startswith("Y")
        curves = data.curves(len(las.curves), is_wrapped=is_wrapped, delimiter=version.get("dlm", ""))
        if not len(curves[0]):
            raise ScanError("the LAS file has no curves with values")
        null = number_of(str(well["null"].value).strip()) if "null" in well else None
        index_unit = self._index_unit(las.curves[0], well)
        self._columns = [
            self._column(curve, values, null if i else None, index_unit if i == 0 else None)
            for i, (curve, values) in enumerate(zip(las.curves, curves, strict=True))
        ]
        self._stated = [(name, str(item.value).strip()) for name, item in well.items()]

    def _index_unit(self, index: Any, well: Mapping[str, Any]) -> str | None:
        """Return the unit of the index, which its curve or the first depth of the well section states.

        Raises
        ------
        ScanError
            If the two differ.
        """
        stated = [str(item.unit).strip() for item in (index, well.get("strt")) if item is not None]
        units = ["ft" if unit.upper() == "F" else unit for unit in stated if unit]  # the standard's spelling of feet
        factors = {factor for unit in units if (factor := DEPTH.factor(unit)) is not None}
        if len(factors) > 1:
            name = str(index.original_mnemonic).strip()
            raise ScanError(f"the index {name} is in {units[0]} by its curve, but in {units[1]} by STRT: correct one")
        return units[0] if units else None

    def _column(self, curve: Any, values: NDArray[Any], null: float | None, index_unit: str | None) -> LasColumn:
        if null is not None and values.dtype.kind == "f":
            values = np.where(values == null, np.nan, values)
        unit = index_unit or str(curve.unit).strip() or None
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
