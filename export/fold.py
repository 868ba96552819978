"""Eval-mode BatchNorm folded into the next linear layer: exact algebra, computed in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lithovae.models.vae import VAE, SemiSupervisedVAE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """``y = x @ (gain * plain) + bias``: a layer with the BatchNorm before it folded in, all float64.

    Attributes
    ----------
    plain : ndarray of shape (n_in, n_out)
        The layer's own weight, exact in float32.
    gain : ndarray of shape (n_in, 1)
        Gain of the BatchNorm before it; 1 if there is none.
    bias : ndarray of shape (n_out,)
        Bias, with the BatchNorm's shift included.
    """

    plain: Floats
    gain: Floats
    bias: Floats

    @property
    def weight(self) -> Floats:
        """The folded weight, for one matrix product: ``gain * plain``."""
        return self.gain * self.plain


@dataclass(frozen=True)
class FoldedVAE:
    """A `VAE` in eval mode as plain linear layers; a ReLU follows each but the last of a stack.

    Attributes
    ----------
    encoder : list of Linear
        The hidden layers.
    mu, logvar : Linear
        The two heads on the encoder.
    decoder : list of Linear
        All layers from the latent vector to scaled features.
    classifier : list of Linear
        All layers from the latent vector to logits; empty without a lithology head.
    """

    encoder: list[Linear]
    mu: Linear
    logvar: Linear
    decoder: list[Linear]
    classifier: list[Linear]


def fold(model: VAE) -> FoldedVAE:
    """Fold a model's BatchNorm layers; the model itself is not changed."""
    encoder, encoder_norm = _fold_stack(model.encoder)
    decoder, decoder_norm = _fold_stack(model.decoder)
    head = list(model.classifier) if isinstance(model, SemiSupervisedVAE) else []
    return FoldedVAE(
        encoder=encoder,
        mu=_after(encoder_norm, model.fc_mu),
        logvar=_after(encoder_norm, model.fc_logvar),
        decoder=[*decoder, _after(decoder_norm, model.fc_out)],
        classifier=[_after(None, layer) for layer in head if isinstance(layer, nn.Linear)],
    )


def _fold_stack(stack: nn.Sequential) -> tuple[list[Linear], nn.BatchNorm1d | None]:
    layers: list[Linear] = []
    norm: nn.BatchNorm1d | None = None
    for module in stack:
        if isinstance(module, nn.Linear):
            layers.append(_after(norm, module))
        elif isinstance(module, nn.BatchNorm1d):
            norm = module
    return layers, norm


def _after(norm: nn.BatchNorm1d | None, linear: nn.Linear) -> Linear:
    """Return one layer that computes ``linear(norm(x))``, where norm(x) = x * gain + shift."""
    weight, bias = _float64(linear.weight).T, _float64(linear.bias)
    if norm is None:
        return Linear(weight, np.ones((len(weight), 1)), bias)
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a BatchNorm layer without running statistics cannot be folded")
    gain = _float64(norm.weight) / np.sqrt(_float64(norm.running_var) + norm.eps)
    shift = _float64(norm.bias) - _float64(norm.running_mean) * gain
    return Linear(weight, gain[:, None], bias + shift @ weight)


def _float64(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().double().numpy())
