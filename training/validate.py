"""What a model makes of rows that it was not trained on, gaps included."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import SemiSupervisedVAE

from .table import TrainingTable


@dataclass(frozen=True)
class Validation:
    """How well a model restores rows.

    Attributes
    ----------
    rows : int
        Number of rows.
    error : float
        Mean squared error of the measured values in scaled space; 1 is about what the mean of the training rows gives.
    errors : dict of str to float
        The same for each feature that the rows have.
    labelled : int
        Number of rows with a lithology.
    accuracy : float or None
        Share of these whose lithology is the most likely one by the head; None without a head or a lithology.
    commonest : str
        Their most common lithology; empty if there is none.
    commonest_share : float
        Share of these that have it: what the accuracy must exceed to be of use.
    """

    rows: int
    error: float
    errors: dict[str, float]
    labelled: int
    accuracy: float | None
    commonest: str
    commonest_share: float


def validate(checkpoint: Checkpoint, table: TrainingTable) -> Validation:
    """Embed rows by the mean of the latent distribution, restore them, and compare the measured values.

    The network runs in float64; the input for a missing value is 0 in scaled space.
    """
    table = table.select(checkpoint.features)
    measured = table.measured
    scaled = checkpoint.scaler.transform(np.where(measured, table.features, np.nan))
    x = np.where(measured, scaled, 0.0)
    model = copy.deepcopy(checkpoint.model).double().eval()
    with torch.no_grad():
        mu = model.encode(torch.from_numpy(x))[0]
        squared = (model.decode(mu).numpy() - x) ** 2
        guess = model.classify(mu).argmax(dim=1).numpy() if isinstance(model, SemiSupervisedVAE) else None
    names = zip(checkpoint.features.names, squared.T, measured.T, strict=True)
    labelled = table.lithology != ""
    accuracy = None
    if guess is not None and labelled.any():
        accuracy = float(np.mean(np.array(checkpoint.classes)[guess[labelled]] == table.lithology[labelled]))
    lithologies, counts = np.unique(table.lithology[labelled], return_counts=True)
    return Validation(
        rows=len(table),
        error=float(squared[measured].mean()),
        errors={name: float(errors[has].mean()) for name, errors, has in names if has.any()},
        labelled=int(np.count_nonzero(labelled)),
        accuracy=accuracy,
        commonest=str(lithologies[np.argmax(counts)]) if len(counts) else "",
        commonest_share=float(counts.max() / counts.sum()) if len(counts) else 0.0,
    )
