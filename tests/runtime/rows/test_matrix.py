"""A table read at once gives the same values as its columns read one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.rows.matrix import FeatureMatrix
from lithovae.runtime.scan.scan import open_scan

ODD = [
    np.nan,
    np.inf,
    -np.inf,
    -999.0,
    -999.25,
    -999.99,
    -9999.0,
    -999.2500001,
    -998.9999999,
    1e30,
    9.8e29,
    1e39,
    1e300,
]
ODD += [-999.9, -9999.25, -32768.0, -(2.0**31), 2.0**31 - 1, 2.0**63, 1e20, 65535.0, -99.9, 9999.99, 999.0]
ODD += [-1.0, -0.9999999, -0.0, 0.5, 255.0, -2.0, 3e38]


def write(path: Path, rows: Any, **how: Any) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=rows, **how)
        data.attrs["columns"] = ["x", *FEATURE_NAMES, "y"][: rows.shape[1]]


def tables(path: Path) -> list[FeatureMatrix | None]:
    with open_scan(path) as scan:
        return [FeatureMatrix.of(track) for track in scan.tracks]


@pytest.mark.parametrize("bundle", ["semisup_hybrid", "unsup"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 1 << 16),
    share=st.sampled_from([0.0, 0.01, 0.5]),
    dtype=st.sampled_from(["<f4", ">f4", "<f8", ">f8"]),
    how=st.sampled_from([{}, {"chunks": (64, 8), "compression": "gzip", "shuffle": True}]),
    n=st.sampled_from([1, 127, 128, 500]),
)
def test_the_same_bits_as_column_by_column(
    tmp_path: Path, bundle: str, seed: int, share: float, dtype: str, how: dict[str, Any], n: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 255, (n, 8))
    odd = rng.random(rows.shape) < share
    rows[odd] = rng.choice(ODD, odd.sum())
    model = LithoModel.load(bundle, threads=1)
    with np.errstate(over="ignore"):
        write(tmp_path / "scan.h5", rows.astype(dtype), **how | ({"chunks": (min(64, n), 8)} if how else {}))
    (table,) = tables(tmp_path / "scan.h5")
    assume(table is not None)  # a few colours may all lie between 0 and 1: they are left out
    assert table is not None
    found = []
    for of in (FeatureMatrix.of, lambda track: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FeatureMatrix, "of", of)
            summary = embed_scan(tmp_path / "scan.h5", tmp_path / "out.npz", model)
        found.append((tmp_path / "out.npz").read_bytes())
        found.append(np.concatenate([summary.n_missing, summary.n_implausible]).tobytes())
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_columns_that_need_conversion_are_read_one_by_one(tmp_path: Path) -> None:
    rows = np.ones((10, 8))
    path = tmp_path / "scan.h5"
    for how in ({"dtype": "i4"}, {"dtype": "f2"}, {"fillvalue": 7.0}, {"maxshape": (None, 8), "chunks": (4, 8)}):
        write(path, rows, **how)
        expected = "maxshape" in how
        assert [table is not None for table in tables(path)] == [expected], how
    for attribute, value in (("units", "kg/m3,kg/m3,,,,,,"), ("scale_factor", 2.0), ("missing_value", 1.0)):
        write(path, rows)
        with h5py.File(path, "a") as file:
            file["data"].attrs[attribute] = value
        assert tables(path) == [None], attribute
    write(path, rows)
    with h5py.File(path, "a") as file:
        file["data"].attrs["columns"] = ["x", *reversed(FEATURE_NAMES), "y"]
    assert tables(path) == [None]
    with h5py.File(path, "a") as file:
        file["data"].attrs["columns"] = ["depth", *FEATURE_NAMES, "y"]
    assert tables(path) == [None]  # its depth is in the same dataset
