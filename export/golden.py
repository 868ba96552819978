"""Golden rows: a few rows and the outputs that each graph must give for them, on any machine."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.missing import SENTINELS

from . import parity

CLASSIFIED = {"classifier": [0, 1], "lithologies": [1, -1]}
"""Golden rows of these graphs: few, because they have many outputs. The last is NaN."""
ALLOWANCE = 4.0
"""Allowed error of golden rows, in multiples of torch's in float32: other processors round in another order."""


def golden_inputs(checkpoint: Checkpoint) -> NDArray[np.float32]:
    """Return the golden rows, shape (8, n_features).

    The mean of the training table, above it, below it; missing features (NaN; a sentinel and a value without a
    logarithm); nearly the ends of the plausible ranges; no value at all.
    """
    features, k = checkpoint.features, len(checkpoint.features)
    mean, above, below = checkpoint.scaler.inverse_transform(np.repeat([[0.0], [1.0], [-1.5]], k, axis=1))
    low, high = np.transpose([feature.plausible for feature in features])
    one_missing, marked = mean.copy(), mean.copy()
    one_missing[0] = np.nan
    marked[min(1, k - 1)] = SENTINELS[1]
    marked[np.flatnonzero(features.is_log1p)[-1:]] = -1.0
    rows = [
        mean,
        above,
        below,
        one_missing,
        marked,
        low + 0.02 * (high - low),
        low + 0.95 * (high - low),
        np.full(k, np.nan),
    ]
    return np.array([[float(f"{value:.5g}") for value in row] for row in rows], np.float32)


def golden_rows(checkpoint: Checkpoint, sessions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each graph's golden rows as plain data: inputs, outputs of torch in float64, tolerance of each output.

    NaN is None. A tolerance is in multiples of max(1, |expected|).
    """
    double = copy.deepcopy(checkpoint.model).double()
    plausible = parity.sets_of_rows(checkpoint)["plausible"]
    golden = golden_inputs(checkpoint)
    rows = np.concatenate([parity.with_neighbours({"golden": golden})["golden"], plausible])
    exact, single = (parity.torch_encoder(model, checkpoint, rows) for model in (double, checkpoint.model))
    latent = exact["mu"].astype(np.float32)
    exact |= parity.torch_heads(double, checkpoint, latent)
    single |= parity.torch_heads(checkpoint.model, checkpoint, latent)
    found = {}
    for graph, session in sessions.items():
        input_name = session.get_inputs()[0].name
        outputs = [output.name for output in session.get_outputs()]
        chosen = CLASSIFIED.get(graph, list(range(len(golden))))
        given = (latent[: len(golden)] if input_name == "z" else golden)[chosen]
        found[graph] = {
            "inputs": {input_name: _plain(given)},
            "outputs": {name: _plain(exact[name][: len(golden)][chosen]) for name in outputs},
            "tolerance": {name: _tolerance(exact[name], single[name]) for name in outputs},
        }
    return found


def _plain(values: NDArray[Any]) -> list[list[float | None]]:
    """Return numbers with as few digits as identify a float32."""
    with np.errstate(over="ignore"):
        rows = values.astype(np.float32)
    return [[float(str(value)) if np.isfinite(value) else None for value in row] for row in rows]


def _tolerance(exact: NDArray[Any], single: NDArray[Any]) -> float:
    with np.errstate(invalid="ignore"):  # infinite reconstructions of extreme rows
        off = np.abs(single.astype(np.float64) - exact) / np.maximum(1, np.abs(exact))
    return float(f"{ALLOWANCE * np.max(off, where=np.isfinite(off), initial=1e-7):.2g}")
