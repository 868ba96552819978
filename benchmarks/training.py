"""Measure training: an epoch of `lithovae.training` and an epoch of a plain DataLoader loop, in turn.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.training``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from statistics import median
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.training.fit import Rows, train_epoch
from lithovae.training.recipe import STANDARD
from lithovae.training.simulate import simulate_table
from lithovae.training.step import Step

PUBLISHED_ROWS = 238_506


def our_epochs(model: VAE, x: Tensor, labels: Tensor | None) -> Iterator[float]:
    """Train as `lithovae.training.fit` does; yield each epoch's mean loss."""
    step = Step(model.train(), STANDARD)
    optimizer = torch.optim.Adam([step.parameters], lr=STANDARD.learning_rate, fused=True)
    while True:
        yield train_epoch(step, optimizer, Rows(x, labels), beta=1.0)["loss"]


def plain_epochs(model: VAE, x: Tensor, labels: Tensor | None) -> Iterator[float]:
    """Train with a DataLoader, eager autograd and Adam, as most scripts do; yield each epoch's mean loss."""
    data = TensorDataset(x) if labels is None else TensorDataset(x, labels)
    loader = DataLoader(data, batch_size=STANDARD.batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=STANDARD.learning_rate)
    model.train()
    while True:
        total = 0.0
        for batch, *rest in loader:
            recon, mu, logvar, *logits = model(batch)
            loss = model.loss_function(recon, batch, mu, logvar, *logits, *rest)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item()
        yield total / len(x)


def compare(x: Tensor, labels: Tensor | None, epochs: int) -> tuple[str, list[str]]:
    """Train both for a number of epochs, in turn; return a row of the table, and one line per epoch."""
    peers: list[Iterator[float]] = []
    for peer in (our_epochs, plain_epochs):
        torch.manual_seed(STANDARD.seed)  # the same initial weights
        model = VAE() if labels is None else SemiSupervisedVAE(n_classes=int(labels.max()) + 1)
        peers.append(peer(model, x, labels))
    seconds: tuple[list[float], list[float]] = ([], [])
    losses: tuple[list[float], list[float]] = ([], [])
    for _ in range(epochs):
        for i, running in enumerate(peers):
            start = time.perf_counter()
            losses[i].append(next(running))
            seconds[i].append(time.perf_counter() - start)
    shares = [ours / theirs for ours, theirs in zip(*seconds, strict=True)]
    name = "unsup" if labels is None else "semisup"
    row = (
        f"| {name} | {median(seconds[0]):.2f} | {median(seconds[1]):.2f} | **{median(shares):.2f}** "
        f"({min(shares):.2f} to {max(shares):.2f}) | {losses[0][-1]:.4f} | {losses[1][-1]:.4f} |"
    )
    curves = (f"{name} epoch {i + 1}: loss {a:.4f} / {b:.4f}" for i, (a, b) in enumerate(zip(*losses, strict=True)))
    return row, list(curves)


def main(
    epochs: Annotated[int, typer.Option(help="Epochs of each loop, in turn.", min=1)] = 3,
    rows: Annotated[int, typer.Option(help="Rows of the simulated table.", min=1000)] = PUBLISHED_ROWS,
    threads: Annotated[int, typer.Option(help="Threads of each loop; `fit` uses 1.", min=1)] = 1,
) -> None:
    """Print the seconds per epoch and the losses of our loop and the plain loop, with the standard recipe."""
    table = simulate_table(STANDARD.seed, min(1.0, rows / PUBLISHED_ROWS))
    scaler = DistributionAwareScaler().fit(table.features)
    x, labels = torch.tensor(scaler.transform(table.features), dtype=torch.float32), torch.tensor(table.labels)
    torch.set_num_threads(threads)
    typer.echo(
        f"{len(x):,} rows, {epochs} epochs of each in turn, {threads} of {os.cpu_count()} cores each; "
        f"torch {torch.__version__}.\n"
    )
    typer.echo("| model | ours, s/epoch | plain loop, s/epoch | ours / plain | our loss | plain loop's loss |")
    typer.echo("|---|---|---|---|---|---|")
    for target in (None, labels):
        compare(x[:1000], target if target is None else target[:1000], epochs=1)  # the first step loads libraries
    found = [compare(x, target, epochs) for target in (None, labels)]
    typer.echo("\n".join(row for row, _ in found) + "\n")
    typer.echo("\n".join(line for _, curve in found for line in curve))


if __name__ == "__main__":
    typer.run(main)
