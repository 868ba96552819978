"""Reads a result again, in any of the formats that it can be written in: `read`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, OutputError
from .outputs.stored import Stored, errors_named
from .outputs.writer import extensions, format_of
from .result import ADDRESS_MEANINGS, ALONG

if TYPE_CHECKING:
    import pandas
    import xarray


def read(path: str | PathLike[str]) -> Result:
    """Read what `lithovae run`, `lithovae follow` or `lithovae bins` wrote.

    Nothing is unpickled. Columns of ``.npz``, ``.h5``, ``.nc`` and ``.parquet`` are read when they are used.

    Parameters
    ----------
    path : path-like
        The file; its extension tells the format.

    Returns
    -------
    Result
        Its columns, by name.

    Raises
    ------
    OutputError
        If the file does not exist, is damaged or holds something else, or if a library that it needs is not installed.
    """
    path = Path(path)
    if (open_stored := format_of(path).read) is None:
        raise OutputError(f"{path} must end in {extensions('read')}", path)
    with errors_named(path):
        return Result(path, open_stored(path))


class Result(Mapping[str, NDArray[Any]]):
    """The rows of a result: numpy arrays by the name of the column.

    ``result["depth"]`` has the shape (n,), ``result["embeddings"]`` (n, latent_dim). What is the same in all rows, such
    as a hole, has an entry for each row, too.

    Attributes
    ----------
    path : Path
        The file.
    n_rows : int
        Number of rows.
    features : tuple of str
        Names of the features, in the order of the bits; empty if the file does not state them (CSV without values).
    about : dict
        Provenance; empty if the format has none (CSV).
    """

    def __init__(self, path: Path, stored: Stored) -> None:
        self.path, self._stored = path, stored
        self._read: dict[str, NDArray[Any]] = {}
        self.n_rows, self.features, self.about = stored.n_rows, stored.features, stored.about

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._stored.columns)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the lithologies that codes stand for; empty if there are none."""
        return self._stored.categories.get("lithologies", ())

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of lithologies; empty if there are none."""
        return self._stored.categories.get("group", ())

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            load = self._stored.columns[name]
            with errors_named(self.path):
                values = load()
                if values.ndim and len(values) != self.n_rows:
                    raise ValueError(f"{name} has {len(values):,} rows, not {self.n_rows:,}")
            self._read[name] = values if values.ndim else np.broadcast_to(values, self.n_rows)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored.columns)

    def __len__(self) -> int:
        return len(self._stored.columns)

    def __repr__(self) -> str:
        return f"<Result {self.path}: {self.n_rows:,} rows of {', '.join(self)}>"

    def names(self, column: str) -> NDArray[np.str_]:
        """Return what the codes of a column stand for, of its shape: lithologies, groups; empty text for none.

        Raises
        ------
        InputError
            If the column has no codes.
        """
        if column not in self._stored.categories:
            coded = ", ".join(self._stored.categories) or "none has"
            raise InputError(f"{column} has no names: the columns with names are: {coded}")
        codes, categories = self[column], self._stored.categories[column]
        known = (codes >= 0) & (codes < len(categories)) & (codes == np.floor(codes))
        return np.array([*categories, ""], np.str_)[np.where(known, codes, len(categories)).astype(np.intp)]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table with a column for each value in a row; lithologies as categories.

        Raises
        ------
        OutputError
            If pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise OutputError("to_pandas needs pandas: pip install pandas") from error
        found: dict[str, Any] = {}
        for name in self:
            values = self[name]
            for heading, part in zip(self._headings(name), [values] if values.ndim == 1 else values.T, strict=True):
                if categories := self._stored.categories.get(name):
                    codes = np.where(part < len(categories), part.astype(np.int64), -1)
                    found[heading] = pandas.Categorical.from_codes(codes, pandas.Index(categories))
                else:
                    found[heading] = part
        return pandas.DataFrame(found)

    def _headings(self, name: str) -> list[str]:
        values = self[name]
        if values.ndim == 1:
            return [name]
        width, along = values.shape[1], ALONG.get(name, "")
        if along == "feature" and len(self.features) == width:
            prefix = {"values": "", "samples": "samples ", "residuals": "residual "}[name]
            return [f"{prefix}{feature}" for feature in self.features]
        if along == "lithology" and len(self.classes) == width:
            return [f"p {lithology}" for lithology in self.classes]
        if along == "rank":
            single = {"lithologies": "lithology", "probabilities": "probability"}[name]
            return [f"{single}_{i + 1}" if i else single for i in range(width)]
        return [f"{name}_{i}" for i in range(width)]

    def to_xarray(self) -> xarray.Dataset:
        """Return a dataset along ``depth`` if depths increase from row to row, else along ``row``.

        Raises
        ------
        OutputError
            If xarray is not installed.
        """
        try:
            import xarray
        except ModuleNotFoundError as error:
            raise OutputError("to_xarray needs xarray: pip install 'lithovae[xarray]'") from error
        depth = self["depth"] if "depth" in self else np.zeros(0)
        row = "depth" if len(depth) and np.isfinite(depth[0]) and np.all(np.diff(depth) > 0) else "row"
        variables = {
            name: ((row, ALONG.get(name, f"{name}_column"))[: values.ndim], values)
            for name in self
            for values in [self.names(name) if name in self._stored.categories else self[name]]
        }
        beside = {name for name in variables if name in ("depth", *ADDRESS_MEANINGS)}
        coordinates: dict[str, Any] = {name: variables.pop(name) for name in beside}
        coordinates |= {"feature": list(self.features)} if self.features else {}
        coordinates |= {"lithology": list(self.classes)} if "class_probabilities" in self else {}
        about = {"about": json.dumps(self.about, ensure_ascii=False)} if self.about else {}
        return xarray.Dataset(variables, coordinates, about)
