"""Agreement of every peer with torch in float64: embeddings, probabilities and a live row."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.bench import Bench
from benchmarks.peers import LABELS, UnavailableError
from benchmarks.peers.peer import CHECKPOINT
from benchmarks.scans import plausible_rows
from lithovae.models.checkpoint import Checkpoint

N_ROWS = 10_000
TOLERANCE = 1e-3
"""Largest allowed deviation of a peer's outputs from torch in float64."""


def reference(raw: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return embeddings and class probabilities from torch in float64."""
    checkpoint = Checkpoint.load(CHECKPOINT)
    model: Any = copy.deepcopy(checkpoint.model).double()
    with torch.no_grad():
        mu = model.encode(torch.from_numpy(checkpoint.scaler.transform(raw)))[0]
        return mu.numpy(), torch.softmax(model.classify(mu) / checkpoint.temperature, dim=1).numpy()


def measure(bench: Bench) -> dict[str, Any]:
    """Compare every peer with the reference; a peer that differs is excluded from the other cases."""
    mu, probabilities = reference(plausible_rows(N_ROWS, np.random.default_rng(1)))
    found: dict[str, Any] = {}
    for name in LABELS:
        place = bench.folder / f"{name}.npz"
        try:
            bench.worker(name).ask("outputs", n_rows=N_ROWS, place=str(place))
        except UnavailableError:
            continue
        with np.load(place) as outputs:
            errors = {
                "embed": np.abs(outputs["embed"] - mu).max(),
                "classify": np.abs(outputs["classify"] - probabilities).max(),
                "live": np.abs(outputs["live"] - mu[:1]).max(),
            }
        found[name] = {output: float(error) for output, error in errors.items()}
        worst = max(found[name].values())
        if not worst <= TOLERANCE:  # also if NaN
            bench.failed[name] = f"its outputs differ by {worst:.1e} from torch in float64"
    return {"rows": N_ROWS, "errors": found, "tolerance": TOLERANCE}
