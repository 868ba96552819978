"""``lithovae inspect``: shows what a run would do with a scan."""

from __future__ import annotations

from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, progress, say

from .options import Bin, CalibrationFile, Map, Missing, Model, Scan, settings_of

app = new_app("Show what a run would do with a scan, without running the model.")


@app.command(no_args_is_help=True)
@clear_errors()
def inspect(
    scan: Scan,
    model: Model = "semisup_hybrid",
    map: Map = None,
    bin: Bin = "auto",
    missing: Missing = "auto",
    calibration: CalibrationFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what `lithovae run` would do with SCAN: its layout, columns, units, rows and gaps."""
    from json import dumps

    from lithovae.runtime.answers.embedding import policy_of
    from lithovae.runtime.model.bundle import Bundle
    from lithovae.runtime.report.inspection import inspection_lines
    from lithovae.runtime.rows.inspection import inspect_scan

    settings = settings_of(model, map, bin, missing, calibration=calibration)
    policy = policy_of(Bundle.read(settings.model), settings.missing)
    found = inspect_scan(scan, settings, policy, progress=progress)
    for line in [dumps(found, ensure_ascii=True)] if json else inspection_lines(found):
        say(line)
