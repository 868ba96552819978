"""Well-written torch: float32, inference mode, no log-variance, threads and batch found by trial, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import nn

from lithovae.models.checkpoint import Checkpoint

from .batches import CLASSIFY_TRIAL_ROWS, Batches, fastest
from .module import Classifier, Embedder
from .peer import CHECKPOINT, Float32s, Peer

BATCHES = (4096, 16_384, 2048, 65_536, 1024, 262_144)


class Eager(Peer):
    """Modules without compilation."""

    batches: tuple[int, ...] = BATCHES
    fixed = False

    def __init__(self, threads: int, choice: dict[str, Any] | None = None) -> None:
        self.threads = threads
        checkpoint = Checkpoint.load(CHECKPOINT)
        self.checkpoint = checkpoint
        self._embed, found = fastest(self._ways(Embedder(checkpoint), 10), (choice or {}).get("embed"))
        self.choice = {"embed": found}
        torch.set_num_threads(found["intra_op_threads"])

    @cached_property
    def _classify(self) -> Any:
        way, found = fastest(self._ways(Classifier(self.checkpoint), 139), n_rows=CLASSIFY_TRIAL_ROWS)
        self.choice["classify"] = found
        return way

    def _ways(self, module: nn.Module, width: int) -> Iterator[tuple[dict[str, Any], Callable[[], Batches]]]:
        for batch in self.batches:
            for workers in dict.fromkeys((1, self.threads)):  # one worker with all threads, or several with one each
                what = {"batch": batch, "workers": workers, "intra_op_threads": self.threads // workers}
                yield what, lambda batch=batch, workers=workers: self._make(module, width, batch, workers)  # type: ignore[misc]

    def _make(self, module: nn.Module, width: int, batch: int, workers: int) -> Batches:
        torch.set_num_threads(self.threads // workers)
        return Batches(in_inference_mode(self.prepared(module)), batch, width, workers, fixed=self.fixed)

    def prepared(self, module: nn.Module) -> Callable[..., Any]:
        """Return the callable that is run."""
        return module

    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows."""
        torch.set_num_threads(self.choice["embed"]["intra_op_threads"])
        return self._embed(x)  # type: ignore[no-any-return]

    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities of raw rows."""
        classify = self._classify
        torch.set_num_threads(self.choice["classify"]["intra_op_threads"])
        return classify(x)  # type: ignore[no-any-return]

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return the embedder of one row; torch uses one thread for so little."""
        embed = in_inference_mode(self.prepared(Embedder(self.checkpoint)))
        return lambda: embed(row)


def in_inference_mode(module: Callable[..., Any]) -> Callable[[Float32s], Any]:
    """Return a function of numpy rows; inference mode is per thread, so each call enters it."""

    def run(rows: Float32s) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(rows)).numpy()

    return run


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Find the fastest batch and threads."""
    return Eager(threads, choice)
