"""One row at a time: `LiveModel`, a bare `session.run`, `LithoModel.embed` and torch eager in the same run.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.live``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import LithoModel

from .machine import machine
from .peers.peer import CHECKPOINT
from .scans import plausible_rows

ROUND = 500


def latencies(peers: dict[str, Callable[[int], object]], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Return the microseconds of each call of functions of a row number; they run in turn, after a warm-up."""
    found: dict[str, list[int]] = {name: [] for name in peers}
    for turn in range(rounds + 1):
        for name, peer in peers.items():
            for i in range(ROUND):
                start = time.perf_counter_ns()
                peer(i)
                took = time.perf_counter_ns() - start
                if turn:
                    found[name].append(took)
    return {name: np.array(values) / 1e3 for name, values in found.items()}


def peers_of(rows: NDArray[np.float32]) -> dict[str, Callable[[int], object]]:
    """Return functions that embed the i-th of the rows (n, 6), float32."""
    model = LithoModel.load("semisup_hybrid", threads=1)
    live, session, out = model.live(), model.graphs.embedder, np.empty(model.latent_dim, np.float32)
    single = [rows[i : i + 1] for i in range(len(rows))]
    lists = rows.tolist()
    checkpoint = Checkpoint.load(CHECKPOINT)
    vae, scaler = checkpoint.model.eval(), checkpoint.scaler

    @torch.inference_mode()
    def eager(i: int) -> object:
        scaled = torch.from_numpy(scaler.transform(single[i]).astype(np.float32))
        return vae.get_embeddings(scaled)

    standard = StandardScaler()
    standard.mean_, standard.scale_ = scaler.mean_, scaler.scale_

    @torch.inference_mode()
    def eager_script(i: int) -> object:
        x = single[i].astype(np.float64)
        x[:, 1:3] = np.sign(x[:, 1:3]) * np.log1p(np.abs(x[:, 1:3]))
        x[:, 3:] = np.log1p(x[:, 3:])
        return vae.get_embeddings(torch.FloatTensor(standard.transform(x))).numpy()

    tensors = [torch.from_numpy(scaler.transform(row).astype(np.float32)) for row in single]

    @torch.inference_mode()
    def eager_scaled(i: int) -> object:
        return vae.get_embeddings(tensors[i])

    return {
        "bare `session.run` of one row": lambda i: session.run(["mu"], {"features": single[i]}),
        "`live.embed(row, out=…)`": lambda i: live.embed(rows[i], out=out),
        "`live.embed(list)`": lambda i: live.embed(lists[i]),
        "`live.classify(row)`": lambda i: live.classify(rows[i]),
        "`model.embed` of one row": lambda i: model.embed(single[i]),
        "torch eager, row already scaled": eager_scaled,
        "torch eager with the scaler in numpy": eager,
        "torch eager with scikit-learn's scaler, as in the original research script": eager_script,
    }


def main(rounds: Annotated[int, typer.Option(help=f"Rounds of {ROUND} rows each.", min=1)] = 40) -> None:
    """Print the time per row (p50 and p99), and each peer's ratio to a bare ``session.run``."""
    torch.set_num_threads(1)
    rows = plausible_rows(ROUND, np.random.default_rng(0))
    found = latencies(peers_of(rows), rounds)
    bare = float(np.median(next(iter(found.values()))))
    load = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    typer.echo(f"{machine(threads=1)}; {rounds} rounds of {ROUND} rows, in turn; {load}.\n")
    typer.echo(
        "| raw features of one row to embedding, semisup_hybrid | p50, µs | p99, µs | p50 / bare `session.run` |"
    )
    typer.echo("|---|---|---|---|")
    for name, values in found.items():
        p50, p99 = np.percentile(values, [50, 99])
        typer.echo(f"| {name} | {p50:.1f} | {p99:.1f} | {p50 / bare:.2f}× |")


if __name__ == "__main__":
    typer.run(main)
