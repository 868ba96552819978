"""The choices that a user makes for a run, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from .bins import require_width
from .errors import InputError

BinWidth = float | Literal["auto"] | None
"""Width of the depth bins in metres. None: the scan's own rows. "auto": the scan's own rows if every table holds the
same features, else bins of 0.2 m."""

Missing = Literal["auto", "nan", "impute", "drop", "error"]
"""What to do with a row that lacks a feature. ``auto``: as the model was trained. ``nan``: it has no embedding.
``impute``: the bundle's fill values replace what is missing. ``drop``: it is not written. ``error``: the run stops."""
MISSING_CHOICES: tuple[Missing, ...] = get_args(Missing)


@dataclass(frozen=True)
class Calibration:
    """How the values of an instrument become those that the models know: value * gain + offset.

    Attributes
    ----------
    unit : str
        Unit that the scan states for the values.
    gain, offset : float
        The conversion to the unit of the feature.
    source : str
        Where the conversion comes from.
    """

    unit: str
    gain: float
    offset: float
    source: str


@dataclass(frozen=True)
class Settings:
    """Validated choices for a run. It can be pickled.

    Parameters
    ----------
    model : str
        Name of a shipped bundle, or path of a bundle's folder.
    mapping : mapping of str to str
        Path of the column to use, by feature; see `lithovae.runtime.scan.scan.open_scan`.
    bin_width : float, None or "auto"
        Width of the depth bins in metres. None: the scan's own rows. "auto": the scan's own rows if every table holds
        the same features, else bins of 0.2 m.
    missing : {"auto", "nan", "impute", "drop", "error"}
        What to do with a row that lacks a feature; see `Missing`.
    threads : int, optional
        Number of worker threads; by default `lithovae.runtime.process.threads.granted_threads`.
    calibrations : mapping of str to Calibration
        Conversions that the user declares, by feature; see `lithovae.runtime.scan.calibration`.
    values : bool
        Whether the values of the features are written, too.
    top : int
        Number of likeliest lithologies that are written for each row, at most all that the model knows; 0 for none.
    all_probabilities : bool
        Whether the probabilities of all lithologies are written; only with ``top``.
    quality : bool
        Whether residuals, novelty and flags are written.

    Raises
    ------
    InputError
        If the bin width or the missing-value policy is not valid.
    """

    model: str = "semisup_hybrid"
    mapping: Mapping[str, str] = field(default_factory=dict)
    bin_width: BinWidth = "auto"
    missing: Missing = "auto"
    threads: int | None = None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    values: bool = False
    top: int = 0
    all_probabilities: bool = False
    quality: bool = False

    def __post_init__(self) -> None:
        if self.missing not in MISSING_CHOICES:
            raise InputError(f"--missing takes {', '.join(MISSING_CHOICES)}, not {self.missing!r}")
        if isinstance(self.bin_width, str) and self.bin_width != "auto":
            raise InputError(f"--bin takes auto, none or a width in metres such as 0.2, not {self.bin_width!r}")
        if self.top < 0 or (self.all_probabilities and not self.top):
            raise InputError("top must be 0 or more, and above 0 for the probabilities of all lithologies")
        if isinstance(self.bin_width, (int, float)):
            require_width(self.bin_width)


def parse_bin_width(text: str) -> BinWidth:
    """Parse ``auto``, ``none`` or a width in metres.

    Raises
    ------
    InputError
        If the text is none of these.
    """
    if text in ("auto", "none"):
        return "auto" if text == "auto" else None
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--bin takes auto, none or a width in metres such as 0.2, not {text!r}") from error
