"""Counts of what a run read and wrote, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .description import ScanDescription
from .features import FeatureSet
from .log import Drift, Fault, Interval


@dataclass(frozen=True, kw_only=True, repr=False)
class RowSummary:
    """Counts of the rows of a scan that were written. It can be pickled.

    Attributes
    ----------
    scan : ScanDescription
        What was found in the file.
    features : FeatureSet
        The features of the rows.
    bin_width : float or None
        Width of the depth bins in metres; None if the rows are the scan's own.
    n_rows : int
        Number of rows written.
    n_missing, n_implausible : ndarray of shape (n_features,), int64
        Number of rows written in which each feature is missing, or outside its plausible range.
    n_left_out : int
        Number of samples, of all instruments, that are in no bin because their depth is missing.
    left_out : ndarray of shape (n_features,), int64
        Number of these for each feature's instrument.
    n_implausible_samples : ndarray of shape (n_features,), int64
        Number of samples of each feature that were left out of the bins' means because they are implausible.
    depth_range : tuple of float, or None
        Depth of the shallowest and the deepest row in metres; None if no row has a depth.
    lost : list of str
        Notes about samples whose depth the table of sections does not give.
    other_units : list of str
        Notes about values that can only be in another unit.
    notes : list of str
        These and other notes about the rows, in addition to those of ``scan`` and to faults.
    """

    scan: ScanDescription
    features: FeatureSet
    bin_width: float | None
    n_rows: int
    n_missing: NDArray[np.int64]
    n_implausible: NDArray[np.int64]
    n_left_out: int
    left_out: NDArray[np.int64]
    n_implausible_samples: NDArray[np.int64]
    depth_range: tuple[float, float] | None
    lost: list[str]
    other_units: list[str]
    notes: list[str]

    def __repr__(self) -> str:
        bins = "" if self.bin_width is None else f" in bins of {self.bin_width:g} m"
        return f"<{type(self).__name__} of {self.scan.path}: {self.n_rows:,} rows{bins}{self._more}>"

    @property
    def _more(self) -> str:
        return ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Summary(RowSummary):
    """Counts of what a run read and wrote: of its rows, and of their embeddings. It can be pickled.

    Attributes
    ----------
    model, trained_on : str
        Name of the bundle, and what it was trained on.
    latent_dim : int
        Length of an embedding.
    missing : str
        What was done with rows that lack a feature: ``nan``, ``impute``, ``drop`` or ``error``.
    imputes : bool
        Whether the model was trained to impute missing features.
    n_nan : int
        Number of rows written without an embedding.
    n_dropped : int
        Number of rows not written because a feature was missing.
    dropped : ndarray of shape (n_features,), int64
        Number of these in which each feature was missing.
    lithologies : dict of str to int
        Number of rows by their likeliest lithology, the commonest first; empty if lithologies were not wanted.
    intervals : list of Interval
        Intervals of lithology; empty if they were not wanted.
    faults : list of Fault
        Likely faults of sensors, units and depths; empty if quality was not wanted.
    drift : list of Drift
        Comparison of each channel with the training rows; empty if quality was not wanted.
    warning : str
        Warning that must stand wherever a lithology is shown; empty if there is none.
    """

    model: str
    trained_on: str
    latent_dim: int
    missing: str
    imputes: bool
    n_nan: int
    n_dropped: int
    dropped: NDArray[np.int64]
    lithologies: dict[str, int]
    intervals: list[Interval]
    faults: list[Fault]
    drift: list[Drift]
    warning: str

    @property
    def _more(self) -> str:
        return f", {self.n_nan:,} without an embedding"
