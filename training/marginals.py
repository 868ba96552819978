"""The published distribution of each feature, as quantiles."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import truncnorm

from lithovae.runtime.features import DENSITY, LILY

from .facts import Facts

Floats = NDArray[np.float64]

_QUANTILES = 4001


@cache
def quantiles(feature: int) -> Floats:
    """Return a feature's quantiles at evenly spaced probabilities, from its published histogram and moments.

    The transformed values are shifted and scaled, by a few per cent, to the published transformed mean and sd.
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
    low, high = facts.raw_min[feature], facts.raw_max[feature]
    if feature == 0:  # the published table kept only this range
        low, high = max(low, DENSITY.plausible[0]), min(high, DENSITY.plausible[1])
    return np.clip(_inverse(transformed, feature), low, high)


def to_marginal(scores: Floats, feature: int) -> Floats:
    """Map scores onto a feature's published distribution by their rank; shape (n,)."""
    quantile = quantiles(feature)
    rank = np.empty(len(scores))
    rank[np.argsort(scores, kind="stable")] = (np.arange(len(scores)) + 0.5) / len(scores)
    return np.interp(rank, np.linspace(0, 1, len(quantile)), quantile)


def probability(value: float, feature: int) -> float:
    """Return the share of rows below a value (physical units)."""
    quantile = quantiles(feature)
    return float(np.interp(value, quantile, np.linspace(0, 1, len(quantile))))


def _susceptibility(facts: Facts) -> Floats:
    """Return quantiles of transformed magnetic susceptibility, whose histogram puts 70 % of the rows into one bin.

    Below the histogram's resolution they are a truncated normal in transformed space, fitted to the transformed
    moments; above it the histogram, with an exponential tail where its counts are too small to be read.
    """
    edges, counts = facts.histograms[1]
    split = int(np.argmax(counts)) + 1
    tail = counts[split:] / counts.sum()
    faint = tail < tail.max() * 0.01
    centres = (edges[split:-1] + edges[split + 1 :]) / 2
    tail = np.where(faint, 0.002 * np.exp(-centres / 900.0), tail)
    body_share = 1 - tail.sum()
    grid = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    lower, upper = -np.log1p(-edges[split - 1]), np.log1p(edges[split])
    cumulative = np.concatenate([[body_share], body_share + np.cumsum(tail)])
    above = np.log1p(np.interp(grid[grid > body_share], cumulative, edges[split:]))
    inside = grid[grid <= body_share] / body_share

    def body(parameters: Floats) -> Floats:
        location, width = parameters[0], np.exp(parameters[1])
        low, high = (lower - location) / width, (upper - location) / width
        return np.asarray(truncnorm.ppf(inside, low, high, location, width))

    def misfit(parameters: Floats) -> float:
        values = np.concatenate([body(parameters), above])
        return float((values.mean() - facts.transformed_mean[1]) ** 2 + (values.std() - facts.transformed_sd[1]) ** 2)

    best = minimize(misfit, np.array([2.0, 0.5]), method="Nelder-Mead").x
    return np.concatenate([body(best), above])


def _transform(values: Floats, feature: int) -> Floats:
    if LILY[feature].transform == "signed_log":
        return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
    return np.log1p(values) if LILY[feature].transform == "log1p" else values


def _inverse(values: Floats, feature: int) -> Floats:
    if LILY[feature].transform == "signed_log":
        return np.asarray(np.sign(values) * np.expm1(np.abs(values)))
    return np.expm1(values) if LILY[feature].transform == "log1p" else values
