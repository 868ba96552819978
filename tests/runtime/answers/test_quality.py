from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from lithovae.runtime import LithoModel
from lithovae.runtime.answers.quality import MOST_PATTERNS, Novelty, Quality, Scaling, Surprise, drawn
from lithovae.runtime.features import CATALOGUE, LILY, FeatureSet
from lithovae.runtime.missing import missing_bits
from lithovae.runtime.model.reference import Mixture
from tests.runtime.answers.known_rows import Float32s, prepared, with_reference

PATTERNS = ((), (0,), (2,), (3, 4, 5), (0, 1, 3, 4, 5), (1, 2))


def lacking(rows: Float32s, columns: tuple[int, ...]) -> Float32s:
    """Return the rows without some of their features."""
    rows = rows.copy()
    rows[:, list(columns)] = np.nan
    return rows


def random_mixture(n_features: int, components: int = 3) -> Mixture:
    rng = np.random.default_rng(5)
    factors = rng.normal(0, 1, (components, n_features, n_features)) / np.sqrt(n_features)
    covariances = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(n_features)
    weights = rng.uniform(0.2, 1, components)
    return Mixture(weights / weights.sum(), rng.normal(0, 1, (components, n_features)), covariances)


def test_residuals_are_measured_minus_reconstructed_in_scaled_units(model: LithoModel, core: Float32s) -> None:
    core = lacking(core[:60], ())
    core[10:20, 2] = np.nan
    rows = prepared(core, LILY)
    found = Quality(model).columns(rows, model.embed(core))["residuals"]
    scaling = Scaling.of(model.bundle)
    expected = scaling.scaled(core) - scaling.scaled(model.reconstruct(core))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.isnan(found[10:20, 2]).all()
    assert np.isfinite(found[10:20, [0, 1, 3, 4, 5]]).all()


def test_a_row_without_an_embedding_has_no_residuals_but_a_novelty(model: LithoModel, core: Float32s) -> None:
    rows = prepared(lacking(core[:8], (0,)), LILY, policy="nan")
    found = Quality(model).columns(rows, np.full((8, model.latent_dim), np.nan, np.float32))
    assert np.isnan(found["residuals"]).all()
    assert np.isfinite(found["novelty_p"]).all()


@pytest.mark.parametrize("columns", PATTERNS)
def test_novelty_is_calibrated_on_rows_that_were_not_trained_on(
    model: LithoModel, training_rows: Float32s, columns: tuple[int, ...]
) -> None:
    rows = prepared(lacking(training_rows[1::2], columns), LILY)
    p = Quality(model).columns(rows, np.zeros((len(rows.missing), model.latent_dim), np.float32))["novelty_p"]
    assert 0.07 < np.mean(p < 0.1) < 0.14
    assert np.mean(p < 0.01) < 0.025  # a thousand rows


@pytest.mark.parametrize("columns", PATTERNS)
def test_rows_of_the_mixture_have_uniform_p(columns: tuple[int, ...]) -> None:
    mixture = random_mixture(6)
    rng = np.random.default_rng(1)  # not the rows that calibrate
    which = rng.choice(3, 60_000, p=mixture.weights)
    noise = np.einsum("nij,nj->ni", np.linalg.cholesky(mixture.covariances)[which], rng.standard_normal((60_000, 6)))
    rows = lacking((mixture.means[which] + noise).astype(np.float32), columns)
    p = Novelty(mixture, None, 60_000).p(rows, missing_bits(rows, FeatureSet(CATALOGUE[10:16])))
    assert 0.008 < np.mean(p < 0.01) < 0.012
    assert 0.48 < np.mean(p < 0.5) < 0.52


def test_the_density_of_some_features_is_exact() -> None:
    mixture, known = random_mixture(5), np.array([0, 3, 4])
    rows = np.random.default_rng(2).normal(0, 1.5, (50, 3)).astype(np.float32)
    logs = [
        np.log(weight) + multivariate_normal(mean[known], covariance[np.ix_(known, known)]).logpdf(rows)
        for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ]
    np.testing.assert_allclose(Surprise(mixture, known).of(rows), -logsumexp(logs, axis=0), rtol=1e-4, atol=1e-4)


def test_a_shift_is_taken_from_some_columns() -> None:
    surprise, rows = Surprise(random_mixture(4)), np.random.default_rng(2).normal(0, 1, (20, 4)).astype(np.float32)
    moved = rows - np.array([0, 2.5, 0, 2.5], np.float32)
    found = surprise.shifted(rows)([1, 3], np.array([0, 2.5], np.float32))
    np.testing.assert_allclose(found, [surprise.of(rows), surprise.of(moved)], rtol=1e-4, atol=1e-3)


def test_novelty_does_not_depend_on_the_blocks(model: LithoModel, core: Float32s) -> None:
    core = lacking(core, ())
    core[::3, 0] = np.nan
    core[::7, 1:] = np.nan
    quality, z = Quality(model), model.embed(core)
    whole = quality.columns(prepared(core, LILY), z)
    single = [quality.columns(prepared(core[i : i + 1], LILY), z[i : i + 1]) for i in range(60)]
    for name, values in whole.items():
        np.testing.assert_allclose(np.concatenate([each[name] for each in single]), values[:60], atol=1e-5)


def test_nothing_is_impossible_and_nothing_measured_is_unknown(model: LithoModel, core: Float32s) -> None:
    core = core[:3].copy()
    core[0] = [3.9, -400, 900, 255, 0, 255]
    core[1] = np.nan
    p = Quality(model).columns(prepared(core, LILY), model.embed(core))["novelty_p"]
    assert 0 < p[0] < 0.001
    assert np.isnan(p[1])
    assert 0.001 < p[2] <= 1


@pytest.mark.parametrize("value", [1e9, 9e18, -9e18])
def test_extreme_values_are_novel_and_have_no_infinite_residual(
    model: LithoModel, core: Float32s, value: float
) -> None:
    core = core[:8].copy()
    core[1:3, 0] = value
    core[1, 1:3] = np.nan
    found = Quality(model).columns(prepared(core, LILY), model.embed(core))
    assert np.all((found["novelty_p"] < 0.001) == (core[:, 0] == np.float32(value)))
    assert not np.isinf(found["residuals"]).any()


def test_without_a_reference_residuals_remain_and_a_note_says_what_to_do(core: Float32s) -> None:
    model = LithoModel.load("semisup_hybrid", threads=1)
    with_reference(model.bundle, None)
    quality = Quality(model)
    found = quality.columns(prepared(core[:5], LILY), model.embed(core[:5]))
    assert np.isfinite(found["residuals"]).all()
    assert np.isnan(found["novelty_p"]).all()
    assert "no reference of its training rows" in quality.note
    assert "export" in quality.note


@pytest.mark.parametrize("n_features", [1, 2, 40, 64])
def test_any_number_of_features(n_features: int) -> None:
    mixture = random_mixture(n_features, 2)
    features = FeatureSet(replace(LILY[0], name=f"channel {i}") for i in range(n_features))
    rows = drawn(mixture, 400)
    rows[np.random.default_rng(0).random(rows.shape) < 0.0005] = np.nan
    p = Novelty(mixture, None, 400).p(rows, missing_bits(rows, features))
    assert np.isfinite(p[~np.isnan(rows).all(axis=1)]).all()
    assert 0.4 < p[np.isfinite(p)].mean() < 0.6


def test_memory_does_not_grow_with_the_patterns_of_missing_features() -> None:
    mixture, rng = random_mixture(12, 2), np.random.default_rng(2)
    features = FeatureSet(replace(LILY[0], name=f"channel {i}") for i in range(12))
    rows = drawn(mixture, 4000)
    rows[rng.random(rows.shape) < 0.4] = np.nan
    novelty, missing = Novelty(mixture, None, 4000), missing_bits(rows, features)
    assert len(np.unique(missing)) > 2 * MOST_PATTERNS
    p = novelty.p(rows, missing)
    assert len(novelty._ranks) <= MOST_PATTERNS
    assert 0.47 < np.nanmean(p) < 0.53
    assert np.nanmean(p < 0.01) < 0.02
    upwards = Novelty(mixture, None, 4000).p(rows[::-1], missing[::-1])  # other patterns come first
    for start in range(0, 4000, 500):
        some = slice(start, start + 500)
        assert np.allclose(novelty.p(rows[some], missing[some]), p[some], rtol=1e-4, atol=0, equal_nan=True)
    assert np.allclose(upwards[::-1], p, rtol=1e-4, atol=0, equal_nan=True)


def test_a_colour_that_is_reconstructed_as_minus_1_has_a_finite_residual() -> None:
    scaling = Scaling.from_parameters(FeatureSet(LILY[3:4]), [4.0], [0.5])
    assert np.isfinite(scaling.scaled(np.array([[-1.0]], np.float32))).all()
    assert np.isnan(scaling.scaled(np.array([[np.nan]], np.float32))).all()
