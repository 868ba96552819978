"""Training rows, what a model knows of them, and rows that are ready for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from lithovae.runtime.answers.quality import Scaling, Surprise
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.reference import Mixture, Quantiles, Reference
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.missing_policy import MissingPolicy, Prepared

Float32s = NDArray[np.float32]
AT = np.unique(np.concatenate([np.linspace(0, 1, 101), 1 - np.geomspace(1e-3, 0.1, 20)]))


def scaling_of(features: FeatureSet, raw: Float32s) -> Scaling:
    """Return a scaling that was fitted on some rows."""
    plain = Scaling.from_parameters(features, [0.0] * len(features), [1.0] * len(features)).scaled(raw)
    return Scaling.from_parameters(features, plain.mean(axis=0).tolist(), plain.std(axis=0).tolist())


def reference_of(raw: Float32s, scaling: Scaling, components: int = 4) -> Reference:
    """Return the reference of some training rows with all features."""
    scaled = scaling.scaled(raw).astype(np.float64)
    fitted = GaussianMixture(components, reg_covar=1e-4, random_state=0, max_iter=500, tol=1e-2).fit(scaled)
    mixture = Mixture(fitted.weights_ / fitted.weights_.sum(), fitted.means_, fitted.covariances_)
    surprise = np.quantile(Surprise(mixture).of(scaled.astype(np.float32)), AT)
    ends = np.array([0.0, 1.0])
    ranges = Quantiles(ends, np.quantile(raw, ends, axis=0).T)
    return Reference(len(raw), ranges, mixture, Quantiles(AT, surprise))


def bundle_of(features: FeatureSet, raw: Float32s, components: int = 2) -> Bundle:
    """Return a bundle without graphs, of a model of these features that was trained on some rows."""
    shipped, scaling = Bundle.read("semisup_hybrid"), scaling_of(features, raw)
    scaler = {"mean": scaling.mean.tolist(), "scale": scaling.scale.tolist()}
    bundle = replace(shipped, features=features, description=shipped.description | {"scaler": scaler})
    return with_reference(bundle, reference_of(raw, scaling, components))


def with_reference(bundle: Bundle, reference: Reference | None) -> Bundle:
    """Let a bundle have a reference, or none."""
    object.__setattr__(bundle, "reference", reference)
    return bundle


def prepared(
    rows: NDArray[Any],
    features: FeatureSet,
    depth: NDArray[np.float64] | None = None,
    address: Mapping[str, Sequence[str]] | None = None,
    policy: str = "impute",
) -> Prepared:
    """Prepare raw rows; by default there is one every 20 cm."""
    found = np.ascontiguousarray(rows, np.float32)
    depth = 0.2 * np.arange(float(len(found))) if depth is None else depth
    texts = {part: np.array(values) for part, values in (address or {}).items()}
    return MissingPolicy(policy, features).prepare(Block(found, depth, texts))
