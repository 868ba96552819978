"""A training table and a recipe in, a checkpoint out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError, TrainingError
from lithovae.runtime.missing import missing_bits

from .recipe import Recipe
from .table import TrainingTable

Parts = dict[str, Tensor]
Report = Callable[[dict[str, float]], None]


def fit(
    table: TrainingTable,
    recipe: Recipe,
    *,
    supervised: bool,
    trained_on: str,
    report: Report = lambda epoch: None,
) -> Checkpoint:
    """Train a model.

    Parameters
    ----------
    table : TrainingTable
        Rows without a missing feature.
    recipe : Recipe
        How to train. The same recipe, table and torch version give the same checkpoint.
    supervised : bool
        Whether the model gets a lithology head.
    trained_on : str
        A sentence about the table, kept with the checkpoint.
    report : callable, optional
        Called after each epoch with its number (from 1), mean loss, its parts, beta and learning rate.

    Raises
    ------
    TableError
        If a row lacks a feature, or the table has fewer than two rows.
    TrainingError
        If the loss is no longer a number.
    """
    lacking = int(np.count_nonzero(missing_bits(table.features.astype(np.float32))))
    if lacking:
        raise TableError(f"{lacking} of the table's {len(table)} rows lack a feature: leave them out to train")
    if len(table) < 2:
        raise TableError("a table of one row cannot be trained on")
    scaler = DistributionAwareScaler().fit(table.features)
    x = torch.tensor(scaler.transform(table.features), dtype=torch.float32)
    labels = torch.tensor(table.labels) if supervised else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small gain nothing from more, and one thread is reproducible
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            model = SemiSupervisedVAE(n_classes=len(table.classes)) if supervised else VAE()
            history = _train(model, x, labels, recipe, report)
        finally:
            torch.set_num_threads(threads)
    return Checkpoint(
        model=model.eval(),
        scaler=scaler,
        classes=table.classes if supervised else (),
        recipe=asdict(recipe),
        trained_on=trained_on,
        data_digest=table.digest(),
        history=history,
    )


def _train(model: VAE, x: Tensor, labels: Tensor | None, recipe: Recipe, report: Report) -> list[dict[str, float]]:
    optimizer = Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    plateau = None
    if recipe.plateau_patience is not None:
        plateau = ReduceLROnPlateau(optimizer, patience=recipe.plateau_patience, factor=recipe.plateau_factor)
    history = []
    model.train()
    for epoch in range(recipe.epochs):
        beta = recipe.beta(epoch)
        sums: Parts = {}
        for rows in _batches(len(x), recipe.batch_size):
            parts = loss_parts(model, x[rows], None if labels is None else labels[rows], recipe)
            loss = weigh(parts, recipe, beta)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.clip_norm is not None:
                clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimizer.step()
            # A sum over the batch's rows becomes a sum over the epoch's; a mean is weighted by the batch's rows.
            weight = 1 if recipe.reduction == "sum" else len(rows)
            for name, part in {"loss": loss, **parts}.items():
                sums[name] = sums.get(name, torch.zeros(())) + part.detach() * weight
        means = {name: float(total) / len(x) for name, total in sums.items()}
        if not all(map(_is_number, means.values())):
            raise TrainingError(f"the loss is not a number in epoch {epoch + 1}: {means}")
        if plateau is not None:
            plateau.step(means["loss"])
        history.append({"epoch": epoch + 1, **means, "beta": beta, "learning_rate": optimizer.param_groups[0]["lr"]})
        report(history[-1])
    return history


def loss_parts(model: VAE, x: Tensor, labels: Tensor | None, recipe: Recipe) -> Parts:
    """Give the unweighted parts of a batch's loss: reconstruction, divergence, masked, cross_entropy."""
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


def weigh(parts: Parts, recipe: Recipe, beta: float) -> Tensor:
    """Add up a batch's loss from its parts."""
    loss = parts["reconstruction"] + beta * parts["divergence"]
    if "masked" in parts:
        loss = loss + recipe.masked_weight * parts["masked"]
    if "cross_entropy" in parts:
        loss = loss + recipe.alpha * parts["cross_entropy"]
    return loss


def _batches(n_rows: int, size: int) -> list[Tensor]:
    batches = list(torch.split(torch.randperm(n_rows), size))
    if len(batches) > 1 and len(batches[-1]) == 1:  # BatchNorm has no variance of a single row
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _is_number(value: float) -> bool:
    return value - value == 0
