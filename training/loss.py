"""The loss of a batch, as a recipe defines it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from lithovae.models.vae import VAE

from .recipe import Recipe

Parts = dict[str, Tensor]
Number = TypeVar("Number", Tensor, float)


def loss_parts(model: VAE, x: Tensor, labels: Tensor | None, recipe: Recipe) -> Parts:
    """Return the unweighted parts of a batch's loss: reconstruction, divergence, masked, cross_entropy."""
    seen, masked = x, None
    if recipe.mask_probability:
        masked = torch.rand_like(x) < recipe.mask_probability
        seen = x.masked_fill(masked, 0.0)
    outputs = model(seen)
    recon, mu, logvar = outputs[:3]
    divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
    parts = {
        "reconstruction": mse_loss(recon, x, reduction=recipe.reduction),
        "divergence": divergence.sum() if recipe.reduction == "sum" else divergence.mean(),
    }
    if masked is not None:
        parts["masked"] = ((recon - x).pow(2) * masked).sum() / masked.sum().clamp(min=1)
    if labels is not None:
        parts["cross_entropy"] = cross_entropy(outputs[3], labels, reduction=recipe.reduction)
    return parts


def weigh(parts: Mapping[str, Number], recipe: Recipe, beta: float) -> Number:
    """Return the weighted sum of the parts of a loss, of a batch or of an epoch."""
    loss = parts["reconstruction"] + beta * parts["divergence"]
    if "masked" in parts:
        loss = loss + recipe.masked_weight * parts["masked"]
    if "cross_entropy" in parts:
        loss = loss + recipe.alpha * parts["cross_entropy"]
    return loss
