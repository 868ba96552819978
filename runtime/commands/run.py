"""``lithovae run``, ``lithovae-run``: embeds core scans."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, progress
from lithovae.runtime.errors import LithoError

from .options import (
    Bin,
    CalibrationFile,
    Classify,
    Map,
    Missing,
    Model,
    Quality,
    Threads,
    Top,
    path,
    settings_of,
)

app = new_app("Embed core scans, without torch.")


@app.command(no_args_is_help=True)
@clear_errors()
def run(
    scans: Annotated[
        list[Path],
        typer.Argument(
            parser=path, metavar="SCAN...", help="One or more core scans: HDF5, or tables in text.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="The file to write: .npz, .h5, .parquet, .csv, .nc or .las; for several scans, a folder.",
            show_default=False,
        ),
    ],
    model: Model = "semisup_hybrid",
    map: Map = None,
    bin: Bin = "auto",
    missing: Missing = "auto",
    calibration: CalibrationFile = None,
    threads: Threads = None,
    values: Annotated[
        bool, typer.Option("--values", help="Write the values of the features, too, as they were measured.")
    ] = False,
    classify: Classify = False,
    top: Top = None,
    quality: Quality = False,
    intervals: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="Write intervals of lithology (top, base, name, probability) to this .csv; for several scans, to this "
            "folder.",
            show_default=False,
        ),
    ] = None,
    min_thickness: Annotated[
        float | None,
        typer.Option(min=0, metavar="METRES", help="With --intervals or --report: least thickness of an interval."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="Draw the log against depth: .html for a page to zoom in, .png, .pdf or .svg for a picture; for "
            "several scans, a folder for pages.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Embed each SCAN: find its features, average them in depth bins if needed, run the model and write OUT."""
    from lithovae.runtime.answers.answers import Answers
    from lithovae.runtime.answers.embedding import policy_of
    from lithovae.runtime.model.model import LithoModel
    from lithovae.runtime.outputs.writer import extensions, format_of
    from lithovae.runtime.process.memory import keep_freed
    from lithovae.runtime.report.run_log import announce, conclude

    from .one_scan import embed_scan

    is_file = format_of(out).whole is not None
    if len(scans) > 1 and is_file:
        raise typer.BadParameter(f"{out} must be a folder: there are {len(scans)} scans", param_hint="--out")
    if len(scans) == 1 and not (is_file or out.is_dir()):
        advice = f"must end in {extensions('whole')} or be an existing folder"
        raise typer.BadParameter(f"{out} {advice}", param_hint="--out")
    if min_thickness is not None and not (intervals or report):
        raise typer.BadParameter("needs --intervals or --report", param_hint="--min-thickness")
    min_thickness = min_thickness or 0.0
    keep_freed()
    settings = settings_of(
        model, map, bin, missing, threads, calibration, values=values, classify=classify, top=top, quality=quality
    )
    litho_model = LithoModel.load(settings.model, threads=settings.threads)
    policy_of(litho_model.bundle, settings.missing)  # what these refuse is said once, not for each scan
    Answers(litho_model, settings, intervals="wanted" if intervals else "none", min_thickness=min_thickness)
    embed = partial(embed_scan, model=litho_model, settings=settings, min_thickness=min_thickness)
    if len(scans) == 1 and not out.is_dir():
        summary = embed(scans[0], out, intervals=intervals, report=report, announce=announce, progress=progress)
        conclude(summary, out, [path for path in (intervals, report) if path])
        return
    from .many_scans import embed_scans

    if failed := embed_scans(scans, out, embed, intervals=intervals, report=report):
        if len(scans) == 1:  # its error has been printed
            raise typer.Exit(1)
        others = f"; the others are in {out}" if len(failed) < len(scans) else ""
        raise LithoError(f"{len(failed)} of {len(scans)} scans could not be embedded{others}")
