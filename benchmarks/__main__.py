"""Measure, and write ``RESULTS.md``: parity of the four shipped bundles, throughput and memory against torch."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
import torch
import typer

from lithovae.export import parity
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import LithoModel
from lithovae.runtime.bundle import Bundle
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.session import open_session
from lithovae.training.recipe import MODELS

from . import straight_export
from .measure import machine, pair_functions, pair_processes, peak_memory

ROOT = Path(__file__).parent.parent
RUN = str(Path(sys.executable).parent / "lithovae-run")
CHECKPOINT = ROOT / "models" / MODELS["semisup_hybrid"].checkpoint
TORCH_BATCHES = (1024, 4096, 16_384, 65_536, 262_144)


def write_scan(path: Path, n_rows: int) -> None:
    """Write a contiguous (n, 6) float32 scan with a depth column."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (n_rows, 6), "f4")
        data.attrs["columns"] = list(FEATURE_NAMES)
        file["depth"] = np.arange(n_rows) * 0.001
        file["depth"].attrs["units"] = "m"
        for start in range(0, n_rows, 500_000):
            data[start : start + 500_000] = plausible_rows(min(500_000, n_rows - start), rng)


def plausible_rows(n: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Draw raw rows (n, 6)."""
    logs = rng.normal([2.5, 3.1, 4.1, 4.1, 4.0], [1.5, 0.6, 0.5, 0.5, 0.5], (n, 5))
    return np.column_stack([rng.normal(1.7, 0.25, n), np.expm1(logs)]).astype(np.float32)


def parity_table() -> Iterator[str]:
    """Hold each shipped bundle to its checkpoint: the worst ratio of each output over all sets of rows."""
    yield "| bundle | output | worst rows | ONNX error | torch float32 error | ratio (limit 2) |"
    yield "|---|---|---|---|---|---|"
    for name, plan in MODELS.items():
        bundle = Bundle.read(name)
        sessions = {graph: open_session(bundle, graph) for graph in bundle.graphs}
        results = parity.measure(Checkpoint.load(ROOT / "models" / plan.checkpoint), sessions)
        parity.require(results)
        for output in dict.fromkeys(result.output for result in results):
            worst = max((result for result in results if result.output == output), key=lambda result: result.ratio)
            yield (
                f"| {name} | {output} | {worst.rows} | {worst.onnx_error:.2e} | {worst.torch_error:.2e} "
                f"| {worst.ratio:.2f} |"
            )


def in_memory(n_rows: int, runs: int) -> Iterator[str]:
    """Embed rows in memory: LithoModel against torch eager at its best batch, both from raw features."""
    x = plausible_rows(n_rows, np.random.default_rng(1))
    model = LithoModel.load("semisup_hybrid")
    checkpoint = Checkpoint.load(CHECKPOINT)
    torch.set_num_threads(model.threads)

    def eager(batch: int) -> None:
        with torch.inference_mode():
            for start in range(0, n_rows, batch):
                scaled = checkpoint.scaler.transform(x[start : start + batch])
                checkpoint.model.encode(torch.tensor(scaled, dtype=torch.float32))

    found = {batch: pair_functions(lambda: model.embed(x), lambda b=batch: eager(b), 2) for batch in TORCH_BATCHES}  # type: ignore[misc]
    best = min(found, key=lambda batch: min(found[batch].theirs))
    pair = pair_functions(lambda: model.embed(x), lambda: eager(best), runs)
    yield pair.row("in memory, raw features to embeddings", f"torch eager, batches of {best:,}", n_rows)


def end_to_end(folder: Path, n_rows: int, runs: int) -> Iterator[str]:
    """Embed a scan from file to file, whole processes."""
    scan, out = folder / "scan.h5", str(folder / "out.npz")
    write_scan(scan, n_rows)
    ours = [RUN, str(scan), "--out", out]
    theirs = [sys.executable, "-m", "benchmarks.torch_script", str(scan), out, str(CHECKPOINT)]
    pair = pair_processes(ours, theirs, runs)
    yield pair.row(f"scan of {n_rows:,} rows to .npz", "torch script, whole file in memory", n_rows)


def memory(folder: Path, sizes: list[int]) -> Iterator[str]:
    """Measure peak memory as the scan grows."""
    yield "| rows | peak RSS of `lithovae-run` |"
    yield "|---|---|"
    for n_rows in sizes:
        write_scan(folder / "scan.h5", n_rows)
        peak = peak_memory([RUN, str(folder / "scan.h5"), "--out", str(folder / "out.npz")])
        yield f"| {n_rows:,} | {peak / 1e6:.0f} MB |"


def main(
    rows: Annotated[int, typer.Option(help="Rows of the scan.")] = 8_000_000,
    runs: Annotated[int, typer.Option(help="Pairs of runs.")] = 5,
) -> None:
    """Measure everything and write RESULTS.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sections = {
            "Speed (median of pairs)": [
                "| what | peer | ours, M rows/s | peer, M rows/s | speed | peak RSS, ours / peer (MB) |",
                "|---|---|---|---|---|---|",
                *in_memory(1_000_000, runs),
                *end_to_end(folder, rows, runs),
            ],
            "Graph: one thread, blocks of 4,096 rows, against a straight torch.onnx.export of scaler and model": (
                straight_export.table(2000)
            ),
            "Memory": memory(folder, [rows // 16, rows // 4, rows]),
            "Parity with torch in float64": parity_table(),
        }
        lines = ["# Results", "", f"`make bench`, {runs} pairs. {machine()}."]
        for title, table in sections.items():
            lines += ["", f"## {title}", "", *table]
    (ROOT / "benchmarks" / "RESULTS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo("\n".join(lines))


if __name__ == "__main__":
    typer.run(main)
