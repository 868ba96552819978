"""``lithovae follow``: embeds a file that grows while a logger appends to it."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, has_stdout, new_app, say
from lithovae.runtime.errors import OutputError

from .options import (
    Bin,
    CalibrationFile,
    Classify,
    Map,
    Missing,
    Model,
    Quality,
    Scan,
    Threads,
    Top,
    not_nan,
    path,
    settings_of,
)

app = new_app("Embed a file that grows while a logger appends to it.")


@app.command(no_args_is_help=True)
@clear_errors()
def follow(
    scan: Scan,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path,
            metavar="PATH",
            help="Growing .h5 or .jsonl file to write; one that was begun is continued. Default: JSON lines on "
            "standard output.",
        ),
    ] = None,
    model: Model = "semisup_hybrid",
    map: Map = None,
    bin: Bin = "auto",
    missing: Missing = "auto",
    calibration: CalibrationFile = None,
    threads: Threads = None,
    classify: Classify = False,
    top: Top = None,
    quality: Quality = False,
    idle_timeout: Annotated[
        float | None,
        typer.Option(
            callback=not_nan,
            metavar="SECONDS",
            min=0,
            help="End when the file has not grown for this long. Default: never.",
        ),
    ] = None,
    track_timeout: Annotated[
        float | None,
        typer.Option(
            callback=not_nan,
            metavar="SECONDS",
            min=0,
            help="Stop waiting for an instrument that is silent for this long. Default: never.",
        ),
    ] = None,
) -> None:
    """Embed SCAN while it grows: each row or depth bin once, as soon as it is finished."""
    # TRUE would override locking=False, and our lock would make the logger's next open fail.
    os.environ.pop("HDF5_USE_FILE_LOCKING", None)

    from lithovae.runtime.follow.follower import Follower, follow_until_idle
    from lithovae.runtime.model.model import LithoModel
    from lithovae.runtime.outputs.json_lines import JsonLines
    from lithovae.runtime.outputs.writer import growing_format

    if out is None and not has_stdout():
        raise OutputError("standard output is closed, and rows would be lost: choose a file with --out")
    settings = settings_of(model, map, bin, missing, threads, calibration, classify=classify, top=top, quality=quality)
    writer = JsonLines(sys.stdout) if out is None else growing_format(out)(out)
    litho_model = LithoModel.load(settings.model, threads=settings.threads)
    say_to_stderr = partial(say, err=True)
    follower = Follower(scan, litho_model, writer, settings, track_timeout=track_timeout, say=say_to_stderr)
    follow_until_idle(follower, idle_timeout)
