"""A bundle's graphs, run in the calling thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .likeliest import Likeliest, Search
from .session import checked, open_session

Float32s = NDArray[np.float32]
Run = Callable[[Float32s], Any]
"""Computes the output of a batch of rows."""

MICRO_BATCH = 4096
"""Rows of one session run: their intermediate results fit in a core's cache."""
FINISHED = 8192
"""Rows whose likeliest lithologies are finished together: what was found of them is still in the cache."""
CLASSIFIED = 1024
"""As `MICRO_BATCH`, where there are numbers for each lithology."""
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

    @cached_property
    def lithologies(self) -> Any:
        """Session of the bundle's `lithology_graph`."""
        return open_session(self.bundle, self.bundle.lithology_graph)

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
        bundle, parts = self.bundle, []
        for first in range(0, max(1, len(embeddings)), FINISHED):
            some = embeddings[first : first + FINISHED]
            search = Search(len(some), k, len(bundle.classes), len(bundle.groups), has_all=has_all)
            for start in range(0, len(some), CLASSIFIED):
                block = some[start : start + CLASSIFIED]
                search.take(start, *(values[: len(block)] for values in self._classify(_padded(block))))
            parts.append(search.finish(np.isnan(some[:, 0])))
        return Likeliest.join(parts)

    def decode(self, embeddings: Float32s) -> Float32s:
        """Decode contiguous embeddings (n, latent_dim) in the calling thread; shape (n, n_features), float32."""
        out = np.empty((len(embeddings), len(self.bundle.features)), np.float32)
        run_batches(self.decoded, embeddings, out, range(0, len(embeddings), MICRO_BATCH))
        return out

    def classify(self, embeddings: Float32s) -> Float32s:
        """Return class probabilities of contiguous embeddings (n, latent_dim) in the calling thread; float32."""
        out = np.empty((len(embeddings), len(self.bundle.classes)), np.float32)
        run_batches(self.classified, embeddings, out, range(0, len(embeddings), CLASSIFIED))
        return out

    def mu(self, rows: Float32s) -> Any:
        """Embed one batch of rows (n, n_features)."""
        return self._run(self.embedder, "embedder", {"mu": self.bundle.latent_dim}, features=rows)[0]

    def probabilities(self, rows: Float32s) -> Any:
        """Return the class probabilities of one batch of rows (n, n_features)."""
        return self.classified(self.mu(rows))

    def reconstruction(self, rows: Float32s) -> Any:
        """Encode and decode one batch of rows (n, n_features)."""
        return self.decoded(self.mu(rows))

    def decoded(self, embeddings: Float32s) -> Any:
        """Decode one batch of embeddings (n, latent_dim)."""
        return self._run(self.decoder, "decoder", {"features": len(self.bundle.features)}, z=embeddings)[0]

    def classified(self, embeddings: Float32s) -> Any:
        """Return the class probabilities of one batch of embeddings (n, latent_dim)."""
        outputs = {"probabilities": len(self.bundle.classes)}
        return self._run(self.classifier, "classifier", outputs, z=embeddings)[0]

    def _classify(self, embeddings: Float32s) -> list[Any]:
        """Return the outputs of the bundle's `lithology_graph` for one batch."""
        return self._run(self.lithologies, self.bundle.lithology_graph, self._classified, z=embeddings)

    @cached_property
    def _classified(self) -> dict[str, int]:
        return self.bundle.signature(self.bundle.lithology_graph)[1]

    def _run(self, session: Any, graph: str, outputs: dict[str, int], **inputs: Float32s) -> list[Any]:
        """Return outputs of a graph for one batch of rows."""
        n_rows = len(next(iter(inputs.values())))
        return checked(lambda: session.run(list(outputs), inputs), self._paths[graph], outputs, n_rows)


def run_batches(run: Run, rows: Float32s, out: Float32s, starts: range) -> None:
    """Run the batches that begin at the given starts, and write their outputs to the same rows of ``out``."""
    for start in starts:
        block = rows[start : start + starts.step]
        out[start : start + starts.step] = run(_padded(block))[: len(block)]


def _padded(block: Float32s) -> Float32s:
    """Pad a block with zeros to a multiple of `WHOLE_ROWS` rows."""
    lacking = -len(block) % WHOLE_ROWS
    return np.concatenate([block, np.zeros((lacking, block.shape[1]), np.float32)]) if lacking else block
