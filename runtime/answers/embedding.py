"""Embeddings of blocks of rows: the one place where the model runs on a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.missing_policy import MissingPolicy, Prepared
from lithovae.runtime.settings import Missing


@dataclass(frozen=True)
class Embedded:
    """Some rows, embedded.

    Attributes
    ----------
    rows : Prepared
        The rows.
    embeddings : ndarray of shape (n, latent_dim), float32
        Their embeddings; NaN for a row that has none.
    n_nan : int
        How many rows have no embedding.
    """

    rows: Prepared
    embeddings: NDArray[np.float32]
    n_nan: int

    @property
    def n_taken(self) -> int:
        """How many rows the block had, those dropped among them."""
        return len(self.rows.missing) + len(self.rows.dropped)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns of the result, by their names in `lithovae.runtime.result.ResultSchema`."""
        rows, block = self.rows, self.rows.block
        columns: dict[str, NDArray[Any]] = {"embeddings": self.embeddings}
        columns |= {"missing": rows.missing, "implausible": rows.implausible, **block.address}
        columns |= {} if block.depth is None else {"depth": block.depth}
        return columns | ({} if block.samples is None else {"samples": block.samples})


class Embedder:
    """Embeds blocks of rows by a model. Threads may share it.

    Parameters
    ----------
    model : LithoModel
        The model.
    missing : str
        What is done with a row that lacks a feature, one of `Missing`.

    Raises
    ------
    BundleError
        If the bundle's fill values are needed, and it has none.
    """

    def __init__(self, model: LithoModel, missing: Missing = "auto") -> None:
        self.model = model
        self.policy = policy_of(model.bundle, missing)

    def embed(self, block: Block) -> Embedded:
        """Embed a block, in the calling thread alone.

        Raises
        ------
        ScanError
            If a row lacks a feature and the policy is ``error``.
        """
        rows = self.policy.prepare(block)
        embeddings = self.model.graphs.embed(rows.inputs)
        if self.policy.name == "nan":
            embeddings[rows.missing != 0] = np.nan
        n_nan = int(np.count_nonzero(np.isnan(embeddings[:, 0])))  # here, where they are still in the core's cache
        return Embedded(rows, embeddings, n_nan)


def policy_of(bundle: Bundle, missing: Missing) -> MissingPolicy:
    """Give the missing-value policy for a bundle.

    Raises
    ------
    BundleError
        If its fill values are needed, and it has none.
    """
    name = bundle.missing if missing == "auto" else missing
    if name == "impute" != bundle.missing:
        note = f"{bundle.name} was not trained with missing features: imputed all the same, as asked"
        return MissingPolicy(name, bundle.fill, note)
    return MissingPolicy(name)
