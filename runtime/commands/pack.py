"""``lithovae pack``: brings the files of a hole together in one scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, map_entries, new_app, progress, say

from .options import CalibrationFile, calibrations_of

app = new_app("Bring the files of a hole together in one scan.")


@app.command(no_args_is_help=True)
@clear_errors()
def pack(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Files with features (text, HDF5 or any other scan), and files with the top depths of sections.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The .h5 to write.", show_default=False)],
    map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE=[FILE:]PATH",
            help="Use this column for a feature or for 'depth', in each file that has it or in the one named. "
            "Examples: 'MS=MS1', 'MS=MS.dat:7'.",
        ),
    ] = None,
    calibration: CalibrationFile = None,
) -> None:
    """Bring the FILEs of one hole, or of several, together in one HDF5 scan: a group per instrument."""
    from .packing import pack_scans

    packed = pack_scans(files, out, calibrations_of(calibration), map_entries(map), progress=progress)
    for name, columns, n_rows, sources in packed.groups:
        say(f"packed {name:10} {n_rows:,} rows from {', '.join(sources)}: {', '.join(columns)}")
    for note in packed.notes:
        say(f"note   {note}")
    say(f"wrote  {out}")
