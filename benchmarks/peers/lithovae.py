"""LithoVAE's runtime, through its public interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.many_scans import embed_scans
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.process.memory import keep_freed

from .peer import MODEL, Float32s, Peer


class LithoVAE(Peer):
    """A `LithoModel` in a process that keeps freed memory, as ``lithovae-run`` does."""

    def __init__(self, threads: int) -> None:
        keep_freed()
        self.model = LithoModel.load(MODEL, threads=threads)
        self.choice: dict[str, Any] = {"threads": threads}

    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows."""
        return self.model.embed(x)

    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities of raw rows."""
        return self.model.classify(x)

    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return a function that embeds one row with ``model.live()``."""
        embed, one, out = self.model.live().embed, row[0], np.empty(self.model.latent_dim, np.float32)
        return lambda: embed(one, out)

    def embed_scan(self, scan: Path, out: Path) -> None:
        """Embed a scan as ``lithovae-run`` does."""
        embed_scan(scan, out, self.model)

    def embed_scans(self, scans: list[Path], folder: Path) -> None:
        """Embed many scans as one call of ``lithovae-run`` does, without its printed lines."""
        with redirect_stdout(StringIO()):
            embed_scans(scans, folder, partial(embed_scan, model=self.model))


def make(threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Load the model."""
    return LithoVAE(threads)
