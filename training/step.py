"""A training step with a hand-written gradient: the loss and gradient of `loss.loss_parts` and autograd, in less time.

Layers this small cost more to dispatch than to compute. This step saves the graph, many small operations, and an
optimizer's loop over 22 tensors. A test compares the gradients with autograd's.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from lithovae.models.vae import VAE, SemiSupervisedVAE

from .loss import Parts, draw_mask
from .recipe import Recipe


class Step:
    """The loss of a batch and its gradient, without autograd.

    Parameters
    ----------
    model : VAE
        The model; its parameters become views of `parameters`.
    recipe : Recipe
        How to train.
    instruments : Tensor of shape (k,), optional
        Number of each feature's instrument; needed if the recipe masks instruments.

    Attributes
    ----------
    model, recipe
        Those given.
    parameters : Parameter of shape (n_parameters,)
        All parameters as one vector: an optimizer steps once instead of 22 times. Each call sets its ``grad``.
    """

    def __init__(self, model: VAE, recipe: Recipe, instruments: Tensor | None = None) -> None:
        own = list(model.parameters())
        self.recipe, self.model, self._instruments = recipe, model, instruments
        self.parameters = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in own]))
        self.parameters.grad = torch.zeros_like(self.parameters)
        sizes = [parameter.numel() for parameter in own]
        values, gradients = torch.split(self.parameters.detach(), sizes), torch.split(self.parameters.grad, sizes)
        for parameter, value, gradient in zip(own, values, gradients, strict=True):
            parameter.data, parameter.grad = value.view_as(parameter), gradient.view_as(parameter)
        self._encoder, self._decoder = _hidden(model.encoder), _hidden(model.decoder)
        self._mu, self._logvar, self._out = _Linear(model.fc_mu), _Linear(model.fc_logvar), _Linear(model.fc_out)
        self._head = _Head(model.classifier) if isinstance(model, SemiSupervisedVAE) else None

    @torch.inference_mode()
    def __call__(self, x: Tensor, labels: Tensor | None, beta: float, measured: Tensor | None = None) -> Parts:
        """Set the gradient for a batch, and return the parts of its loss as `loss_parts` does."""
        recipe, parts = self.recipe, Parts()
        per_row = 1 if recipe.reduction == "sum" else 1 / len(x)
        masked = draw_mask(x, recipe, self._instruments)
        seen = x if masked is None else x.masked_fill(masked, 0.0)
        for layer in self._encoder:
            seen = layer.forward(seen)
        mu, logvar = self._mu.forward(seen), self._logvar.forward(seen)
        sd = torch.exp(0.5 * logvar)
        noise = torch.randn_like(mu) * sd
        z = hidden = mu + noise
        for layer in self._decoder:
            hidden = layer.forward(hidden)
        error = self._out.forward(hidden).sub_(x)

        per_cell: Tensor | float = per_row if recipe.reduction == "sum" else per_row / x.shape[1]
        if measured is not None:  # a gap has no error, and so no slope
            error.mul_(measured)
            per_cell = per_row if recipe.reduction == "sum" else 1 / measured.sum()
        parts["reconstruction"] = torch.dot(error.view(-1), error.view(-1)) * per_cell
        slope = error * (2 * per_cell)
        if masked is not None:
            error.mul_(masked)
            count = (masked if measured is None else masked & measured).sum().clamp_(min=1)
            parts["masked"] = torch.dot(error.view(-1), error.view(-1)) / count
            slope.add_(error.mul_(2 * recipe.masked_weight / count))
        slope = self._out.backward(slope)
        for layer in reversed(self._decoder):
            slope = layer.backward(slope)
        if self._head is not None and labels is not None:
            parts["cross_entropy"], head_slope = self._head(z, labels, recipe)
            slope = slope.add_(head_slope)

        per_latent = per_row if recipe.reduction == "sum" else per_row / mu.shape[1]
        growth = sd.square_().sub_(1)  # the variance minus 1
        parts["divergence"] = (torch.dot(mu.view(-1), mu.view(-1)) + (growth - logvar).sum()) * (0.5 * per_latent)
        logvar_slope = noise.mul_(slope).add_(growth, alpha=beta * per_latent).mul_(0.5)
        slope = self._mu.backward(slope.add_(mu, alpha=beta * per_latent)).add_(self._logvar.backward(logvar_slope))
        for layer in reversed(self._encoder[1:]):
            slope = layer.backward(slope)
        self._encoder[0].backward(slope, last=True)
        return parts

    def release(self) -> None:
        """Give each parameter of the model its own memory again."""
        for parameter in self.model.parameters():
            parameter.data, parameter.grad = parameter.data.clone(), None


class _Linear:
    def __init__(self, linear: nn.Linear) -> None:
        self.weight, self.bias = linear.weight.detach(), linear.bias.detach()
        self.weight_grad, self.bias_grad = _present(linear.weight.grad), _present(linear.bias.grad)

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return torch.addmm(self.bias, x, self.weight.t())

    def backward(self, slope: Tensor, last: bool = False) -> Tensor:
        torch.mm(slope.t(), self.x, out=self.weight_grad)
        torch.sum(slope, 0, out=self.bias_grad)
        return slope if last else slope @ self.weight


class _Hidden:
    """Linear → ReLU → BatchNorm1d in train mode."""

    def __init__(self, linear: nn.Linear, norm: nn.BatchNorm1d) -> None:
        self.linear, self.momentum, self.eps = _Linear(linear), norm.momentum or 0.0, norm.eps
        self.running = (_present(norm.running_mean), _present(norm.running_var))
        self.tracked = _present(norm.num_batches_tracked)
        self.scale, self.shift = norm.weight.detach(), norm.bias.detach()
        self.scale_grad, self.shift_grad = _present(norm.weight.grad), _present(norm.bias.grad)

    def forward(self, x: Tensor) -> Tensor:
        self.active = self.linear.forward(x).relu_()
        self.tracked.add_(1)
        out, self.mean, self.inverse_sd = torch.native_batch_norm(
            self.active, self.scale, self.shift, *self.running, True, self.momentum, self.eps
        )
        return out

    def backward(self, slope: Tensor, last: bool = False) -> Tensor:
        moments = (*self.running, self.mean, self.inverse_sd)
        slope, scale_grad, shift_grad = torch.ops.aten.native_batch_norm_backward(
            slope, self.active, self.scale, *moments, True, self.eps, [True, True, True]
        )
        self.scale_grad.copy_(scale_grad)
        self.shift_grad.copy_(shift_grad)
        return self.linear.backward(torch.ops.aten.threshold_backward(slope, self.active, 0), last)


class _Head:
    """Linear → ReLU → Dropout → Linear, and the cross-entropy."""

    def __init__(self, layers: nn.Sequential) -> None:
        first, _, dropout, last = cast(list[Any], layers)
        self.first, self.last, self.share = _Linear(first), _Linear(last), dropout.p

    def __call__(self, z: Tensor, labels: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor]:
        labelled = labels >= 0
        n = int(labelled.sum())
        per_row = 1 if recipe.reduction == "sum" else 1 / max(n, 1)
        active = self.first.forward(z).relu_()
        kept = (torch.rand_like(active) >= self.share) * (1 / (1 - self.share))
        logs = torch.log_softmax(self.last.forward(active * kept), 1)
        chosen = labels.clamp(min=0)[:, None]
        own = logs.gather(1, chosen)
        loss = (own if n == len(labels) else own[labelled]).sum() * -per_row
        slope = logs.exp_()
        slope.scatter_add_(1, chosen, torch.full_like(chosen, -1, dtype=slope.dtype))
        if n < len(labels):
            slope.mul_(labelled[:, None])
        slope = self.last.backward(slope.mul_(recipe.alpha * per_row)).mul_(kept)
        return loss, self.first.backward(torch.ops.aten.threshold_backward(slope, active, 0))


def _hidden(layers: nn.Sequential) -> list[_Hidden]:
    each: list[Any] = list(layers)
    return [_Hidden(linear, norm) for linear, norm in zip(each[::3], each[2::3], strict=True)]


def _present(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor
