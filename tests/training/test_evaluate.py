from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score, top_k_accuracy_score
from torch import Tensor

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.training.evaluate import calibration_error, cluster_agreement, evaluate, head_scores, probe, r2
from lithovae.training.fit import fit
from lithovae.training.recipe import HYBRID
from lithovae.training.split import split_holes
from lithovae.training.table import TrainingTable

Floats = NDArray[np.float64]


class Identity(SemiSupervisedVAE):
    """Embeds a row as itself; its head predicts a lithology from the density in scaled space."""

    def __init__(self, densities: Floats) -> None:
        super().__init__(latent_dim=6, n_classes=len(densities))
        self.densities = torch.tensor(densities)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.zeros_like(x)

    def decode(self, z: Tensor) -> Tensor:
        return z

    def classify(self, z: Tensor) -> Tensor:
        return -1e4 * (z[:, :1] - self.densities) ** 2


class Constant(SemiSupervisedVAE):
    """Gives the same answer for every row."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x), 10).double(), torch.zeros(len(x), 10).double()

    def decode(self, z: Tensor) -> Tensor:
        return torch.zeros(len(z), 6).double()

    def classify(self, z: Tensor) -> Tensor:
        return torch.zeros(len(z), 3).double()


LITHOLOGIES = ("chalk", "clay", "ooze")


@pytest.fixture
def told_by_density(features: Floats) -> TrainingTable:
    """Chalk, chalk, clay, ooze and so on, of densities 1, 2 and 3, in two holes of 500 rows."""
    kind = np.resize([0, 0, 1, 2], len(features))
    features[:, 0] = 1 + kind
    hole = np.repeat(["east", "west"], len(features) // 2)
    return TrainingTable(hole, np.arange(1000, dtype=np.float64), features, np.array(LITHOLOGIES)[kind])


def checkpoint_of(model: VAE, table: TrainingTable) -> Checkpoint:
    return Checkpoint(model.eval(), DistributionAwareScaler().fit(table.features), LITHOLOGIES, {}, "a test", "")


def halves(table: TrainingTable) -> tuple[TrainingTable, TrainingTable]:
    train, test = split_holes(table, 0, 0.5)
    assert len(train) == len(test) == 500
    return train, test


def test_a_perfect_model(told_by_density: TrainingTable) -> None:
    train, test = halves(told_by_density)
    scaler = DistributionAwareScaler().fit(told_by_density.features)
    densities = (np.array([1.0, 2.0, 3.0]) - scaler.mean_[0]) / scaler.scale_[0]
    scores = evaluate(checkpoint_of(Identity(densities), told_by_density), test, train)
    assert list(scores.reconstruction) == list(scores.masked) == list(FEATURE_NAMES)
    assert list(scores.reconstruction.values()) == pytest.approx([1.0] * 6)
    mean = scaler.inverse_transform(np.zeros((1, 6)))[0]
    for i, masked in enumerate(scores.masked.values()):
        assert masked == pytest.approx(r2_score(test.features[:, i], np.full(500, mean[i])))
    # The divergence of N(m, 1) from N(0, 1) is m²/2.
    assert scores.divergence == pytest.approx(0.5 * (scaler.transform(test.features) ** 2).mean(axis=0))
    assert scores.active_dimensions == 6
    assert scores.head
    assert (scores.head.accuracy, scores.head.top5, scores.head.auc) == (1.0, 1.0, 1.0)
    assert scores.head.calibration_error == pytest.approx(0.0, abs=1e-9)
    assert scores.linear_probe == 1.0
    assert scores.svm_probe > 0.99
    assert (scores.rows, scores.holes, scores.unseen) == (500, 1, 0.0)


def test_a_constant_model(told_by_density: TrainingTable) -> None:
    train, test = halves(told_by_density)
    checkpoint = checkpoint_of(Constant(n_classes=3), told_by_density)
    scores = evaluate(checkpoint, test, train)
    mean = checkpoint.scaler.inverse_transform(np.zeros((1, 6)))[0]
    expected = [r2_score(test.features[:, i], np.full(500, mean[i])) for i in range(6)]
    assert list(scores.reconstruction.values()) == pytest.approx(expected)
    assert scores.masked == scores.reconstruction
    assert scores.divergence == (0.0,) * 10
    assert scores.active_dimensions == 0
    assert set(scores.ari.values()) == {0.0}
    names, counts = np.unique(train.lithology, return_counts=True)
    commonest = float(np.mean(test.lithology == names[counts.argmax()]))
    assert scores.commonest == scores.linear_probe == scores.svm_probe == commonest
    assert scores.head
    assert scores.head.accuracy == float(np.mean(test.lithology == "chalk"))
    assert scores.head.auc == 0.5
    assert scores.head.calibration_error == pytest.approx(abs(1 / 3 - scores.head.accuracy))


def test_a_trained_model_against_another_computation(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    checkpoint = checkpoints["semisup_hybrid"]
    train, test = split_holes(table, 1)
    scores = evaluate(checkpoint, test, train)
    x = torch.tensor(checkpoint.scaler.transform(test.features), dtype=torch.float32)
    with torch.no_grad():
        mu, logvar = checkpoint.model.encode(x)
        restored = checkpoint.scaler.inverse_transform(checkpoint.model.decode(mu).numpy())
        blind = x.clone()
        blind[:, 2] = 0
        imputed = checkpoint.scaler.inverse_transform(
            checkpoint.model.decode(checkpoint.model.encode(blind)[0]).numpy()
        )
        normal = torch.distributions.Normal(mu, (0.5 * logvar).exp())
        divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).mean(dim=0)
    expected = r2_score(test.features, restored, multioutput="raw_values")
    assert list(scores.reconstruction.values()) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert scores.labelled()["R², average"] == pytest.approx(np.mean(expected), rel=1e-3, abs=1e-3)
    assert scores.masked[FEATURE_NAMES[2]] == pytest.approx(r2_score(test.features[:, 2], imputed[:, 2]), abs=1e-3)
    assert scores.divergence == pytest.approx(divergence.tolist(), rel=1e-3, abs=1e-5)
    with torch.no_grad():
        learnt = checkpoint.model.get_embeddings(
            torch.tensor(checkpoint.scaler.transform(train.features), dtype=torch.float32)
        )
    probed = LogisticRegression(max_iter=5000).fit(learnt.numpy().astype(float), train.labels)
    answers = np.array(train.classes)[probed.predict(mu.numpy().astype(float))]
    assert len(train) <= 8000
    assert scores.linear_probe == pytest.approx(accuracy_score(test.lithology, answers), abs=0.005)
    assert scores.unseen == pytest.approx(np.mean([name not in train.classes for name in test.lithology.tolist()]))


def test_head_against_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    classes = tuple("abcdefgh")
    truth = rng.integers(0, 8, 400)
    probabilities = rng.dirichlet(np.ones(8), 400)
    probabilities[np.arange(400), truth] += rng.random(400)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = head_scores(probabilities, classes, np.array(classes)[truth])
    assert scores.accuracy == accuracy_score(truth, probabilities.argmax(axis=1))
    assert scores.top5 == top_k_accuracy_score(truth, probabilities, k=5)
    assert scores.auc == pytest.approx(roc_auc_score(truth, probabilities, multi_class="ovr", average="micro"))
    expected, confidence = 0.0, probabilities.max(axis=1)
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            accuracy = np.mean((probabilities.argmax(axis=1) == truth)[inside])
            expected += inside.mean() * abs(accuracy - confidence[inside].mean())
    assert scores.calibration_error == pytest.approx(expected)


def test_a_lithology_that_the_head_does_not_know_counts_as_wrong() -> None:
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    scores = head_scores(sure, ("chalk", "clay"), np.array(["chalk", "basalt", "clay"]))
    assert (scores.accuracy, scores.top5) == (2 / 3, 2 / 3)
    assert scores.auc == pytest.approx(roc_auc_score([1, 0, 0, 0, 0, 1], sure.ravel()))
    assert math.isnan(head_scores(sure, ("chalk", "clay"), np.array(["tuff"] * 3)).auc)


def test_calibration_at_its_ends() -> None:
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0.0
    assert calibration_error(np.ones(4), np.zeros(4, bool)) == 1.0
    assert calibration_error(np.full(4, 0.75), np.array([True, True, True, False])) == 0.0


def test_r2_at_its_ends() -> None:
    measured = np.array([1.0, 2.0, 4.0])
    assert r2(measured, measured) == 1.0
    assert r2(measured, np.full(3, measured.mean())) == 0.0
    assert r2(measured, np.array([1e200, 0.0, 0.0])) == -math.inf
    assert math.isnan(r2(np.ones(3), measured))


def test_clusters_that_are_lithologies() -> None:
    corners = np.repeat(np.eye(10) * 100, 20, axis=0)
    embeddings = corners + np.random.default_rng(0).normal(size=corners.shape)
    agreement = cluster_agreement(embeddings, np.repeat(list("abcdefghij"), 20), seed=0)
    assert agreement["10"] == 1.0
    assert list(agreement) == ["10", "12", "15", "20"]
    assert all(agreement[k] < 1 for k in ("12", "15", "20"))
    assert list(cluster_agreement(embeddings[:13], np.full(13, "a"), seed=0)) == ["10", "12"]


def test_probes_know_lithologies_by_name() -> None:
    x = np.array([[0.0], [0.1], [5.0], [5.1]])
    names, other = np.array(["tuff", "tuff", "clay", "clay"]), np.array(["clay", "basalt", "clay", "tuff"])
    assert probe(LogisticRegression(), x, names, x, names) == 1.0
    assert probe(LogisticRegression(), x, names, x, other) == 0.25
    assert probe(LogisticRegression(), x, np.full(4, "clay"), x, other) == 0.5


def test_the_same_seed_gives_the_same_scores(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    train, test = split_holes(table, 1)
    first = evaluate(checkpoints["unsup"], test, train, seed=3)
    torch.rand(1)
    assert evaluate(checkpoints["unsup"], test, train, seed=3) == first
    assert evaluate(checkpoints["unsup"], test, train, seed=4).ari != first.ari
    assert first.head is None
    assert checkpoints["unsup"].model.fc_mu.weight.dtype == torch.float32


def test_says_whether_the_holes_were_kept_apart(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    train, test = split_holes(table, 1)
    held_out = fit(train, replace(HYBRID, epochs=1), supervised=True, trained_on="a test")
    assert evaluate(held_out, test, train).apart
    assert not evaluate(held_out, train, train).apart
    assert not evaluate(checkpoints["semisup"], test, train).apart  # it was trained on the whole table


def test_scores_are_plain_data(told_by_density: TrainingTable) -> None:
    train, test = halves(told_by_density)
    test.features[:, 0] = 1.5
    test.lithology[:] = "tuff"
    scores = evaluate(checkpoint_of(Constant(n_classes=3), told_by_density), test, train)
    plain = json.loads(json.dumps(scores.to_plain(), allow_nan=False))
    assert plain["reconstruction"][FEATURE_NAMES[0]] is None
    assert plain["head"]["auc"] is None
    assert (plain["unseen"], plain["active_dimensions"], plain["divergence"]) == (1.0, 0, [0.0] * 10)


def test_refuses_what_cannot_be_scored(checkpoints: dict[str, Checkpoint], table: TrainingTable) -> None:
    train, test = split_holes(table, 1)
    for which in ("train", "test"):
        tables = {"train": train, "test": test}
        gappy = tables[which].features.copy()
        gappy[:3, 4] = np.nan
        tables[which] = replace(tables[which], features=gappy)
        with pytest.raises(TableError, match=f"3 of the {which} table's"):
            evaluate(checkpoints["unsup"], tables["test"], tables["train"])
    one = TrainingTable(test.hole[:1], test.depth[:1], test.features[:1], test.lithology[:1])
    with pytest.raises(TableError, match="the test table has 1 rows"):
        evaluate(checkpoints["unsup"], one, train)
