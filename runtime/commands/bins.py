"""``lithovae bins``: writes the values of a scan's rows as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, map_entries, new_app, progress

from .options import Bin, CalibrationFile, Map, Scan, calibrations_of, path

app = new_app("Write the values of a scan's rows, its depth bins or its own, as a table.")


@app.command(no_args_is_help=True)
@clear_errors()
def bins(
    scan: Scan,
    out: Annotated[
        Path,
        typer.Option(parser=path, metavar="PATH", help="The .csv or .parquet to write.", show_default=False),
    ],
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME…",
            help="Features to write, such as density,MS,Vp, or a .json with a list of features. Default: all known "
            "quantities that the scan has.",
            show_default=False,
        ),
    ] = None,
    map: Map = None,
    bin: Bin = "auto",
    calibration: CalibrationFile = None,
) -> None:
    """Write the values of SCAN's rows as a table: address, depth, features, and the number of samples behind each."""
    from lithovae.runtime.features import read_features
    from lithovae.runtime.process.memory import keep_freed
    from lithovae.runtime.report.run_log import announce, conclude_table
    from lithovae.runtime.settings import Settings, parse_bin_width

    from .table import write_table

    wanted = None if features is None else read_features(features)
    keep_freed()
    settings = Settings(
        mapping=dict(map_entries(map)), bin_width=parse_bin_width(bin), calibrations=calibrations_of(calibration)
    )
    conclude_table(write_table(scan, out, settings, wanted, announce=announce, progress=progress), out)
