"""The shipped embedders and plain exports of the same checkpoints: one thread, blocks of 4,096 rows."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Bench
from benchmarks.contest import in_turn
from benchmarks.peers.module import Encoder
from benchmarks.peers.straight import straight_export
from benchmarks.worker import ROOT
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.session import make_session
from lithovae.training.recipe import MODELS

N_ROWS = 4096
RUNS = 50
"""Runs per measurement, which takes about 15 ms."""


def measure(bench: Bench) -> dict[str, Any]:
    """Measure each shipped bundle."""
    found = {}
    for name, plan in MODELS.items():
        checkpoint = Checkpoint.load(ROOT / "models" / plan.checkpoint)
        rng = np.random.default_rng(0)
        rows = checkpoint.scaler.inverse_transform(rng.standard_normal((N_ROWS, 6))).astype(np.float32)
        graphs = {
            "bundle": Bundle.read(name).graphs["embedder"],
            "straight": straight_export(Encoder(checkpoint), ["mu", "logvar"]),
        }
        entries = {of: partial(_seconds, make_session(graph, Path(f"{of}.onnx")), rows) for of, graph in graphs.items()}
        found[name] = in_turn(entries, 10 if bench.short else 40)["measured"]
    return {"rows": N_ROWS * RUNS, "bundles": found}


def _seconds(session: Any, rows: Any) -> float:
    start = time.perf_counter()
    for _ in range(RUNS):
        session.run(["mu"], {"features": rows})
    return time.perf_counter() - start
