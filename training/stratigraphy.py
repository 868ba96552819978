"""Holes filled with intervals of lithology: published sizes, thicknesses, successions and counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH

from .facts import Facts

Floats = NDArray[np.float64]

CORE_BINS = 48
"""Bins of a 9.6 m core; what is recovered of a core counts as its upper part, as on deck."""
GROUP_AFFINITY = 0.05
"""Weight of successions by group, if a lithology has published successors; if not, all are drawn by group."""


def lay_holes(facts: Facts, share: float) -> tuple[NDArray[np.str_], Floats]:
    """Place rows in holes of the published sizes and depth ranges, both multiplied by ``share``.

    If a hole has fewer rows than its range, the lower parts of its cores are missing.

    Returns
    -------
    hole : ndarray of shape (n,), str
    depth : ndarray of shape (n,), float64
        Centre of each bin in metres, ascending within a hole.
    """
    total = sum(scaled_counts(facts, share).values())
    rows = np.array([n for _, n, _, _ in facts.holes])
    ends = np.round(np.cumsum(rows) * total / rows.sum()).astype(int)
    names: list[NDArray[np.str_]] = []
    depths: list[Floats] = []
    for (name, _, shallowest, deepest), n in zip(facts.holes, np.diff(ends, prepend=0), strict=True):
        position = np.arange(max(n, round((deepest - shallowest) * share / BIN_WIDTH) + 1))
        recovered = np.sort(position[np.argsort(position % CORE_BINS, kind="stable")[:n]])
        names.append(np.full(n, name))
        depths.append((round(shallowest / BIN_WIDTH) + recovered) * BIN_WIDTH)
    return np.concatenate(names), np.concatenate(depths)


def scaled_counts(facts: Facts, share: float) -> dict[str, int]:
    """Return the number of rows of each lithology at a share of the published table; at least one."""
    return {name: max(1, round(n * share)) for name, n in facts.class_counts.items()}


def succession(facts: Facts, hole: NDArray[np.str_], share: float, rng: np.random.Generator) -> NDArray[np.str_]:
    """Fill holes with intervals of lithology, each lithology exactly as often as published; shape (n,).

    A Markov chain down each hole: the next interval's lithology is drawn from the published successions, weighted
    by the number of intervals still to be placed.
    """
    counts = scaled_counts(facts, share)
    classes = sorted(counts)
    queues = [_interval_lengths(facts, name, counts[name], rng) for name in classes]
    left = np.array([len(queue) for queue in queues], float)
    follows = _follows(facts, classes)
    starts = np.flatnonzero(np.append(True, hole[1:] != hole[:-1]))
    is_start = np.zeros(len(hole) + 1, bool)
    is_start[starts] = True
    out = np.empty(len(hole), np.int64)
    row, current = 0, -1
    draws = iter(rng.random(int(left.sum()) + 1))
    while row < len(hole):
        fresh = current < 0 or is_start[row]
        cumulative = np.cumsum(left if fresh else follows[current] * left)
        if cumulative[-1] <= 0:
            cumulative = np.cumsum(left)
        current = int(np.searchsorted(cumulative, next(draws) * cumulative[-1], side="right"))
        length = queues[current].pop()
        left[current] -= 1
        out[row : row + length] = current
        row += length
    return np.array(classes)[out]


def _interval_lengths(facts: Facts, name: str, count: int, rng: np.random.Generator) -> list[int]:
    """Cut a lithology's rows into intervals of log-normal thickness with the published median and mean."""
    median, mean = facts.thickness.get(name, facts.typical_thickness)
    sigma = np.sqrt(2 * np.log(max(mean / median, 1.02)))  # mean / median of a log-normal is exp(sigma^2 / 2)
    drawn = np.exp(rng.normal(np.log(median / BIN_WIDTH), sigma, count))
    lengths = np.maximum(1, np.rint(drawn)).astype(int)
    ends = np.minimum(np.cumsum(lengths), count)
    return [int(length) for length in np.diff(ends, prepend=0) if length]


def _follows(facts: Facts, classes: list[str]) -> Floats:
    """Return the probability (up to a factor) that one lithology follows another; rows are from, columns to."""
    index = {name: i for i, name in enumerate(classes)}
    published = np.zeros((len(classes), len(classes)))
    for (above, below), n in facts.transitions.items():
        if above in index and below in index:
            published[index[above], index[below]] += n
    share = np.array([facts.class_counts[name] for name in classes], float)
    published /= np.sqrt(share)  # the chain weights by the intervals left, which already favours common ones
    same_group = np.array([[facts.groups[a] == facts.groups[b] for b in classes] for a in classes])
    by_group = np.where(same_group, 1.0, 0.02) + np.eye(len(classes)) * 20
    by_group /= by_group.sum(axis=1, keepdims=True)
    known = published.sum(axis=1, keepdims=True)
    normalised = np.divide(published, known, out=np.zeros_like(published), where=known > 0)
    return np.where(known > 0, normalised + GROUP_AFFINITY * by_group, by_group)
