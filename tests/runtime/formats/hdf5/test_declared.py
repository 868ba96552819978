from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import ScanError
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]


def susceptibility(path: Path) -> list[float]:
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        return [float(value) for value in stretch.features[1]]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8"])
def test_sentinels_are_known_after_a_change_of_type(write_scan: WriteScan, dtype: str) -> None:
    narrow = np.array([-999, -999.25, -999.99, -9999, 5], "f2" if dtype == "f2" else "f4")
    values: NDArray[Any] = narrow.astype(dtype)
    np.testing.assert_equal(susceptibility(write_scan({"MS": values})), [np.nan] * 4 + [5])


@pytest.mark.parametrize(
    "attribute", ["_FillValue", "missing_value", "missing_values", "nodata", "NODATA_value", "null_value", "NULL"]
)
def test_a_fill_may_be_declared_by_any_of_its_names(write_scan: WriteScan, attribute: str) -> None:
    path = write_scan({"MS": np.array([7, -32768, 8], "i4")}, attrs={f"MS@{attribute}": -32768})
    np.testing.assert_equal(susceptibility(path), [7, np.nan, 8])


@pytest.mark.parametrize(("dtype", "fill"), [("i2", -(2**15)), ("i2", 2**15 - 1), ("u2", 2**16 - 1), ("i4", -9999)])
def test_extremes_of_packed_integers_are_missing_unless_a_fill_is_declared(
    write_scan: WriteScan, dtype: str, fill: int
) -> None:
    values, packed = np.array([7, fill, 8], dtype), {"MS@scale_factor": 0.01}
    np.testing.assert_allclose(susceptibility(write_scan({"MS": values}, attrs=packed)), [0.07, np.nan, 0.08])
    declared = write_scan({"MS": values}, attrs=packed | {"MS@_FillValue": 8})
    np.testing.assert_allclose(susceptibility(declared), [0.07, fill / 100, np.nan])


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_a_packing_that_loses_the_values_is_refused(write_scan: WriteScan, factor: float) -> None:
    path = write_scan({"MS": np.array([7, 8])}, attrs={"MS@scale_factor": factor})
    with pytest.raises(ScanError, match="attribute scale_factor of MS is "):
        susceptibility(path)


def test_a_valid_range_of_unsigned_bytes_is_unsigned_too(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["MS"] = np.array([0, -56, -1, 100], "i1")
        file["MS"].attrs["_Unsigned"] = "true"
        file["MS"].attrs["valid_range"] = np.array([0, -2], "i1")
    np.testing.assert_equal(susceptibility(path), [0, 200, np.nan, 100])
