"""How well a model knows each row: residuals of its reconstruction, and how unusual its measured values are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import Bits, unpacked
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.model.reference import Mixture, Quantiles, Reference
from lithovae.runtime.rows.missing_policy import Prepared

Float32s = NDArray[np.float32]

CHUNK, MIN_ROWS = 1 << 15, 64
"""Numbers of an intermediate result, which fits in a core's cache, but so many rows at least, are computed at once."""
SMALL = 1 << 18
"""Multiplications of a product of matrices that is not spread over threads: the callers are threads already."""
DRAWS = 1 << 15
"""Rows drawn from the mixture, by which the rows that lack some features are calibrated; fewer of many features. The
number depends on nothing else: the p-value of a row must not depend on which thread comes first."""
FEWEST_DRAWS = 1 << 12
MANY_FEATURES = 8
"""With more features, there are more than 255 patterns of missing ones. A scan with random gaps has many, each with few
rows: they are calibrated by `FEWEST_DRAWS`."""
MOST_PATTERNS = 256
"""Patterns of missing features whose calibration is kept."""
_NEGLIGIBLE = np.float32(-80)
"""Exponents below this would give subnormal numbers, which are slow to add and change nothing."""
_FARTHEST = np.float32(1e9)
"""Scaled values beyond count as this one: their squares would overflow."""
_WORK = 1 << 26
"""Multiplications that the calibration of one pattern of missing features may take."""


class Quality:
    """Computes residuals and novelty of rows. Threads may share it; it runs in the calling thread.

    Parameters
    ----------
    model : LithoModel
        The model. Without a reference in its bundle, `novelty_p` is NaN.

    Attributes
    ----------
    note : str
        Note for the user: what is not computed, and why; empty if everything is.
    """

    def __init__(self, model: LithoModel) -> None:
        _ = model.graphs.decoder  # opened here, not by several threads at once
        self._graphs, self._scaling = model.graphs, Scaling.of(model.bundle)
        self._novelty = Novelty.of(model.bundle.reference)
        self.note = "" if self._novelty else lacks_reference(model.bundle)

    def columns(self, rows: Prepared, embeddings: Float32s) -> dict[str, NDArray[np.float32]]:
        """Return the columns that quality adds to a result, by name, but for the flags.

        Parameters
        ----------
        rows : Prepared
            The rows.
        embeddings : ndarray of shape (n, latent_dim), float32
            Their embeddings; NaN for a row without one.

        Returns
        -------
        dict
            ``residuals``, shape (n, n_features): measured minus reconstructed value in standard deviations of the
            training rows, NaN where the feature is missing, the row has no embedding or an extreme value cannot be
            reconstructed. ``novelty_p``, shape (n,):
            share of the training rows that are at least as unusual, by the features that the row has; NaN if it has
            none.
        """
        scaled = self._scaling.scaled(rows.values)
        residuals = scaled - self._scaling.scaled(self._graphs.decode(embeddings))
        residuals[np.isnan(embeddings[:, 0])] = np.nan
        residuals[np.isinf(residuals)] = np.nan  # of a value so extreme that decoding overflows
        if self._novelty is None:
            return {"residuals": residuals, "novelty_p": np.full(len(scaled), np.nan, np.float32)}
        return {"residuals": residuals, "novelty_p": self._novelty.p(scaled, rows.missing)}


def lacks_reference(bundle: Bundle) -> str:
    """Return the note on a bundle that does not say what its training rows were like."""
    return (
        f"{bundle.name} has no reference of its training rows: novelty is not computed, nor are offsets and the share "
        "beyond the training range; train the model again, or export its checkpoint again if that has a reference"
    )


@dataclass(frozen=True, eq=False)
class Scaling:
    """The scaler of a bundle: transform each feature, then standardise it.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,), float32
        Mean and standard deviation of the transformed training rows.
    signed, logged : ndarray of int
        Positions of the features with the transforms ``signed_log`` and ``log1p``.
    """

    mean: Float32s
    scale: Float32s
    signed: NDArray[np.intp]
    logged: NDArray[np.intp]

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return the scaling of a bundle."""
        return cls.from_parameters(bundle.features, *(bundle.description["scaler"][key] for key in ("mean", "scale")))

    @classmethod
    def from_parameters(cls, features: FeatureSet, mean: list[float], scale: list[float]) -> Self:
        """Return the scaling of some features with these means and standard deviations."""
        transforms = np.array(features.transforms)
        signed, logged = (np.flatnonzero(transforms == name) for name in ("signed_log", "log1p"))
        return cls(np.array(mean, np.float32), np.array(scale, np.float32), signed, logged)

    def scaled(self, rows: Float32s) -> Float32s:
        """Scale raw features (n, n_features); NaN stays NaN, and what a transform cannot take is at its limit."""
        out = rows.astype(np.float32)  # a copy
        if len(self.signed):
            some = out[:, self.signed]
            out[:, self.signed] = np.copysign(np.log1p(np.abs(some)), some)
        if len(self.logged):
            some = out[:, self.logged]
            out[:, self.logged] = np.log1p(np.maximum(some, _JUST_ABOVE))  # NaN stays NaN
        out -= self.mean
        out /= self.scale
        return out

    def raw(self, scaled: Float32s) -> Float32s:
        """Return the raw features of scaled ones (n, n_features)."""
        out = scaled * self.scale + self.mean
        with np.errstate(over="ignore"):
            if len(self.signed):
                some = out[:, self.signed]
                out[:, self.signed] = np.copysign(np.expm1(np.abs(some)), some)
            if len(self.logged):
                out[:, self.logged] = np.expm1(out[:, self.logged])
        return out


_JUST_ABOVE = np.float32(-1 + 2.0**-24)
"""The least number above -1: a reconstruction of a colour may be rounded to -1."""


class Novelty:
    """Says how unusual rows are, by a mixture of Gaussians that was fitted to the scaled training rows.

    The density of a row that lacks features is that of the others, which a mixture gives exactly. Training rows with
    all features calibrate rows with all features; rows that are drawn from the mixture calibrate the others.

    Parameters
    ----------
    mixture : Mixture
        Density of the training rows.
    surprise : Quantiles, optional
        Quantiles of the negative log density of the training rows with all features.
    n_rows : int
        Number of training rows: no p-value is below one in so many.
    """

    def __init__(self, mixture: Mixture, surprise: Quantiles | None, n_rows: int) -> None:
        self._mixture, self._surprise, self._least = mixture, surprise, 1 / (n_rows + 1)
        self._ranks: dict[int, _Ranks] = {}
        k, d = mixture.means.shape
        most = DRAWS if d <= MANY_FEATURES else FEWEST_DRAWS
        self._n_draws = int(np.clip(_WORK // (k * d * d), FEWEST_DRAWS, most))

    @classmethod
    def of(cls, reference: Reference | None) -> Self | None:
        """Return the novelty by a reference; None if it does not know the density of the training rows."""
        if reference is None or reference.mixture is None:
            return None
        return cls(reference.mixture, reference.surprise, reference.n_rows)

    def p(self, scaled: Float32s, missing: Bits) -> Float32s:
        """Return the share of training rows that are at least as unusual.

        Parameters
        ----------
        scaled : ndarray of shape (n, n_features), float32
            Scaled features.
        missing : ndarray of shape (n,), of bits
            The missing features of each row.

        Returns
        -------
        ndarray of shape (n,), float32
            NaN for a row in which all features are missing.
        """
        if not missing.any():
            return self._ranks_of(0).p(scaled)
        out = np.full(len(scaled), np.nan, np.float32)
        patterns, which = np.unique(missing, return_inverse=True)
        for i, pattern in enumerate(patterns.tolist()):
            known = np.flatnonzero(~unpacked(patterns[i : i + 1], scaled.shape[1])[0])
            if len(known):
                rows = np.flatnonzero(which == i) if len(patterns) > 1 else np.arange(len(scaled))
                out[rows] = self._ranks_of(pattern, known).p(scaled[np.ix_(rows, known)])
        return out

    @cached_property
    def _draws(self) -> Float32s:
        return drawn(self._mixture, self._n_draws)

    def _ranks_of(self, pattern: int, known: NDArray[np.intp] | None = None) -> _Ranks:
        if (ranks := self._ranks.get(pattern)) is not None:
            return ranks
        surprise = Surprise(self._mixture, known)
        if pattern == 0 and self._surprise:
            quantiles, least = self._surprise, self._least
        else:
            draws = self._draws
            quantiles = _quantiles(surprise.of(draws if known is None else draws[:, known]))
            least = max(self._least, 0.5 / len(draws))
        ranks = _Ranks(surprise, quantiles, least)
        if len(self._ranks) >= MOST_PATTERNS:
            self._ranks.clear()
        self._ranks[pattern] = ranks  # two threads may compute the same, which does no harm
        return ranks


def _quantiles(drawn: Float32s) -> Quantiles:
    """Return quantiles of drawn values: about a thousand, the more the farther up, where p-values are small."""
    n, values = len(drawn), np.sort(drawn)
    at = np.unique(np.rint(np.concatenate([np.linspace(0, n - 1, 512), n - np.geomspace(1, n, 512)])).astype(np.int64))
    return Quantiles((at + 0.5) / n, values[at].astype(np.float64))


class _Ranks:
    """Ranks rows of some features by their surprise."""

    def __init__(self, surprise: Surprise, quantiles: Quantiles, least: float) -> None:
        self._surprise, self._quantiles, self._least = surprise, quantiles, least

    def p(self, scaled: Float32s) -> Float32s:
        at, values = self._quantiles.at, self._quantiles.values
        below = np.interp(self._surprise.of(scaled), values, at, left=0.0, right=1.0)
        return np.maximum(1 - below, self._least).astype(np.float32)


class Surprise:
    """Negative log density of scaled rows by a mixture, of all features or of some.

    Parameters
    ----------
    mixture : Mixture
        The mixture.
    known : ndarray of int, optional
        Positions of the features that the rows have; by default, all.
    """

    def __init__(self, mixture: Mixture, known: NDArray[np.intp] | None = None) -> None:
        k, d = mixture.means.shape
        known = np.arange(d) if known is None else known
        covariances = mixture.covariances[:, known[:, None], known]
        lower = np.linalg.cholesky(covariances)
        whiten = np.linalg.inv(lower)  # of each component, (k, d, d)
        self._d = len(known)
        self._whiten = whiten.astype(np.float32)
        centred = np.einsum("kij,kj->ki", whiten, mixture.means[:, known])
        self._centre = centred[:, :, None].astype(np.float32)
        log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(mixture.weights) - log_det - 0.5 * self._d * np.log(2 * np.pi)
        self._constant = constant.reshape(-1, 1).astype(np.float32)
        self._chunk = max(MIN_ROWS, min(CHUNK // (k * self._d), SMALL // self._d**2))

    def shifted(self, scaled: Float32s) -> Callable[[Sequence[int], Float32s], Float32s]:
        """Return a function that returns what `of` would return for rows (n, d) if some columns were shifted.

        The function takes positions of columns, and shifts to take from all of them, one after the other. It returns an
        array of shape (len(shifts), n), float32.
        """
        white = self._whiten @ np.ascontiguousarray(np.clip(scaled.T, -_FARTHEST, _FARTHEST)) - self._centre
        square = (white**2).sum(axis=1)

        def after(columns: Sequence[int], shifts: Float32s) -> Float32s:
            along = self._whiten[:, :, list(columns)].sum(axis=2, keepdims=True)
            cross, own = (white * along).sum(axis=1), (along**2).sum(axis=1)
            logs = (self._constant - 0.5 * (square - 2 * shift * cross + shift**2 * own) for shift in shifts)
            return -np.array([_log_sum(each) for each in logs], np.float32)

        return after

    def of(self, scaled: Float32s) -> Float32s:
        """Return the negative log density of rows (n, d) that have all these features; shape (n,), float32."""
        out = np.empty(len(scaled), np.float32)
        for start in range(0, len(scaled), self._chunk):
            rows = np.clip(scaled[start : start + self._chunk].T, -_FARTHEST, _FARTHEST)
            white = self._whiten @ np.ascontiguousarray(rows)  # (k, d, rows): each step is over contiguous numbers
            white -= self._centre
            white *= white
            logs = white.sum(axis=1)
            logs *= np.float32(-0.5)
            logs += self._constant
            out[start : start + self._chunk] = -_log_sum(logs)
        return out


def _log_sum(logs: Float32s) -> Float32s:
    """Return the logarithm of the sum of exponentials along the first axis of (k, n); ``logs`` is overwritten."""
    most = logs.max(axis=0)
    logs -= most
    np.maximum(logs, _NEGLIGIBLE, out=logs)
    np.exp(logs, out=logs)
    return np.asarray(most + np.log(logs.sum(axis=0)))


def drawn(mixture: Mixture, n: int) -> Float32s:
    """Draw scaled rows (n, n_features), float32, from a mixture: always the same ones."""
    rng = np.random.default_rng(0)
    which = rng.choice(len(mixture.weights), n, p=mixture.weights / mixture.weights.sum())
    normal, lower = rng.standard_normal((n, mixture.means.shape[1])), np.linalg.cholesky(mixture.covariances)
    rows = mixture.means[which]
    for i in range(len(mixture.weights)):
        mine = which == i
        rows[mine] += normal[mine] @ lower[i].T
    return rows.astype(np.float32)
