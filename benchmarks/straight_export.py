"""The shipped embedder against a straight torch.onnx.export of scaler and model, one thread, blocks of 4,096 rows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.bundle import Bundle
from lithovae.runtime.session import make_session
from lithovae.training.recipe import MODELS

from .measure import machine, pair_functions

ROOT = Path(__file__).parent.parent
N_ROWS = 4096


class ScaledEncoder(nn.Module):
    """Scaler and encoder as one would write them in torch: raw features (n, 6) to mu and logvar."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model = checkpoint.model
        self.mean = torch.tensor(checkpoint.scaler.mean_, dtype=torch.float32)
        self.scale = torch.tensor(checkpoint.scaler.scale_, dtype=torch.float32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and encode."""
        signed, colour = x[:, 1:3], x[:, 3:]
        transformed = [x[:, :1], torch.sign(signed) * torch.log1p(signed.abs()), torch.log1p(colour)]
        return self.model.encode((torch.cat(transformed, 1) - self.mean) / self.scale)


def straight_export(checkpoint: Checkpoint) -> bytes:
    """Export with torch's own exporter (the one that needs no more packages)."""
    file = io.BytesIO()
    names = ["features", "mu", "logvar"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated; the newer one gives the same operators
        torch.onnx.export(
            ScaledEncoder(checkpoint).eval(),
            (torch.ones(2, 6),),
            file,  # type: ignore[arg-type]
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "n"} for name in names},
            dynamo=False,
        )
    return file.getvalue()


def table(runs: int) -> Iterator[str]:
    """Measure each shipped bundle; a row each."""
    yield "| bundle | ours, M rows/s | straight export, M rows/s | speed (median of pairs, middle half) |"
    yield "|---|---|---|---|"
    for name, plan in MODELS.items():
        checkpoint = Checkpoint.load(ROOT / "models" / plan.checkpoint)
        rng = np.random.default_rng(0)
        rows = checkpoint.scaler.inverse_transform(rng.standard_normal((N_ROWS, 6))).astype(np.float32)
        ours = make_session(Bundle.read(name).graphs["embedder"], Path("embedder.onnx"))
        theirs = make_session(straight_export(checkpoint), Path("straight.onnx"))
        pair = pair_functions(
            lambda ours=ours, rows=rows: ours.run(["mu"], {"features": rows}),  # type: ignore[misc]
            lambda theirs=theirs, rows=rows: theirs.run(["mu"], {"features": rows}),  # type: ignore[misc]
            runs,
        )
        low, middle, high = np.quantile(pair.ratios, [0.25, 0.5, 0.75])
        speeds = [N_ROWS / float(np.median(seconds)) / 1e6 for seconds in (pair.ours, pair.theirs)]
        yield f"| {name} | {speeds[0]:.1f} | {speeds[1]:.1f} | **{middle:.2f}×** ({low:.2f} to {high:.2f}) |"


def main(runs: Annotated[int, typer.Option(help="Pairs of runs, for each bundle.")] = 2000) -> None:
    """Measure and print the table."""
    typer.echo(machine(threads=1))
    for row in table(runs):
        typer.echo(row)


if __name__ == "__main__":
    typer.run(main)
