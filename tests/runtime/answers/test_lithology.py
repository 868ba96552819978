from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.export.bundle import write_bundle
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import SemiSupervisedVAE
from lithovae.runtime import BundleError, InputError, LithoModel
from lithovae.runtime.answers.lithology import Classifier
from lithovae.runtime.features import LILY
from lithovae.runtime.result import Lithologies, ResultSchema
from tests.runtime.references import a_reference


@pytest.fixture(scope="module")
def model(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> LithoModel:
    """A model with groups and a temperature."""
    folder = tmp_path_factory.mktemp("lithology") / "bundle"
    write_bundle(replace(checkpoints["semisup"], reference=a_reference()), folder)
    return LithoModel.load(folder, threads=2)


def rows(n: int = 1000) -> NDArray[np.float32]:
    """Raw rows that reach all parts of the latent space; every 50th has no embedding."""
    low, high = np.transpose([feature.plausible for feature in LILY])
    raw = np.random.default_rng(3).uniform(low, high, (n, 6)).astype(np.float32)
    raw[::50, 2] = np.nan
    return raw


def schema_of(wanted: Lithologies) -> dict[str, tuple[np.dtype[np.generic], int | None]]:
    schemas = [
        ResultSchema.of(LILY, 10, {}, has_depth=True, is_binned=False, grows=False, lithologies=each)
        for each in (wanted, None)
    ]
    known = {column.name for column in schemas[1].columns} | {"lithology_warning"}
    return {column.name: (column.dtype, column.width) for column in schemas[0].columns if column.name not in known}


@pytest.mark.parametrize("has_all", [False, True])
@pytest.mark.parametrize("top", [1, 3, 139])
@pytest.mark.parametrize("n", [0, 1, 1000])
def test_the_columns_are_those_of_the_schema(model: LithoModel, n: int, top: int, has_all: bool) -> None:
    classifier = Classifier(model, top, has_all)
    columns = classifier.columns(model.embed(rows(n)))
    assert classifier.schema == Lithologies(model.classes, ("soft", "hard", "odd"), top, has_all, "")
    expected = schema_of(classifier.schema)
    assert {name: (c.dtype, None if c.ndim == 1 else c.shape[1]) for name, c in columns.items()} == expected
    assert {len(column) for column in columns.values()} == {n}


def test_numbers_are_those_of_all_probabilities(model: LithoModel) -> None:
    raw = rows()
    columns = Classifier(model, 5, all_probabilities=True).columns(model.embed(raw))
    probabilities = model.classify(raw)
    np.testing.assert_allclose(columns["class_probabilities"], probabilities, atol=1e-6)
    none = np.isnan(probabilities[:, 0])
    assert none.sum() == 20
    exact = probabilities[~none].astype(np.float64)
    order = np.argsort(-exact, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(columns["lithologies"][~none], order)
    np.testing.assert_allclose(columns["probabilities"][~none], np.take_along_axis(exact, order, 1), atol=1e-6)
    entropy = -(exact * np.log(np.maximum(exact, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(columns["entropy"][~none], entropy, atol=1e-5)
    sums = np.stack([exact[:, i::3].sum(axis=1) for i in range(3)], axis=1)
    np.testing.assert_array_equal(columns["group"][~none], sums.argmax(axis=1))
    np.testing.assert_allclose(columns["group_probability"][~none], sums.max(axis=1), atol=1e-6)


def test_a_row_without_an_embedding_has_no_lithology(model: LithoModel) -> None:
    classifier = Classifier(model, 139, all_probabilities=True)
    columns = classifier.columns(model.embed(rows()))
    for name, column in columns.items():
        nothing = np.isnan(column) if column.dtype.kind == "f" else column == np.iinfo(column.dtype).max
        assert nothing[::50].all(), name
        assert not np.delete(nothing, np.s_[::50], axis=0).any(), name


@pytest.mark.parametrize("top", [1, 3, 139])
def test_the_bits_of_a_row_depend_on_that_row_alone(model: LithoModel, top: int) -> None:
    embeddings = model.embed(np.tile(rows(1000), (10, 1)))
    classifier = Classifier(model, top, all_probabilities=True)
    whole = classifier.columns(embeddings)
    for start, stop in ((0, 1), (17, 4113), (4095, 4097), (9_990, 10_000), (5, 5)):
        part = classifier.columns(embeddings[start:stop])
        for name, column in part.items():
            np.testing.assert_array_equal(column, whole[name][start:stop], err_msg=name)


def test_threads_may_share_it(model: LithoModel) -> None:
    embeddings, classifier = model.embed(rows(5000)), Classifier(model, 3)
    expected = classifier.columns(embeddings)
    with ThreadPoolExecutor(4) as pool:
        for columns in pool.map(classifier.columns, [embeddings] * 16):
            for name, column in columns.items():
                np.testing.assert_array_equal(column, expected[name])


def test_equal_probabilities_keep_the_order_of_the_classes(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    checkpoint = replace(checkpoints["semisup"], model=copy.deepcopy(checkpoints["semisup"].model))
    assert isinstance(checkpoint.model, SemiSupervisedVAE)
    for parameter in checkpoint.model.classifier.parameters():
        parameter.data.zero_()
    write_bundle(checkpoint, tmp_path / "bundle")
    columns = Classifier(LithoModel.load(tmp_path / "bundle"), 4).columns(np.ones((3, 10), np.float32))
    assert columns["lithologies"].tolist() == [[0, 1, 2, 3]] * 3
    np.testing.assert_allclose(columns["entropy"], np.log(139), rtol=1e-6)


def test_a_bundle_without_groups_has_no_column_for_them(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    write_bundle(replace(checkpoints["semisup"], reference=None), tmp_path / "bundle")
    classifier = Classifier(LithoModel.load(tmp_path / "bundle"), 3)
    assert classifier.schema.groups == ()
    assert set(classifier.columns(np.zeros((2, 10), np.float32))) == {"lithologies", "probabilities", "entropy"}


def test_the_warning_of_the_bundle_is_in_the_schema() -> None:
    model = LithoModel.load("semisup")
    assert Classifier(model, 3).schema.warning == model.bundle.warning != ""


def test_what_a_model_cannot_answer_is_refused(model: LithoModel) -> None:
    with pytest.raises(BundleError, match="unsup is unsupervised: it has no classifier"):
        Classifier(LithoModel.load("unsup"), 3)
    for top in (0, -1, 140):
        with pytest.raises(InputError, match=rf"knows 139 lithologies: ask for the 1 to 139 likeliest, not {top}"):
            Classifier(model, top)


def test_the_likeliest_of_raw_rows(model: LithoModel) -> None:
    raw = np.tile(rows(), (70, 1))
    found = model.top(raw, 2)
    columns = Classifier(model, 2).columns(model.embed(raw))
    np.testing.assert_array_equal(found.classes, columns["lithologies"])
    np.testing.assert_array_equal(found.probabilities, columns["probabilities"])
    np.testing.assert_array_equal(found.entropy, columns["entropy"])
    np.testing.assert_array_equal(found.group, columns["group"])
    assert model.top(raw[:0]).classes.shape == (0, 3)
    with pytest.raises(InputError, match="ask for the 1 to 139 likeliest, not 140"):
        model.top(raw, 140)
