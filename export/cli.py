"""``lithovae-export``: a checkpoint in, a verified bundle out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lithovae.runtime.command import clear_errors, new_app

app = new_app("Export a checkpoint as an ONNX bundle that runs without torch.")


@app.command()
@clear_errors("export")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (.pt), with its .json beside it.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle; a bundle that is there already is replaced.")],
) -> None:
    """Export CHECKPOINT, with its scaler inside, once every output has been held against torch in float64."""
    from lithovae.models.checkpoint import Checkpoint

    from .bundle import write_bundle

    results = write_bundle(Checkpoint.load(checkpoint), out)
    typer.echo(f"{'rows':10}{'output':48}{'onnx error':>12}{'torch error':>13}{'ratio':>7}")
    for result in results:
        typer.echo(
            f"{result.rows:10}{result.output:48}{result.onnx_error:12.2e}{result.torch_error:13.2e}{result.ratio:7.2f}"
        )
    files = sorted(path for path in out.iterdir())
    size = sum(path.stat().st_size for path in files)
    typer.echo(f"wrote {out}: {', '.join(path.name for path in files)} ({size / 1000:.0f} kB); parity passed")


def main() -> None:
    """Run ``lithovae-export``."""
    app()
