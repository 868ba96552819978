"""A bundle's graphs, run in the calling thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .likeliest import Likeliest
from .session import checked, open_session

Float32s = NDArray[np.float32]
Run = Callable[[Float32s], Any]
"""Computes the output of a batch of rows."""

MICRO_BATCH = 4096
"""Rows of one session run: their intermediate results fit in a core's cache."""
WHOLE_ROWS = 8
"""Every session run is padded to a multiple of this number of rows. onnxruntime computes leftover rows in another way,
which differs in the last bits; with padding, the output of a row depends on that row alone."""


class Graphs:
    """Sessions of a bundle's graphs, created on first use. Threads may share them.

    Parameters
    ----------
    bundle : Bundle
        A bundle that has been read and checked.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._paths = {graph: bundle.path / f"{graph}.onnx" for graph in bundle.graphs}

    def __reduce__(self) -> tuple[type[Graphs], tuple[Bundle]]:
        return type(self), (self.bundle,)  # sessions are not pickled; another process creates its own

    @cached_property
    def embedder(self) -> Any:
        """Session of the embedder."""
        return open_session(self.bundle, "embedder")

    @cached_property
    def decoder(self) -> Any:
        """Session of the decoder."""
        return open_session(self.bundle, "decoder")

    @cached_property
    def classifier(self) -> Any:
        """Session of the classifier."""
        return open_session(self.bundle, "classifier")

    def embed(self, rows: Float32s) -> Float32s:
        """Embed contiguous rows (n, n_features) in the calling thread; shape (n, latent_dim), float32."""
        out = np.empty((len(rows), self.bundle.latent_dim), np.float32)
        run_batches(self.mu, rows, out, range(0, len(rows), MICRO_BATCH))
        return out

    def top(self, embeddings: Float32s, k: int, *, has_all: bool = False) -> Likeliest:
        """Return the k likeliest lithologies of embeddings (n, latent_dim), in the calling thread.

        Parameters
        ----------
        embeddings : ndarray of shape (n, latent_dim), float32
            Embeddings; NaN for a row without one.
        k : int
            How many; at most the number of lithologies.
        has_all : bool
            Whether to return the probabilities of all lithologies, too.
        """
        groups = self.bundle.reference.groups if self.bundle.reference else None
        parts = []
        for start in range(0, max(1, len(embeddings)), MICRO_BATCH):
            block = embeddings[start : start + MICRO_BATCH]
            probabilities = self._run("classifier", "probabilities", len(self.bundle.classes), z=_padded(block))
            parts.append(Likeliest.of(probabilities[: len(block)], k, groups, has_all=has_all))
        return Likeliest.join(parts)

    def decode(self, embeddings: Float32s) -> Float32s:
        """Decode contiguous embeddings (n, latent_dim) in the calling thread; shape (n, n_features), float32."""
        out = np.empty((len(embeddings), len(self.bundle.features)), np.float32)
        run_batches(self.decoded, embeddings, out, range(0, len(embeddings), MICRO_BATCH))
        return out

    def mu(self, rows: Float32s) -> Any:
        """Embed one batch of rows (n, n_features)."""
        return self._run("embedder", "mu", self.bundle.latent_dim, features=rows)

    def probabilities(self, rows: Float32s) -> Any:
        """Return the class probabilities of one batch of rows (n, n_features)."""
        return self._run("classifier", "probabilities", len(self.bundle.classes), z=self.mu(rows))

    def reconstruction(self, rows: Float32s) -> Any:
        """Encode and decode one batch of rows (n, n_features)."""
        return self.decoded(self.mu(rows))

    def decoded(self, embeddings: Float32s) -> Any:
        """Decode one batch of embeddings (n, latent_dim)."""
        return self._run("decoder", "features", len(self.bundle.features), z=embeddings)

    def lithologies(self, embeddings: Float32s) -> Any:
        """Return the class probabilities of one batch of embeddings (n, latent_dim)."""
        return self._run("classifier", "probabilities", len(self.bundle.classes), z=embeddings)

    def features(self, embeddings: Float32s) -> Any:
        """Decode one batch of embeddings (n, latent_dim)."""
        return self._run("decoder", "features", len(self.bundle.features), z=embeddings)

    def _run(self, graph: str, output: str, width: int, **inputs: Float32s) -> Any:
        session, n_rows = getattr(self, graph), len(next(iter(inputs.values())))
        return checked(lambda: session.run([output], inputs), self._paths[graph], {output: width}, n_rows)[0]


def run_batches(run: Run, rows: Float32s, out: Float32s, starts: Iterable[int]) -> None:
    """Run the batches that begin at the given starts, and write their outputs to the same rows of ``out``."""
    for start in starts:
        block = rows[start : start + MICRO_BATCH]
        out[start : start + MICRO_BATCH] = run(_padded(block))[: len(block)]


def _padded(block: Float32s) -> Float32s:
    """Pad a block with zeros to a multiple of `WHOLE_ROWS` rows."""
    lacking = -len(block) % WHOLE_ROWS
    return np.concatenate([block, np.zeros((lacking, block.shape[1]), np.float32)]) if lacking else block
