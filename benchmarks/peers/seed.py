"""The original research script: whole file in memory, scikit-learn's scaler, torch eager in one batch, numpy.savez.

``.venv/dev/bin/python -m benchmarks.peers.seed SCAN.h5 OUT.npz``
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from lithovae.models.checkpoint import Checkpoint

from .peer import CHECKPOINT, Float32s, Peer
from .streamed import BIN_WIDTH


class SeedScript(Peer):
    """The script as functions."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        checkpoint = Checkpoint.load(CHECKPOINT)
        self.model: Any = checkpoint.model
        self.temperature = checkpoint.temperature
        self.scaler = StandardScaler()
        self.scaler.mean_, self.scaler.scale_ = checkpoint.scaler.mean_, checkpoint.scaler.scale_
        self.choice = {"batch": "the whole file"}

    def embed(self, x: NDArray[Any]) -> Float32s:
        """Embed raw rows, all at once."""
        return self.model.get_embeddings(self._scaled(x)).numpy()  # type: ignore[no-any-return]

    def classify(self, x: NDArray[Any]) -> Float32s:
        """Return the class probabilities of raw rows, all at once."""
        with torch.no_grad():
            logits = self.model.classify(self.model.get_embeddings(self._scaled(x)))
            return torch.softmax(logits / self.temperature, dim=1).numpy()

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return `embed`: the script has no faster way for one row."""
        return lambda: self.embed(row)

    def embed_scan(self, scan: Path, out: Path) -> None:
        """Embed a scan, read and written as a whole; pandas averages instruments in bins."""
        with h5py.File(scan) as file:
            if "data" in file:
                x, depth = file["data"][:].astype(np.float64), file["depth"][:]
            else:
                depth, x = _binned(file)
        np.savez(out, embeddings=self.embed(x), depth=depth)

    def _scaled(self, raw: NDArray[Any]) -> torch.Tensor:
        x = raw.astype(np.float64)
        x[:, 1:3] = np.sign(x[:, 1:3]) * np.log1p(np.abs(x[:, 1:3]))
        x[:, 3:] = np.log1p(x[:, 3:])
        return torch.FloatTensor(self.scaler.transform(x))


def _binned(file: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import pandas as pd

    frames = []
    for group in ("GRA", "MS", "NGR", "camera"):
        frame = pd.DataFrame({name: column[:] for name, column in file[group].items()})
        frames.append(frame.groupby(np.rint(frame.pop("depth") / BIN_WIDTH)).mean())
    table = pd.concat(frames, axis=1).sort_index()
    names = ["Bulk density (GRA)", "Magnetic susceptibility (instr. units)", "NGR total counts (cps)", *"RGB"]
    return table.index.to_numpy() * BIN_WIDTH, table[names].to_numpy(np.float64)


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Load checkpoint and scaler."""
    return SeedScript(threads)


if __name__ == "__main__":
    make(torch.get_num_threads()).embed_scan(Path(sys.argv[1]), Path(sys.argv[2]))
