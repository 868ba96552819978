from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lithovae.models.scaler import LILY_MEAN, LILY_SCALE, DistributionAwareScaler, published_scaler

Floats = NDArray[np.float64]


def by_hand(x: Floats) -> Floats:
    signed = np.sign(x[:, 1:3]) * np.log1p(np.abs(x[:, 1:3]))
    return np.column_stack([x[:, 0], signed, np.log1p(x[:, 3:])])


def test_agrees_with_scikit_learn(features: Floats) -> None:
    reference = StandardScaler().fit(by_hand(features))
    scaler = DistributionAwareScaler().fit(features)
    np.testing.assert_allclose(scaler.mean_, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, reference.scale_, rtol=1e-12)
    np.testing.assert_allclose(scaler.transform(features), reference.transform(by_hand(features)), rtol=0, atol=1e-12)


def test_input_is_left_alone(features: Floats) -> None:
    before = features.copy()
    DistributionAwareScaler().fit_transform(features)
    np.testing.assert_array_equal(features, before)


@given(
    arrays(np.float64, (4, 3), elements=st.floats(-1e6, 1e6)),
    arrays(np.float64, (4, 3), elements=st.floats(0, 255)),
)
def test_inverse_undoes_transform(any_sign: Floats, colour: Floats) -> None:
    scaler = DistributionAwareScaler.from_parameters([1.7, 2.5, 3.1, 4.1, 4.1, 4.0], [0.25, 2.0, 0.9, 0.6, 0.6, 0.6])
    x = np.hstack([any_sign, colour])
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(x)), x, rtol=1e-9, atol=1e-9)


def test_missing_values_stay_missing_and_do_not_count(features: Floats) -> None:
    gappy = features.copy()
    gappy[::3, 1] = np.nan
    scaler = DistributionAwareScaler().fit(gappy)
    assert scaler.mean_[1] == pytest.approx(by_hand(np.delete(features, np.s_[::3], axis=0))[:, 1].mean())
    assert np.isnan(scaler.transform(gappy)[::3, 1]).all()


def test_a_colour_without_a_logarithm_is_missing() -> None:
    scaler = DistributionAwareScaler.from_parameters(np.zeros(6), np.ones(6))
    assert np.isnan(scaler.transform([[1, 1, 1, -1, -5, -0.5]])[0]).tolist() == [False] * 3 + [True, True, False]


def test_a_constant_feature_does_not_divide_by_zero(features: Floats) -> None:
    features[:, 0] = 1.5
    assert DistributionAwareScaler().fit_transform(features)[:, 0].tolist() == [0.0] * len(features)


def test_works_as_an_estimator(features: Floats) -> None:
    scaler = DistributionAwareScaler()
    assert clone(scaler) is not scaler
    labels = make_pipeline(scaler, KMeans(3, n_init=1, random_state=0)).fit_predict(features)
    assert set(labels) == {0, 1, 2}


@pytest.mark.parametrize("shape", [(6,), (3, 5), (2, 3, 6)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 6\), got " + str(shape).replace("(", r"\(").replace(")", r"\)")):
        DistributionAwareScaler().fit(np.zeros(shape))


def test_refuses_to_scale_before_it_is_fitted() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        DistributionAwareScaler().transform(np.zeros((1, 6)))


@pytest.mark.parametrize(("mean", "scale"), [([0] * 5, [1] * 6), ([0] * 6, [1] * 5 + [0]), ([np.nan] * 6, [1] * 6)])
def test_refuses_impossible_parameters(mean: list[float], scale: list[float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        DistributionAwareScaler.from_parameters(mean, scale)


def test_the_published_scaler_is_the_published_table_s(root: Path) -> None:
    with (root / "training" / "published" / "feature_stats.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["transformed_mean"]) for row in rows] == list(LILY_MEAN)
    assert [float(row["transformed_sd"]) for row in rows] == list(LILY_SCALE)
    scaler = published_scaler("lily")
    assert (scaler.mean_.tolist(), scaler.scale_.tolist()) == (list(LILY_MEAN), list(LILY_SCALE))
    with pytest.raises(ValueError, match="no published scaler is named 'rose'; available: lily"):
        published_scaler("rose")
