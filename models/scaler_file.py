"""Scalers from elsewhere: by name, from a file of means and standard deviations, or fitted on a training table."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import CheckpointError, TableError
from lithovae.runtime.features import COLOURS, LILY, FeatureSet, letters
from lithovae.runtime.missing import measurable, without_sentinels

from .scaler import PUBLISHED_SCALERS, DistributionAwareScaler, published_scaler

LIMIT = 10_000_000
"""Largest size of a scaler file in bytes: it holds two numbers for each feature, or is a checkpoint's sidecar."""
KINDS = "lily, or a .json, .npz or .csv with the mean and scale of the transformed features"
MEAN, SCALE, VARIANCE = ("mean", "center"), ("scale", "std", "sd", "stdev", "stddev"), ("var", "variance")
NAME = ("feature", "features", "name", "variable", "column", "")
"""Names, in the form that `letters` gives, of a scaler's parts in files; a data frame's index has an empty heading."""
TOLERANCE = 0.05
MISSING = frozenset({"", "na", "n/a", "#n/a", "null", "none"})
"""Spellings of a missing value, besides those of NaN."""


def read_scaler(name_or_path: str | Path, features: FeatureSet = LILY) -> DistributionAwareScaler:
    """Return a published scaler by its name, or read one from a file; pickles are never read.

    The mean and scale of the transformed features may be in JSON, at the top level or under ``scaler`` (as in a
    checkpoint's sidecar and a bundle's manifest), in an ``.npz``, or in a ``.csv`` with a row per feature. The rows of
    a CSV are matched by the features' names and aliases; without a column of names there must be one for each feature,
    in order.

    Raises
    ------
    CheckpointError
        If there is no such file, or it holds no scaler, or the scaler of raw features.
    """
    if name_or_path in PUBLISHED_SCALERS:
        if features != LILY:
            raise CheckpointError(f"the scaler {name_or_path} is for {', '.join(LILY.names)}, in this order")
        return published_scaler(str(name_or_path))
    path = Path(name_or_path)
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError(f"it has {path.stat().st_size} bytes, more than the {LIMIT} that a scaler file may have")
        with path.open("rb") as file:
            pickled = file.read(1) == b"\x80"
        if pickled or path.suffix.lower() in (".pkl", ".pickle", ".joblib"):
            raise ValueError(
                "a pickle could run code when it is read; if you trust it, convert it where its class can be imported: "
                f"import joblib, numpy; s = joblib.load({path.name!r}); s = getattr(s, 'scaler', s); "
                "numpy.savez('scaler.npz', mean=s.mean_, scale=s.scale_)"
            )
        read = {".npz": _read_npz, ".csv": _read_csv}.get(path.suffix.lower(), _read_json)
        scaler = DistributionAwareScaler.from_parameters(*read(path, features), features.transforms)
        _require_transformed(scaler, features)
    except Exception as error:  # a hostile file can raise anything
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)[:400]
        kinds = f" ({KINDS})" if isinstance(error, (OSError, json.JSONDecodeError, UnicodeDecodeError)) else ""
        raise CheckpointError(f"{path} is not a scaler{kinds}: {reason}", path) from error
    return scaler


def fit_to_table(path: str | Path, features: FeatureSet = LILY) -> tuple[DistributionAwareScaler, str]:
    """Fit a scaler on the raw table that a model was trained on.

    Parameters
    ----------
    path : path-like
        CSV with a column for each feature, under its name or an alias; other columns are ignored, and so are missing
        values, sentinels, infinities and colours of -1 or less, column by column.

    Returns
    -------
    DistributionAwareScaler
        The scaler.
    str
        What it was fitted on, as text: file, rows and the file's SHA-256.

    Raises
    ------
    TableError
        If the file is absent, lacks a feature, has text in place of a number, or its values are not raw values in the
        models' units.
    """
    path = Path(path)
    try:
        table = _table(path, features)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        table = np.stack(
            [measurable(without_sentinels(table[:, i]), feature) for i, feature in enumerate(features)], axis=1
        )
        _require_raw(table, features)
        return DistributionAwareScaler(features.transforms).fit(
            table
        ), f"fitted on {path.name} ({len(table)} rows, SHA-256 {digest})"
    except (OSError, ValueError, csv.Error) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise TableError(f"{path} cannot be used to fit a scaler: {reason}", path) from error


def read_rows(path: str | Path, features: FeatureSet) -> NDArray[np.float32]:
    """Read raw rows (n, n_features) float32 from a CSV table with a column for each feature, under a name of it.

    Raises
    ------
    TableError
        If the file is absent or empty, lacks a feature, or has text in place of a number.
    """
    try:
        return _table(Path(path), features).astype(np.float32)
    except (OSError, ValueError, csv.Error) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise TableError(f"{path} is not a table of the features: {reason}", path) from error


def _table(path: Path, features: FeatureSet) -> NDArray[np.float64]:
    with _csv_rows(path) as rows:
        columns = _features_in(next(rows, []), features, "columns")
        table = np.fromiter(chain.from_iterable(_numbers(rows, columns)), np.float64).reshape(-1, len(features))
    if not len(table):
        raise ValueError("it has no rows")
    return table


def _read_json(path: Path, features: FeatureSet) -> tuple[ArrayLike, ArrayLike]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    return _parameters(content.get("scaler", content) if isinstance(content, dict) else content)


def _read_npz(path: Path, features: FeatureSet) -> tuple[ArrayLike, ArrayLike]:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > LIMIT:
            raise ValueError(f"it would unpack to more than {LIMIT} bytes")
    with np.load(path, allow_pickle=False) as arrays:
        return _parameters(arrays)


def _read_csv(path: Path, features: FeatureSet) -> tuple[ArrayLike, ArrayLike]:
    with _csv_rows(path) as rows:
        heading = next(rows, [])
        table = [row for row in rows if any(row)]
    if any(len(row) != len(heading) for row in table):
        raise ValueError("its rows differ in length")
    columns = {name: [row[i] for row in table] for i, name in enumerate(heading)}
    if len(columns) < len(heading):
        raise ValueError("two of its columns have the same name")
    mean, scale = (np.array(values, np.float64) for values in _parameters(columns))
    names = _under(columns, NAME)
    if names is not None:
        order = _features_in(columns[names], features, "rows")
        return mean[order], scale[order]
    if np.array(table, np.float64).shape[0] != len(features):  # fails on text, which may be the names
        raise ValueError(f"it has {len(table)} rows without names, not {len(features)}")
    return mean, scale


@contextmanager
def _csv_rows(path: Path) -> Iterator[Iterator[list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield csv.reader(file)


def _parameters(values: Any) -> tuple[ArrayLike, ArrayLike]:
    """Find mean and scale among named values."""
    if not isinstance(values, Mapping):
        raise ValueError("it does not name its mean and scale")
    mean, scale, variance = (_under(values, aliases) for aliases in (MEAN, SCALE, VARIANCE))
    if mean is None or (scale is None and variance is None):
        raise ValueError(f"it lacks {'the mean' if mean is None else 'the scale (standard deviation)'}")
    if scale is not None:
        return values[mean], values[scale]
    return values[mean], np.sqrt(np.array(values[variance], np.float64))


def _under(values: Iterable[str], aliases: tuple[str, ...]) -> str | None:
    """Return the one name that is among the aliases, or None."""
    found = [name for name in values if letters(name) in aliases]
    if len(found) > 1:
        raise ValueError(f"{found[0]!r} and {found[1]!r} both match its {aliases[0]}")
    return found[0] if found else None


def _features_in(names: list[str], features: FeatureSet, what: str) -> list[int]:
    """Return the position of each feature among the names of columns or rows, by the rank of its aliases."""
    positions = []
    for feature in features:
        ranked = sorted((rank, i) for i, name in enumerate(names) if (rank := feature.rank(name)) is not None)
        if not ranked:
            raise ValueError(f"none of its {what} is named {feature.name!r}, or one of its aliases")
        best = [names[i] for rank, i in ranked if rank == ranked[0][0]]
        if len(best) > 1:
            raise ValueError(f"its {what} {best[0]!r} and {best[1]!r} both match {feature.name!r}")
        positions.append(ranked[0][1])
    return positions


def _numbers(rows: Iterator[list[str]], columns: list[int]) -> Iterator[list[float]]:
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            yield [np.nan if row[i].strip().casefold() in MISSING else float(row[i]) for i in columns]
        except IndexError as error:
            raise ValueError(f"row {number} ends after {len(row)} columns") from error
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error


def _require_transformed(scaler: DistributionAwareScaler, features: FeatureSet) -> None:
    """Refuse means and scales that no transformed feature can have, such as those of raw features."""
    identity = DistributionAwareScaler.from_parameters(
        np.zeros(len(features)), np.ones(len(features)), features.transforms
    )
    ranges = identity.transform(np.transpose([feature.plausible for feature in features]))
    for i, name in enumerate(features.names):
        mean, scale, (low, high) = scaler.mean_[i], scaler.scale_[i], ranges[:, i]
        if not low - TOLERANCE <= mean <= high + TOLERANCE or scale > high - low + TOLERANCE:
            raise ValueError(
                f"a mean of {mean:g} and scale of {scale:g} cannot be those of transformed {name}, which lies between "
                f"{low:.3g} and {high:.3g}: they look like statistics of raw values, or of another unit; give the mean "
                f"and scale of what the transform {features[i].transform!r} gives of values in {features[i].unit}"
            )


def _require_raw(table: NDArray[np.float64], features: FeatureSet) -> None:
    """Refuse a table (n, n_features) that is already scaled or transformed, or in other units."""
    for i, feature in enumerate(features):
        low, high = feature.plausible
        if np.isnan(table[:, i]).all():
            raise ValueError(f"it holds no value of {feature.name}")
        middle = np.nanmedian(table[:, i])
        if not low <= middle <= high:
            raise ValueError(
                f"the median of {feature.name} is {middle:g}, not within {low:g} to {high:g} {feature.unit}: give "
                "raw values in the models' units"
            )
    colours = [i for i, feature in enumerate(features) if feature in COLOURS]
    brightest = np.nanmax(table[:, colours], initial=-np.inf)
    if colours and brightest <= np.log1p(255):
        raise ValueError(
            f"its largest colour value is {brightest:.3g}: the models take raw colours of 0 to 255, not their "
            "logarithm or fractions of 1"
        )
