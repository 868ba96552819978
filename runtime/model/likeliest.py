"""The likeliest classes of rows, from a classifier's outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .reference import Groups

Float32s = NDArray[np.float32]


class Likeliest(NamedTuple):
    """The likeliest lithologies of some rows. A row without an embedding has the largest code, and NaN for numbers.

    Attributes
    ----------
    classes : ndarray of shape (n, k), unsigned integers
        The k likeliest lithologies as positions in the model's ``classes``, the likeliest first.
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
    def of(cls, probabilities: Float32s, k: int, groups: Groups | None, *, has_all: bool) -> Likeliest:
        """Return the likeliest of classes with some probabilities (n, n_classes)."""
        n_classes = probabilities.shape[1]
        nothing = np.isnan(probabilities[:, 0])
        classes = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        top = np.take_along_axis(probabilities, classes, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            surprise = np.where(probabilities > 0, probabilities * -np.log(probabilities), 0)
        entropy = surprise.sum(axis=1)
        entropy[nothing] = np.nan
        found = cls(_codes(classes, n_classes, nothing), top, entropy)
        if groups:
            sums = np.stack([probabilities[:, groups.of_class == i].sum(axis=1) for i in range(len(groups.names))], 1)
            group = _codes(sums.argmax(axis=1), len(groups.names), nothing)
            found = found._replace(group=group, group_probability=sums.max(axis=1))
        return found._replace(class_probabilities=probabilities) if has_all else found

    @classmethod
    def join(cls, parts: list[Likeliest]) -> Likeliest:
        """Return the rows of several parts as one."""
        columns: list[Any] = [None if one[0] is None else np.concatenate(one) for one in zip(*parts, strict=True)]
        return cls(*columns)


def _codes(positions: NDArray[Any], n: int, nothing: NDArray[np.bool_]) -> NDArray[Any]:
    """Return positions in a list of n names as codes of the type that `lithovae.runtime.result` states for them."""
    codes = positions.astype(np.min_scalar_type(n))
    codes[nothing] = np.iinfo(codes.dtype).max
    return codes
