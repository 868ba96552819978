"""A bundle's graphs, ready to run in the calling thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .session import open_session

Float32s = NDArray[np.float32]
Run = Callable[[Float32s], Any]
"""Gives the output of some rows."""

MICRO_BATCH = 4096
"""Rows that one session run takes: their intermediate results fit a core's cache."""
WHOLE_ROWS = 8
"""A session run takes a multiple of so many rows. What is left over of fewer, onnxruntime computes in another way,
which differs in the last bits; filled up, the output of a row depends on that row alone."""


class Graphs:
    """Sessions of a bundle's graphs, made when they are first asked for. Threads may share them.

    Parameters
    ----------
    bundle : Bundle
        A bundle that has been read and checked.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __reduce__(self) -> tuple[type[Graphs], tuple[Bundle]]:
        return type(self), (self.bundle,)  # sessions stay behind; another process makes its own

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
        """Embed contiguous rows (n, 6) in the calling thread; shape (n, latent_dim), float32."""
        out = np.empty((len(rows), self.bundle.latent_dim), np.float32)
        run_batches(self.mu, rows, out, range(0, len(rows), MICRO_BATCH))
        return out

    def mu(self, rows: Float32s) -> Any:
        """Embed one batch."""
        return self.embedder.run(["mu"], {"features": rows})[0]

    def probabilities(self, rows: Float32s) -> Any:
        """Classify one batch."""
        return self.classifier.run(["probabilities"], {"z": self.mu(rows)})[0]

    def reconstruction(self, rows: Float32s) -> Any:
        """Encode and decode one batch."""
        return self.decoder.run(["features"], {"z": self.mu(rows)})[0]


def run_batches(run: Run, rows: Float32s, out: Float32s, starts: Iterable[int]) -> None:
    """Run some batches of rows, each from its start on, and put the outputs in their place."""
    for start in starts:
        block = rows[start : start + MICRO_BATCH]
        out[start : start + MICRO_BATCH] = run(_whole(block))[: len(block)]


def _whole(block: Float32s) -> Float32s:
    """Fill a block up to a multiple of `WHOLE_ROWS`."""
    lacking = -len(block) % WHOLE_ROWS
    return np.concatenate([block, np.zeros((lacking, block.shape[1]), np.float32)]) if lacking else block
