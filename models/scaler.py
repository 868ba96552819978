"""The scaler between raw sensor values and the networks."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_FEATURES = 6
SIGNED_LOG = slice(1, 3)
"""Columns 1 and 2 (magnetic susceptibility, natural gamma): sign(x) * log1p(|x|)."""
LOG = slice(3, 6)
"""Columns 3 to 5 (R, G, B): log1p(x)."""

LILY_MEAN = (1.696278, 2.499188, 3.076507, 4.130136, 4.098738, 3.982197)
LILY_SCALE = (0.246597, 1.984657, 0.895526, 0.593003, 0.59891, 0.600654)
"""Mean and standard deviation of the transformed features of the LILY table (238,506 rows), as published: the scaler of
the published models, whose checkpoints come without one. `training/published/feature_stats.csv` holds them too."""


class DistributionAwareScaler:
    """Bring the six features to comparable distributions, then standardise them.

    Column 0 (bulk density) is unchanged; columns 1 and 2 (magnetic susceptibility, natural gamma) become
    ``sign(x) * log1p(|x|)``; columns 3 to 5 (R, G, B) become ``log1p(x)``. All six are then standardised with the
    population standard deviation, as scikit-learn's ``StandardScaler`` does.

    Attributes
    ----------
    mean_ : ndarray of shape (6,), float64
        Mean of each transformed feature.
    scale_ : ndarray of shape (6,), float64
        Population standard deviation of each transformed feature; 1 where a feature is constant.
    n_features_in_ : int
        Always 6 once fitted.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    n_features_in_: int

    @classmethod
    def from_parameters(cls, mean: ArrayLike, scale: ArrayLike) -> Self:
        """Make a fitted scaler from six means and six standard deviations in transformed space.

        Raises
        ------
        ValueError
            If either is not six finite numbers, or a scale is not positive.
        """
        scaler = cls()
        scaler.mean_ = np.array(mean, dtype=np.float64)
        scaler.scale_ = np.array(scale, dtype=np.float64)
        scaler.n_features_in_ = N_FEATURES
        for name, values in (("mean", scaler.mean_), ("scale", scaler.scale_)):
            if values.shape != (N_FEATURES,) or not np.isfinite(values).all():
                raise ValueError(f"the scaler's {name} must be {N_FEATURES} finite numbers, not {values.tolist()}")
        if (scaler.scale_ <= 0).any():
            raise ValueError(f"the scaler's scale must be positive, not {scaler.scale_.tolist()}")
        return scaler

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn mean and standard deviation from raw features.

        Parameters
        ----------
        X : array-like of shape (n, 6)
            Raw features in physical units. NaN is ignored, column by column.
        y : ignored

        Raises
        ------
        ValueError
            If ``X`` is not ``(n, 6)`` or a column holds no finite value.
        """
        transformed = _forward(_six_columns(X))
        if not np.isfinite(transformed).any(axis=0).all():
            raise ValueError("a column has no finite value to fit the scaler on")
        self.mean_ = np.nanmean(transformed, axis=0)
        sd = np.nanstd(transformed, axis=0)
        self.scale_ = np.where(sd > 0, sd, 1.0)
        self.n_features_in_ = N_FEATURES
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scale raw features: ``(n, 6)`` in physical units to ``(n, 6)`` float64.

        A value outside its transform's domain (a colour of -1 or less) becomes NaN.
        """
        self._require_fitted()
        return (_forward(_six_columns(X)) - self.mean_) / self.scale_

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Convert scaled features ``(n, 6)`` back to physical units, float64."""
        self._require_fitted()
        raw = _six_columns(X) * self.scale_ + self.mean_
        signed = raw[:, SIGNED_LOG]
        raw[:, SIGNED_LOG] = np.sign(signed) * np.expm1(np.abs(signed))
        raw[:, LOG] = np.expm1(raw[:, LOG])
        return raw

    def fit_transform(self, X: ArrayLike, y: object = None) -> NDArray[np.float64]:
        """Fit, then transform."""
        return self.fit(X).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of ``__init__``: there are none."""
        return {}

    def set_params(self, **params: Any) -> Self:
        """Accept no parameter: there is none to set."""
        if params:
            raise ValueError(f"DistributionAwareScaler takes no parameters, not {sorted(params)}")
        return self

    def _require_fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise ValueError("this scaler is not fitted yet: call fit or from_parameters first")


PUBLISHED_SCALERS = {"lily": (LILY_MEAN, LILY_SCALE)}
"""Mean and scale of published scalers, by name."""


def published_scaler(name: str) -> DistributionAwareScaler:
    """Return the published scaler of that name, fitted; there is one, ``lily``.

    Raises
    ------
    ValueError
        If no published scaler has that name.
    """
    if name not in PUBLISHED_SCALERS:
        raise ValueError(f"no published scaler is named {name!r}; available: {', '.join(PUBLISHED_SCALERS)}")
    return DistributionAwareScaler.from_parameters(*PUBLISHED_SCALERS[name])


def _six_columns(X: ArrayLike) -> NDArray[np.float64]:
    values = np.array(X, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != N_FEATURES:
        raise ValueError(f"expected an array of shape (n, {N_FEATURES}), got {values.shape}")
    return values


def _forward(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    signed = raw[:, SIGNED_LOG]
    raw[:, SIGNED_LOG] = np.sign(signed) * np.log1p(np.abs(signed))
    colour = raw[:, LOG]
    raw[:, LOG] = np.log1p(np.where(colour > -1, colour, np.nan))
    return raw
