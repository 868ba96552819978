"""Score a checkpoint, on rows of holes that it was not trained on."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError
from lithovae.runtime.missing import missing_bits

from .scores import HeadScores, Scores
from .table import TrainingTable

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

CLUSTERS = (10, 12, 15, 20)
"""Numbers of k-means clusters, as published."""
CLUSTERED_ROWS, PROBE_TRAIN_ROWS, PROBE_TEST_ROWS = 20_000, 8_000, 2_000
"""Largest number of rows that are clustered, and that a probe is trained and tested on (as published)."""
CALIBRATION_BINS = 15


def evaluate(checkpoint: Checkpoint, test: TrainingTable, train: TrainingTable, *, seed: int = 0) -> Scores:
    """Score a checkpoint.

    The network runs in float64, and each step that draws rows or starts at random takes the seed, so the same
    checkpoint, tables and seed give the same scores.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model, with its scaler.
    test : TrainingTable
        Rows to score it on, of holes that it was not trained on; at least two.
    train : TrainingTable
        Rows that the probes learn from: the model's own training rows. Probes use the names of lithologies, so
        either table may have some that the other lacks.
    seed : int
        Draws the rows that are clustered and probed, and starts k-means.

    Raises
    ------
    TableError
        If a row lacks a feature, ``test`` has fewer than two rows, or ``train`` none.
    """
    for name, table, least in (("test", test, 2), ("train", train, 1)):
        if len(table) < least:
            raise TableError(f"the {name} table has {len(table)} rows; evaluation needs at least {least}")
        lacking = int(np.count_nonzero(missing_bits(table.features.astype(np.float32), table.feature_set)))
        if lacking:
            raise TableError(f"{lacking} of the {name} table's {len(table)} rows lack a feature: remove them")
    model = copy.deepcopy(checkpoint.model).double().eval()
    scaled = checkpoint.scaler.transform(test.features)
    mu, logvar = _encode(model, scaled)
    divergence = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=0)
    masked, features = {}, checkpoint.features.names
    for i, name in enumerate(features):
        without = scaled.copy()
        without[:, i] = 0
        masked[name] = r2(test.features[:, i], _reconstruct(checkpoint, model, _encode(model, without)[0])[:, i])
    restored = _reconstruct(checkpoint, model, mu)
    rng = np.random.default_rng(seed)
    clustered, probed = _draw(rng, len(test), CLUSTERED_ROWS), _draw(rng, len(test), PROBE_TEST_ROWS)
    learnt = _draw(rng, len(train), PROBE_TRAIN_ROWS)
    examples = _encode(model, checkpoint.scaler.transform(train.features[learnt]))[0], train.lithology[learnt]
    questions = mu[probed], test.lithology[probed]
    names, counts = np.unique(train.lithology, return_counts=True)
    holes = set(test.hole.tolist())
    with threadpool_limits(1):  # sums over several threads would differ from run to run
        return Scores(
            rows=len(test),
            holes=len(holes),
            apart=checkpoint.data_digest == train.digest() and holes.isdisjoint(train.hole.tolist()),
            unseen=float(np.mean(~np.isin(test.lithology, names))),
            commonest=float(np.mean(test.lithology == names[np.argmax(counts)])),
            reconstruction={name: r2(test.features[:, i], restored[:, i]) for i, name in enumerate(features)},
            masked=masked,
            divergence=tuple(divergence.tolist()),
            ari=cluster_agreement(mu[clustered], test.lithology[clustered], seed),
            linear_probe=probe(LogisticRegression(max_iter=5000), *examples, *questions),
            svm_probe=probe(SVC(C=1.0), *examples, *questions),
            head=_head(model, checkpoint.classes, mu, test.lithology),
        )


def r2(measured: Floats, restored: Floats) -> float:
    """Return the share of the variance of ``measured`` (n,) that ``restored`` (n,) explains; NaN if it has none."""
    with np.errstate(over="ignore"):
        error, spread = np.sum((measured - restored) ** 2), np.sum((measured - measured.mean()) ** 2)
    return float(1 - error / spread) if spread > 0 else math.nan


def cluster_agreement(embeddings: Floats, lithology: Names, seed: int) -> dict[str, float]:
    """Return the adjusted Rand index of k-means (best of ten starts) and lithology, for each k up to the row count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct embeddings than clusters: ARI shows it
        clusters = {
            k: KMeans(k, n_init=10, random_state=seed).fit_predict(embeddings) for k in CLUSTERS if k <= len(lithology)
        }
    return {str(k): float(adjusted_rand_score(lithology, found)) for k, found in clusters.items()}


def probe(classifier: Any, x: Floats, y: Names, test_x: Floats, test_y: Names) -> float:
    """Train a scikit-learn classifier on ``x``, return its accuracy on ``test_x``; one lithology needs no training."""
    answers = classifier.fit(x, y).predict(test_x) if len(np.unique(y)) > 1 else y[:1]
    return float(np.mean(answers == test_y))


def head_scores(probabilities: Floats, classes: tuple[str, ...], lithology: Names) -> HeadScores:
    """Score a lithology head.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes), float64
        Its outputs.
    classes : tuple of str
        Lithologies in the order of its outputs.
    lithology : ndarray of shape (n,), str
        Lithology of each row.
    """
    is_class = lithology[:, None] == np.array(classes)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    hits = np.take_along_axis(is_class, order, axis=1)
    pooled = is_class.ravel()
    return HeadScores(
        accuracy=float(hits[:, 0].mean()),
        top5=float(hits.any(axis=1).mean()),
        auc=float(roc_auc_score(pooled, probabilities.ravel())) if pooled.any() and not pooled.all() else math.nan,
        calibration_error=calibration_error(probabilities.max(axis=1), hits[:, 0]),
    )


def calibration_error(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Return the mean distance between confidence and accuracy over 15 bins, weighted by rows (Guo et al. 2017)."""
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct)  # a bin's rows times (mean confidence - accuracy)
    return float(np.abs(gaps).sum() / len(confidence))


def _head(model: VAE, classes: tuple[str, ...], mu: Floats, lithology: Names) -> HeadScores | None:
    if not isinstance(model, SemiSupervisedVAE):
        return None
    with torch.no_grad():
        probabilities = model.classify(torch.from_numpy(mu)).softmax(dim=1).numpy()
    return head_scores(probabilities, classes, lithology)


def _encode(model: VAE, scaled: Floats) -> tuple[Floats, Floats]:
    with torch.no_grad():
        mu, logvar = model.encode(torch.from_numpy(scaled))
    return mu.numpy(), logvar.numpy()


def _reconstruct(checkpoint: Checkpoint, model: VAE, mu: Floats) -> Floats:
    with torch.no_grad(), np.errstate(over="ignore"):
        return checkpoint.scaler.inverse_transform(model.decode(torch.from_numpy(mu)).numpy())


def _draw(rng: np.random.Generator, n_rows: int, most: int) -> NDArray[np.int64]:
    return np.sort(rng.choice(n_rows, min(n_rows, most), replace=False))
