"""A model with the extreme statistics that long training can leave: folding and reading must cope with it."""

from __future__ import annotations

from typing import TypeVar

import torch

from lithovae.models.vae import VAE

Model = TypeVar("Model", bound=VAE)


def worn(model: Model) -> Model:
    """Set the statistics of a model's BatchNorm layers, some of them tiny, and silence some units."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2.0)
            module.running_var[:3] = torch.tensor([1e-14, 1e-9, 0.0])
    first = model.encoder[0]
    assert isinstance(first, torch.nn.Linear)
    first.bias.data[:4] = -1e4  # never active
    return model.eval()
