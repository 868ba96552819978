from __future__ import annotations

import os
import pickle
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
from lithovae.runtime import BundleError, InputError, LithoModel
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.model.bundle import SHIPPED
from lithovae.runtime.model.graphs import MICRO_BATCH
from lithovae.runtime.process import threads as threads_module
from lithovae.runtime.process.threads import granted_threads
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
            probability = torch.softmax(module.classify(mu), dim=1).numpy()
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


def test_threads_follow_slurm_then_the_affinity_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert granted_threads() == 3
    for nonsense in ("0", "", "many"):
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", nonsense)
        assert granted_threads() >= 1
    with pytest.raises(InputError, match="at least 1"):
        LithoModel.load("unsup", threads=0)


def test_threads_keep_to_a_containers_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(threads_module, "CPU_MAX", tmp_path / "cpu.max")
    cores = granted_threads()
    for quota, threads in (("max 100000", cores), ("50000 100000", 1), ("99900000 100000", cores), ("", cores)):
        (tmp_path / "cpu.max").write_text(quota)
        assert granted_threads() == threads
