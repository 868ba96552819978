"""A model as long training leaves some: what folding and reading must stand."""

from __future__ import annotations

from typing import TypeVar

import torch

from lithovae.models.vae import VAE

Model = TypeVar("Model", bound=VAE)


def worn(model: Model) -> Model:
    """Give a model's BatchNorm layers statistics, some of them tiny, and silence some units."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2.0)
            module.running_var[:3] = torch.tensor([1e-14, 1e-9, 0.0])
    first = model.encoder[0]
    assert isinstance(first, torch.nn.Linear)
    first.bias.data[:4] = -1e4  # never active
    return model.eval()
