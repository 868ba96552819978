"""Simulate a training table from published figures alone, for models that can be shipped.

Every row has six scores: its lithology's mean, a trend with depth (compaction), and a residual that is correlated
between features and along depth. The scores are mapped onto the published distribution of each feature by rank, so the
marginals are right whatever the scores are. What the mapping distorts is tuned on the simulated rows themselves: the
lithologies' means until their medians are the published ones, the residual's correlation until the mapped features have
the published Pearson correlations, and its persistence until neighbouring bins are as alike as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtri

from lithovae.runtime.bins import BIN_WIDTH

from .facts import Facts
from .marginals import probability, to_marginal
from .stratigraphy import lay_holes, succession
from .table import TrainingTable

Floats = NDArray[np.float64]

LAG_1 = np.array([0.83, 0.76, 0.67, 0.835, 0.835, 0.835])
"""Target correlation of neighbouring bins: the middle of the ranges published for real holes."""
COMPACTION = 0.25
"""Increase of a sediment's density score per doubling of (depth + 50 m): porosity decreases with depth."""
ROUNDS = 40
MOST_SHARE = 10.0
"""In a larger table, the deepest holes would exceed the largest allowed depth (20 km)."""

GROUP_SCORES = {
    "Biogenic Silica": (-1.5, -0.5, -0.7),
    "Silt": (0.4, 0.5, 0.6),
    "Volcaniclastic": (-0.2, 1.1, -0.4),
    "Conglomerate/Breccia": (0.8, 0.6, -0.2),
    "Evaporite": (1.3, -1.5, -1.3),
    "Intermediate/Felsic Igneous": (1.0, 0.8, 0.5),
    "Metamorphic": (1.5, 0.4, 0.2),
    "Diamict": (1.3, 1.0, 0.5),
    "Ultramafic": (1.2, 1.8, -1.9),
    "Other": (0.0, 0.0, 0.0),
}
"""Density, susceptibility and gamma scores of groups without a published median: chosen for physical sense, not
published."""
IGNEOUS = ("Mafic Igneous", "Ultramafic", "Intermediate/Felsic Igneous", "Metamorphic")


def simulate_table(seed: int = 42, share: float = 1.0) -> TrainingTable:
    """Simulate the LILY training table.

    Parameters
    ----------
    seed : int
        The same seed gives the same table.
    share : float
        Share of the published 238,506 rows, up to 10: holes grow with it. Each lithology keeps at least one row.

    Returns
    -------
    TrainingTable
        At ``share=1``, 238,506 rows of 296 holes, each of the 139 lithologies exactly as often as published.
    """
    if not 0 < share <= MOST_SHARE:
        raise ValueError(f"share must be above 0 and at most {MOST_SHARE:g}, not {share}")
    facts = Facts.load()
    rng = np.random.default_rng(seed)
    hole, depth = lay_holes(facts, share)
    lithology = succession(facts, hole, share, rng)
    classes, label = np.unique(lithology, return_inverse=True)
    rows = _Rows(
        label=label,
        trend=_trend(facts, depth, lithology),
        noise=rng.standard_normal((len(hole), 6)),
        starts=np.flatnonzero(np.append(True, hole[1:] != hole[:-1])),
        neighbours=np.flatnonzero((hole[1:] == hole[:-1]) & (np.diff(depth) < 1.5 * BIN_WIDTH)),
    )
    means = _class_means(facts, classes, rng)
    features = _tune(facts, classes, means, rows)
    return TrainingTable(hole, depth, features, lithology, simulated=f"seed {seed}")


@dataclass(frozen=True)
class _Rows:
    """What is drawn once, before the rest is tuned; ``neighbours`` are rows whose next row is the hole's next bin."""

    label: NDArray[np.intp]
    trend: Floats
    noise: Floats
    starts: NDArray[np.intp]
    neighbours: NDArray[np.intp]


def _tune(facts: Facts, classes: NDArray[np.str_], means: Floats, rows: _Rows) -> Floats:
    """Tune means, residual correlation and persistence, and return the features (n, 6) in physical units."""
    share = np.bincount(rows.label) / len(rows.label)
    covariance = np.array(facts.correlation)
    persistence = np.array(LAG_1)
    known = [(i, facts.medians[name]) for i, name in enumerate(classes) if name in facts.medians]
    members = {i: np.flatnonzero(rows.label == i) for i, _ in known}
    features = np.empty(rows.noise.shape)
    for step in range(ROUNDS):
        between = means[rows.label] + rows.trend
        residual = rows.noise @ _factor(covariance - np.cov(between, rowvar=False)).T
        scores = between + _persist(residual, rows.starts, persistence)
        for i in range(6):
            features[:, i] = to_marginal(scores[:, i], i)
        if step == ROUNDS - 1:
            break
        eagerness = 0.8 if step < 2 * ROUNDS // 3 else 0.4
        covariance += eagerness * (facts.correlation - np.corrcoef(features, rowvar=False))
        lag = _lag_1(features, rows)
        persistence = np.clip(persistence + eagerness * (LAG_1 - lag), 0.0, 0.995)
        ordered = np.sort(scores, axis=0)
        for i, median in known:
            for feature in range(6):
                rank = min(int(probability(median[feature], feature) * len(scores)), len(scores) - 1)
                now = np.median(scores[members[i], feature])
                means[i, feature] += eagerness * (ordered[rank, feature] - now)
        means -= share @ means
    return features


def _persist(noise: Floats, starts: NDArray[np.intp], persistence: Floats) -> Floats:
    """Correlate noise (n, 6) along depth within each hole, column by column, without changing its variance."""
    out = noise * np.sqrt(1 - persistence**2)
    out[starts] = noise[starts]
    for i in range(6):
        for start, stop in zip(starts, np.append(starts[1:], len(out)), strict=True):
            out[start:stop, i] = lfilter([1.0], [1.0, -persistence[i]], out[start:stop, i])
    return out


def _lag_1(features: Floats, rows: _Rows) -> Floats:
    above, below = features[rows.neighbours], features[rows.neighbours + 1]
    return np.array([np.corrcoef(above[:, i], below[:, i])[0, 1] for i in range(6)])


def _trend(facts: Facts, depth: Floats, lithology: NDArray[np.str_]) -> Floats:
    """Return the part of the scores (n, 6) that depends on depth: sediments are denser further down."""
    igneous = np.isin(lithology, [name for name, group in facts.groups.items() if group in IGNEOUS])
    trend = np.zeros((len(depth), 6))
    trend[:, 0] = np.where(igneous, 0.0, COMPACTION * np.log2((depth + 50.0) / 250.0))
    return trend


def _class_means(facts: Facts, classes: NDArray[np.str_], rng: np.random.Generator) -> Floats:
    """Return the mean scores of each lithology; shape (classes, 6).

    They follow the published medians if there are any; else the group's, with a random offset, and a brightness from
    the lithology's L*.
    """
    known = {
        name: np.array([ndtri(np.clip(probability(median[i], i), 1e-3, 1 - 1e-3)) for i in range(6)])
        for name, median in facts.medians.items()
    }
    dark, bright = known["clay"][3:].mean(), known["nannofossil ooze"][3:].mean()
    per_unit = (bright - dark) / (facts.lightness["nannofossil ooze"] - facts.lightness["clay"])
    means = np.empty((len(classes), 6))
    for row, name in enumerate(classes):
        kin = [score for other, score in known.items() if facts.groups[other] == facts.groups[name]]
        first = np.mean(kin, axis=0)[:3] if kin else np.array(GROUP_SCORES[facts.groups[name]])
        lightness = facts.lightness.get(str(name), facts.lightness["clay"])
        brightness = np.clip(dark + per_unit * (lightness - facts.lightness["clay"]), -1.8, 1.8)
        offset = np.append(rng.normal(0, 0.3, 3), rng.normal(0, 0.2) + rng.normal(0, 0.03, 3))
        means[row] = known.get(str(name), np.append(first, [brightness] * 3) + offset)
    return means


def _factor(covariance: Floats) -> Floats:
    """Return L with L @ L.T the nearest covariance that is positive semi-definite."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 1e-4)))
