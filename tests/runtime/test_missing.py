from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime.features import LILY
from lithovae.runtime.missing import SENTINELS, bit_counts, missing_bits, without_sentinels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sentinels_and_declared_fills_become_nan(dtype: type) -> None:
    values: NDArray[Any] = np.array([1.5, *SENTINELS, -471.2, -998.9, -1000.0, 9.96921e36, np.nan], dtype)
    before = values.copy()
    cleaned = without_sentinels(values, declared=(9.96921e36,))
    assert np.isnan(cleaned).tolist() == [False, True, True, True, True, False, False, False, True, True]
    np.testing.assert_array_equal(values, before)


def test_clean_values_are_returned_without_a_copy() -> None:
    values = np.ones(5, np.float32)
    assert without_sentinels(values) is values


def test_bits_name_the_features() -> None:
    rows = np.ones((5, 6), np.float32)
    rows[1, 0] = np.nan
    rows[2, 2] = np.inf
    rows[3, 5] = -1  # log1p has no value there
    rows[4] = np.nan
    assert missing_bits(rows, LILY).tolist() == [0, 1, 4, 32, 63]
    assert bit_counts(missing_bits(rows, LILY), 6).tolist() == [2, 1, 2, 1, 1, 2]
