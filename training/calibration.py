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
from .split import BLOCKS_OF_DEPTH, parts_of
from .table import TrainingTable

Floats = NDArray[np.float64]

TEMPERATURES = np.geomspace(0.1, 10, 93)
"""Temperatures that are tried; the best is refined between its neighbours."""
LEAST_ROWS = 100
"""Rows to fit a temperature on, and to state the error of a part, at least."""
LEAST_PARTS = 5
"""Sites or holes held out, at least: of fewer, or of blocks of one hole, the temperature depends on which they are."""


class Calibrated(NamedTuple):
    """A calibration, and the parts of the rows that it was found on.

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


class Answers(NamedTuple):
    """What a head says of rows that it was not trained on.

    Attributes
    ----------
    logits : ndarray of shape (n, n_classes), float64
        Its outputs; minus infinity for a lithology that it does not know.
    label : ndarray of shape (n,), int64
        Number of each row's lithology; -1 for one that the head does not know.
    row : ndarray of shape (n,), int64
        Position of each row in its table.
    """

    logits: Floats
    label: NDArray[np.int64]
    row: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the likeliest lithology is that of the row; shape (n,)."""
        return np.asarray(self.logits.argmax(axis=1) == self.label)


def answers_of(checkpoint: Checkpoint, table: TrainingTable) -> Answers:
    """Return what a head says of the rows that have a lithology and an embedding; its network runs in float64."""
    rows = table.select(checkpoint.features)
    measured = rows.measured
    embedded = measured.any(axis=1) if checkpoint.missing == "impute" else measured.all(axis=1)
    answered = embedded & (rows.lithology != "")
    rows = rows.take(answered)
    scaled = checkpoint.scaler.transform(np.where(rows.measured, rows.features, np.nan))
    model = copy.deepcopy(checkpoint.model).double().eval()
    assert isinstance(model, SemiSupervisedVAE)
    with torch.no_grad():
        logits = model.classify(model.encode(torch.from_numpy(np.nan_to_num(scaled, nan=0.0)))[0]).numpy()
    number = {name: i for i, name in enumerate(checkpoint.classes)}
    label = np.array([number.get(name, -1) for name in rows.lithology.tolist()], np.int64)
    return Answers(logits, label, np.flatnonzero(answered))


def calibrate(checkpoint: Checkpoint, held_out: TrainingTable) -> Calibrated | None:
    """Fit a head's temperature on rows that it was not trained on.

    Returns
    -------
    Calibrated or None
        As of `temperature_of`; None also for a model without a head, and for rows of fewer than five sites or holes.
    """
    if not checkpoint.classes:
        return None
    kind, part = parts_of(held_out)
    answers = answers_of(checkpoint, held_out)
    part = part[answers.row]
    if kind == BLOCKS_OF_DEPTH or len(np.unique(part)) < LEAST_PARTS:
        return None
    return temperature_of(answers, kind, part)


def temperature_of(answers: Answers, kind: str, part: NDArray[np.int64]) -> Calibrated | None:
    """Fit the temperature that makes the lithologies likeliest, and measure what it changes.

    A row whose lithology the head does not know counts as wrong, and is not fitted on.

    Parameters
    ----------
    answers : Answers
        What the head says.
    kind : str
        What the parts are.
    part : ndarray of shape (n,), int64
        Number of each answer's part, from 0.

    Returns
    -------
    Calibrated or None
        None if fewer than 100 rows, or fewer than two parts of them, can be fitted on. The temperature stays 1 if those
        from the other parts make the lithologies of each no likelier.
    """
    known, right = answers.label >= 0, answers.right
    if np.count_nonzero(known) < LEAST_ROWS or len(np.unique(part[known])) < 2:
        return None
    n_parts = int(part.max()) + 1
    logits = answers.logits - answers.logits.max(axis=1, keepdims=True)
    own = np.where(known, logits[np.arange(len(logits)), np.maximum(answers.label, 0)], 0.0)
    losses = np.empty((n_parts, len(TEMPERATURES)))
    for i, tried in enumerate(TEMPERATURES):
        loss = -own / tried - np.log(_confidence(logits, tried))
        losses[:, i] = np.bincount(part, np.where(known, loss, 0.0), n_parts)
    total = losses.sum(axis=0)
    temperature, from_others = _best(total), np.array([_best(total - loss) for loss in losses])[part]
    before, after = _confidence(logits, 1.0), _confidence(logits, from_others[:, None])
    if np.sum((own - own / from_others - np.log(after) + np.log(before))[known]) >= 0:
        temperature, after = 1.0, before
    within = [calibration_error(after[part == i], right[part == i]) for i in range(n_parts)
              if np.count_nonzero(part == i) >= LEAST_ROWS]  # fmt: skip
    calibration = Calibration(
        temperature=round(temperature, 4),
        error_before=round(calibration_error(before, right), 4),
        error_after=round(calibration_error(after, right), 4),
        n_rows=len(right),
    )
    return Calibrated(calibration, kind, len(np.unique(part)), float(np.median(within)) if within else float("nan"))


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
