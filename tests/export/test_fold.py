from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lithovae.export.fold import FoldedVAE, Linear, fold
from lithovae.models.vae import VAE, SemiSupervisedVAE

Floats = NDArray[np.float64]


def stack(x: Floats, layers: list[Linear], relu_last: bool) -> Floats:
    for i, layer in enumerate(layers):
        x = x @ layer.weight + layer.bias
        if relu_last or i < len(layers) - 1:
            x = np.maximum(x, 0)
    return x


def outputs(folded: FoldedVAE, x: Floats, z: Floats) -> list[Floats]:
    hidden = stack(x, folded.encoder, relu_last=True)
    heads = [hidden @ head.weight + head.bias for head in (folded.mu, folded.logvar)]
    return [*heads, stack(z, folded.decoder, relu_last=False), stack(z, folded.classifier, relu_last=False)]


def used_model(hidden: list[int], latent: int, smallest_variance: float) -> SemiSupervisedVAE:
    """A model whose BatchNorm layers have statistics, as after training."""
    torch.manual_seed(0)
    model = SemiSupervisedVAE(6, latent, hidden, n_classes=7).double().eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.1, 2.0)
            module.running_var[0] = smallest_variance
            module.weight.data.normal_()
            module.bias.data.normal_()
    return model


def test_folding_is_exact_algebra() -> None:
    rng = np.random.default_rng(0)
    for hidden, latent, variance in [
        ([64, 32], 10, 0.3),
        ([64, 32], 10, 1e-14),
        ([20], 3, 0.0),
        ([30, 20, 10], 4, 1e-9),
    ]:
        model = used_model(hidden, latent, variance)
        x, z = rng.normal(size=(50, 6)), rng.normal(size=(50, latent))
        with torch.no_grad():
            mu, logvar = model.encode(torch.tensor(x))
            expected = [mu, logvar, model.decode(torch.tensor(z)), model.classify(torch.tensor(z))]
        for ours, theirs in zip(outputs(fold(model), x, z), expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-10)


def test_the_model_is_left_alone() -> None:
    model = VAE().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert fold(model).classifier == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
