"""The peers: ways to embed, each with its fastest settings and in its own process (`benchmarks.worker`)."""

from __future__ import annotations

import importlib
from typing import Any

from .peer import Peer, UnavailableError

__all__ = ["LABELS", "Peer", "UnavailableError", "make_peer"]

LABELS = {
    "lithovae": "LithoVAE",
    "seed": "original research script",
    "eager": "torch eager",
    "compiled": "torch.compile",
    "straight": "plain ONNX export",
    "openvino": "OpenVINO",
    "by_hand": "hand-written numpy",
}
"""Names of the peers in tables and the chart; ``benchmarks/peers/NAME.py`` describes each."""


def make_peer(name: str, threads: int, choice: dict[str, Any] | None = None) -> Peer:
    """Return a peer, ready to run.

    Parameters
    ----------
    name : str
        One of `LABELS`.
    threads : int
        Number of threads it may use.
    choice : dict, optional
        Settings that earlier trials found (`Peer.choice`); no trials are run.

    Raises
    ------
    UnavailableError
        If it cannot run here; the message says why.
    """
    try:
        return importlib.import_module(f"{__name__}.{name}").make(threads, choice)  # type: ignore[no-any-return]
    except ImportError as error:
        raise UnavailableError(f"{error}; `make bench` installs it") from error
