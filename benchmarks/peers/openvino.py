"""OpenVINO on the same graphs: throughput hint, asynchronous queue, float32; graph and batch found by trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import openvino as ov

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.model.bundle import Bundle

from .batches import CLASSIFY_TRIAL_ROWS, TAIL_ROWS, fastest, padded
from .module import Classifier, Embedder
from .peer import CHECKPOINT, MODEL, Float32s, Peer

BATCHES = (16_384, 4096, 65_536, 1024)


class OpenVINO(Peer):
    """Compiled models behind asynchronous queues."""

    def __init__(self, threads: int, choice: dict[str, Any] | None = None) -> None:
        from .straight import straight_export

        self._threads, self._core = threads, ov.Core()
        checkpoint = Checkpoint.load(CHECKPOINT)
        self._graphs = {
            "the bundle's": Bundle.read(MODEL).graphs["embedder"],
            "plain export": straight_export(Embedder(checkpoint), ["mu"]),
        }
        self._embed, found = fastest(self._ways(self._graphs, 10), (choice or {}).get("embed"))
        self.choice = {"embed": found}
        self._classifiers = {"plain export": straight_export(Classifier(checkpoint), ["probabilities"])}

    @cached_property
    def _classify(self) -> Any:
        way, self.choice["classify"] = fastest(self._ways(self._classifiers, 139), n_rows=CLASSIFY_TRIAL_ROWS)
        return way

    def _ways(self, graphs: dict[str, bytes], width: int) -> Iterator[tuple[dict[str, Any], Callable[[], Queue]]]:
        for name, graph in graphs.items():
            for batch in BATCHES:
                what = {"graph": name, "batch": batch, "threads": self._threads}
                yield what, partial(self._queue, graph, batch, width)

    def _queue(self, graph: bytes, batch: int, width: int) -> Queue:
        return Queue(self._compiled(graph, batch), self._compiled(graph, TAIL_ROWS), batch, width)

    def _compiled(self, graph: bytes, batch: int, hint: str = "THROUGHPUT") -> Any:
        model = self._core.read_model(graph)
        model.reshape([batch, 6])
        options = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_NUM_THREADS": self._threads if batch > 1 else 1,
            "INFERENCE_PRECISION_HINT": "f32",  # otherwise bfloat16 on processors that have it
        }
        return self._core.compile_model(model, "CPU", options)

    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows."""
        return self._embed(x)  # type: ignore[no-any-return]

    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities of raw rows."""
        return self._classify(x)  # type: ignore[no-any-return]

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return a request of one row, compiled for latency."""
        request = self._compiled(self._graphs[self.choice["embed"]["graph"]], 1, "LATENCY").create_infer_request()
        return lambda: request.infer({0: row}, share_inputs=True, share_outputs=True)[0]


class Queue:
    """A compiled model of one shape, applied to any number of rows; one of `TAIL_ROWS` takes the padded rest."""

    def __init__(self, compiled: Any, small: Any, batch: int, width: int) -> None:
        self._queue, self._batch, self._width = ov.AsyncInferQueue(compiled), batch, width
        self._small = small.create_infer_request()

    def __call__(self, x: Float32s) -> Float32s:
        """Return the outputs (n, width) of rows (n, 6)."""
        out = np.empty((len(x), self._width), np.float32)

        def done(request: Any, start: int) -> None:
            out[start : start + self._batch] = request.get_output_tensor(0).data

        self._queue.set_callback(done)
        whole = len(x) - len(x) % self._batch
        for start in range(0, whole, self._batch):
            self._queue.start_async({0: x[start : start + self._batch]}, start, share_inputs=True)
        for start in range(whole, len(x), TAIL_ROWS):
            piece = x[start : start + TAIL_ROWS]
            found = self._small.infer({0: padded(piece, TAIL_ROWS)}, share_inputs=True, share_outputs=True)[0]
            out[start : start + len(piece)] = found[: len(piece)]
        self._queue.wait_all()
        return out


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Find the fastest graph and batch."""
    return OpenVINO(threads, choice)
