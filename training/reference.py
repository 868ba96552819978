"""What a model's training rows were like, for the answers of the runtime: see `lithovae.runtime.model.reference`."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.model.reference import Groups, Mixture, Quantiles, Reference, Succession

from .facts import Facts
from .table import TrainingTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANGE_AT = (0, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 1)
SURPRISE_TAIL = 10 ** -np.linspace(0.0, 4.0, 65)
"""Shares of the rows above a quantile of the surprise: p-values from 1 down to 1e-4."""
LEAST_ROWS = 200
"""Complete rows that a mixture is fitted on, at least; 20 a feature if that is more."""
MOST_ROWS, MOST_COMPONENTS = 50_000, 16
ROWS_A_PARAMETER = 20
REGULARISATION = 1e-4
"""Added to the variances of the mixture: no feature, nor a sum of several, is known to better than 0.01 in scaled
space."""
KNOWN_SHARE = 0.5
"""Share of the rows whose lithology must have a published group, or there are no groups."""
OTHER = "Other"
CORE_LENGTH = 10.0
"""Length of a core in metres: a change of lithology across a shorter gap counts as one."""
CHANGES_ASSUMED = 2
"""Changes of lithology that are assumed for each, with the thickness typical of all, beside those that were seen."""


def reference_of(
    table: TrainingTable,
    scaler: DistributionAwareScaler,
    classes: tuple[str, ...],
    *,
    before: Reference | None = None,
    seed: int = 0,
) -> Reference | None:
    """Describe the rows that a model was trained on.

    Parameters
    ----------
    table : TrainingTable
        The rows, with or without gaps.
    scaler : DistributionAwareScaler
        The model's scaler.
    classes : tuple of str
        Lithologies in the order of the classifier's outputs; empty for a model without one.
    before : Reference, optional
        Of the model that it was fine-tuned from: it has the ranges of features that the rows lack.
    seed : int
        Starts the mixture. The same rows and seed give the same reference.

    Returns
    -------
    Reference or None
        Without a mixture if there are too few rows with all features, without groups if few rows are of a lithology
        that has a published one, and without a calibration, which needs other rows. None if the range of a
        feature is not known.
    """
    values = np.where(table.measured, table.features, np.nan)
    unknown = np.asarray(np.isnan(values).all(axis=0))
    if unknown.any() and before is None:
        return None
    ranges = np.empty((len(unknown), len(RANGE_AT)))
    ranges[~unknown] = np.nanquantile(values[:, ~unknown], RANGE_AT, axis=0).T
    if before is not None:
        for i in np.flatnonzero(unknown):
            ranges[i] = np.interp(RANGE_AT, before.ranges.at, before.ranges.values[i])
    mixture, surprise = _density(scaler.transform(values), seed)
    return Reference(
        n_rows=len(table),
        ranges=Quantiles(np.array(RANGE_AT), _rounded(ranges)),
        mixture=mixture,
        surprise=surprise,
        groups=_groups(table, classes) if classes else None,
        succession=_succession(table, classes) if classes else None,
    )


def surprise_of(mixture: Mixture, scaled: Floats) -> Floats:
    """Return the negative log density of scaled rows (n, k) under a mixture; shape (n,)."""
    logs = []
    for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        factor = np.linalg.cholesky(covariance)
        z = solve_triangular(factor, (scaled - mean).T, lower=True)
        constant = np.log(weight) - np.log(factor.diagonal()).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
        logs.append(constant - 0.5 * np.einsum("ij,ij->j", z, z))
    return np.asarray(-logsumexp(logs, axis=0))


def _density(scaled: Floats, seed: int) -> tuple[Mixture | None, Quantiles | None]:
    """Fit a mixture to the complete rows, and return it with the quantiles of their surprise."""
    whole = scaled[~np.isnan(scaled).any(axis=1)]
    n, k = whole.shape
    if n < max(LEAST_ROWS, 20 * k):
        return None, None
    drawn = whole
    if n > MOST_ROWS:
        drawn = whole[np.sort(np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False))]
    parameters = 1 + k + k * (k + 1) // 2  # of each component
    components = min(MOST_COMPONENTS, max(1, n // (ROWS_A_PARAMETER * parameters)))
    with threadpool_limits(1), warnings.catch_warnings():  # sums over several threads would differ from run to run
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that is not quite the likeliest will do
        fitted = GaussianMixture(components, reg_covar=REGULARISATION, random_state=seed).fit(drawn)
    weights = np.maximum(fitted.weights_, 1e-6)
    # Rounding to 6 decimals changes an eigenvalue by far less than the regularisation, its smallest.
    covariances = np.round((fitted.covariances_ + fitted.covariances_.transpose(0, 2, 1)) / 2, 6)
    mixture = Mixture(np.round(weights / weights.sum(), 8), np.round(fitted.means_, 5), covariances)
    above = np.append(SURPRISE_TAIL[SURPRISE_TAIL * n >= 1], 0.0)  # n rows tell nothing of rarer ones
    at = 1 - above
    return mixture, Quantiles(np.round(at, 8), _rounded(np.quantile(surprise_of(mixture, whole), at)))


def _groups(table: TrainingTable, classes: tuple[str, ...]) -> Groups | None:
    """Return the published groups of lithologies; those without one are `OTHER`."""
    published = {name.casefold(): group for name, group in Facts.load().groups.items()}
    rows = _counts(table, classes)
    if rows[[name.casefold() in published for name in classes]].sum() < KNOWN_SHARE * rows.sum():
        return None
    group = [published.get(name.casefold(), OTHER) for name in classes]
    names = tuple(name for name in dict.fromkeys([*published.values(), OTHER]) if name in group)
    return Groups(names, np.array([names.index(name) for name in group], np.int64))


def _counts(table: TrainingTable, classes: tuple[str, ...]) -> Ints:
    labels = table.labels_in(classes)
    return np.bincount(labels[labels >= 0], minlength=len(classes))


def _succession(table: TrainingTable, classes: tuple[str, ...]) -> Succession:
    """Return the published succession for the published table and its simulations, else that of the rows."""
    facts = Facts.load()
    if not table.simulated and set(classes) != set(facts.class_counts):
        return _own_succession(table, classes)
    thickness = np.array([facts.thickness.get(name, facts.typical_thickness) for name in classes])
    number = {name: i for i, name in enumerate(classes)}
    transitions = [(number[a], number[b], n) for (a, b), n in facts.transitions.items() if a in number and b in number]
    return Succession(
        mean_thickness=_rounded(thickness[:, 1]),
        median_thickness=_rounded(thickness[:, 0]),
        counts=_counts(table, classes).astype(np.float64),
        transitions=np.array(sorted(transitions), np.int64).reshape(-1, 3),
    )


class Runs(NamedTuple):
    """Stretches of depth with one lithology.

    Attributes
    ----------
    label : ndarray of shape (m,), int64
        Their lithologies.
    thickness : ndarray of shape (m,), float64
        In metres.
    changes : ndarray of shape (m,), bool
        Whether the next run is of another lithology and begins where this one ends, or within 10 m below, as where
        a core was not recovered in full; else this run may go on.
    """

    label: Ints
    thickness: Floats
    changes: NDArray[np.bool_]


def runs_of(table: TrainingTable, classes: tuple[str, ...]) -> Runs:
    """Return the runs of equal lithology down each hole of a table; a gap in depth or in the lithologies ends a run."""
    holes, label = np.unique(table.hole, return_inverse=True)[1], table.labels_in(classes)
    order = np.lexsort((table.depth, holes))
    order = order[label[order] >= 0]
    hole, depth, label = holes[order], table.depth[order], label[order]
    new = np.append(True, (hole[1:] != hole[:-1]) | (depth[1:] > depth[:-1]))  # a bin may come from several files
    hole, depth, label = hole[new], depth[new], label[new]
    same, steps, other = hole[1:] == hole[:-1], np.diff(depth), label[1:] != label[:-1]
    step = max(BIN_WIDTH, float(np.median(steps[same]))) if same.any() else BIN_WIDTH
    first = np.append(True, ~same | (steps >= 1.5 * step) | other)
    last = np.append(first[1:], True)
    changes = np.append(same & (steps < CORE_LENGTH) & other, False)
    return Runs(label[first], depth[last] - depth[first] + step, changes[last])


def _own_succession(table: TrainingTable, classes: tuple[str, ...]) -> Succession:
    """Return the succession of the rows' own runs.

    The mean thickness of a lithology is its metres per change to another, because a run that ends at a gap with the
    same lithology below, or with its hole, may go on there. Lithologies with few changes are near the mean of all.
    """
    runs, n = runs_of(table, classes), len(classes)
    metres = np.bincount(runs.label, runs.thickness, n)
    changes = np.bincount(runs.label[runs.changes], minlength=n)
    typical = metres.sum() / max(1, changes.sum())
    mean = (metres + CHANGES_ASSUMED * typical) / (changes + CHANGES_ASSUMED)
    skew = min(1.0, float(np.median(runs.thickness)) / float(np.mean(runs.thickness)))
    below = np.flatnonzero(runs.changes)
    pairs, times = np.unique(
        np.stack([runs.label[below], runs.label[below + 1]], axis=1).reshape(-1, 2), axis=0, return_counts=True
    )
    return Succession(
        mean_thickness=_rounded(mean),
        median_thickness=_rounded(mean * skew),
        counts=_counts(table, classes).astype(np.float64),
        transitions=np.column_stack([pairs, times]).astype(np.int64),
    )


def _rounded(values: Any) -> Floats:
    """Round numbers to six significant digits."""
    values = np.asarray(values, np.float64)
    return np.array([float(f"{value:.6g}") for value in values.ravel()]).reshape(values.shape)
