"""Scores of a checkpoint, as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

ACTIVE = 0.01
"""Mean divergence (nats) above which a latent dimension counts as used."""


@dataclass(frozen=True)
class HeadScores:
    """Scores of a lithology head. A row counts as wrong if the head has no output for its lithology.

    Attributes
    ----------
    accuracy, top5 : float
        Share of rows whose lithology is the most likely one, or among the five most likely, by the head.
    auc : float
        Pooled (micro) area under the ROC curve, over all pairs of a row and a lithology; NaN if undefined.
    calibration_error : float
        Expected calibration error of the most likely class, over 15 bins of equal width.
    """

    accuracy: float
    top5: float
    auc: float
    calibration_error: float


@dataclass(frozen=True)
class Scores:
    """What `evaluate` measures; a figure that is not defined is NaN.

    Attributes
    ----------
    rows, holes : int
        Number of rows scored, and of the holes that they come from.
    apart : bool
        Whether the model is known not to be trained on these holes: it was trained on ``train``, which has others.
    unseen : float
        Share of the rows whose lithology does not occur in ``train``.
    commonest : float
        Accuracy of always answering the most common lithology of ``train``: the baseline of probes and head.
    reconstruction : dict of str to float
        R² of each feature in physical units, decoded from the mean embedding.
    masked : dict of str to float
        R² of each feature in physical units, when it alone is masked (0 in scaled space) in the input.
    divergence : tuple of float
        Mean divergence of each latent dimension from N(0, 1) in nats.
    ari : dict of str to float
        Adjusted Rand index of k-means clusters against lithologies, by the number of clusters.
    linear_probe, svm_probe : float
        Accuracy of logistic regression, and of a support vector machine with RBF kernel (C = 1), on embeddings.
    head : HeadScores or None
        None for a model without a lithology head.
    """

    rows: int
    holes: int
    apart: bool
    unseen: float
    commonest: float
    reconstruction: dict[str, float]
    masked: dict[str, float]
    divergence: tuple[float, ...]
    ari: dict[str, float]
    linear_probe: float
    svm_probe: float
    head: HeadScores | None

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Scores:
        """Make scores from the data that `to_plain` returned."""
        known = {name: _numbers(value) for name, value in plain.items() if name != "active_dimensions"}
        head = known.pop("head") if plain.get("head") else None
        divergence = tuple(known.pop("divergence"))
        known.pop("head", None)
        return cls(**known, divergence=divergence, head=HeadScores(**head) if head else None)

    @property
    def active_dimensions(self) -> int:
        """Number of latent dimensions whose mean divergence is above 0.01 nats."""
        return sum(nats > ACTIVE for nats in self.divergence)

    def labelled(self) -> dict[str, float]:
        """Return each score that a table shows, by its label there."""
        scores = {f"R², {name}": value for name, value in self.reconstruction.items()}
        scores["R², average"] = fmean(self.reconstruction.values())
        scores |= {f"R² when masked, {name}": value for name, value in self.masked.items()}
        scores |= {f"k-means ARI, k = {k}": value for k, value in self.ari.items()}
        scores |= {"linear probe, accuracy": self.linear_probe, "RBF-SVM probe, accuracy": self.svm_probe}
        if self.head:
            scores |= {
                "head, accuracy": self.head.accuracy,
                "head, top-5 accuracy": self.head.top5,
                "head, pooled AUC": self.head.auc,
                "head, calibration error": self.head.calibration_error,
            }
        return scores | {"commonest lithology, accuracy": self.commonest}

    def to_plain(self) -> dict[str, Any]:
        """Return all scores as plain data for JSON, with None for NaN and infinity."""
        plain = _finite(asdict(self) | {"active_dimensions": self.active_dimensions})
        return dict(plain)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return math.nan if value is None else value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
