"""The temperature of a lithology head, fitted on rows that the model was not trained on (Guo et al. 2017)."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import SemiSupervisedVAE
from lithovae.runtime.model.reference import Calibration

from .evaluate import calibration_error
from .split import parts_of
from .table import TrainingTable

Floats = NDArray[np.float64]

TEMPERATURES = np.geomspace(0.1, 10, 93)
"""Temperatures that are tried; the best is refined between its neighbours."""
LEAST_ROWS = 100
"""Rows to fit a temperature on, and to state the error of a part, at least."""


class Calibrated(NamedTuple):
    """A calibration, and the parts of the held-out rows that it was found on.

    Attributes
    ----------
    calibration : Calibration
        The temperature, and the error before and after. The rows of each part are scored with a temperature fitted on
        the other parts.
    kind : str
        What the parts are: ``sites``, ``holes`` or ``blocks of depth``.
    n_parts : int
        Number of parts.
    within : float
        Median, over the parts with enough rows, of the error after within a part; NaN if there is none. It is larger
        than that of all rows, where parts with too high and too low probabilities compensate.
    """

    calibration: Calibration
    kind: str
    n_parts: int
    within: float


def calibrate(checkpoint: Checkpoint, held_out: TrainingTable) -> Calibrated | None:
    """Fit the temperature that makes a head's probabilities likeliest, and measure what it changes.

    A row whose lithology the head does not know counts as wrong, and is not fitted on.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model; its network runs in float64.
    held_out : TrainingTable
        Rows that it was not trained on. Those without a lithology, or without an embedding, are left out.

    Returns
    -------
    Calibrated or None
        None if the model has no head, or fewer than 100 rows, or fewer than two parts of them, can be fitted on.
    """
    if not isinstance(checkpoint.model, SemiSupervisedVAE):
        return None
    rows = held_out.select(checkpoint.features)
    measured = rows.measured
    embedded = measured.any(axis=1) if checkpoint.missing == "impute" else measured.all(axis=1)
    rows = rows.take(embedded & (rows.lithology != ""))
    number = {name: i for i, name in enumerate(checkpoint.classes)}
    label = np.array([number.get(name, -1) for name in rows.lithology.tolist()], np.int64)
    known = label >= 0
    if np.count_nonzero(known) < LEAST_ROWS:
        return None
    kind, part = parts_of(rows)
    n_parts = int(part.max()) + 1
    if len(np.unique(part[known])) < 2:
        return None
    logits = _logits(checkpoint, rows)
    guess = logits.argmax(axis=1)
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(rows)), np.maximum(label, 0)]
    losses = np.empty((n_parts, len(TEMPERATURES)))
    for i, temperature in enumerate(TEMPERATURES):
        loss = -own / temperature - np.log(_confidence(logits, temperature))
        losses[:, i] = np.bincount(part, np.where(known, loss, 0.0), n_parts)
    total, right = losses.sum(axis=0), guess == label
    from_others = np.array([_best(total - loss) for loss in losses])
    before, after = _confidence(logits, 1.0), _confidence(logits, from_others[part][:, None])
    within = [calibration_error(after[part == i], right[part == i]) for i in range(n_parts)
              if np.count_nonzero(part == i) >= LEAST_ROWS]  # fmt: skip
    calibration = Calibration(
        temperature=round(_best(total), 4),
        error_before=round(calibration_error(before, right), 4),
        error_after=round(calibration_error(after, right), 4),
        n_rows=len(rows),
    )
    return Calibrated(calibration, kind, n_parts, float(np.median(within)) if within else float("nan"))


def _logits(checkpoint: Checkpoint, rows: TrainingTable) -> Floats:
    scaled = checkpoint.scaler.transform(np.where(rows.measured, rows.features, np.nan))
    model = copy.deepcopy(checkpoint.model).double().eval()
    with torch.no_grad():
        mu = model.encode(torch.from_numpy(np.nan_to_num(scaled, nan=0.0)))[0]
        assert isinstance(model, SemiSupervisedVAE)
        return np.asarray(model.classify(mu).numpy())


def _confidence(logits: Floats, temperature: float | Floats) -> Floats:
    """Return the largest probability of each row; logits are relative to the row's largest."""
    return np.asarray(1 / np.exp(logits / temperature).sum(axis=1))


def _best(losses: Floats) -> float:
    """Return the temperature with the smallest loss, by a parabola through the best of those tried."""
    i = int(np.argmin(losses))
    if not 0 < i < len(losses) - 1:
        return float(TEMPERATURES[i])
    left, middle, right = losses[i - 1 : i + 2]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature > 0 else 0.0
    return float(np.exp(np.interp(i + shift, np.arange(len(losses)), np.log(TEMPERATURES))))
