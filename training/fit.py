"""Train a checkpoint on a table, by a recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.state import build_model
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import TableError, TrainingError
from lithovae.runtime.other_units import ArrayUnits

from .loss import instruments_of, weigh
from .recipe import Recipe
from .reference import reference_of
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
    start: Checkpoint | None = None,
) -> Checkpoint:
    """Train a model.

    The reconstruction loss is of measured values alone. The input for a missing one is 0 in scaled space, the mean of
    the feature, as it is for an input that the recipe masks. Rows without a value, and the cross-entropy of rows
    without a lithology, are left out.

    Parameters
    ----------
    table : TrainingTable
        Rows, with or without gaps.
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
    start : Checkpoint, optional
        Checkpoint to start from. Its scaler, feature set and, if ``supervised``, classes are kept.

    Raises
    ------
    TableError
        If fewer than two rows have a value, a feature has none, or its values can only be in another unit, or a model
        with a lithology head gets no row with a lithology, or one that its checkpoint to start from does not know.
    TrainingError
        If the loss is not a number, ``start`` has no lithology head and the model is to have one, or ``resume`` is
        damaged or the state of another table, recipe, model or torch version.
    """
    digest = table.digest()
    if start is not None:
        table = table.select(start.features)
    table = _trainable(table, warn, all_features=start is None)
    classes = _classes(table, start) if supervised else ()
    state = None
    if resume is not None:
        sha256 = "" if start is None else start.sha256
        state = RunState(resume, recipe, supervised=supervised, data_digest=digest, start=sha256)
    for sign in _signs_before(table, supervised):
        warn(sign)
    measured = table.measured
    is_whole = bool(measured.all())
    values = table.features if is_whole else np.where(measured, table.features, np.nan)
    scaler = DistributionAwareScaler(table.feature_set.transforms).fit(values) if start is None else start.scaler
    scaled = scaler.transform(values)
    rows = Rows(
        torch.tensor(scaled if is_whole else np.where(measured, scaled, 0.0), dtype=torch.float32),
        torch.tensor(table.labels_in(classes)) if supervised else None,
        None if is_whole else torch.tensor(measured),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small gain nothing from more, and one thread is reproducible
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            model = _model(table, classes, start)
            step = Step(model.train(), recipe, instruments_of(table.feature_set))
            history = _train(step, rows, report, warn, state)
            for sign in _signs_after(model.eval(), rows.x):
                warn(sign)
        finally:
            torch.set_num_threads(threads)
    return Checkpoint(
        model=model,
        scaler=scaler,
        classes=classes,
        recipe=recipe.to_json(),
        trained_on=trained_on,
        data_digest=digest,
        history=history,
        features=table.feature_set,
        reference=reference_of(table, scaler, classes, before=None if start is None else start.reference),
    )


def _trainable(table: TrainingTable, warn: Warn, *, all_features: bool) -> TrainingTable:
    """Return the rows that have a value, after a check that they can be trained on."""
    measured = table.measured
    has_value = np.asarray(measured.any(axis=1))
    if np.count_nonzero(has_value) < 2:
        n = np.count_nonzero(has_value)
        raise TableError(f"a table to train on needs at least two rows with a value; {n} of {len(table)} has one")
    without = [name for name, n in zip(table.feature_set.names, measured.sum(axis=0), strict=True) if not n]
    if without and all_features:
        raise TableError(f"no row has a value of {', '.join(without)}: leave it out of the features")
    if without:
        warn(f"no row has a value of {', '.join(without)}: what the model knew of it may be lost")
    if wrong := table.implausible():
        raise TableError(f"{next(iter(wrong.values()))}: is it in another unit?")
    if wrong_units := ArrayUnits(table.feature_set).notes(np.where(measured, table.features, np.nan)):
        raise TableError(wrong_units[0])
    if not has_value.all():
        warn(f"{np.count_nonzero(~has_value):,} of {len(table):,} rows have no value: left out")
        table = table.take(has_value)
    return table


def _classes(table: TrainingTable, start: Checkpoint | None) -> tuple[str, ...]:
    """Return the classes of the lithology head."""
    if start is not None and not start.classes:
        raise TrainingError("the checkpoint to start from has no lithology head: train a model without one")
    if not table.classes:
        raise TableError(
            "no row has a lithology: give a column named Principal or lithology, or --intervals, or train a model "
            "without a lithology head (unsup, unsup_hybrid)"
        )
    if start is None:
        return table.classes
    if unknown := [name for name in table.classes if name not in start.classes]:
        more = f" and {len(unknown) - 4} more" if len(unknown) > 4 else ""
        raise TableError(
            f"the checkpoint to start from does not know the lithologies {', '.join(unknown[:4])}{more}: name them as "
            "it does, or fine-tune without a lithology head (--model unsup or unsup_hybrid)"
        )
    return start.classes


def _model(table: TrainingTable, classes: tuple[str, ...], start: Checkpoint | None) -> VAE:
    """Return the model to train: a new one, or a copy of the one to start from, without its head if it has no use."""
    if start is None:
        n = len(table.feature_set)
        return SemiSupervisedVAE(n, n_classes=len(classes)) if classes else VAE(n)
    state = copy.deepcopy(start.model.state_dict())
    if not classes:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    return build_model(state, Path("the checkpoint to start from"))


class Rows(NamedTuple):
    """The rows to train on.

    Attributes
    ----------
    x : Tensor of shape (n, k), float32
        Scaled features; 0 where one is missing.
    labels : Tensor of shape (n,), int64, or None
        Classes, -1 for a row without one; None for a model without a lithology head.
    measured : Tensor of shape (n, k), bool, or None
        Which features were measured; None if all were.
    """

    x: Tensor
    labels: Tensor | None
    measured: Tensor | None = None

    def take(self, chosen: Tensor | slice) -> Rows:
        """Return some rows."""
        labels = None if self.labels is None else self.labels[chosen]
        return Rows(self.x[chosen], labels, None if self.measured is None else self.measured[chosen])


def _train(
    step: Step,
    rows: Rows,
    report: Report,
    warn: Warn = lambda message: None,
    state: RunState | None = None,
) -> list[dict[str, float]]:
    model, recipe = step.model, step.recipe
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
        means = train_epoch(step, optimizer, rows, beta)
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


def train_epoch(step: Step, optimizer: Adam, rows: Rows, beta: float) -> dict[str, float]:
    """Take a step for each batch of the shuffled rows; return the mean loss and its parts."""
    n = len(rows.x)
    recipe, shuffled = step.recipe, rows.take(torch.randperm(n))  # once, so that a batch is a slice
    sums: dict[str, Tensor] = {}
    for some in _batches(n, recipe.batch_size):
        batch = shuffled.take(some)
        parts = step(batch.x, batch.labels, beta, batch.measured)
        if recipe.clip_norm is not None:
            clip_grad_norm_(step.parameters, recipe.clip_norm)
        optimizer.step()
        # A sum over the batch's rows becomes a sum over the epoch's; a mean is weighted by the batch's rows.
        weight = 1 if recipe.reduction == "sum" else len(batch.x)
        for name, part in parts.items():
            if name not in sums:
                sums[name] = torch.zeros((), dtype=torch.float64)
            sums[name].add_(part, alpha=weight)
    means = {name: float(total) / n for name, total in sums.items()}
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
    for feature, values, measured in zip(table.feature_set, table.features.T, table.measured.T, strict=True):
        low, high = feature.plausible
        beyond = int(np.count_nonzero(measured & ((values < low) | (values > high))))
        if beyond:
            span = f"outside {low:g} to {high:g} {feature.unit}"
            yield f"{feature.name} is {span} in {beyond:,} rows: is it in another unit?"
    for name, values, measured in zip(table.feature_set.names, table.features.T, table.measured.T, strict=True):
        if measured.any() and np.ptp(values[measured]) == 0:
            rows = "every row" if measured.all() else "every row that has it"
            yield f"the feature {name!r} is {values[measured][0]:g} in {rows}: the model learns nothing from it"
    if supervised:
        counts = np.bincount(table.labels[table.labels >= 0])
        rare = [name for name, rows in zip(table.classes, counts, strict=True) if rows == 1]
        if rare:
            more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
            yield (
                f"{len(rare)} of {len(table.classes)} classes have a single row ({', '.join(rare[:5])}{more}): "
                "the lithology head cannot learn them"
            )
        if without := int(np.count_nonzero(table.labels < 0)):
            yield f"{without:,} of {len(table):,} rows have no lithology: the lithology head does not learn from them"


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
