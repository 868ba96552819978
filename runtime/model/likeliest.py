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
    def of(
        cls,
        scores: Float32s,
        probabilities: Float32s,
        sums: Float32s | None = None,
        *,
        k: int,
        lacks: NDArray[np.bool_],
        has_all: bool = False,
    ) -> Likeliest:
        """Return the k likeliest lithologies of rows.

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes), float32
            Logits of the probabilities, or these plus the same number for all classes of a row.
        probabilities : ndarray of shape (n, n_classes), float32
            The probabilities, contiguous. They are overwritten.
        sums : ndarray of shape (n, n_groups), float32, or None
            Probability of each group.
        k : int
            How many.
        lacks : ndarray of shape (n,), bool
            Whether a row has no embedding.
        has_all : bool
            Whether to keep the probabilities of all lithologies.
        """
        everything = probabilities.copy() if has_all else None
        mean_score = np.einsum("ij,ij->i", probabilities, scores)
        classes, top, first = _largest(probabilities, k)
        with np.errstate(divide="ignore", invalid="ignore"):  # rows without an embedding
            entropy = np.maximum(scores.reshape(-1)[first] - np.log(top[:, 0]) - mean_score, 0)
        found = cls(classes, top, entropy, class_probabilities=everything)
        if sums is not None:
            (group, of_group, _) = _largest(sums, 1)
            found = found._replace(group=group[:, 0], group_probability=of_group[:, 0])
        lacks = lacks | np.isnan(entropy)  # extreme values may overflow
        if lacks.any():
            for column in found:
                if column is not None:
                    column[lacks] = np.nan if column.dtype.kind == "f" else np.iinfo(column.dtype).max
        return found

    @classmethod
    def join(cls, parts: Sequence[Likeliest]) -> Likeliest:
        """Return the rows of several parts as one."""
        columns: list[Any] = [None if one[0] is None else np.concatenate(one) for one in zip(*parts, strict=True)]
        return cls(*columns)


def _largest(values: Float32s, k: int) -> tuple[NDArray[Any], Float32s, NDArray[np.intp]]:
    """Return the positions of the k largest of each row as codes, their values, and where in ``values`` the first is.

    ``values`` (n, width), 0 or more each, are overwritten. The type of the codes is that which
    `lithovae.runtime.result` states for as many names.
    """
    n, width = values.shape
    codes, largest = np.empty((n, k), np.min_scalar_type(width)), np.empty((n, k), np.float32)
    starts, flat = np.arange(n) * width, values.reshape(-1)
    if k > MAX_SEARCHES:
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        codes[:], largest[:] = order, np.take_along_axis(values, order, axis=1)
        return codes, largest, starts + order[:, 0]
    bits = values.view(np.int32)  # in the same order as the numbers, because none is negative, and faster to compare
    first = at = bits.argmax(axis=1) + starts
    for i in range(k):
        if i:
            at = bits.argmax(axis=1) + starts
        codes[:, i], largest[:, i] = at - starts, flat[at]
        flat[at] = -1  # the next search must not find it
    return codes, largest, first
