"""Results of any kind, made up, for the tests of the formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import DENSITY, LILY, FeatureSet
from lithovae.runtime.outputs.writer import whole_format
from lithovae.runtime.result import Lithologies, ResultSchema

ABOUT = {"scan": "core µ.h5", "notes": ["one: two", "line\nbreak"], "bundle": "semisup", "options": {"top": 3}}
CLASSES = ("nannofossil ooze", "sand", "clay, silty", "gravel/breccia", "µ-ooze: dark")
WARNING = "the model was trained on simulated data: do not rely on its lithologies"
Values = dict[str, NDArray[Any]]


def many_features(n: int) -> FeatureSet:
    """Return a set of n features, the published six among them if there are as many."""
    others = [replace(DENSITY, name=f"Ratio {i} (XRF)", aliases=(), short="", instrument="XRF") for i in range(n)]
    return FeatureSet([*LILY, *others][:n])


def schema_of(features: FeatureSet = LILY, *, texts: Mapping[str, int] | None = None, **options: Any) -> ResultSchema:
    """Return a schema with everything that a result may have, but for what options leave out."""
    lithologies = Lithologies(CLASSES, ("calcareous", "siliciclastic"), 3, has_all=True, warning=WARNING)
    chosen: dict[str, Any] = {
        "has_depth": True, "is_binned": True, "has_values": True, "lithologies": lithologies,
        "has_quality": True, "grows": False,
    } | options  # fmt: skip
    address = {part: np.dtype(f"<U{n}") for part, n in ({"hole": 3, "core": 2} if texts is None else texts).items()}
    return ResultSchema.of(features, 4, address, **chosen)


def rows_of(schema: ResultSchema, n: int, seed: int = 0) -> Values:
    """Return n rows: one hole, several cores, gaps, rows without an embedding or a lithology."""
    rng = np.random.default_rng(seed)
    found: Values = {}
    for column in schema.columns:
        shape = (n,) if column.width is None else (n, column.width)
        if column.name == "depth":
            found["depth"] = np.round(np.arange(n) * 0.2 + (np.arange(n) > n // 2) * 3.2, 3)
        elif column.name == "lithology_warning":
            found[column.name] = np.broadcast_to(np.array(WARNING), n)
        elif column.name == "core":
            found["core"] = np.array([f"{1 + i // 7}H" for i in range(n)], column.dtype)
        elif column.dtype.kind == "U":
            found[column.name] = np.broadcast_to(np.array("A"), n)
        elif column.categories:
            codes = rng.integers(0, len(column.categories), shape).astype(column.dtype)
            found[column.name] = np.where(rng.random(shape) < 0.2, column.dtype.type(column.no_category), codes)
        elif column.dtype.kind == "f":
            values = rng.normal(scale=10 ** rng.uniform(-6, 6), size=shape).astype(column.dtype)
            found[column.name] = np.where(rng.random(shape) < 0.1, column.dtype.type(np.nan), values)
        else:
            most = np.iinfo(column.dtype).max if column.dtype.kind == "u" else 1 << 40
            found[column.name] = rng.integers(0, most, shape, column.dtype, endpoint=True)
    return found


def blocks_of(rows: Mapping[str, NDArray[Any]], sizes: Sequence[int]) -> Iterator[Values]:
    """Divide rows into blocks of the given sizes, and one of all that is left."""
    n, start = len(next(iter(rows.values()))), 0
    for size in [*sizes, n]:
        yield {name: values[start : start + size] for name, values in rows.items()}
        start += size


def write(path: Path, schema: ResultSchema, rows: Values, sizes: Sequence[int] = (10, 1, 0, 13)) -> Path:
    """Write rows in blocks, prepared before any is written, as threads may."""
    with whole_format(path)(path, schema, len(next(iter(rows.values()))), fewer=False) as writer:
        for packed in [writer.pack(block) for block in blocks_of(rows, sizes)]:
            writer.write(packed)
        writer.state(ABOUT)
    return path
