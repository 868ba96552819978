"""Writes a result as LAS 2.0, the format of well logs: the curves of one hole against depth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.result import ADDRESS_MEANINGS, SIMULATED, Columns, ResultColumn, ResultSchema

from .csv import PIECE_ROWS, shortest
from .one_value import has_one_value
from .stored import Stored, stored_cells
from .whole_file import whole_file

NULL = "-999.25"
MARK = "lithovae "
"""What the line of ~Other that holds the provenance, as JSON, begins with."""
OF_A_HOLE = ("expedition", "site", "hole")
"""Parts of an address that cannot vary: a LAS file is of one well."""
_COPY = 1 << 20
_CURVE = re.compile(r" [^ .]+\.\S*  .* : (?P<heading>[^:]*)")


@contextmanager
def open_whole(path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool) -> Iterator[LasWriter]:
    """Open a LAS file for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`.

    Raises
    ------
    OutputError
        If the rows have no depth.
    """
    if not any(column.name == "depth" for column in schema.columns):
        raise OutputError(f"{path}: a LAS file needs depths, and the rows have none: write .csv or .npz", path)
    from tempfile import TemporaryFile  # not where another format is written: a small scan is embedded in no time

    with whole_file(path) as file, TemporaryFile(dir=path.resolve().parent) as data:
        writer = LasWriter(path, data, schema)
        yield writer
        file.write(writer.header())
        data.seek(0)
        while piece := data.read(_COPY):
            advanced()
            file.write(piece)


class _Packed(NamedTuple):
    """Prepared rows: their lines, their depths, the texts of each text column, and how many rows have no depth."""

    lines: bytes
    depth: NDArray[np.float64]
    texts: dict[str, str | tuple[str, str]]
    n_without_depth: int


class LasWriter:
    """Writes blocks of rows as lines of ~ASCII, and then the header: only then first and last depth are known.

    Text that is the same in all rows is in the header. Text that varies is left out, unless it names holes.

    Parameters
    ----------
    path : Path
        The final name of the file, for errors.
    data : file
        Receives the lines of ~ASCII.
    schema : ResultSchema
        The columns.
    """

    def __init__(self, path: Path, data: IO[bytes], schema: ResultSchema) -> None:
        self._path, self._data, self._schema = path, data, schema
        self._curves = [column for column in schema.columns if column.dtype.kind != "U" and column.name != "depth"]
        self._curves.sort(key=lambda column: column.name != "values")  # the log first
        self._texts: dict[str, str | None] = {c.name: None for c in schema.columns if c.dtype.kind == "U"}
        self._varies: set[str] = set()
        self._depths: list[float] = []  # the first and the last one
        self._step: float | None = None
        self._n = self._n_without_depth = 0
        self._about: Mapping[str, Any] = {}

    def pack(self, blocks: Columns) -> _Packed:
        """Format a block of rows. Any thread may call this, in any order."""
        depth = blocks["depth"]
        has_depth, pieces = np.isfinite(depth), []
        for start in range(0, len(depth), PIECE_ROWS):
            advanced()
            rows = slice(start, start + PIECE_ROWS)
            cells = [shortest(depth[rows])]
            for column in self._curves:
                values = blocks[column.name][rows]
                cells += [_numbers(part, column) for part in ([values] if values.ndim == 1 else values.T)]
            lines = map(" ".join, zip(*cells, strict=True))
            pieces += [f"{line}\n" for line, there in zip(lines, has_depth[rows].tolist(), strict=True) if there]
        texts: dict[str, str | tuple[str, str]] = {}
        for name in self._texts if len(depth) else ():
            some = blocks[name]
            first = str(some[0])
            texts[name] = first if has_one_value(some) else (first, str(some[some != some[0]][0]))
        return _Packed("".join(pieces).encode(), depth[has_depth], texts, int(np.count_nonzero(~has_depth)))

    def write(self, packed: _Packed) -> None:
        """Append a prepared block.

        Raises
        ------
        OutputError
            If depths do not increase, or if the rows are of several holes.
        """
        for name, found in packed.texts.items():
            known = self._texts[name]
            first, other = found if isinstance(found, tuple) else (found, found)
            if known is None:
                self._texts[name] = known = first
            if different := [text for text in (first, other) if text != known]:
                if name in OF_A_HOLE:
                    raise OutputError(
                        f"{self._path}: a LAS file is of one hole, and the rows are of several ({name} {known!r} and "
                        f"{different[0]!r}): write .csv or .npz, or a scan for each",
                        self._path,
                    )
                self._varies.add(name)
        self._data.write(packed.lines)
        self._n_without_depth += packed.n_without_depth
        if not len(packed.depth):
            return
        depth = np.append(self._depths[-1:], packed.depth)
        steps = np.diff(depth)
        if (steps < 0).any():
            i = int(np.argmax(steps < 0))
            raise OutputError(
                f"{self._path}: the depths of a LAS file must increase, and here {depth[i + 1]:g} m follows "
                f"{depth[i]:g} m: try --bin 0.2, or write .csv or .npz",
                self._path,
            )
        if len(steps):
            step = self._step = float(steps[0]) if self._step is None else self._step
            if not np.allclose(steps, step, rtol=1e-6, atol=1e-9):
                self._step = 0.0
        self._depths = [(self._depths or [float(depth[0])])[0], float(depth[-1])]
        self._n += len(packed.depth)

    def state(self, about: Mapping[str, Any]) -> None:
        """Set the provenance of the result, for ~Other."""
        self._about = about

    def header(self) -> bytes:
        """Return all that stands before the data, with the beginning of ~ASCII.

        Raises
        ------
        OutputError
            If no row has a depth.
        """
        if not self._n:
            raise OutputError(
                f"{self._path}: a LAS file needs depths, and no row has one: write .csv or .npz", self._path
            )
        texts = {name: text for name, text in self._texts.items() if text is not None and name not in self._varies}
        first, last = self._depths
        even = (last - first) / (self._n - 1) if self._step else 0.0
        start, stop, step = shortest(np.array([first, last, even]))
        well = [
            ("STRT", "M", start, "first depth"),
            ("STOP", "M", stop, "last depth"),
            ("STEP", "M", step, "step; 0 if it varies"),
            ("NULL", "", NULL, "no value"),
            ("COMP", "", "", "company"),
            ("WELL", "", texts.get("hole", ""), "well"),
            ("FLD", "", texts.get("site", ""), "field"),
            ("LOC", "", "", "location"),
            ("PROV", "", "", "province"),
            ("SRVC", "", "LithoVAE", "service company"),
            ("DATE", "", "", "date"),
            ("UWI", "", "", "unique well identifier"),
            *((name.upper(), "", text, ADDRESS_MEANINGS.get(name, name)) for name, text in texts.items()),
        ]
        if simulated := self._about.get("simulated"):
            well.append((SIMULATED.upper(), "", str(simulated), "how the rows were simulated"))
        codes = [
            (f"{column.name.upper()}_{code}", "", name, f"code {code} of {column.name}")
            for column in self._schema.columns
            for code, name in enumerate(column.categories)
        ]
        lines = [
            "~Version",
            *_items(
                [("VERS", "", "2.0", "CWLS LOG ASCII STANDARD - VERSION 2.0"), ("WRAP", "", "NO", "one line a depth")]
            ),
            "~Well",
            *_items(well),
            "~Curve",
            *_items(self._described()),
            *(["~Parameter", *_items(codes)] if codes else []),
            "~Other",
            *self._notes(texts),
            "~ASCII",
        ]
        text = "".join(f"{line}\n" for line in lines)
        return text.encode("ascii" if text.isascii() else "utf-8-sig")  # by its mark, lasio and others know UTF-8

    def _described(self) -> list[tuple[str, str, str, str]]:
        """List mnemonic, unit, value and description (the heading in other formats) of each curve."""
        features, found = self._schema.features, [("DEPT", "M", "", "Depth (m)")]
        for column in self._curves:
            names = list(column.headings)
            units = [column.unit] * len(names)
            if column.along == "feature":
                prefix = {"values": ""}.get(column.name, f"{names[0].split()[0]}_")
                names = [f"{prefix}{features.short_names[name]}" for name in features.names]
            if column.name == "values":
                units = [feature.unit for feature in features]
            found += zip(names, units, [""] * len(names), column.headings, strict=True)
        taken: set[str] = set()
        for i, (name, unit, value, heading) in enumerate(found):
            unique = base = re.sub(r"[^\w*+-]+", "_", name).strip("_").upper() or "CURVE"
            while unique in taken:
                unique = f"{base}_{i}"
            taken.add(unique)
            found[i] = (unique, unit, value, heading)
        return found

    def _notes(self, texts: Mapping[str, str]) -> list[str]:
        notes = []
        if warning := texts.get("lithology_warning"):
            notes.append(f"Lithologies: {warning}")
        if self._varies:
            notes.append(f"Texts that vary are not written: {', '.join(sorted(self._varies))}")
        if self._n_without_depth:
            notes.append(f"Rows without a depth are not written: {self._n_without_depth}")
        categories = {column.name: column.categories for column in self._schema.columns if column.categories}
        stated = {
            "about": self._about,
            "features": self._schema.features.names,
            "categories": categories,
            "texts": dict(texts),
        }
        return [*(" ".join(note.split()) for note in notes), MARK + json.dumps(stated)]


def _numbers(values: NDArray[Any], column: ResultColumn) -> list[str]:
    if column.dtype.kind != "f":
        return [NULL if column.categories and n == column.no_category else str(n) for n in values.tolist()]
    return [text if there else NULL for text, there in zip(shortest(values), np.isfinite(values).tolist(), strict=True)]


def _items(items: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """Return lines of a header. A colon ends a value, so that there is none within."""
    plain = [tuple(" ".join(text.replace(":", ";").split()) for text in item) for item in items]
    return [f" {name}.{unit.replace(' ', '_')}  {value} : {meaning}" for name, unit, value, meaning in plain]


def read(path: Path) -> Stored:
    """Return what a LAS file of `LasWriter` holds.

    Raises
    ------
    ValueError
        If another program wrote it.
    """
    section, headings = "", list[str]()
    stated: dict[str, Any] = {}
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            if line.startswith("~"):
                section = line[1:2].upper()
                if section == "A":
                    break
            elif line.startswith(MARK):
                stated = json.loads(line.removeprefix(MARK))
            elif section == "C" and (match := _CURVE.fullmatch(line.rstrip("\n"))):
                headings.append(match["heading"])
        if not stated or not headings:
            raise ValueError("lithovae did not write it; a scan in LAS is read by `lithovae run`")
        columns: list[list[str]] = [[] for _ in headings]
        while lines := list(islice(file, PIECE_ROWS)):
            advanced()
            for column, cells in zip(columns, zip(*map(str.split, lines), strict=True), strict=True):
                column += cells
    found = stored_cells(headings, columns, NULL, stated["features"], stated["categories"], dict(stated["about"]))
    constants = {str(name): partial(np.array, str(text)) for name, text in dict(stated["texts"]).items()}
    return found._replace(columns={**found.columns, **constants})
