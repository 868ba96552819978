"""The scaler between raw sensor values and the networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.features import LILY, Transform

LILY_MEAN = (1.696278, 2.499188, 3.076507, 4.130136, 4.098738, 3.982197)
LILY_SCALE = (0.246597, 1.984657, 0.895526, 0.593003, 0.59891, 0.600654)
"""Mean and standard deviation of the transformed features of the LILY table (238,506 rows), as published: the scaler of
the published models, whose checkpoints come without one. `training/published/feature_stats.csv` holds them too."""


class DistributionAwareScaler:
    """Bring the features to comparable distributions, then standardise them.

    Each feature is transformed as its quantity says: ``none`` leaves it unchanged, ``signed_log`` gives
    ``sign(x) * log1p(|x|)``, and ``log1p`` gives ``log1p(x)``. All are then standardised with the population standard
    deviation, as scikit-learn's ``StandardScaler`` does.

    Parameters
    ----------
    transforms : sequence of {"none", "signed_log", "log1p"}, optional
        Transform of each feature; by default those of the published table: ``none`` for bulk density, ``signed_log``
        for magnetic susceptibility and natural gamma, ``log1p`` for R, G and B.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,), float64
        Mean of each transformed feature.
    scale_ : ndarray of shape (n_features,), float64
        Population standard deviation of each transformed feature; 1 where a feature is constant.
    n_features_in_ : int
        Number of features.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    n_features_in_: int

    def __init__(self, transforms: Sequence[Transform] = LILY.transforms) -> None:
        self.transforms = transforms

    @classmethod
    def from_parameters(
        cls, mean: ArrayLike, scale: ArrayLike, transforms: Sequence[Transform] = LILY.transforms
    ) -> Self:
        """Make a fitted scaler from the means and the standard deviations of the transformed features.

        Raises
        ------
        ValueError
            If either is not a finite number for each feature, or a scale is not positive.
        """
        scaler, n = cls(transforms), len(transforms)
        scaler.mean_ = np.array(mean, dtype=np.float64)
        scaler.scale_ = np.array(scale, dtype=np.float64)
        scaler.n_features_in_ = n
        for name, values in (("mean", scaler.mean_), ("scale", scaler.scale_)):
            if values.shape != (n,) or not np.isfinite(values).all():
                raise ValueError(f"the scaler's {name} must be {n} finite numbers, not {values.tolist()}")
        if (scaler.scale_ <= 0).any():
            raise ValueError(f"the scaler's scale must be positive, not {scaler.scale_.tolist()}")
        return scaler

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn mean and standard deviation from raw features.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Raw features in physical units. NaN is ignored, column by column.
        y : ignored

        Raises
        ------
        ValueError
            If ``X`` is not ``(n, n_features)`` or a column holds no finite value.
        """
        transformed = self._forward(X)
        if not np.isfinite(transformed).any(axis=0).all():
            raise ValueError("a column has no finite value to fit the scaler on")
        self.mean_ = np.nanmean(transformed, axis=0)
        sd = np.nanstd(transformed, axis=0)
        self.scale_ = np.where(sd > 0, sd, 1.0)
        self.n_features_in_ = len(self.transforms)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Scale raw features: ``(n, n_features)`` in physical units to ``(n, n_features)`` float64.

        A value outside its transform's domain (log1p of -1 or less) becomes NaN.
        """
        self._require_fitted()
        return (self._forward(X) - self.mean_) / self.scale_

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Convert scaled features ``(n, n_features)`` back to physical units, float64."""
        self._require_fitted()
        raw = self._columns(X) * self.scale_ + self.mean_
        signed = raw[:, self._are("signed_log")]
        raw[:, self._are("signed_log")] = np.sign(signed) * np.expm1(np.abs(signed))
        raw[:, self._are("log1p")] = np.expm1(raw[:, self._are("log1p")])
        return raw

    def fit_transform(self, X: ArrayLike, y: object = None) -> NDArray[np.float64]:
        """Fit, then transform."""
        return self.fit(X).transform(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of ``__init__``."""
        return {"transforms": self.transforms}

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of ``__init__``."""
        if unknown := params.keys() - {"transforms"}:
            raise ValueError(f"DistributionAwareScaler takes the parameter transforms, not {sorted(unknown)}")
        self.transforms = params.get("transforms", self.transforms)
        return self

    def _require_fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise ValueError("this scaler is not fitted yet: call fit or from_parameters first")

    def _columns(self, X: ArrayLike) -> NDArray[np.float64]:
        values, n = np.array(X, dtype=np.float64), len(self.transforms)
        if values.ndim != 2 or values.shape[1] != n:
            raise ValueError(f"expected an array of shape (n, {n}), got {values.shape}")
        return values

    def _are(self, transform: Transform) -> NDArray[np.bool_]:
        """Return which features have a transform; shape (n_features,)."""
        return np.array([each == transform for each in self.transforms])

    def _forward(self, X: ArrayLike) -> NDArray[np.float64]:
        raw = self._columns(X)
        signed = raw[:, self._are("signed_log")]
        raw[:, self._are("signed_log")] = np.sign(signed) * np.log1p(np.abs(signed))
        positive = raw[:, self._are("log1p")]
        raw[:, self._are("log1p")] = np.log1p(np.where(positive > -1, positive, np.nan))
        return raw


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
