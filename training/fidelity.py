"""Compare a simulated table with the published figures, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.features import FEATURE_NAMES

from .facts import Facts
from .table import TrainingTable

LAG_1_RANGES = ((0.78, 0.88), (0.67, 0.85), (0.56, 0.77), (0.83, 0.84), (0.83, 0.84), (0.83, 0.84))
"""Correlation of neighbouring 20 cm bins in real holes, feature by feature, as published."""


@dataclass(frozen=True)
class Figure:
    """One published figure and the table's own.

    Attributes
    ----------
    what : str
        What is compared.
    ours, published : float
        The two figures; for a distance, ``published`` is 0.
    limit : float
        Largest distance allowed.
    distance : float
        The distance, in the figure's own measure: ``abs(ours - published)`` or relative to a standard deviation.
    """

    what: str
    ours: float
    published: float
    distance: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the table is close enough."""
        return self.distance <= self.limit


def compare(table: TrainingTable) -> list[Figure]:
    """Compare a table with every published figure: moments, histograms, correlations, medians, persistence, counts."""
    facts = Facts.load()
    return [
        *_counts(table, facts),
        *_moments(table, facts),
        *_histograms(table, facts),
        *_correlations(table, facts),
        *_medians(table, facts),
        *_persistence(table),
    ]


def _counts(table: TrainingTable, facts: Facts) -> Iterator[Figure]:
    rows, holes = Counter(table.lithology.tolist()), Counter(table.hole.tolist())
    off = sum(abs(rows[name] - n) for name, n in facts.class_counts.items())
    yield Figure("rows per lithology: total difference", off, 0, off, 0)
    off = sum(abs(holes[name] - n) for name, n, _, _ in facts.holes)
    yield Figure("rows per hole: total difference", off, 0, off, 0)


def _moments(table: TrainingTable, facts: Facts) -> Iterator[Figure]:
    scaler = DistributionAwareScaler().fit(table.features)
    for i, name in enumerate(FEATURE_NAMES):
        mean, sd = facts.transformed_mean[i], facts.transformed_sd[i]
        yield Figure(f"{name}: transformed mean", scaler.mean_[i], mean, abs(scaler.mean_[i] - mean) / sd, 0.02)
        yield Figure(f"{name}: transformed sd", scaler.scale_[i], sd, abs(scaler.scale_[i] / sd - 1), 0.02)


def _histograms(table: TrainingTable, facts: Facts) -> Iterator[Figure]:
    for i, (edges, counts) in enumerate(facts.histograms):
        ours, _ = np.histogram(table.features[:, i], edges)
        distance = float(np.abs(np.cumsum(ours) / len(table) - np.cumsum(counts) / counts.sum()).max())
        yield Figure(f"{FEATURE_NAMES[i]}: Kolmogorov-Smirnov distance", distance, 0, distance, 0.03)


def _correlations(table: TrainingTable, facts: Facts) -> Iterator[Figure]:
    ours = np.asarray(np.corrcoef(table.features, rowvar=False))
    for i, j in zip(*np.triu_indices(6, 1), strict=True):
        published = facts.correlation[i, j]
        what = f"correlation of {FEATURE_NAMES[i]} and {FEATURE_NAMES[j]}"
        yield Figure(what, ours[i, j], published, abs(ours[i, j] - published), 0.05)


def _medians(table: TrainingTable, facts: Facts) -> Iterator[Figure]:
    for lithology, published in facts.medians.items():
        rows = table.features[table.lithology == lithology]
        ours = np.median(rows, axis=0) if len(rows) else np.full(6, np.inf)
        for i, name in enumerate(FEATURE_NAMES):
            yield Figure(f"{lithology}: median of {name}", ours[i], published[i], abs(ours[i] / published[i] - 1), 0.1)


def _persistence(table: TrainingTable) -> Iterator[Figure]:
    next_bin = (table.hole[1:] == table.hole[:-1]) & (np.diff(table.depth) < 1.5 * BIN_WIDTH)
    above, below = table.features[:-1][next_bin], table.features[1:][next_bin]
    for i, (low, high) in enumerate(LAG_1_RANGES):
        ours = float(np.corrcoef(above[:, i], below[:, i])[0, 1])
        middle = (low + high) / 2
        yield Figure(
            f"{FEATURE_NAMES[i]}: correlation of neighbouring bins", ours, middle, abs(ours - middle), (high - low) / 2
        )
