"""Train a checkpoint on a table, by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError, TrainingError
from lithovae.runtime.features import FEATURE_NAMES, FEATURES, LILY
from lithovae.runtime.missing import missing_bits

from .loss import weigh
from .recipe import Recipe
from .resume import EVERY, RunState
from .step import Step
from .table import TrainingTable

Report = Callable[[dict[str, float]], None]
Warn = Callable[[str], None]

COLLAPSED = 0.01
"""Mean divergence in nats below which a latent dimension carries almost no information."""
STALLED = 1e-5
"""Learning rate below which a model hardly learns."""


def fit(
    table: TrainingTable,
    recipe: Recipe,
    *,
    supervised: bool,
    trained_on: str,
    report: Report = lambda epoch: None,
    warn: Warn = lambda message: None,
    resume: Path | None = None,
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
    warn : callable, optional
        Called with a sentence for each sign of trouble: implausible values, a constant feature, a class with a single
        row, a stalled learning rate, a collapsed latent dimension.
    resume : Path, optional
        File for the state of the run, written every few epochs; remove it once the checkpoint is saved. If it exists,
        the run resumes from it and gives the same checkpoint, bit for bit, as an uninterrupted run.

    Raises
    ------
    TableError
        If a row lacks a feature, or the table has fewer than two rows.
    TrainingError
        If the loss is not a number, or ``resume`` is damaged or the state of another table, recipe, model or torch
        version.
    """
    bits = missing_bits(table.features.astype(np.float32), LILY)
    if bits.any():
        row = int(np.flatnonzero(bits)[0])
        names = ", ".join(name for i, name in enumerate(FEATURE_NAMES) if bits[row] >> i & 1)
        raise TableError(
            f"{np.count_nonzero(bits)} of the table's {len(table)} rows have a missing or impossible value, the "
            f"first in row {row + 1} ({table.hole[row]}, {table.depth[row]:g} m: {names}): remove them before training"
        )
    if len(table) < 2:
        raise TableError("a table to train on needs at least two rows")
    digest = table.digest()
    state = None if resume is None else RunState(resume, recipe, supervised=supervised, data_digest=digest)
    for sign in _signs_before(table, supervised):
        warn(sign)
    scaler = DistributionAwareScaler().fit(table.features)
    x = torch.tensor(scaler.transform(table.features), dtype=torch.float32)
    labels = torch.tensor(table.labels) if supervised else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small gain nothing from more, and one thread is reproducible
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            model = SemiSupervisedVAE(n_classes=len(table.classes)) if supervised else VAE()
            history = _train(model, x, labels, recipe, report, warn, state)
            for sign in _signs_after(model.eval(), x):
                warn(sign)
        finally:
            torch.set_num_threads(threads)
    return Checkpoint(
        model=model,
        scaler=scaler,
        classes=table.classes if supervised else (),
        recipe=asdict(recipe),
        trained_on=trained_on,
        data_digest=digest,
        history=history,
    )


def _train(
    model: VAE,
    x: Tensor,
    labels: Tensor | None,
    recipe: Recipe,
    report: Report,
    warn: Warn = lambda message: None,
    state: RunState | None = None,
) -> list[dict[str, float]]:
    step = Step(model, recipe)
    optimizer = Adam([step.parameters], lr=recipe.learning_rate, fused=True)
    plateau = None
    if recipe.plateau_patience is not None:
        plateau = ReduceLROnPlateau(optimizer, patience=recipe.plateau_patience, factor=recipe.plateau_factor)
    history: list[dict[str, float]] = []
    found = None if state is None else state.read()
    if found is not None:
        model.load_state_dict(found["model"])
        optimizer.load_state_dict(found["optimizer"])
        if plateau is not None:
            plateau.load_state_dict(found["plateau"])
        torch.set_rng_state(found["random"])
        history = found["history"]
    for epoch in range(len(history), recipe.epochs):
        beta, rate = recipe.beta(epoch), optimizer.param_groups[0]["lr"]
        means = train_epoch(step, optimizer, x, labels, beta)
        if not all(map(_is_number, means.values())):
            raise TrainingError(f"the loss is not a number in epoch {epoch + 1}: {means}")
        if plateau is not None:
            plateau.step(means["loss"])
        history.append({"epoch": epoch + 1, **means, "beta": beta, "learning_rate": optimizer.param_groups[0]["lr"]})
        report(history[-1])
        if history[-1]["learning_rate"] < STALLED <= rate and epoch + 1 < recipe.epochs:
            warn(
                f"the learning rate fell below {STALLED:g} in epoch {epoch + 1} of {recipe.epochs}: the loss no longer "
                "improves, and the remaining epochs will change little"
            )
        if state is not None and (epoch + 1) % EVERY == 0 and epoch + 1 < recipe.epochs:
            state.write(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "plateau": None if plateau is None else plateau.state_dict(),
                    "random": torch.get_rng_state(),
                    "history": history,
                }
            )
    step.release()
    return history


def train_epoch(step: Step, optimizer: Adam, x: Tensor, labels: Tensor | None, beta: float) -> dict[str, float]:
    """Take a step for each batch of the shuffled rows; return the mean loss and its parts."""
    recipe, order = step.recipe, torch.randperm(len(x))
    x, labels = x[order], None if labels is None else labels[order]  # once, so that a batch is a slice
    sums: dict[str, Tensor] = {}
    for rows in _batches(len(x), recipe.batch_size):
        batch = x[rows]
        parts = step(batch, None if labels is None else labels[rows], beta)
        if recipe.clip_norm is not None:
            clip_grad_norm_(step.parameters, recipe.clip_norm)
        optimizer.step()
        # A sum over the batch's rows becomes a sum over the epoch's; a mean is weighted by the batch's rows.
        weight = 1 if recipe.reduction == "sum" else len(batch)
        for name, part in parts.items():
            if name not in sums:
                sums[name] = torch.zeros((), dtype=torch.float64)
            sums[name].add_(part, alpha=weight)
    means = {name: float(total) / len(x) for name, total in sums.items()}
    return {"loss": weigh(means, recipe, beta), **means}


def _batches(n_rows: int, size: int) -> Iterator[slice]:
    start = 0
    while start < n_rows:
        stop = min(start + size, n_rows)
        if stop == n_rows - 1:  # BatchNorm has no variance of a single row
            stop = n_rows
        yield slice(start, stop)
        start = stop


def _signs_before(table: TrainingTable, supervised: bool) -> Iterator[str]:
    for feature, values in zip(FEATURES, table.features.T, strict=True):
        low, high = feature.plausible
        beyond = int(np.count_nonzero((values < low) | (values > high)))
        if beyond:
            span = f"outside {low:g} to {high:g} {feature.unit}"
            yield f"{feature.name} is {span} in {beyond:,} rows: is it in another unit?"
    for name, values in zip(FEATURE_NAMES, table.features.T, strict=True):
        if values.min() == values.max():
            yield f"the feature {name!r} is {values[0]:g} in every row: the model learns nothing from it"
    if supervised:
        rare = [name for name, rows in zip(table.classes, np.bincount(table.labels), strict=True) if rows == 1]
        if rare:
            more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
            yield (
                f"{len(rare)} of {len(table.classes)} classes have a single row ({', '.join(rare[:5])}{more}): "
                "the lithology head cannot learn them"
            )


def _signs_after(model: VAE, x: Tensor) -> Iterator[str]:
    with torch.no_grad():
        mu, logvar = model.encode(x[:: max(1, len(x) // 20_000)])
    divergence = -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean(0)
    collapsed = int((divergence < COLLAPSED).sum())
    if collapsed:
        yield (
            f"{collapsed} of {len(divergence)} latent dimensions have collapsed (a mean divergence below {COLLAPSED:g} "
            f"nats): the embedding has {len(divergence) - collapsed} useful dimensions"
        )


def _is_number(value: float) -> bool:
    return value - value == 0
