from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lithovae.runtime import BundleError, InputError, LithoModel
from lithovae.runtime.errors import LithoWarning
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.model.bundle import SHIPPED
from lithovae.runtime.model.graphs import MICRO_BATCH

Floats = NDArray[np.float64]
ROW = [1.69, 4.0, 17.8, 105, 104, 88]


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


@pytest.fixture
def rows(features: Floats) -> Floats:
    """Rows, some of which lack features."""
    rng = np.random.default_rng(3)
    for absent in (np.nan, -999.25, np.inf, 1e39):
        features[rng.random(features.shape) < 0.03] = absent
    features[5], features[6, 3:] = np.nan, -1
    return features


def bits(values: NDArray[np.float32]) -> list[int]:
    """Return the bits of numbers, for comparison: 0.0 and -0.0 differ, all NaN are equal."""
    alike = np.where(np.isnan(values), np.float32(np.nan), values)
    return [int(number) for number in np.ascontiguousarray(alike).view(np.uint32).ravel()]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_row_gives_the_bits_that_a_whole_scan_gives_it(name: str, rows: Floats) -> None:
    model = LithoModel.load(name, threads=1)
    live = model.live()
    whole = model.embed(rows)
    assert bits(np.array([live.embed(row) for row in rows])) == bits(whole)
    assert bits(np.array([live.embed(row.tolist()) for row in rows])) == bits(whole)


def test_what_a_row_gives_depends_on_that_row_alone(rows: Floats, model: LithoModel) -> None:
    many = np.tile(rows, (5, 1))[: MICRO_BATCH + 3]
    for give in (model.embed, model.classify, model.reconstruct):
        whole = give(many)
        for size in (1, 2, 3, 7, 100):
            assert bits(np.concatenate([give(many[i : i + size]) for i in range(0, 100, size)])[:100]) == bits(
                whole[:100]
            ), size
        assert bits(give(many[-3:])) == bits(whole[-3:])


def test_classify_gives_what_the_model_gives(rows: Floats, model: LithoModel) -> None:
    live = model.live()
    out = np.empty(len(model.classes), np.float32)
    assert bits(np.array([live.classify(row) for row in rows[:50]])) == bits(model.classify(rows[:50]))
    assert live.classify(ROW, out=out) is out
    assert bits(out) == bits(model.classify([ROW])[0])
    with pytest.raises(BundleError, match="unsupervised"):
        LithoModel.load("unsup").live().classify(ROW)


def test_what_was_missing_or_implausible(rows: Floats, model: LithoModel) -> None:
    live = model.live()
    found = []
    for row in rows[:100]:
        live.embed(row)
        found.append(live.missing)
    assert found == model.missing(rows[:100]).tolist()
    live.embed([1690.0, np.nan, -9999, 256, -1, 0])
    assert (live.missing, live.implausible) == (0b010110, 0b001001)


def test_an_embedding_is_a_new_array_unless_the_caller_passes_one(model: LithoModel) -> None:
    live, out = model.live(), np.empty(10, np.float32)
    first = live.embed(ROW)
    kept = first.copy()
    live.embed([2.0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(first, kept)
    assert live.embed(ROW, out=out) is out
    np.testing.assert_array_equal(out, kept)


def test_nothing_is_allocated_for_a_row(model: LithoModel) -> None:
    live, out, row = model.live(), np.empty(10, np.float32), np.array(ROW, np.float32)
    for _ in range(10):
        live.embed(row, out=out)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            live.embed(row, out=out)
        assert tracemalloc.get_traced_memory()[0] - before < 1000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "row",
    [
        tuple(ROW),
        np.array(ROW),
        np.array(ROW, np.float32),
        np.array(ROW, np.float32)[::-1][::-1],
        np.array(ROW, ">f8"),
        [np.float32(value) for value in ROW],
        pd.Series(ROW),
        pd.Series(dict(zip(FEATURE_NAMES, ROW, strict=True)))[list(FEATURE_NAMES[::-1])],
        np.ma.MaskedArray(ROW, mask=False),
    ],
)
def test_rows_of_many_kinds(row: object, model: LithoModel) -> None:
    live = model.live()
    assert bits(live.embed(row)) == bits(model.embed([ROW])[0])  # type: ignore[arg-type]


def test_what_is_masked_or_none_is_missing(model: LithoModel) -> None:
    live = model.live()
    expected = bits(model.embed([[1.69, np.nan, *ROW[2:]]])[0])
    masked = np.ma.masked_equal(np.array(ROW), ROW[1])
    rows: list[Any] = [[1.69, None, *ROW[2:]], masked]
    for row in rows:
        assert bits(live.embed(row)) == expected
        assert live.missing == 2


NONE = [1.0, ROW[:5], [*ROW, 1.0], [ROW], ["1"] * 6, "123456", np.ones((6, 1)), np.ones(6, bool), [[1.0]] * 6]
NONE += [np.array(3.0), set(ROW), dict.fromkeys(range(6), 1.0), [10**400, *ROW[1:]], [np.ones(1), *ROW[1:]]]


@pytest.mark.parametrize("row", NONE)
def test_what_is_not_six_numbers_is_refused(row: object, model: LithoModel) -> None:
    with pytest.raises(InputError, match="6"):
        model.live().embed(row)  # type: ignore[arg-type]


@pytest.mark.parametrize("out", [np.empty(9, np.float32), np.empty(10), [0.0] * 10])
def test_an_out_array_of_another_shape_or_type_is_refused(out: NDArray[np.float32], model: LithoModel) -> None:
    with pytest.raises(InputError, match=r"shape \(10,\), float32"):
        model.live().embed(ROW, out=out)


def test_it_can_be_sent_to_another_process(model: LithoModel) -> None:
    assert bits(pickle.loads(pickle.dumps(model.live())).embed(ROW)) == bits(model.live().embed(ROW))


def test_rows_in_another_unit_give_one_warning(model: LithoModel) -> None:
    live = model.live()
    rows = [[1690.0, 4.0, np.nan, 105, 104, 88 + i] for i in range(30)]
    for row in rows[:9]:
        live.embed(row)
    with pytest.warns(LithoWarning, match="Bulk density .* all values are from 1,690 to 1,690; the models") as caught:
        live.classify(rows[9])
    assert [warning.filename for warning in caught] == [__file__]
    for row in rows[10:]:
        live.embed(row)
