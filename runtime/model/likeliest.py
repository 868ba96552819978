"""The likeliest lithologies of rows, from the outputs of a bundle's graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

MAX_SEARCHES = 16
"""Up to this many likeliest lithologies, a search for each is faster than sorting all of them."""


class Likeliest(NamedTuple):
    """The likeliest lithologies of some rows. A row without an embedding has the largest code, and NaN for numbers.

    Attributes
    ----------
    classes : ndarray of shape (n, k), unsigned integers
        The k likeliest lithologies as positions in the model's ``classes``, the likeliest first. Of equally likely
        ones, the first in ``classes`` is first.
    probabilities : ndarray of shape (n, k), float32
        Their probabilities.
    entropy : ndarray of shape (n,), float32
        Entropy of the probabilities of all lithologies, in nats.
    group : ndarray of shape (n,), unsigned integers, or None
        The likeliest group, as a position in the model's ``groups``; None if the model knows no groups.
    group_probability : ndarray of shape (n,), float32, or None
        Sum of the probabilities of its lithologies.
    class_probabilities : ndarray of shape (n, n_classes), float32, or None
        The probabilities of all lithologies, if they were asked for.
    """

    classes: NDArray[Any]
    probabilities: Float32s
    entropy: Float32s
    group: NDArray[Any] | None = None
    group_probability: Float32s | None = None
    class_probabilities: Float32s | None = None

    @classmethod
    def join(cls, parts: Sequence[Likeliest]) -> Likeliest:
        """Return the rows of several parts as one."""
        columns: list[Any] = [None if one[0] is None else np.concatenate(one) for one in zip(*parts, strict=True)]
        return cls(*columns)


class Search:
    """Finds the likeliest lithologies of some rows, batch by batch.

    Parameters
    ----------
    n : int
        Number of rows.
    k : int
        Number of likeliest lithologies.
    n_classes, n_groups : int
        Numbers of lithologies and of their groups.
    has_all : bool
        Whether to keep the probabilities of all lithologies.
    """

    def __init__(self, n: int, k: int, n_classes: int, n_groups: int, *, has_all: bool = False) -> None:
        self._n_classes = n_classes
        self._positions, self._weights = np.empty((k, n), np.intp), np.empty((k, n), np.float32)
        self._scores, self._mean_scores = np.empty(n, np.float32), np.empty(n, np.float32)
        self._sums = np.ones((n, 1 + n_groups), np.float32)
        self._all = np.empty((n, n_classes), np.float32) if has_all else None

    def take(self, start: int, scores: Float32s, weights: Float32s, sums: Float32s | None = None) -> None:
        """Take a batch of rows, while its numbers are in the CPU cache.

        Parameters
        ----------
        start : int
            Position of the first row.
        scores : ndarray of shape (m, width), float32
            Logits, or these minus the same number for all lithologies of a row. Only the first ``n_classes`` columns
            are of lithologies.
        weights : ndarray of shape (m, width), float32
            Probabilities, multiplied by the same number for all lithologies of a row. They are overwritten.
        sums : ndarray of shape (m, 1 + n_groups), float32, optional
            Sum of all weights, then those of each group. By default, the weights are probabilities.
        """
        m, width = weights.shape
        rows, k = slice(start, start + m), len(self._positions)
        np.einsum("ij,ij->i", weights, scores, out=self._mean_scores[rows])
        if sums is not None:
            self._sums[rows] = sums
        if self._all is not None:
            np.divide(weights[:, : self._n_classes], self._sums[rows, :1], out=self._all[rows])
        starts, flat = np.arange(0, m * width, width), weights.reshape(-1)
        order = np.argsort(-weights, axis=1, kind="stable").T if k > MAX_SEARCHES else None
        bits = weights.view(np.int32)  # in the same order, because none is negative, and faster to compare
        for i in range(k):
            position = self._positions[i, rows]
            if order is None:
                bits.argmax(axis=1, out=position)
            else:
                position[:] = order[i]
            at = position + starts
            self._weights[i, rows] = flat[at]
            if i == 0:
                self._scores[rows] = scores.reshape(-1)[at]
            flat[at] = -1  # the next search must not find it

    def finish(self, lacks: NDArray[np.bool_]) -> Likeliest:
        """Return what was found.

        Parameters
        ----------
        lacks : ndarray of shape (n,), bool
            Whether a row has no embedding.
        """
        total, of_groups = self._sums[:, 0], self._sums[:, 1:]
        probabilities = self._weights / total
        with np.errstate(divide="ignore", invalid="ignore"):  # rows without an embedding
            # a score minus the logarithm of its probability is the same for all lithologies
            entropy = np.maximum(self._scores - np.log(probabilities[0]) - self._mean_scores / total, 0)
        found = Likeliest(
            np.ascontiguousarray(self._positions.T, np.min_scalar_type(self._n_classes)),
            np.ascontiguousarray(probabilities.T),
            entropy,
            class_probabilities=self._all,
        )
        if of_groups.shape[1]:
            group = of_groups.argmax(axis=1)
            codes = group.astype(np.min_scalar_type(of_groups.shape[1]))
            found = found._replace(group=codes, group_probability=of_groups[np.arange(len(group)), group] / total)
        lacks = lacks | np.isnan(entropy)  # extreme values may overflow
        if lacks.any():
            for column in found:
                if column is not None:  # codes are of the types that `lithovae.runtime.result` states
                    column[lacks] = np.nan if column.dtype.kind == "f" else np.iinfo(column.dtype).max
        return found
