"""Hand-written numpy: float32, BatchNorm and scaler folded, reused buffers, a thread per core; batch found by trial."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from lithovae.export.fold import Linear, fold
from lithovae.models.checkpoint import Checkpoint

from .batches import CLASSIFY_TRIAL_ROWS, Batches, fastest
from .peer import CHECKPOINT, Float32s, Peer

BATCHES = (4096, 2048, 16_384, 1024, 512)


class ByHand(Peer):
    """Matrix products with numpy; BLAS has one thread (set in the worker's environment), Python several."""

    def __init__(self, threads: int, choice: dict[str, Any] | None = None) -> None:
        checkpoint = Checkpoint.load(CHECKPOINT)
        folded = fold(checkpoint.model)
        first = folded.encoder[0]
        weight = first.weight / checkpoint.scaler.scale_[:, None]  # after its logarithms, the scaler is linear, too
        scaled = Linear(weight, np.ones((len(weight), 1)), first.bias - checkpoint.scaler.mean_ @ weight)
        layers = [scaled, *folded.encoder[1:], folded.mu]
        *hidden, last = folded.classifier
        calibrated = Linear(
            last.weight / checkpoint.temperature, np.ones((len(last.weight), 1)), last.bias / checkpoint.temperature
        )
        self._layers, self._head = _float32(layers), _float32([*hidden, calibrated])
        self._kept = threading.local()  # each thread has its own buffers
        self._threads = threads
        self._embed, found = fastest(self._ways(self._mu, 10), (choice or {}).get("embed"))
        self.choice = {"embed": found}

    @cached_property
    def _classify(self) -> Any:
        way, found = fastest(self._ways(self._probabilities, 139), n_rows=CLASSIFY_TRIAL_ROWS)
        self.choice["classify"] = found
        return way

    def _ways(
        self, run: Callable[[Float32s], Float32s], width: int
    ) -> Iterator[tuple[dict[str, Any], Callable[[], Batches]]]:
        for batch in BATCHES:
            what = {"batch": batch, "workers": self._threads}
            yield what, lambda batch=batch: Batches(run, batch, width, self._threads)  # type: ignore[misc]

    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows."""
        return self._embed(x)  # type: ignore[no-any-return]

    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities of raw rows."""
        return self._classify(x)  # type: ignore[no-any-return]

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return the embedder of one row."""
        return lambda: self._mu(row)

    def _mu(self, rows: Float32s) -> Float32s:
        scaled = self._buffer("scaled", len(rows), 6)
        scaled[:, 0] = rows[:, 0]
        np.log1p(np.abs(rows[:, 1:3]), out=scaled[:, 1:3])
        np.copysign(scaled[:, 1:3], rows[:, 1:3], out=scaled[:, 1:3])
        np.log1p(rows[:, 3:], out=scaled[:, 3:])
        return self._through("encoder", self._layers, scaled)

    def _probabilities(self, rows: Float32s) -> Float32s:
        logits = self._through("head", self._head, self._mu(rows))
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits

    def _through(self, name: str, layers: list[tuple[Float32s, Float32s]], values: Float32s) -> Float32s:
        for i, (weight, bias) in enumerate(layers):
            out = self._buffer(f"{name}{i}", len(values), len(bias))
            np.matmul(values, weight, out=out)
            out += bias
            if i + 1 < len(layers):
                np.maximum(out, 0, out=out)
            values = out
        return values

    def _buffer(self, name: str, n: int, width: int) -> Float32s:
        found: Any = getattr(self._kept, name, None)
        if found is None or len(found) != n:
            found = np.empty((n, width), np.float32)
            setattr(self._kept, name, found)
        return found  # type: ignore[no-any-return]


def _float32(layers: list[Linear]) -> list[tuple[Float32s, Float32s]]:
    return [(layer.weight.astype(np.float32), layer.bias.astype(np.float32)) for layer in layers]


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Fold, and find the fastest batch."""
    return ByHand(threads, choice)
