"""What a user has chosen for a run, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from .bins import require_width
from .errors import InputError

BinWidth = float | Literal["auto"] | None
"""Width of the depth bins in metres; None for a scan's own rows; "auto": bins of 0.2 m where features have grids of
their own, the scan's own rows where every table holds the same features."""

Missing = Literal["auto", "nan", "impute", "drop", "error"]
"""``auto``: as the model was trained; ``nan``: such a row has no embedding; ``impute``: by the fill values of the
bundle; ``drop``: such a row is not written; ``error``: the run stops at the first."""
MISSING_CHOICES: tuple[Missing, ...] = get_args(Missing)


@dataclass(frozen=True)
class Settings:
    """Choices for a run, checked. It can be pickled.

    Parameters
    ----------
    model : str
        Name of a shipped bundle, or path of a bundle's folder.
    mapping : mapping of str to str
        Columns to take, by feature; see `lithovae.runtime.scan.scan.open_scan`.
    bin_width : float, None or "auto"
        Width of the depth bins in metres; None for the scan's own rows. "auto": bins of 0.2 m where features have grids
        of their own, and the scan's own rows where a table holds all of them.
    missing : {"auto", "nan", "impute", "drop", "error"}
        What is done with a row that lacks a feature: as the model was trained, no embedding, an embedding from the
        bundle's fill values, no row, or an end to the run.
    threads : int, optional
        Worker threads; by default as many as `lithovae.runtime.process.threads.granted_threads` tells.

    Raises
    ------
    InputError
        If there is no such bin width or missing-value policy.
    """

    model: str = "semisup_hybrid"
    mapping: Mapping[str, str] = field(default_factory=dict)
    bin_width: BinWidth = "auto"
    missing: Missing = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.missing not in MISSING_CHOICES:
            raise InputError(f"--missing takes {', '.join(MISSING_CHOICES)}, not {self.missing!r}")
        if isinstance(self.bin_width, str) and self.bin_width != "auto":
            raise InputError(f"bins take auto, none or a width in metres, as 0.2, not {self.bin_width!r}")
        if isinstance(self.bin_width, (int, float)):
            require_width(self.bin_width)


def parse_bin_width(text: str) -> BinWidth:
    """Read ``auto``, ``none`` or a width in metres.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if text in ("auto", "none"):
        return "auto" if text == "auto" else None
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"bins take auto, none or a width in metres, as 0.2, not {text!r}") from error
