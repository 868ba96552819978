"""Golden rows: a few rows and the outputs that each graph must give for them, on any machine."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint

from . import parity

GOLDEN = np.array(
    [
        [1.69, 4.0, 17.8, 105, 104, 88],
        [1.5, 12.5, 32, 90, 85, 70],
        [2.7, -300, 1, 3, 2, 1],
        [np.nan, 4.0, 17.8, 105, 104, 88],
        [1.69, -999.25, 17.8, 105, -1, 88],
        [1.2, 6000, 250, 250, 251, 252],
        [np.nan] * 6,
    ],
    np.float32,
)
"""Sediment, negative susceptibility, missing features (NaN, a sentinel, a colour without a logarithm), the ends of the
sensors' ranges, no value at all."""
N_CLASSIFIED = 2
"""Golden rows of the classifier: few, because it has many outputs, and NaN passes through it like any number."""
ALLOWANCE = 4.0
"""Allowed error of golden rows, in multiples of torch's in float32: other processors round in another order."""


def golden_rows(checkpoint: Checkpoint, sessions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each graph's golden rows as plain data: inputs, outputs of torch in float64, tolerance of each output.

    NaN is None. A tolerance is in multiples of max(1, |expected|).
    """
    double = copy.deepcopy(checkpoint.model).double()
    plausible = parity.sets_of_rows(checkpoint.scaler)["plausible"]
    rows = np.concatenate([GOLDEN, plausible])
    exact, single = (parity.torch_encoder(model, checkpoint, rows) for model in (double, checkpoint.model))
    latent = exact["mu"].astype(np.float32)
    exact |= parity.torch_heads(double, checkpoint, latent)
    single |= parity.torch_heads(checkpoint.model, checkpoint, latent)
    found = {}
    for graph, session in sessions.items():
        input_name = session.get_inputs()[0].name
        outputs = [output.name for output in session.get_outputs()]
        n = N_CLASSIFIED if graph == "classifier" else len(GOLDEN)
        found[graph] = {
            "inputs": {input_name: _plain((latent if input_name == "z" else GOLDEN)[:n])},
            "outputs": {name: _plain(exact[name][:n]) for name in outputs},
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
