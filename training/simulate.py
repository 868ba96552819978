"""A training table made from published figures alone: simulated data, for models that can be shipped.

A Gaussian copula: every row has six normal scores, the sum of its lithology's mean and of a residual that is
correlated between features and along depth. The scores are mapped onto the published distribution of each feature by
rank, so the marginals hold whatever the scores are; the residual's correlation is tuned until the mapped features have
the published Pearson correlations.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import ndtri
from scipy.stats import truncnorm

from lithovae.models.scaler import LOG, SIGNED_LOG
from lithovae.runtime.bins import BIN_WIDTH

from .facts import Facts
from .table import TrainingTable

Floats = NDArray[np.float64]

CORE_BINS = 48
"""Bins of a 9.6 m core: what is recovered of a core is its upper part, as on deck."""
LAG_1 = 0.82
"""Correlation of neighbouring bins' residuals: the middle of the published 0.56 to 0.88."""
INTERVAL_BINS = 4
"""Mean length of a lithology interval: the published intervals' mean is near 0.7 m."""
_QUANTILES = 4001


def simulate_table(seed: int = 42, share: float = 1.0) -> TrainingTable:
    """Simulate the LILY training table.

    Parameters
    ----------
    seed : int
        The same seed gives the same table.
    share : float
        Share of the published 238,506 rows, at most 1. Each lithology keeps at least one row.

    Returns
    -------
    TrainingTable
        At ``share=1``, 238,506 rows of 296 holes, each of the 139 lithologies exactly as often as published.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], not {share}")
    facts = Facts.load()
    rng = np.random.default_rng(seed)
    counts = {name: max(1, round(n * share)) for name, n in facts.class_counts.items()}
    lithology = _intervals(counts, rng)
    hole, depth = _holes(facts, len(lithology))
    scores = _scores(facts, lithology, hole, rng)
    features = np.stack([_to_marginal(scores[:, i], quantiles(i)) for i in range(6)], axis=1)
    return TrainingTable(hole=hole, depth=depth, features=features, lithology=lithology)


def _intervals(counts: dict[str, int], rng: np.random.Generator) -> NDArray[np.str_]:
    """Cut each lithology's rows into intervals, and shuffle the intervals."""
    names, lengths = [], []
    for name, count in counts.items():
        cuts = np.flatnonzero(rng.random(count - 1) < 1 / INTERVAL_BINS) + 1
        pieces = np.diff(np.concatenate([[0], cuts, [count]]))
        names += [name] * len(pieces)
        lengths += pieces.tolist()
    order = rng.permutation(len(names))
    return np.repeat(np.array(names)[order], np.array(lengths)[order])


def _holes(facts: Facts, n_rows: int) -> tuple[NDArray[np.str_], Floats]:
    """Lay rows into holes of the published sizes and depth ranges; what a hole lacks is the lower part of its cores."""
    total = sum(rows for _, rows, _, _ in facts.holes)
    names: list[NDArray[np.str_]] = []
    depths: list[Floats] = []
    ends = np.round(np.cumsum([rows for _, rows, _, _ in facts.holes]) * n_rows / total).astype(int)
    for (name, _, shallowest, deepest), n in zip(facts.holes, np.diff(ends, prepend=0), strict=True):
        available = max(n, round((deepest - shallowest) / BIN_WIDTH) + 1)
        position = np.arange(available)
        recovered = np.sort(position[np.argsort(position % CORE_BINS, kind="stable")[:n]])
        names.append(np.full(n, name))
        depths.append((round(shallowest / BIN_WIDTH) + recovered) * BIN_WIDTH)
    return np.concatenate(names), np.concatenate(depths)


def _scores(facts: Facts, lithology: NDArray[np.str_], hole: NDArray[np.str_], rng: np.random.Generator) -> Floats:
    classes, label, count = np.unique(lithology, return_inverse=True, return_counts=True)
    means = _class_means(facts, classes, count / count.sum(), rng)
    starts = np.flatnonzero(np.append(True, hole[1:] != hole[:-1]))
    noise = rng.standard_normal((len(hole), 6))
    innovation = np.sqrt(1 - LAG_1**2)
    for start, stop in zip(starts, np.append(starts[1:], len(hole)), strict=True):
        noise[start + 1 : stop] *= innovation
        noise[start:stop] = lfilter([1.0], [1.0, -LAG_1], noise[start:stop], axis=0)
    between = means[label]
    covariance = np.cov(between, rowvar=False)
    sample = rng.choice(len(label), min(len(label), 40_000), replace=False)
    target = facts.correlation
    total = np.array(target)
    for _ in range(12):
        residual = _factor(total - covariance)
        mapped = [
            _to_marginal(column, quantiles(i))
            for i, column in enumerate((between[sample] + noise[sample] @ residual.T).T)
        ]
        total = total + 0.7 * (target - np.corrcoef(mapped))
        np.fill_diagonal(total, 1.0)
    return np.asarray(between + noise @ residual.T)


def _class_means(facts: Facts, classes: NDArray[np.str_], share: Floats, rng: np.random.Generator) -> Floats:
    """Give each lithology a mean score: the published medians, their group's mean, and an offset of its own."""
    known = {
        name: np.array([_score_of(median[i], quantiles(i)) for i in range(6)]) for name, median in facts.medians.items()
    }
    groups: dict[str, list[Floats]] = {}
    for name, score in known.items():
        groups.setdefault(facts.groups[name], []).append(score)
    means = np.empty((len(classes), 6))
    for row, name in enumerate(classes):
        group = groups.get(facts.groups[name])
        centre = np.mean(group, axis=0) if group else rng.normal(0, 0.5, 6)
        brightness = rng.normal(0, 0.4)  # R, G and B of a lithology rise and fall together
        offset = np.concatenate([rng.normal(0, 0.4, 3), brightness + rng.normal(0, 0.03, 3)])
        means[row] = known.get(name, 0.7 * centre + offset)
    means -= share @ means
    variance = share @ means**2
    return means * np.minimum(1.0, np.sqrt(0.6 / variance))


def _factor(covariance: Floats) -> Floats:
    """Give L with L @ L.T the nearest covariance that is positive semi-definite."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 1e-4)))


def _to_marginal(scores: Floats, quantile: Floats) -> Floats:
    rank = np.empty(len(scores))
    rank[np.argsort(scores, kind="stable")] = (np.arange(len(scores)) + 0.5) / len(scores)
    return np.interp(rank, np.linspace(0, 1, len(quantile)), quantile)


def _score_of(value: float, quantile: Floats) -> float:
    return float(ndtri(np.clip(np.interp(value, quantile, np.linspace(0, 1, len(quantile))), 1e-3, 1 - 1e-3)))


@cache
def quantiles(feature: int) -> Floats:
    """Give a feature's quantiles at evenly spaced probabilities, from its published histogram and moments.

    The transformed values are shifted and stretched, by a few per cent, to the published transformed mean and sd.
    """
    facts = Facts.load()
    edges, counts = facts.histograms[feature]
    cumulative = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    grid = np.linspace(0, 1, _QUANTILES)
    occupied = np.append(True, np.diff(cumulative) > 0)
    raw = np.interp(grid, cumulative[occupied], edges[occupied])
    transformed = _susceptibility(facts) if feature == 1 else _transform(raw, feature)
    mean, sd = facts.transformed_mean[feature], facts.transformed_sd[feature]
    transformed = (transformed - transformed.mean()) / transformed.std() * sd + mean
    return np.clip(_inverse(transformed, feature), facts.raw_min[feature], facts.raw_max[feature])


def _susceptibility(facts: Facts) -> Floats:
    """Quantiles of transformed magnetic susceptibility, whose histogram puts 70 % of the rows into one bin.

    Below the histogram's resolution a truncated normal in transformed space, chosen to meet the transformed moments;
    above it the histogram, with an exponential tail where its counts are too small to be read.
    """
    edges, counts = facts.histograms[1]
    split = int(np.argmax(counts)) + 1
    tail = counts[split:] / counts.sum()
    faint = tail < tail.max() * 0.01
    centres = (edges[split:-1] + edges[split + 1 :]) / 2
    tail = np.where(faint, 0.002 * np.exp(-centres / 900.0), tail)
    body_share = 1 - tail.sum()
    grid = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    upper = np.log1p(edges[split])
    cumulative = np.concatenate([[body_share], body_share + np.cumsum(tail)])
    above = np.log1p(np.interp(grid[grid > body_share], cumulative, edges[split:]))
    inside = grid[grid <= body_share] / body_share

    def body(parameters: Floats) -> Floats:
        location, width = parameters[0], np.exp(parameters[1])
        lower = -np.log1p(36.0)
        return np.asarray(
            truncnorm.ppf(inside, (lower - location) / width, (upper - location) / width, location, width)
        )

    def misfit(parameters: Floats) -> float:
        values = np.concatenate([body(parameters), above])
        return float((values.mean() - facts.transformed_mean[1]) ** 2 + (values.std() - facts.transformed_sd[1]) ** 2)

    best = minimize(misfit, np.array([2.0, 0.5]), method="Nelder-Mead").x
    return np.concatenate([body(best), above])


def _transform(values: Floats, feature: int) -> Floats:
    if SIGNED_LOG.start <= feature < SIGNED_LOG.stop:
        return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
    return np.log1p(values) if feature >= LOG.start else values


def _inverse(values: Floats, feature: int) -> Floats:
    if SIGNED_LOG.start <= feature < SIGNED_LOG.stop:
        return np.asarray(np.sign(values) * np.expm1(np.abs(values)))
    return np.expm1(values) if feature >= LOG.start else values
