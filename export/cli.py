"""``lithovae-export``: a checkpoint in, a verified bundle or C source out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, prepare_streams
from lithovae.runtime.errors import CheckpointError, OutputError

if TYPE_CHECKING:
    from .parity import Parity

app = new_app("Export a checkpoint as an ONNX bundle, or as C source, that runs without torch.")


@app.command()
@clear_errors("export")
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (.pt or .safetensors), with its .json beside it.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; an existing bundle is replaced.")] = None,
    c: Annotated[
        Path | None,
        typer.Option(help="File (.c) for the encoder as C99 source, for a machine without ONNX Runtime."),
    ] = None,
    scaler: Annotated[
        str | None,
        typer.Option(
            help="Scaler of a checkpoint without a .json: lily (for the published models), or a .json, .npz or .csv "
            "with the mean and scale of the transformed features."
        ),
    ] = None,
    fit_scaler: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --scaler: fit the scaler on this CSV table of raw features. It must be the table that the "
            "checkpoint was trained on."
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="Text file with the lithologies of a checkpoint without a .json: one per line, in the order of the "
            "model's outputs (for the published models: all 139, sorted)."
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Features of a checkpoint without a .json, in the order of its inputs: names separated by commas, as "
            "in density,MS,Vp, or a .json with a list of features (docs/bundle-format.md). Default: the published six."
        ),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="What happens to a missing feature, for a checkpoint without a .json: nan (the default), or impute if "
            "its inputs were masked in training."
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="CSV table of your own raw features, to check the export on as well."),
    ] = None,
) -> None:
    """Export CHECKPOINT with its scaler inside, after comparing every output with torch in float64."""
    from lithovae.models.checkpoint import Checkpoint
    from lithovae.models.scaler_file import read_rows
    from lithovae.runtime.features import read_features

    from .bundle import write_bundle
    from .c_source import require_c_file, write_c

    if out is None and c is None:
        raise OutputError("nothing to write: give --out FOLDER for a bundle, --c FILE.c for C source, or both")
    if c is not None:
        require_c_file(c)
    names = None if classes is None else read_names(classes)
    feature_set = None if features is None else read_features(features)
    loaded = Checkpoint.load(
        checkpoint, scaler=scaler, fit_scaler=fit_scaler, classes=names, missing=missing, features=feature_set
    )
    for note in loaded.notes:
        typer.echo(f"note: {note}", err=True)
    yours = None if rows is None else {"yours": read_rows(rows, loaded.features)}
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
    """Print the results of the parity check; ``error`` is the title of the column of errors."""
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
    """Read a list of names: UTF-8, one per line, empty lines ignored.

    Raises
    ------
    CheckpointError
        If the file is not UTF-8, or holds no name.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is not a list of names in UTF-8: {error}", path) from error
    names = [name for line in lines if (name := line.strip())]
    if not names:
        raise CheckpointError(f"{path} holds no class names", path)
    return names


def main() -> None:
    """Run ``lithovae-export``."""
    prepare_streams()
    app()
