"""``lithovae doctor``: looks whether everything that a run needs is in order."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from lithovae.runtime.console import clear_errors, new_app, say

app = new_app("Look whether everything that a run needs is in order.")


@app.command()
@clear_errors()
def doctor(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER...]",
            help="Folders of scans and results to try. Default: the current folder.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="BUNDLE", help="Verify this bundle, too. May be given several times.", show_default=False),
    ] = None,
    no_benchmark: Annotated[bool, typer.Option("--no-benchmark", help="Do not measure the speed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at versions, threads, memory, HDF5, folders, models and speed; exit with 1 if there is a problem."""
    from json import dumps

    from .diagnosis import diagnose

    items, area = [], ""
    for item in diagnose(folders or ["."], model or [], not no_benchmark):
        items.append(item)
        if json:
            continue
        if item.area != area:
            area = item.area
            say(area)
        say(f"  {item.status:8} {item.name:18} {item.found}")
        if item.advice:
            say(f"{'':30}→ {item.advice}")
    counts = Counter(item.status for item in items)
    found = {"problems": counts["problem"], "notes": counts["note"], "items": [asdict(item) for item in items]}
    if json:
        say(dumps(found))
    else:
        said = (f"{n} {what}{'' if n == 1 else 's'}" for what in ("problem", "note") for n in (counts[what],))
        say(", ".join(said))
    if counts["problem"]:
        raise typer.Exit(1)
