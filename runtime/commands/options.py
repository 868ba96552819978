"""Options that several commands take, and the settings that they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lithovae.runtime.settings import Settings

Scan = Annotated[Path, typer.Argument(metavar="SCAN", help="A core scan (HDF5).", show_default=False)]
Model = Annotated[
    str,
    typer.Option(help="unsup, semisup, unsup_hybrid, semisup_hybrid, or the folder of a bundle.", metavar="BUNDLE"),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FEATURE=PATH",
        help="Take this column for a feature, or for 'depth', as in 'MS=point_MS/hiresMS', 'R=image:0', "
        "'NGR=table:counts' or 'MS=*/loop/MS'.",
    ),
]
Bin = Annotated[
    str,
    typer.Option(
        metavar="auto|none|WIDTH",
        help="Width of the depth bins in metres; none: the scan's own rows; auto: bins of 0.2 m where features have "
        "grids of their own, else none.",
    ),
]
Missing = Annotated[
    str,
    typer.Option(
        metavar="auto|nan|impute|drop|error",
        help="What to do with a row that lacks a feature. auto: as the model was trained; nan: no embedding; impute: "
        "put the bundle's fill value in its place; drop: leave the row out; error: stop.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Worker threads; by default as many as Slurm or the machine grants.", metavar="N"),
]


def settings_of(model: str, map: list[str] | None, bin: str, missing: str, threads: int | None = None) -> Settings:
    """Make settings of the options' texts.

    Raises
    ------
    InputError
        If there is no such bin width or missing-value policy.
    typer.BadParameter
        If an entry of the mapping is not of the form ``FEATURE=PATH``.
    """
    from typing import Any, cast

    from lithovae.runtime.settings import Settings, parse_bin_width

    mapping = {}
    for entry in map or []:
        feature, _, path = entry.partition("=")
        if not (feature and path):
            raise typer.BadParameter(f"{entry!r} is not FEATURE=PATH", param_hint="--map")
        mapping[feature] = path
    return Settings(model, mapping, parse_bin_width(bin), cast("Any", missing), threads)
