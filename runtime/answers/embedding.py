"""Embeddings of blocks of rows. The model runs on scans only here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.result import Columns
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.missing_policy import MissingPolicy, Prepared
from lithovae.runtime.settings import Missing


@dataclass(frozen=True)
class Embedded:
    """Some rows with their embeddings.

    Attributes
    ----------
    rows : Prepared
        The rows.
    embeddings : ndarray of shape (n, latent_dim), float32
        Their embeddings; NaN for a row without one.
    n_nan : int
        Number of rows without an embedding.
    answers : mapping of str to ndarray
        Further columns of the result.
    """

    rows: Prepared
    embeddings: NDArray[np.float32]
    n_nan: int
    answers: Columns = field(default_factory=dict)

    @property
    def n_taken(self) -> int:
        """Number of rows that the block had, including those dropped."""
        return len(self.rows.missing) + len(self.rows.dropped)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns of the result, by their names in `lithovae.runtime.result.ResultSchema`."""
        return {"embeddings": self.embeddings, **self.rows.columns, **self.answers}


class Embedder:
    """Embeds blocks of rows with a model. Threads may share it.

    Parameters
    ----------
    model : LithoModel
        The model.
    missing : str
        What is done with a row that lacks a feature; see `lithovae.runtime.settings.Missing`.
    answers : callable, optional
        Returns further columns of the result for rows and their embeddings; any thread may call it.

    Raises
    ------
    BundleError
        If the bundle's fill values are needed and it has none.
    """

    def __init__(
        self,
        model: LithoModel,
        missing: Missing = "auto",
        answers: Callable[[Prepared, NDArray[np.float32]], Columns] = lambda rows, embeddings: {},
    ) -> None:
        self.model, self._answers = model, answers
        self.policy = policy_of(model.bundle, missing)

    def embed(self, block: Block) -> Embedded:
        """Embed a block in the calling thread.

        Raises
        ------
        ScanError
            If a row lacks a feature and the policy is ``error``.
        """
        rows = self.policy.prepare(block)
        embeddings = self.model.graphs.embed(rows.inputs)
        if self.policy.name == "nan":
            embeddings[rows.missing != 0] = np.nan
        n_nan = int(np.count_nonzero(np.isnan(embeddings[:, 0])))  # here, while they are still in the CPU cache
        return Embedded(rows, embeddings, n_nan, self._answers(rows, embeddings))


def policy_of(bundle: Bundle, missing: Missing) -> MissingPolicy:
    """Return the missing-value policy for a bundle.

    Raises
    ------
    BundleError
        If its fill values are needed and it has none.
    """
    name = bundle.missing if missing == "auto" else missing
    if name == "impute" != bundle.missing:
        note = f"{bundle.name} was not trained with missing features; --missing impute imputes them anyway"
        return MissingPolicy(name, bundle.features, bundle.fill, note)
    return MissingPolicy(name, bundle.features)
