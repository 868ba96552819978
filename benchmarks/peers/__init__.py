"""The peers: ways to embed, each at its best, each in a process of its own (`benchmarks.worker`)."""

from __future__ import annotations

import importlib
from typing import Any

from .peer import Peer, UnavailableError

__all__ = ["LABELS", "Peer", "UnavailableError", "make_peer"]

LABELS = {
    "lithovae": "LithoVAE",
    "seed": "seed script",
    "eager": "torch, well written",
    "compiled": "torch.compile",
    "straight": "straight ONNX export",
    "openvino": "OpenVINO",
    "by_hand": "numpy by hand",
}
"""Names of the peers, as tables and the chart call them. ``benchmarks/peers/NAME.py`` each says what it does."""


def make_peer(name: str, threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Make a peer, ready to run.

    Parameters
    ----------
    name : str
        One of `LABELS`.
    threads : int
        Threads that it may use.
    choice : dict, optional
        What trials found before (`Peer.choice`); they are not run again.

    Raises
    ------
    UnavailableError
        If it cannot run here, and why.
    """
    try:
        return importlib.import_module(f"{__name__}.{name}").make(threads, choice)  # type: ignore[no-any-return]
    except ImportError as error:
        raise UnavailableError(f"{error}; `make bench` installs it") from error
