from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import SemiSupervisedVAE
from lithovae.runtime import BundleError, InputError, LithoModel, LithoWarning
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.model.bundle import SHIPPED
from lithovae.runtime.model.graphs import MICRO_BATCH
from lithovae.training.recipe import MODELS

Floats = NDArray[np.float64]


@pytest.mark.parametrize("name", SHIPPED)
def test_agrees_with_torch(root: Path, features: Floats, name: str) -> None:
    checkpoint = Checkpoint.load(root / "models" / MODELS[name].checkpoint)
    module = checkpoint.model.double()
    rows = features.astype(np.float32)
    with torch.no_grad():
        mu = module.encode(torch.tensor(checkpoint.scaler.transform(rows)))[0]
        decoded = checkpoint.scaler.inverse_transform(module.decode(mu).numpy())
    model = LithoModel.load(name)
    np.testing.assert_allclose(model.embed(rows), mu.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(rows), decoded, rtol=1e-4, atol=1e-4)
    if isinstance(module, SemiSupervisedVAE):
        with torch.no_grad():
            probability = torch.softmax(module.classify(mu) / checkpoint.temperature, dim=1).numpy()
        np.testing.assert_allclose(model.classify(rows), probability, rtol=0, atol=1e-5)
        np.testing.assert_allclose(model.classify(rows).sum(axis=1), 1, atol=1e-5)
        assert model.classes == checkpoint.classes
    else:
        assert model.classes == ()


@pytest.mark.parametrize("n", [0, 1, MICRO_BATCH - 1, MICRO_BATCH, MICRO_BATCH + 1, 3 * MICRO_BATCH + 7])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_and_threads_change_nothing(n: int, threads: int) -> None:
    x = np.random.default_rng(1).uniform(0, 200, (n, 6)).astype(np.float32)
    model = LithoModel.load("unsup", threads=threads)
    one_by_one = [model.embed(x[i : i + 1]) for i in range(0, n, max(1, n // 20))]
    whole = model.embed(x)
    assert whole.dtype == np.float32
    assert whole.shape == (n, 10)
    for row, alone in zip(whole[:: max(1, n // 20)], one_by_one, strict=True):
        np.testing.assert_allclose(row, alone[0], rtol=1e-5, atol=1e-5)


def test_can_be_shared_between_threads(features: Floats) -> None:
    model = LithoModel.load("semisup")
    expected = model.embed(features)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(model.embed, [features] * 16):
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("absent", [np.nan, np.inf, -np.inf, -999.0, -999.25, -9999.0, 1e300])
def test_standard_models_answer_nan_for_a_missing_feature(features: Floats, absent: float) -> None:
    for name in ("unsup", "semisup"):
        model = LithoModel.load(name)
        assert not model.imputes
        gappy = features.copy()
        for i in range(6):
            gappy[i, i] = absent
        embedding = model.embed(gappy)
        assert np.isnan(embedding[:6]).all()
        assert np.isnan(model.reconstruct(gappy)[:6]).all()
        np.testing.assert_array_equal(embedding[6:], model.embed(features)[6:])
        assert model.missing(gappy)[:8].tolist() == [1, 2, 4, 8, 16, 32, 0, 0]
    assert np.isnan(model.classify(gappy)[:6]).all()


def test_hybrid_models_impute_the_mean_in_scaled_space(root: Path, features: Floats) -> None:
    for name in ("unsup_hybrid", "semisup_hybrid"):
        checkpoint = Checkpoint.load(root / "models" / MODELS[name].checkpoint)
        model = LithoModel.load(name)
        assert model.imputes
        gappy = features.copy()
        gappy[:, 2] = np.nan
        gappy[::2, 5] = -999.25
        scaled = checkpoint.scaler.transform(gappy.astype(np.float32))
        scaled[:, 2] = 0
        scaled[::2, 5] = 0
        expected = checkpoint.model.get_embeddings(torch.tensor(scaled, dtype=torch.float32)).numpy()
        np.testing.assert_allclose(model.embed(gappy), expected, atol=2e-5)
        assert set(model.missing(gappy).tolist()) == {4, 36}


def test_a_row_of_which_nothing_was_measured_has_no_embedding() -> None:
    for name in SHIPPED:
        assert np.isnan(LithoModel.load(name).embed([[np.nan] * 6])).all()


def test_takes_arrays_and_lists_of_many_kinds(features: Floats) -> None:
    model = LithoModel.load("unsup")
    expected = model.embed(features)
    np.testing.assert_array_equal(model.embed(features.astype(np.float32)), expected)
    np.testing.assert_array_equal(model.embed(np.asfortranarray(features)), expected)
    np.testing.assert_array_equal(model.embed(features.tolist()), expected)
    np.testing.assert_array_equal(model.embed(np.repeat(features, 2, axis=0)[::2]), expected)
    read_only = features.astype(np.float32)
    read_only[3, 1] = -999.25
    read_only.setflags(write=False)
    assert np.isnan(model.embed(read_only)[3]).all()


@pytest.mark.parametrize("bad", [np.zeros(6), np.zeros((4, 5)), np.zeros((2, 3, 6)), 3.0, []])
def test_a_wrong_shape_is_stated_in_the_error(bad: ArrayLike) -> None:
    model = LithoModel.load("unsup")
    with pytest.raises(InputError) as caught:
        model.embed(bad)
    assert str(np.shape(bad)) in str(caught.value)
    assert FEATURE_NAMES[0] in str(caught.value)


def test_what_a_masked_array_masks_is_missing(features: Floats) -> None:
    model = LithoModel.load("semisup_hybrid")
    masked = np.ma.masked_array(np.where(np.eye(6), 1e20, features[:6]), mask=np.eye(6, dtype=bool))
    gappy = np.where(np.eye(6), np.nan, features[:6])
    np.testing.assert_array_equal(model.embed(masked), model.embed(gappy))
    np.testing.assert_array_equal(model.missing(masked), 1 << np.arange(6))
    whole = np.ma.masked_array(features.astype(int))
    np.testing.assert_array_equal(model.embed(whole), model.embed(features.astype(int)))


def test_a_data_frame_is_taken_by_name(features: Floats) -> None:
    model = LithoModel.load("unsup")
    frame = pd.DataFrame(features, columns=list(FEATURE_NAMES))
    np.testing.assert_array_equal(model.embed(frame[sorted(FEATURE_NAMES)].assign(extra=1)), model.embed(features))
    with pytest.raises(InputError, match=r"lacks the columns \['G'\]"):
        model.embed(frame.drop(columns="G"))
    np.testing.assert_array_equal(model.embed(pd.DataFrame(features)), model.embed(features))


NAMES = ["density", "MS", "NGR", "red", "green", "blue"]


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        ["GRA", "Magnetic Susceptibility", "ngr_cps", "R", "G", "B"],
        ["Bulk density (g/cm3)", "kappa (instr. units)", "gamma ray (cps)", "R (0-255)", "meanG", "Blue"],
    ],
)
def test_a_data_frame_is_taken_by_any_known_name(features: Floats, names: list[str]) -> None:
    model = LithoModel.load("unsup")
    frame = pd.DataFrame(features, columns=names)
    for order in ([1, 0, 2, 5, 4, 3], [5, 4, 3, 2, 1, 0]):
        moved = frame.iloc[:, order].assign(depth=1.0)
        np.testing.assert_array_equal(model.embed(moved), model.embed(features))
        np.testing.assert_array_equal(model.live().embed(moved.iloc[7]), model.live().embed(features[7]))
        np.testing.assert_array_equal(model.embed([moved.iloc[7], features[8]]), model.embed(features[7:9]))


def test_a_named_tuple_is_taken_by_name(features: Floats) -> None:
    model = LithoModel.load("unsup")
    moved = pd.DataFrame(features, columns=NAMES).iloc[:, ::-1].assign(depth=1.0)
    rows = list(moved.itertuples())[:3]
    np.testing.assert_array_equal(model.embed(rows), model.embed(features[:3]))
    np.testing.assert_array_equal(model.live().embed(rows[2]), model.live().embed(features[2]))
    with pytest.raises(InputError, match=r"lacks the columns \['B'\]"):
        model.live().embed(next(moved.drop(columns="blue").itertuples()))
    nameless = next(pd.DataFrame(features, columns=list("uvwxyz")).itertuples(index=False))
    np.testing.assert_array_equal(model.live().embed(nameless), model.live().embed(features[0]))


def test_an_arrow_table_is_taken_by_name(features: Floats) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    model = LithoModel.load("unsup")
    features[3, 2] = np.nan
    columns = {name: pyarrow.array(features[:, i], from_pandas=True) for i, name in enumerate(NAMES)}
    table = pyarrow.table(dict(reversed(columns.items())) | {"hole": ["A"] * len(features)})
    np.testing.assert_array_equal(model.embed(table), model.embed(features))
    np.testing.assert_array_equal(model.embed(table.to_batches()[0]), model.embed(features))
    with pytest.raises(InputError, match=r"lacks the columns \['B'\]; unknown columns: \['hole'\]"):
        model.embed(table.drop_columns("blue"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (list("abcdef"), r"lacks the columns \['Bulk density \(GRA\)', .*; unknown columns: \['a', 'c', .*'f'\]"),
        (
            ["density", "MS", "counts", *NAMES[3:]],
            r"lacks the columns \['NGR total counts \(cps\)'\]; unknown .*'counts'",
        ),
        (["density", "hiresMS", *NAMES[2:]], r"lacks the columns \['Magnetic .*unknown columns: \['hiresMS'\]"),
        (
            ["density", "MS", "NGR", "red", "green", "R"],
            r"'red' and 'R' of the data frame can both be R: drop or rename",
        ),
        (["density", "density", *NAMES[2:]], r"'density' and 'density' .* can both be Bulk density"),
        (["density (kg/m3)", *NAMES[1:]], r"column 'density \(kg/m3\)' .* is in kg/m3: convert it to g/cm3"),
        (["density", "MS (SI)", *NAMES[2:]], r"column 'MS \(SI\)' of the data frame is in SI: convert it to instr"),
        (["density", "MS", "gamma", *NAMES[3:]], "column 'gamma' of the data frame states no unit"),
        ([0, 1, 2, 3, 4, "R"], "lacks the columns"),
        ([float(i) for i in range(6)], "lacks the columns"),
    ],
)
def test_columns_of_a_data_frame_that_are_unclear_are_an_error(
    features: Floats, names: list[Any], message: str
) -> None:
    frame = pd.DataFrame(features, columns=names)
    model = LithoModel.load("unsup")
    with pytest.raises(InputError, match=message):
        model.embed(frame)
    with pytest.raises(InputError, match=message):
        model.live().embed(frame.iloc[0])


def gaps(features: Floats) -> dict[str, Any]:
    """Two rows, of which the first lacks gamma, in many forms."""
    first, second = features[:2].tolist()
    frame = pd.DataFrame(features[:2], columns=NAMES)
    frame.loc[0, "NGR"] = np.nan
    masked = np.ma.masked_array(first, mask=np.arange(6) == 2)
    return {
        "masked rows": [masked, features[1]],
        "a masked row of integers": [masked.astype(int), features[1].astype(int)],
        "masked constant": [[*first[:2], np.ma.masked, *first[3:]], second],
        "pandas.NA": [[*first[:2], pd.NA, *first[3:]], second],
        "None": [[*first[:2], None, *first[3:]], tuple(second)],
        "nullable": frame.convert_dtypes(),
        "nullable integers": frame.round().convert_dtypes(),
        "objects": frame.astype(object).where(frame.notna(), None),
        "series": [frame.convert_dtypes().iloc[0], frame.iloc[1]],
        "masked objects": np.ma.masked_array(features[:2].astype(object), mask=np.isnan(frame.to_numpy())),
    }


@pytest.mark.parametrize("form", gaps(np.ones((2, 6))))
def test_a_gap_in_any_form_is_missing(features: Floats, form: str) -> None:
    model = LithoModel.load("unsup")
    x = gaps(features)[form]
    assert model.missing(x).tolist() == [4, 0]
    assert np.isnan(model.embed(x)).all(axis=1).tolist() == [True, False]
    if form != "masked constant":  # numpy warns when it turns one into a number
        live = model.live()
        live.embed(x.iloc[0] if isinstance(x, pd.DataFrame) else x[0])
        assert live.missing == 4


@pytest.mark.parametrize("value", ["1.7", b"1", True, np.True_, 1j, [1.0]])
def test_objects_that_are_no_numbers_are_refused(features: Floats, value: object) -> None:
    rows = features[:3].astype(object)
    rows[1, 1] = value
    with pytest.raises(InputError, match="must be numbers"):
        LithoModel.load("unsup").embed(rows)


IN_OTHER_UNITS: dict[str, Callable[[Floats], object]] = {
    r"Bulk density .* all values are from [\d,]+ to [\d,]+; the models need g/cm3": lambda x: x.__setitem__(
        (slice(None), 0), x[:, 0] * 1000
    ),
    r"Magnetic susceptibility .* no value is above 0.001": lambda x: x.__setitem__((slice(None), 1), x[:, 1] * 1e-6),
    "R, G, B: no value is above 1": lambda x: x.__setitem__((slice(None), slice(3, 6)), x[:, 3:] / 255),
    r"R, G, B: all values are from [\d,]+ to [\d,]+; the models need 0 to 255": lambda x: x.__setitem__(
        (slice(None), slice(3, 6)), x[:, 3:] * 256 + 256
    ),
}


@pytest.mark.parametrize("message", IN_OTHER_UNITS)
@pytest.mark.parametrize("n", [5, 1000])
def test_values_that_can_only_be_in_another_unit_give_a_warning(features: Floats, message: str, n: int) -> None:
    x = features[:n]
    IN_OTHER_UNITS[message](x)
    x[::3, 2], x[0, :2] = np.nan, -999.25
    model = LithoModel.load("semisup_hybrid")
    for give in (model.embed, model.classify, model.reconstruct):
        with pytest.warns(LithoWarning, match=message) as caught:
            give(x)
        assert [warning.filename for warning in caught] == [__file__]


def test_one_ordinary_value_or_none_at_all_is_no_sign_of_another_unit(features: Floats) -> None:
    model = LithoModel.load("semisup_hybrid")
    for spoil in IN_OTHER_UNITS.values():
        x = features.copy()
        spoil(x)
        x[-1] = [1.7, 12, 30, 80, 90, 100]
        model.embed(x)
    black = features.copy()
    black[:, 3:], black[:, 1] = [0, 1, 1], 1e-17  # a rounding error
    model.embed(black)
    model.embed(np.full((4, 6), np.nan))
    model.embed(np.empty((0, 6)))
    model.embed([[1.7, 0.0004, 30, 80, 90, 100]])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_works_in_a_forked_child(features: Floats) -> None:
    model = LithoModel.load("unsup", threads=2)
    x = np.tile(features, (10, 1))
    expected = model.embed(x)
    child = get_context("fork").Process(target=lambda: os._exit(int(not np.array_equal(model.embed(x), expected))))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0


def test_can_be_sent_to_another_process(features: Floats) -> None:
    model = LithoModel.load("semisup", threads=2)
    again = pickle.loads(pickle.dumps(model))
    assert again.threads == 2
    np.testing.assert_array_equal(again.classify(features), model.classify(features))


@pytest.mark.parametrize(
    "bad",
    [
        [["1"] * 6],
        np.ones((1, 6), complex),
        np.ones((1, 6), "M8[s]"),
        np.ones((1, 6), bool),
        [[10**400] * 6],
        [[1.0], [1.0, 2.0]],
    ],
)
def test_other_types_are_refused(bad: Any) -> None:
    with pytest.raises(InputError, match="must be numbers"):
        LithoModel.load("unsup").embed(bad)


def test_text_is_refused() -> None:
    with pytest.raises(InputError, match="must be numbers"):
        LithoModel.load("unsup").embed([["a"] * 6])


def test_an_unsupervised_model_says_that_it_cannot_classify() -> None:
    with pytest.raises(BundleError, match="unsup_hybrid is unsupervised"):
        LithoModel.load("unsup_hybrid").classify(np.ones((1, 6)))


def test_a_model_needs_a_thread() -> None:
    with pytest.raises(InputError, match="at least 1"):
        LithoModel.load("unsup", threads=0)
