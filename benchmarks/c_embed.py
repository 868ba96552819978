"""Measure the C source of an encoder, in nanoseconds per row, and onnxruntime's encoder in the same run.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.c_embed``. Needs a C compiler.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer

from lithovae.export.c_library import find_compiler
from lithovae.export.c_source import write_c
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import OutputError
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.graphs import MICRO_BATCH
from lithovae.runtime.model.session import open_session

from .machine import machine
from .peers.peer import CHECKPOINT
from .scans import plausible_rows

FLAGS = ("-O2", "-O3 -march=native")
LOOP = """
#define LITHOVAE_DECLARATIONS
#include "embed.c"
#include <stddef.h>
void loop(const float *rows, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lithovae_embed(rows + i * LITHOVAE_N_FEATURES, out + i * LITHOVAE_LATENT_DIM);
    }
}
"""


def c_loop(folder: Path, compiler: str, flags: str) -> Callable[[int, int, int], None]:
    """Compile ``embed.c`` and, as a host would, a caller in a second file; return the caller: (rows, out, n)."""
    (folder / "loop.c").write_text(LOOP)
    library = folder / f"{flags.replace(' ', '')}.so"
    command = [compiler, "-std=c99", *flags.split(), "-fPIC", "-shared", "embed.c", "loop.c", "-lm"]
    subprocess.run([*command, "-o", str(library)], cwd=folder, check=True)
    function = ctypes.CDLL(str(library)).loop
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    function.restype = None
    return function


def main(runs: Annotated[int, typer.Option(help="Runs of each peer, in turn.", min=1)] = 31) -> None:
    """Print nanoseconds per row: C with one row per call, onnxruntime with one row per call and with blocks."""
    try:
        compiler = find_compiler()
    except OutputError as error:
        raise SystemExit(str(error)) from error
    rows = plausible_rows(MICRO_BATCH, np.random.default_rng(0))
    session = open_session(Bundle.read("semisup_hybrid"), "encoder")
    out = np.empty((len(rows), Bundle.read("semisup_hybrid").latent_dim), np.float32)
    few = 512

    def one_by_one() -> None:
        for i in range(few):
            session.run(["mu"], {"features": rows[i : i + 1]})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_c(Checkpoint.load(CHECKPOINT), folder / "embed.c")
        peers: dict[str, tuple[int, Callable[[], object]]] = {}
        for flags in FLAGS:
            loop = c_loop(folder, compiler, flags)
            peers[f"C, {flags}, one row per call"] = (
                len(rows),
                lambda loop=loop: loop(rows.ctypes.data, out.ctypes.data, len(rows)),  # type: ignore[misc]
            )
        peers["onnxruntime, one row per session.run"] = (few, one_by_one)
        peers[f"onnxruntime, {len(rows)} rows per session.run"] = (
            len(rows),
            lambda: session.run(["mu"], {"features": rows}),
        )
        found: dict[str, list[float]] = {name: [] for name in peers}
        for run in range(runs + 1):
            for name, (n, peer) in peers.items():
                start = time.perf_counter()
                peer()
                if run:  # the first is the warm-up
                    found[name].append((time.perf_counter() - start) / n * 1e9)
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    typer.echo(f"{machine(threads=1)}, {version.splitlines()[0]}; {runs} runs in turn.\n")
    typer.echo("| raw features to embedding, semisup_hybrid | ns per row, median | range |")
    typer.echo("|---|---|---|")
    for name, values in found.items():
        typer.echo(f"| {name} | {median(values):,.0f} | {min(values):,.0f} to {max(values):,.0f} |")


if __name__ == "__main__":
    typer.run(main)
