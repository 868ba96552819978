"""What a model's training rows were like: ranges, novelty, calibration, groups and succession of lithologies.

It is stored in a bundle as ``reference.json`` and in a checkpoint's sidecar under ``reference``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import is_finite_number

Floats = NDArray[np.float64]

MOST_SCALED, MOST_ROWS = 1e6, 1e15
"""Greatest scaled value and number of rows: with more, the float32 arithmetic of answers would overflow."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of k Gaussians, fitted to the scaled training rows.

    Attributes
    ----------
    weights : ndarray of shape (k,), float64
        Weights; their sum is 1.
    means : ndarray of shape (k, n_features), float64
        Means in scaled space.
    covariances : ndarray of shape (k, n_features, n_features), float64
        Covariances in scaled space.
    """

    weights: Floats
    means: Floats
    covariances: Floats


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Quantiles of a quantity over the training rows.

    Attributes
    ----------
    at : ndarray of shape (q,), float64
        Probabilities, ascending, in [0, 1].
    values : ndarray of shape (q,) or (n_features, q), float64
        The quantiles.
    """

    at: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a classifier's temperature was found, and what it changed.

    Attributes
    ----------
    temperature : float
        The logits are divided by it.
    error_before, error_after : float
        Expected calibration error (15 bins) on rows of sites that were neither trained on nor used for the
        temperature, without and with it.
    n_rows : int
        Number of these rows.
    """

    temperature: float
    error_before: float
    error_after: float
    n_rows: int


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of lithologies.

    Attributes
    ----------
    names : tuple of str
        Names of the groups.
    of_class : ndarray of shape (n_classes,), int64
        Position in ``names`` of each lithology's group.
    """

    names: tuple[str, ...]
    of_class: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Succession:
    """Thickness of the intervals of each lithology, and which follows which.

    Attributes
    ----------
    mean_thickness, median_thickness : ndarray of shape (n_classes,), float64
        Of the intervals of each lithology, in metres.
    counts : ndarray of shape (n_classes,), float64
        Number of rows of each lithology.
    transitions : ndarray of shape (m, 3), int64
        From, to, and how often: positions of lithologies. An interval may be followed by one of the same lithology.
    """

    mean_thickness: Floats
    median_thickness: Floats
    counts: Floats
    transitions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reference:
    """What the training rows were like. Each part but the first is None if it is not known.

    Attributes
    ----------
    n_rows : int
        Number of training rows.
    ranges : Quantiles
        Quantiles of each feature in its unit, over the values that were measured.
    mixture : Mixture or None
        Density of the scaled training rows.
    surprise : Quantiles or None
        Quantiles of the negative log density, by the mixture, of the training rows with all features.
    calibration : Calibration or None
        Temperature of the classifier, which its graph already applies.
    groups : Groups or None
        Groups of the lithologies.
    succession : Succession or None
        Thickness and succession of the lithologies.
    """

    n_rows: int
    ranges: Quantiles
    mixture: Mixture | None = None
    surprise: Quantiles | None = None
    calibration: Calibration | None = None
    groups: Groups | None = None
    succession: Succession | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        stated: dict[str, Any] = _plain(self)
        return {name: value for name, value in stated.items() if value is not None}

    @classmethod
    def of_json(cls, stated: Any, n_features: int, n_classes: int) -> Reference:
        """Return the reference that plain values state.

        Raises
        ------
        ValueError
            If a part is malformed, or does not fit the numbers of features and classes.
        """
        if not isinstance(stated, dict) or not {"n_rows", "ranges"} <= stated.keys():
            raise ValueError("a reference needs n_rows and ranges")
        known = {name: part for name, part in stated.items() if part is not None}
        try:
            return cls(
                _count(stated),
                _ranges(stated["ranges"], n_features),
                _mixture(known["mixture"], n_features) if "mixture" in known else None,
                _quantiles(known["surprise"], None) if "surprise" in known else None,
                _calibration(known["calibration"]) if "calibration" in known else None,
                _groups(known["groups"], n_classes) if "groups" in known else None,
                _succession(known["succession"], n_classes) if "succession" in known else None,
            )
        except (KeyError, TypeError) as error:  # a part that lacks a key, or is of another type
            raise ValueError(f"a part lacks {error}" if isinstance(error, KeyError) else str(error)) from error


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, tuple) else value


def _array(part: Any, name: str, shape: tuple[int | None, ...], dtype: Any = np.float64) -> NDArray[Any]:
    """Return a list of a part as an array of some shape; None stands for any length. Raises `ValueError`."""
    found = np.array(part[name], object)  # numpy would turn texts into numbers, and fractions into integers
    if found.ndim != len(shape) or any(want not in (None, n) for want, n in zip(shape, found.shape, strict=True)):
        raise ValueError(f"{name} has the shape {found.shape}, not {shape}")
    if not found.size:
        raise ValueError(f"{name} is empty")
    if not all(map(is_finite_number if dtype is np.float64 else _is_integer, found.flat)):
        raise ValueError(f"{name} has values that are not {'finite numbers' if dtype is np.float64 else 'integers'}")
    return found.astype(dtype)


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 62


def _count(part: Any) -> int:
    n_rows = part["n_rows"]
    if type(n_rows) is not int or n_rows < 1:
        raise ValueError("n_rows is not a number of rows")
    return n_rows


def _quantiles(part: Any, n_features: int | None) -> Quantiles:
    at = _array(part, "at", (None,))
    values = _array(part, "values", (len(at),) if n_features is None else (n_features, len(at)))
    if (np.diff(at) <= 0).any() or at[0] < 0 or at[-1] > 1 or (np.diff(values) < 0).any():
        raise ValueError("quantiles must ascend, at probabilities from 0 to 1")
    return Quantiles(at, values)


def _ranges(part: Any, n_features: int) -> Quantiles:
    found = _quantiles(part, n_features)
    if found.at[0] != 0 or found.at[-1] != 1:
        raise ValueError("ranges must be from the least to the greatest value: at probabilities from 0 to 1")
    return found


def _mixture(part: Any, n: int) -> Mixture:
    weights = _array(part, "weights", (None,))
    k = len(weights)
    found = Mixture(weights, _array(part, "means", (k, n)), _array(part, "covariances", (k, n, n)))
    if (weights <= 0).any() or abs(weights.sum() - 1) > 1e-6:
        raise ValueError("the weights of a mixture must be positive, with sum 1")
    if not np.allclose(found.covariances, found.covariances.transpose(0, 2, 1)):
        raise ValueError("a covariance of the mixture is not symmetric")
    if np.abs(found.means).max() > MOST_SCALED or np.abs(found.covariances).max() > MOST_SCALED**2:
        raise ValueError(f"the mixture has values beyond {MOST_SCALED:g} standard deviations")
    try:
        lower = np.linalg.cholesky(found.covariances)
    except np.linalg.LinAlgError as error:
        raise ValueError("a covariance of the mixture is not positive definite") from error
    if np.diagonal(lower, axis1=1, axis2=2).min() < 1 / MOST_SCALED:
        raise ValueError(f"the mixture has a standard deviation below {1 / MOST_SCALED:g}")
    return found


def _calibration(part: Any) -> Calibration:
    temperature, before, after = figures = [part[name] for name in ("temperature", "error_before", "error_after")]
    if not all(map(is_finite_number, figures)) or temperature <= 0 or not (0 <= before <= 1 and 0 <= after <= 1):
        raise ValueError("the temperature must be above 0, and calibration errors from 0 to 1")
    return Calibration(float(temperature), float(before), float(after), _count(part))


def _groups(part: Any, n_classes: int) -> Groups:
    names, of_class = part["names"], _array(part, "of_class", (n_classes,), np.int64)
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("the names of groups must be a list of texts, none of them blank")
    if len(set(names)) < len(names):
        raise ValueError("two groups have the same name")
    if of_class.min() < 0 or of_class.max() >= len(names):
        raise ValueError("a lithology has a group without a name")
    return Groups(tuple(names), of_class)


def _succession(part: Any, n_classes: int) -> Succession:
    mean, median, counts = (
        _array(part, name, (n_classes,)) for name in ("mean_thickness", "median_thickness", "counts")
    )
    rows = part["transitions"]
    transitions = _array(part, "transitions", (None, 3), np.int64) if rows else np.empty((0, 3), np.int64)
    if (mean <= 0).any() or (median <= 0).any() or (counts < 0).any():
        raise ValueError("thicknesses must be above 0, and counts not below")
    if counts.max() > MOST_ROWS:
        raise ValueError(f"a count is above {MOST_ROWS:g}")
    if len(transitions) and (transitions.min() < 0 or transitions[:, :2].max() >= n_classes):
        raise ValueError("a transition names a lithology that the model does not know")
    return Succession(mean, median, counts, transitions)
