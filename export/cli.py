"""``lithovae-export``: a checkpoint in, a verified bundle or C source out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app
from lithovae.runtime.errors import CheckpointError, OutputError

if TYPE_CHECKING:
    from .parity import Parity

app = new_app("Export a checkpoint as an ONNX bundle, or as C source, that runs without torch.")


@app.command()
@clear_errors("export")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (.pt or .safetensors), with its .json beside it.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; a bundle that is there already is replaced.")
    ] = None,
    c: Annotated[
        Path | None,
        typer.Option(help="File (.c) for the encoder alone as C99 source, for a machine without ONNX Runtime."),
    ] = None,
    scaler: Annotated[
        str | None,
        typer.Option(
            help="Scaler of a checkpoint that has no .json: lily (of the published models), or a .json, .npz or .csv "
            "with the mean and scale of the transformed features."
        ),
    ] = None,
    fit_scaler: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --scaler, the CSV table of raw features that the checkpoint was trained on: the scaler is "
            "fitted on it. No other table will do."
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="Lithologies of a checkpoint that has no .json: one a line, in the order of its outputs (of the "
            "published models: all 139, sorted)."
        ),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="What a missing feature does, for a checkpoint that has no .json: nan, unless said, or impute, if its "
            "inputs were masked in training."
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="CSV table of raw features of your own, to hold what is exported to as well."),
    ] = None,
) -> None:
    """Export CHECKPOINT, with its scaler inside, once every output has been held against torch in float64."""
    from lithovae.models.checkpoint import Checkpoint
    from lithovae.models.scaler_file import read_rows

    from .bundle import write_bundle
    from .c_source import require_c_file, write_c

    if out is None and c is None:
        raise OutputError("say what to write: --out FOLDER for a bundle, --c FILE.c for C source, or both")
    if c is not None:
        require_c_file(c)
    names = None if classes is None else read_names(classes)
    loaded = Checkpoint.load(checkpoint, scaler=scaler, fit_scaler=fit_scaler, classes=names, missing=missing)
    for note in loaded.notes:
        typer.echo(f"note: {note}", err=True)
    yours = None if rows is None else {"yours": read_rows(rows)}
    if scaler == "lily" and names is not None and names != sorted(names):
        typer.echo("note: the published models' lithologies are in sorted order; these names are not", err=True)
    if out is not None:
        show_parity(write_bundle(loaded, out, yours), "onnx error")
        files = sorted(path for path in out.iterdir())
        size = sum(path.stat().st_size for path in files)
        typer.echo(f"wrote {out}: {', '.join(path.name for path in files)} ({size / 1000:.0f} kB); parity passed")
    if c is not None:
        show_parity(write_c(loaded, c, yours), "C error")
        typer.echo(f"wrote {c} ({c.stat().st_size / 1000:.0f} kB); parity passed")


def show_parity(results: list[Parity], error: str) -> None:
    """Print what the gate measured, with a title for the column of errors."""
    typer.echo(f"{'rows':10}{'output':48}{error:>12}{'torch error':>13}{'ratio':>7}  labels")
    for result in results:
        labels = ""
        if result.labels is not None:
            labels = f"{result.labels:.2%} agree" + (f", margin at most {result.margin:.1e}" if result.margin else "")
        typer.echo(
            f"{result.rows:10}{result.output:48}{result.onnx_error:12.2e}{result.torch_error:13.2e}{result.ratio:7.2f}"
            f"  {labels}".rstrip()
        )


def read_names(path: Path) -> list[str]:
    """Read a list of names: UTF-8, one a line, empty lines left out.

    Raises
    ------
    CheckpointError
        If the file is not UTF-8, or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is not a list of names in UTF-8: {error}", path) from error
    names = [name for line in lines if (name := line.strip())]
    if not names:
        raise CheckpointError(f"{path} names no class", path)
    return names


def main() -> None:
    """Run ``lithovae-export``."""
    app()
