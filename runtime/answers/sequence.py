"""Lithologies along a core as a hidden Markov chain: which sequence is the likeliest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.model.reference import Groups, Succession

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Indices = NDArray[np.intp]

TYPICAL_THICKNESS = 2.0
"""Thickness (m) of a stretch with one lithology, for bundles that do not know it. Described intervals have 0.6 m on
average, and two of three are followed by one with the same lithology."""
LEAST_PROBABILITY = 1e-6
"""Smaller probabilities count as this one: a single cell must not decide."""
FEW = 20
"""Weight, in intervals, of all lithologies together in how often one is followed by an interval of the same."""
MOST_SAME = 0.99
"""It is at most as often."""
MOST_LEAVING = 0.9
"""Greatest probability that a cell is the last one of its stretch."""
PSEUDO_COUNT = 5.0
"""Number of changes, spread over all lithologies, that is added to those that were counted."""
KIN, OTHERS = 0.5, 0.02
"""Weights of lithologies of the same group and of other groups in these."""

JUMP_GAIN, JUMP_USUAL, JUMP_MOST = 2.0, 1.75, 5.0
"""Log odds that a jump of the embedding gives a change: gain * (min(jump², most) - usual). The usual jump is 1."""
MOST_REWARD = 1.0
"""Greatest log odds of a change with everything counted: beyond it, a great jump alone could make a boundary."""
LEAST_JUMP = 1.3
"""A lithology can change only where the embedding jumps at least so far, relative to the median jump of the scan."""
LEAST_NOISE, LEAST_USUAL = 0.3, 1.5
"""What counts at least as the standard deviation of a jump in one dimension of the embedding, and as the median jump
in these units. In holes like those of the training table it is more. In a scan that varies less, the median jump is
noise, and a jump is measured by what it is in other holes."""
FEWEST_JUMPS = 10
"""With fewer jumps it is not known which are unusual: each counts as neither for nor against a change."""


class Sequence:
    """How lithologies follow each other with depth.

    A lithology stays with a probability that depends on the mean thickness of its stretches. Where it changes, the next
    one is drawn from the counted successions. A stretch consists of successive intervals with one lithology.

    Parameters
    ----------
    n_classes : int
        Number of lithologies.
    succession : Succession or None
        Thickness of the intervals of each lithology, and which follows which; None if it is not known.
    groups : Groups or None
        Groups of the lithologies: one is followed by another of its group rather than by any other.
    """

    def __init__(self, n_classes: int, succession: Succession | None, groups: Groups | None) -> None:
        changes = np.zeros((n_classes, n_classes))
        if succession is None:
            prior = np.full(n_classes, 1 / n_classes)
            self._thickness = np.full(n_classes, TYPICAL_THICKNESS)
        else:
            prior = (succession.counts + 1) / (succession.counts + 1).sum()
            above, below, n = succession.transitions.T
            np.add.at(changes, (above, below), n)
            same = changes.diagonal().copy()
            np.fill_diagonal(changes, 0)
            total = same + changes.sum(axis=1)
            pooled = same.sum() / total.sum() if total.any() else 0.0
            same_below = (same + FEW * pooled) / (total + FEW)
            self._thickness = succession.mean_thickness / (1 - np.minimum(same_below, MOST_SAME))
        self._log_prior = np.log(prior)
        of_class = np.zeros(n_classes, np.int64) if groups is None else groups.of_class
        likely = prior * np.where(of_class[:, None] == of_class, KIN, OTHERS)
        np.fill_diagonal(likely, 0)
        likely /= likely.sum(axis=1, keepdims=True).clip(min=1e-300)
        self._changes = changes + PSEUDO_COUNT * likely  # 0 from a lithology to itself

    def decode(self, evidence: Float32s, classes: Indices, gains: Float32s, step: float) -> Indices:
        """Return the likeliest sequence of lithologies of a chain of cells.

        Parameters
        ----------
        evidence : ndarray of shape (n, k), float32
            See `evidence_of`; in order of depth.
        classes : ndarray of shape (k,), int
            The lithologies.
        gains : ndarray of shape (n,), float32
            Log odds that the embedding gives a change above each cell; see `Jumps`. The first is not used.
        step : float
            Distance between neighbouring cells in metres.

        Returns
        -------
        ndarray of shape (n,), int
            Position in ``classes`` of each cell's lithology.
        """
        starts = np.append(0, 1 + np.flatnonzero(np.isfinite(gains[1:])))  # where the lithology can change
        leave = np.clip(1 - np.exp(-step / self._thickness[classes]), 1e-9, MOST_LEAVING)
        stay = np.log1p(-leave)
        likely = self._changes[np.ix_(classes, classes)]
        likely /= likely.sum(axis=1, keepdims=True).clip(min=1e-300)
        with np.errstate(divide="ignore"):
            choice = np.log(likely)
        # From here on, relative to staying; a column is where a change comes from, a row where it leads to.
        changes = (choice + (np.log(leave) - stay)[:, None]).T.astype(np.float32)
        sums = np.add.reduceat(evidence + stay.astype(np.float32), starts, axis=0)
        scores, ways = np.empty_like(sums), np.empty_like(changes)
        scores[0] = score = sums[0] + self._log_prior[classes].astype(np.float32)
        for i, gain in enumerate(gains[starts[1:]], start=1):
            np.add(changes, gain, out=ways)
            np.minimum(ways, np.float32(MOST_REWARD), out=ways)
            ways += score
            score = np.maximum(score, ways.max(axis=1)) + sums[i]
            score -= score.max()  # float32 must not lose digits as the sums grow
            scores[i] = score
        path = np.empty(len(starts), np.intp)
        path[-1] = at = int(scores[-1].argmax())
        for i in range(len(starts) - 1, 0, -1):
            before = np.minimum(changes[at] + gains[starts[i]], np.float32(MOST_REWARD)) + scores[i - 1]
            if before.max() > scores[i - 1, at]:
                at = int(before.argmax())
            path[i - 1] = at
        return np.repeat(path, np.diff(starts, append=len(evidence)))


def evidence_of(probabilities: Float32s) -> Float32s:
    """Return how strongly cells speak for lithologies, given their probabilities."""
    return np.asarray(np.log(np.maximum(probabilities, np.float32(LEAST_PROBABILITY))))


@dataclass(frozen=True)
class Jumps:
    """How far the embedding usually jumps from cell to cell in a scan.

    Attributes
    ----------
    noise : ndarray of shape (latent_dim,), float32
        Standard deviation of the jumps in each dimension, without the few large ones; at least `LEAST_NOISE`.
    median : float
        Median length of a jump in these units; 0 if there are too few cells to know it.
    """

    noise: Float32s
    median: float

    @classmethod
    def of(cls, chains: Iterable[Float32s]) -> Jumps:
        """Return what is usual in chains of embeddings, each of shape (n, latent_dim)."""
        steps = np.concatenate([np.diff(chain, axis=0) for chain in chains])
        if len(steps) < FEWEST_JUMPS:
            return cls(np.ones(steps.shape[1], np.float32), 0.0)
        noise = np.median(np.abs(steps), axis=0) / 0.6745  # the standard deviation, were they normally distributed
        noise = np.maximum(noise, LEAST_NOISE).astype(np.float32)
        return cls(noise, float(np.median(_lengths(steps / noise))))

    def gains(self, embeddings: Float32s) -> Float32s:
        """Return the log odds that the jump to each embedding gives a change; -inf where there can be none.

        Parameters
        ----------
        embeddings : ndarray of shape (n, latent_dim), float32
            The embeddings of cells in order of depth.

        Returns
        -------
        ndarray of shape (n,), float32
            The first is -inf.
        """
        gains = np.full(len(embeddings), -np.inf, np.float32)
        if not self.median:
            gains[1:] = 0
            return gains
        lengths = _lengths(np.diff(embeddings, axis=0) / self.noise)
        jumps = lengths / max(self.median, LEAST_USUAL)
        odds = JUMP_GAIN * (np.minimum(jumps**2, JUMP_MOST) - JUMP_USUAL)
        gains[1:] = np.where(lengths > LEAST_JUMP * self.median, odds, -np.inf)
        return gains


def _lengths(vectors: Float32s) -> Floats:
    with np.errstate(over="ignore"):  # of extreme values: infinite is as far as it gets
        return np.asarray(np.sqrt(np.square(vectors).sum(axis=1, dtype=np.float64)))
