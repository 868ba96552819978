"""A plain torch.onnx.export of scaler and model, run one file at a time with onnxruntime's defaults.

A run keeps all intermediates, 2.4 kB per row in total: 8 M rows in one run would take 19 GB. So a file is run in pieces
of `PIECE_ROWS`, as a user would do after running out of memory once.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnxruntime as ort
import torch

from lithovae.models.checkpoint import Checkpoint

from .module import Classifier, Encoder, Scaled
from .peer import CHECKPOINT, Float32s, Peer
from .streamed import binned

PIECE_ROWS = 262_144


class Straight(Peer):
    """A session with default options."""

    def __init__(self) -> None:
        checkpoint = Checkpoint.load(CHECKPOINT)
        self._encoder = ort.InferenceSession(straight_export(Encoder(checkpoint), ["mu", "logvar"]))
        self._classifier = ort.InferenceSession(straight_export(Classifier(checkpoint), ["probabilities"]))
        self.choice = {"batch": PIECE_ROWS, "session options": "onnxruntime's defaults"}

    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows."""
        return _in_pieces(lambda rows: self._encoder.run(["mu"], {"features": rows})[0], x)

    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities of raw rows."""
        return _in_pieces(lambda rows: self._classifier.run(["probabilities"], {"features": rows})[0], x)

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return `embed`."""
        return lambda: self.embed(row)

    def embed_scan(self, scan: Path, out: Path) -> None:
        """Embed a scan, read and written as a whole."""
        with h5py.File(scan) as file:
            if "data" in file:
                x, depth = file["data"][:].astype(np.float32, copy=False), file["depth"][:]
            else:
                depth, x = binned(file)
        np.savez(out, embeddings=self.embed(x), depth=depth)


def _in_pieces(run: Callable[[Float32s], Float32s], x: Float32s) -> Float32s:
    if len(x) <= PIECE_ROWS:
        return run(x)
    return np.concatenate([run(x[start : start + PIECE_ROWS]) for start in range(0, len(x), PIECE_ROWS)])


def straight_export(module: Scaled, outputs: list[str]) -> bytes:
    """Export with torch's older exporter, which needs no other packages."""
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated; the newer one writes the same operators
        torch.onnx.export(
            module,
            (torch.ones(2, 6),),
            file,
            input_names=["features"],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in ("features", *outputs)},
            dynamo=False,
        )
    return file.getvalue()  # type: ignore[no-any-return]


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Export and open sessions; onnxruntime chooses the number of threads."""
    return Straight()
