"""Options that several commands share, and the settings that they set."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithovae.runtime.console import map_entries

if TYPE_CHECKING:
    from lithovae.runtime.settings import Calibration, Settings

DEFAULT_TOP = "3"
"""Number of likeliest lithologies that ``--classify`` writes for each row."""


def path(text: str) -> Path:
    """Convert the text of an option or argument to a path; an empty one would be the current folder."""
    if not text:
        raise typer.BadParameter("the path is empty: is a variable of the shell not set?")
    return Path(text)


def not_nan(number: float | None) -> float | None:
    """Refuse NaN, which is neither below nor above any limit."""
    if number is not None and math.isnan(number):
        raise typer.BadParameter("nan is not a number of seconds")
    return number


Scan = Annotated[
    Path, typer.Argument(parser=path, metavar="SCAN", help="A core scan: HDF5, or a table in text.", show_default=False)
]
Model = Annotated[
    str,
    typer.Option(help="unsup, semisup, unsup_hybrid, semisup_hybrid, or the folder of a bundle.", metavar="BUNDLE"),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FEATURE=PATH",
        help="Use this column for a feature or for 'depth'. Examples: 'MS=point_MS/hiresMS', 'R=image:0', "
        "'NGR=table:counts', 'MS=*/loop/MS'.",
    ),
]
Bin = Annotated[
    str,
    typer.Option(
        metavar="auto|none|WIDTH",
        help="Width of the depth bins in metres. none: the scan's own rows. auto: none if every table holds the same "
        "features, else 0.2.",
    ),
]
Missing = Annotated[
    str,
    typer.Option(
        metavar="auto|nan|impute|drop|error",
        help="What to do with a row that lacks a feature. auto: as the model was trained. nan: no embedding. impute: "
        "use the bundle's fill value instead. drop: leave the row out. error: stop.",
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE.toml",
        help="Declared conversions: by feature, the unit that the scan states, gain, offset and source.",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Number of worker threads. Default: as many as Slurm or the machine grants.", metavar="N"),
]

Classify = Annotated[
    bool,
    typer.Option("--classify", help="Write the likeliest lithologies, their probabilities, entropy and group."),
]
Top = Annotated[
    str | None,
    typer.Option(
        metavar="K|all",
        help="With --classify: number of likeliest lithologies of each row, at most all that the model knows. all: the "
        "probabilities of all, too. "
        f"Default: {DEFAULT_TOP}.",
        show_default=False,
    ),
]
Quality = Annotated[
    bool,
    typer.Option(
        "--quality",
        help="Write how well the model restores each value, how unusual each row is, and flags; report likely faults "
        "of sensors and units.",
    ),
]


def settings_of(
    model: str,
    map: list[str] | None,
    bin: str,
    missing: str,
    threads: int | None = None,
    calibration: Path | None = None,
    *,
    values: bool = False,
    classify: bool = False,
    top: str | None = None,
    quality: bool = False,
) -> Settings:
    """Create settings from the values of the options.

    Raises
    ------
    InputError
        If the bin width, the missing-value policy or the file of calibrations is not valid.
    typer.BadParameter
        If an entry of the mapping does not have the form ``FEATURE=PATH``, or if ``top`` is not valid or given without
        ``classify``.
    """
    from typing import Any, cast

    from lithovae.runtime.settings import Settings, parse_bin_width

    if top is not None and not classify:
        raise typer.BadParameter("needs --classify", param_hint="--top")
    mapping, calibrations = dict(map_entries(map)), calibrations_of(calibration)
    return Settings(
        model,
        mapping,
        parse_bin_width(bin),
        cast("Any", missing),
        threads,
        calibrations,
        values=values,
        top=_number_of(DEFAULT_TOP if top is None else top) if classify else 0,
        all_probabilities=top == "all",
        quality=quality,
    )


def _number_of(top: str) -> int:
    """Return the number of likeliest lithologies; with ``all``, these are as many as by default."""
    number = DEFAULT_TOP if top == "all" else top
    if not (number.isascii() and number.isdigit() and int(number)):
        raise typer.BadParameter(f"{top!r} is neither a number of lithologies nor all", param_hint="--top")
    return int(number)


def calibrations_of(path: Path | None) -> dict[str, Calibration]:
    """Read the file of ``--calibration``, if there is one; see `lithovae.runtime.scan.calibration`.

    Raises
    ------
    InputError
        If the file is not valid.
    """
    from lithovae.runtime.scan.calibration import read_calibrations

    return read_calibrations(path) if path else {}
