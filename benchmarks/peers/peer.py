"""The interface of a peer, and the parts that most share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import streamed

Float32s = NDArray[np.float32]

ROOT = Path(__file__).parent.parent.parent
MODEL = "semisup_hybrid"
CHECKPOINT = ROOT / "models" / "model_semisup_hybrid.pt"


class UnavailableError(Exception):
    """A peer, or one of its operations, cannot run here; the message says why."""


class Peer(ABC):
    """A way to embed.

    Attributes
    ----------
    choice : dict
        The settings that its trials found fastest.
    """

    choice: dict[str, Any]

    @abstractmethod
    def embed(self, x: Float32s) -> Float32s:
        """Embed raw rows (n, 6)."""

    @abstractmethod
    def classify(self, x: Float32s) -> Float32s:
        """Return the class probabilities (n, 139) of raw rows (n, 6)."""

    @abstractmethod
    def live(self, row: Float32s) -> Callable[[], Any]:
        """Return a function that embeds a row (1, 6): at each call, the current content of the array."""

    def embed_scan(self, scan: Path, out: Path) -> None:
        """Embed a scan into an ``.npz``; streamed by default."""
        streamed.embed_scan(scan, out, self.embed)

    def embed_scans(self, scans: list[Path], folder: Path) -> None:
        """Embed many scans, each into an ``.npz`` in a folder."""
        for scan in scans:
            self.embed_scan(scan, folder / f"{scan.stem}.npz")
