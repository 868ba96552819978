"""What the file of a result holds, for all that reads results."""

from __future__ import annotations

import csv
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, OutputError, reason_of
from lithovae.runtime.features import CATALOGUE, split_unit
from lithovae.runtime.result import ADDRESS_MEANINGS, SIMULATED

MAX_RATIO = 2000
"""A file may declare at most so many times the bytes that it has: deflate packs 1,000 bytes into one."""
TEXTS = {*ADDRESS_MEANINGS, "lithology_warning", SIMULATED}
CODES = {"lithologies", "group"}
_TYPES: Mapping[str, Any] = {
    "depth": np.float64, "samples": np.int64, "flags": np.uint8, "complete": np.uint8, "file": np.uint32
}  # fmt: skip
_ONE_CELL = {
    *TEXTS, "missing", "implausible", "entropy", "group", "group_probability", "novelty_p", "flags", "complete", "file"
}  # fmt: skip
_HEADINGS: Mapping[str, str] = {
    r"(Depth( [\w-]+)?|True vertical depth) \(m\)": "depth",
    r"embeddings_\d+": "embeddings",
    r"samples .+": "samples",
    r"residual .+": "residuals",
    r"lithology(_\d+)?": "lithologies",
    r"probability(_\d+)?": "probabilities",
    r"p .+": "class_probabilities",
}


class Stored(NamedTuple):
    """What the file of a result holds.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    columns : mapping of str to callable
        Reads a column, by its name: an array of shape (n_rows,) or (n_rows, width); or of shape () if all rows have the
        same value.
    features : tuple of str
        Names of the features, as far as the file states them.
    categories : mapping of str to tuple of str
        What the codes of a column stand for, by its name.
    about : dict
        Provenance; empty if the file has none.
    """

    n_rows: int
    columns: Mapping[str, Callable[[], NDArray[Any]]]
    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    about: dict[str, Any]


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn whatever is raised while a damaged file is read into an `OutputError` with its path."""
    try:
        yield
    except OutputError:
        raise
    except (*DAMAGE, RecursionError, EOFError, zipfile.BadZipFile, zlib.error, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else reason_of(error)
        raise OutputError(f"{path} cannot be read as a result: {reason}", path) from error


def require_plausible_size(path: Path, n_bytes: int) -> None:
    """Check that a file declares no more than compression explains.

    Raises
    ------
    OutputError
        If it declares more.
    """
    if n_bytes > MAX_RATIO * path.stat().st_size + (1 << 20):
        raise OutputError(f"{path} declares {n_bytes:,} bytes, more than it can hold: it is damaged or harmful", path)


def about_of(text: str) -> dict[str, Any]:
    """Return provenance that is stored as JSON. Raises `ValueError` if it is not an object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its provenance is not a JSON object")
    return found


def type_of(name: str, n_features: int) -> np.dtype[Any]:
    """Return the type of a column's numbers, for formats that do not keep it."""
    if name in ("missing", "implausible"):
        return np.dtype(next(f"u{n_bytes}" for n_bytes in (1, 2, 4, 8) if n_features <= 8 * n_bytes or n_bytes == 8))
    found: np.dtype[Any] = np.dtype(_TYPES.get(name, np.float32))
    return found


def column_of(heading: str, features: Sequence[str] = ()) -> str:
    """Return the name of the column that a heading of a table belongs to: ``values`` if it is that of no other."""
    if any(heading == name or heading.startswith(f"{name} (") for name in features):
        return "values"
    if heading in _ONE_CELL:
        return heading
    return next((name for pattern, name in _HEADINGS.items() if re.fullmatch(pattern, heading)), "values")


def feature_of(heading: str) -> str:
    """Return the name of the feature whose values a heading denotes."""
    known = next((quantity.name for quantity in CATALOGUE if heading in (quantity.heading, quantity.name)), "")
    return known or (split_unit(heading)[0] if split_unit(heading)[1] else heading)


def stored_cells(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    blank: str,
    features: Sequence[str] = (),
    categories: Mapping[str, Sequence[str]] | None = None,
    about: dict[str, Any] | None = None,
) -> Stored:
    """Return what a table of texts holds.

    Parameters
    ----------
    headings : sequence of str
        Heading of each column.
    cells : sequence of sequence of str
        The cells of each.
    blank : str
        What stands for no value.
    features : sequence of str, optional
        Names of the features; by default, those that the headings have.
    categories : mapping, optional
        Names of the codes in a column of codes; by default, its cells are names.
    about : dict, optional
        Provenance.
    """
    places: dict[str, list[int]] = {}
    for i, heading in enumerate(headings):
        places.setdefault(column_of(heading, features), []).append(i)
    for name in ("samples", "values"):
        features = features or [
            headings[i].removeprefix("samples ") if name == "samples" else feature_of(headings[i])
            for i in places.get(name, ())
        ]
    classes = [headings[i].removeprefix("p ") for i in places.get("class_probabilities", ())]
    found: dict[str, Sequence[str]] = dict(categories or {})
    columns: dict[str, NDArray[Any]] = {}
    for name, some in places.items():
        parts = [cells[i] for i in some]
        if name in TEXTS:
            columns[name] = np.array(parts[0], np.str_)
        elif name in CODES and categories is None:
            known = (name == "lithologies" and classes) or sorted({text for part in parts for text in part} - {""})
            found[name] = known
            code_of = {text: code for code, text in enumerate(known)}
            dtype = np.min_scalar_type(len(known))
            codes = [[code_of.get(text, np.iinfo(dtype).max) for text in part] for part in parts]
            columns[name] = _arranged(np.array(codes, dtype), name)
        else:
            dtype = np.min_scalar_type(len(found[name])) if name in CODES else type_of(name, len(features) or 64)
            none = 0 if dtype.kind != "u" else np.iinfo(dtype).max if name in CODES else 0
            if dtype.kind == "f":
                numbers = [np.array(["nan" if text == blank else text for text in part], dtype) for part in parts]
            else:
                numbers = [np.array([none if text == blank else int(text) for text in part], dtype) for part in parts]
            columns[name] = _arranged(np.array(numbers, dtype).reshape(len(parts), -1), name)
    readers = {name: (lambda values=values: values) for name, values in columns.items()}
    named = {name: tuple(names) for name, names in found.items() if name in columns}
    return Stored(len(cells[0]) if len(cells) else 0, readers, tuple(features), named, about or {})


def _arranged(parts: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the numbers of the parts of a column, shape (width, n), as the column."""
    return parts[0] if name == "depth" or name in _ONE_CELL else np.ascontiguousarray(parts.T)
