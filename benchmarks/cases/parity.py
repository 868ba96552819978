"""Parity of the four shipped bundles with torch in float64, on five sets of rows."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import Bench
from benchmarks.worker import ROOT
from lithovae.export import parity
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.session import open_session
from lithovae.training.recipe import MODELS


def measure(bench: Bench) -> dict[str, Any]:
    """Compare each bundle with its checkpoint; return the worst ratio of each output over all sets of rows."""
    found = []
    for name, plan in MODELS.items():
        bundle = Bundle.read(name)
        sessions = {graph: open_session(bundle, graph) for graph in bundle.graphs}
        results = parity.measure(Checkpoint.load(ROOT / "models" / plan.checkpoint), sessions)
        parity.require(results)
        for output in dict.fromkeys(result.output for result in results):
            worst = max((result for result in results if result.output == output), key=lambda result: result.ratio)
            found.append(
                {
                    "bundle": name,
                    "output": output,
                    "rows": worst.rows,
                    "onnx_error": float(worst.onnx_error),
                    "torch_error": float(worst.torch_error),
                    "ratio": float(worst.ratio),
                }
            )
    return {"worst": found}
