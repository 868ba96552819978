"""The loss of a batch, as a recipe defines it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from lithovae.models.vae import VAE
from lithovae.runtime.features import FeatureSet

from .recipe import Recipe

Parts = dict[str, Tensor]
Number = TypeVar("Number", Tensor, float)


def loss_parts(
    model: VAE,
    x: Tensor,
    labels: Tensor | None,
    recipe: Recipe,
    measured: Tensor | None = None,
    instruments: Tensor | None = None,
) -> Parts:
    """Return the unweighted parts of a batch's loss: reconstruction, divergence, masked, cross_entropy.

    Parameters
    ----------
    model : VAE
        The model, in train mode.
    x : Tensor of shape (n, k)
        Scaled features; 0 where one is missing.
    labels : Tensor of shape (n,), optional
        Classes; -1 for a row without one, which the cross-entropy leaves out.
    recipe : Recipe
        How to train.
    measured : Tensor of bool, shape (n, k), optional
        Which values were measured: squared errors are of these alone. None: all.
    instruments : Tensor of shape (k,), optional
        Number of each feature's instrument, see `instruments_of`; needed if the recipe masks instruments.
    """
    masked = draw_mask(x, recipe, instruments)
    outputs = model(x if masked is None else x.masked_fill(masked, 0.0))
    recon, mu, logvar = outputs[:3]
    divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
    if measured is None:
        reconstruction = mse_loss(recon, x, reduction=recipe.reduction)
    else:
        reconstruction = mse_loss(recon[measured], x[measured], reduction=recipe.reduction)
    parts = {
        "reconstruction": reconstruction,
        "divergence": divergence.sum() if recipe.reduction == "sum" else divergence.mean(),
    }
    if masked is not None:
        if measured is not None:
            masked = masked & measured
        parts["masked"] = ((recon - x).pow(2) * masked).sum() / masked.sum().clamp(min=1)
    if labels is not None:
        total = cross_entropy(outputs[3], labels, reduction="sum", ignore_index=-1)
        parts["cross_entropy"] = total if recipe.reduction == "sum" else total / (labels >= 0).sum().clamp(min=1)
    return parts


def instruments_of(features: FeatureSet) -> Tensor:
    """Return the number of each feature's instrument; shape (k,), int64."""
    numbers = torch.zeros(len(features), dtype=torch.int64)
    for number, positions in enumerate(features.instruments.values()):
        numbers[positions] = number
    return numbers


def draw_mask(x: Tensor, recipe: Recipe, instruments: Tensor | None) -> Tensor | None:
    """Draw the inputs of a batch (n, k) that are set to 0; None if the recipe masks none."""
    masked = None
    if recipe.mask_probability:
        masked = torch.rand_like(x) < recipe.mask_probability
    if recipe.mask_instruments:
        assert instruments is not None
        n = int(instruments.max()) + 1
        whole = (torch.rand(len(x), n) < recipe.mask_instruments)[:, instruments]
        masked = whole if masked is None else masked | whole
    return masked


def weigh(parts: Mapping[str, Number], recipe: Recipe, beta: float) -> Number:
    """Return the weighted sum of the parts of a loss, of a batch or of an epoch."""
    loss = parts["reconstruction"] + beta * parts["divergence"]
    if "masked" in parts:
        loss = loss + recipe.masked_weight * parts["masked"]
    if "cross_entropy" in parts:
        loss = loss + recipe.alpha * parts["cross_entropy"]
    return loss
