"""Lithologies of embeddings: the likeliest, their probabilities, and how sure the classifier is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.result import Lithologies


class Classifier:
    """Names the lithologies of embeddings. Threads may share it.

    Parameters
    ----------
    model : LithoModel
        The model.
    top : int
        Number of likeliest lithologies of each row.
    all_probabilities : bool
        Whether the probabilities of all lithologies are wanted, too.

    Attributes
    ----------
    schema : Lithologies
        The columns that it adds to a result.

    Raises
    ------
    BundleError
        If the model is unsupervised.
    InputError
        If ``top`` is not from 1 to the number of lithologies.
    """

    def __init__(self, model: LithoModel, top: int, all_probabilities: bool = False) -> None:
        model.require_classifier(top)
        _ = model.graphs.lithologies  # opened here, not by several threads at once
        self._model = model
        self.schema = Lithologies(model.classes, model.groups, top, all_probabilities, model.bundle.warning)

    def columns(self, embeddings: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return the columns of the schema for embeddings (n, latent_dim), in the calling thread.

        A row without an embedding has the largest code of the type, and NaN for numbers. The warning is not among them:
        it is the same in every row.
        """
        wanted = self.schema
        found = self._model.graphs.top(embeddings, wanted.top, has_all=wanted.has_all)
        columns: dict[str, NDArray[Any]] = {
            "lithologies": found.classes,
            "probabilities": found.probabilities,
            "entropy": found.entropy,
        }
        if found.group is not None and found.group_probability is not None:
            columns |= {"group": found.group, "group_probability": found.group_probability}
        if found.class_probabilities is not None:
            columns["class_probabilities"] = found.class_probabilities
        return columns
