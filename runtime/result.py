"""The columns of a result: name, type, width, unit and meaning of each, stated once for every writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet
from .log import FLAGS

Columns = Mapping[str, NDArray[Any]]
"""Values of some rows, by name of the column: shape (n,) or (n, width)."""

DEPTH_HEADING = "Depth (m)"
SIMULATED = "Simulated"
"""Column, or attribute of a file, that marks simulated data. It holds the simulator's seed (``seed 42``). A column
stays with the rows in other programs, as an attribute or a first line would not."""
ALONG = {
    "embeddings": "latent", "samples": "feature", "values": "feature", "residuals": "feature",
    "lithologies": "rank", "probabilities": "rank", "class_probabilities": "lithology",
}  # fmt: skip
"""What the values in a row are arranged by, for each 2-D column."""
ADDRESS_MEANINGS = {
    "expedition": "expedition, leg or cruise",
    "site": "site",
    "hole": "hole",
    "core": "core",
    "type": "type of core, such as H",
    "section": "section",
}


class ResultColumn(NamedTuple):
    """A column of a result.

    Attributes
    ----------
    name : str
        Name of the column.
    dtype : dtype
        Type of a value.
    width : int or None
        Number of values in a row; None for a 1-D column, with one value in a row.
    unit : str
        Unit of the values; empty if they have none.
    meaning : str
        Short description, for readers.
    name_in_row : str
        Name in formats that write each row as an object: the same as ``name``, unless that is a plural.
    headings : tuple of str
        Headings of its values in formats that write one value in a cell: one, or ``width`` of them.
    categories : tuple of str
        If values are codes: the name of each code from 0. `no_category` is the code of a row without one. Empty for
        other columns.
    along : str
        What the values in a row are arranged by: ``latent``, ``feature``, ``rank`` or ``lithology``; empty for a 1-D
        column.
    """

    name: str
    dtype: np.dtype[Any]
    width: int | None
    unit: str
    meaning: str
    name_in_row: str
    headings: tuple[str, ...]
    categories: tuple[str, ...] = ()
    along: str = ""

    @property
    def no_category(self) -> int:
        """Code of a row without a category: the largest number of the type."""
        return int(np.iinfo(self.dtype).max)


class Lithologies(NamedTuple):
    """The columns that a classifier adds.

    Attributes
    ----------
    classes, groups : tuple of str
        Names of the lithologies and of their groups; no groups if the bundle knows none.
    top : int
        Number of likeliest lithologies in each row.
    has_all : bool
        Whether the probabilities of all lithologies are written, too.
    warning : str
        Warning that must stand wherever a lithology is shown; empty if there is none.
    """

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    top: int
    has_all: bool
    warning: str


class ResultSchema(NamedTuple):
    """The columns of a result, in order.

    Attributes
    ----------
    columns : tuple of ResultColumn
        The columns.
    features : FeatureSet
        The features. Bit ``i`` of ``missing`` and ``implausible``, and column ``i`` of ``samples``, ``values`` and
        ``residuals``, belong to feature ``i``.
    """

    columns: tuple[ResultColumn, ...]
    features: FeatureSet

    @classmethod
    def of(
        cls,
        features: FeatureSet,
        latent_dim: int,
        address: Mapping[str, np.dtype[Any]],
        *,
        has_depth: bool,
        is_binned: bool,
        grows: bool,
        has_values: bool = False,
        lithologies: Lithologies | None = None,
        has_quality: bool = False,
    ) -> ResultSchema:
        """Return the schema of a run's result.

        Parameters
        ----------
        features : FeatureSet
            The features of the rows.
        latent_dim : int
            Length of an embedding.
        address : mapping of str to dtype
            Text type of each part of the address that the rows have.
        has_depth, is_binned : bool
            Whether the rows have depths, and whether they are depth bins.
        grows : bool
            Whether rows are written while the scan is still growing.
        has_values : bool
            Whether the values of the features are written, too.
        lithologies : Lithologies, optional
            The columns that the classifier adds; by default, none.
        has_quality : bool
            Whether residuals, novelty and flags are written.
        """
        columns = [_depth(DEPTH_HEADING)] * has_depth
        columns += _address(address)
        columns += [
            _embeddings(latent_dim),
            _column("missing", features.bits, "bit i is set where feature i is missing"),
            _column("implausible", features.bits, "bit i is set where feature i is outside its plausible range"),
        ]
        columns += [_samples(features)] * is_binned
        columns += [_values(features)] * has_values
        columns += _lithologies(lithologies) if lithologies else []
        columns += _quality(features) if has_quality else []
        if grows:
            columns.append(_column("complete", np.uint8, "1 if the row was finished, 0 if samples could have followed"))
            columns.append(_column("file", np.uint32, "number of earlier files of this name that held another core"))
        return cls(tuple(columns), features)

    @classmethod
    def of_values(
        cls,
        features: FeatureSet,
        address: Mapping[str, np.dtype[Any]],
        *,
        has_depth: bool,
        is_binned: bool,
        depth_heading: str = DEPTH_HEADING,
        simulated: str = "",
    ) -> ResultSchema:
        """Return the schema of the rows themselves, without a model: address, depth, values and numbers of samples.

        Parameters
        ----------
        features, address, has_depth, is_binned
            As of `of`.
        depth_heading : str
            Heading of the depth.
        simulated : str
            Seed of simulated rows, for a column that marks them; empty if they were measured.
        """
        mark = [_column(SIMULATED, np.array(simulated).dtype, "how the rows were simulated")] * bool(simulated)
        columns = [*_address(address), *[_depth(depth_heading)] * has_depth, _values(features)]
        return cls((*columns, *[_samples(features)] * is_binned, *mark), features)


def _depth(heading: str) -> ResultColumn:
    return _column("depth", np.float64, "depth of the row; for a bin, its centre", unit="m", headings=[heading])


def _embeddings(width: int) -> ResultColumn:
    meaning = "embedding; NaN where the row has none"
    return _column("embeddings", np.float32, meaning, width, in_row="embedding")


def _address(parts: Mapping[str, np.dtype[Any]]) -> list[ResultColumn]:
    return [_column(part, dtype, ADDRESS_MEANINGS[part]) for part, dtype in parts.items()]


def _values(features: FeatureSet) -> ResultColumn:
    headings = [feature.heading for feature in features]
    meaning = "value of each feature, in the model's unit; NaN where it is missing"
    return _column("values", np.float32, meaning, len(features), headings=headings)


def _lithologies(wanted: Lithologies) -> list[ResultColumn]:
    ranks = ["", *(f"_{i}" for i in range(2, wanted.top + 1))]
    columns = [
        _codes("lithologies", wanted.classes, "likeliest lithologies", [f"lithology{rank}" for rank in ranks]),
        _column(
            "probabilities",
            np.float32,
            "probability of each of these lithologies",
            wanted.top,
            headings=[f"probability{rank}" for rank in ranks],
        ),
        _column("entropy", np.float32, "entropy of the probabilities of all lithologies", unit="nat"),
    ]
    if wanted.groups:
        columns.append(_codes("group", wanted.groups, "likeliest group of lithologies"))
        columns.append(_column("group_probability", np.float32, "probability of this group"))
    if wanted.has_all:
        n, names = len(wanted.classes), [f"p {name}" for name in wanted.classes]
        meaning = "probability of each lithology"
        columns.append(_column("class_probabilities", np.float32, meaning, n, headings=names))
    if wanted.warning:
        columns.append(_column("lithology_warning", np.array(wanted.warning).dtype, "warning on the lithologies"))
    return columns


def _codes(name: str, categories: tuple[str, ...], meaning: str, headings: Sequence[str] = ()) -> ResultColumn:
    dtype = np.min_scalar_type(len(categories))  # the largest number of the type stands for none
    column = _column(name, dtype, meaning, len(headings) or None, headings=headings)
    return column._replace(categories=categories)


def _quality(features: FeatureSet) -> list[ResultColumn]:
    short = features.short_names
    meaning = "measured minus reconstructed value, in standard deviations of the training rows; NaN where missing"
    headings = [f"residual {short[name]}" for name in features.names]
    return [
        _column("residuals", np.float32, meaning, len(features), headings=headings),
        _column("novelty_p", np.float32, "share of training rows that are at least as unusual"),
        _column("flags", np.uint8, f"bits, from 0: {', '.join(FLAGS)}"),
    ]


def _samples(features: FeatureSet) -> ResultColumn:
    headings = [f"samples {name}" for name in features.names]
    meaning = "number of samples behind each feature of a bin"
    return _column("samples", np.int64, meaning, len(features), headings=headings)


def _column(
    name: str,
    dtype: Any,
    meaning: str,
    width: int | None = None,
    *,
    unit: str = "",
    in_row: str = "",
    headings: Sequence[str] = (),
) -> ResultColumn:
    usual = [name] if width is None else [f"{name}_{i}" for i in range(width)]
    named = in_row or name, tuple(headings or usual)
    return ResultColumn(name, np.dtype(dtype), width, unit, meaning, *named, along="" if width is None else ALONG[name])
