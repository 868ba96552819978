"""A log of a core: its rows against depth, and what was found in them, as plain values for writers and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet
from .missing import Bits

FLAGS = ("imputed", "out_of_range", "novel", "stuck_sensor", "unit_suspect")
"""Meaning of each bit of a row's ``flags``, from bit 0. ``imputed``: a feature is missing and was imputed.
``out_of_range``: a value is outside its plausible range. ``novel``: few training rows are as unusual.
``stuck_sensor``: a sensor repeats one value. ``unit_suspect``: a feature seems to be in another unit."""


class Interval(NamedTuple):
    """A stretch of depth with one lithology.

    Attributes
    ----------
    hole : str
        Hole, or other parts of the address that tell one core from another; empty if the scan has only one.
    top, base : float
        Depths in metres.
    lithology : str
        Name of the lithology.
    group : str
        Group of the lithology; empty if the bundle knows no groups.
    probability : float
        Mean probability of the lithology over the rows of the interval, which are classified 20 cm by 20 cm.
    n_rows : int
        Number of rows.
    note : str
        What a reader must know: for example, that its top is where a channel begins. Empty if there is nothing.
    """

    hole: str
    top: float
    base: float
    lithology: str
    group: str
    probability: float
    n_rows: int
    note: str

    @property
    def thickness(self) -> float:
        """Thickness in metres."""
        return self.base - self.top


class Fault(NamedTuple):
    """A likely fault of a sensor, a unit or the depths of a scan.

    Attributes
    ----------
    kind : str
        ``unit``, ``stuck`` or ``offset``.
    what : str
        Name of the feature, or ``depth``.
    top, base : float or None
        Range of depth in metres that it concerns; None for the whole scan.
    text : str
        One sentence for the user: what was seen, what it looks like, what to do.
    """

    kind: str
    what: str
    top: float | None
    base: float | None
    text: str


class Drift(NamedTuple):
    """How a channel of a scan differs from the training rows.

    Attributes
    ----------
    feature : str
        Name of the feature.
    n : int
        Number of values.
    shift : float
        Mean of the values minus that of the training rows, in standard deviations of the scaled training rows.
    spread : float
        Standard deviation of the values, in the same unit.
    beyond : float
        Share of the values outside the range of the training rows.
    """

    feature: str
    n: int
    shift: float
    spread: float
    beyond: float


@dataclass(frozen=True)
class Log:
    """Rows of a scan against depth, for a report. Arrays have one entry a row; optional ones are None if not computed.

    Attributes
    ----------
    title : str
        Name of the scan.
    features : FeatureSet
        The features.
    depth : ndarray of shape (n,), float64
        Depth in metres, in the order of the scan; the index of the row if the scan has no depth.
    has_depth : bool
        Whether ``depth`` is a depth.
    bin_width : float or None
        Width of the depth bins in metres; None for the scan's own rows.
    hole : ndarray of shape (n,), str
        Address of the core of each row; rows of one core are consecutive. Empty texts if the scan has only one.
    values : ndarray of shape (n, k), float32
        Values of the features in their units; NaN where missing.
    missing, implausible : ndarray of shape (n,), of bits
        Bits of the features.
    embeddings : ndarray of shape (n, latent_dim), float32
        Embeddings; NaN for a row without one.
    classes, groups : tuple of str
        Names of the lithologies and of their groups.
    group_of_class : ndarray of shape (n_classes,), int64
        Group of each lithology; empty if there are no groups.
    lithologies : ndarray of shape (n, top), int, or None
        Likeliest lithologies of each row, the likeliest first, as positions in ``classes``; -1 for a row without one.
    probabilities : ndarray of shape (n, top), float32, or None
        Their probabilities.
    residuals : ndarray of shape (n, k), float32, or None
        Measured minus reconstructed value, in scaled units; NaN where missing.
    novelty_p : ndarray of shape (n,), float32, or None
        Share of training rows that are at least as unusual.
    flags : ndarray of shape (n,), uint8, or None
        Bits of `FLAGS`.
    intervals : sequence of Interval
        Intervals of lithology, in order.
    faults : sequence of Fault
        Likely faults.
    drift : sequence of Drift
        Comparison with the training rows.
    facts : sequence of (str, str)
        What was run on what: label and text, in order.
    notes : sequence of str
        Notes for the reader, the most important first.
    warning : str
        Warning that must stand wherever a lithology is shown; empty if there is none.
    n_rows : int
        Number of rows of the scan; more than ``len(depth)`` if only some are kept.
    """

    title: str
    features: FeatureSet
    depth: NDArray[np.float64]
    has_depth: bool
    bin_width: float | None
    hole: NDArray[np.str_]
    values: NDArray[np.float32]
    missing: Bits
    implausible: Bits
    embeddings: NDArray[np.float32]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    group_of_class: NDArray[np.int64]
    lithologies: NDArray[Any] | None
    probabilities: NDArray[np.float32] | None
    residuals: NDArray[np.float32] | None
    novelty_p: NDArray[np.float32] | None
    flags: NDArray[np.uint8] | None
    intervals: Sequence[Interval]
    faults: Sequence[Fault]
    drift: Sequence[Drift]
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    warning: str
    n_rows: int


def bit_of(flag: str) -> int:
    """Return the value of a flag's bit in ``flags``."""
    return 1 << FLAGS.index(flag)


def flag_names(flags: int) -> list[str]:
    """Return the names of the flags that are set."""
    return [name for i, name in enumerate(FLAGS) if flags >> i & 1]


def as_json(values: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return intervals, faults or drift as plain values for JSON; None for a number that is not known."""
    return [{name: None if each != each else each for name, each in value._asdict().items()} for value in values]
