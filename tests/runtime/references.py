"""A small reference of training rows, for tests."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.model.reference import Calibration, Groups, Mixture, Quantiles, Reference, Succession


def a_reference(n_features: int = 6, n_classes: int = 139, *, temperature: float = 1.7) -> Reference:
    """Return a reference with every part; class i is of group i % 3."""
    at = np.array([0.0, 0.5, 1.0])
    return Reference(
        n_rows=1000,
        ranges=Quantiles(at, np.arange(3.0) + np.arange(n_features)[:, None]),
        mixture=Mixture(np.array([0.25, 0.75]), np.zeros((2, n_features)), np.stack([np.eye(n_features)] * 2)),
        surprise=Quantiles(at, np.array([1.0, 2.0, 9.0])),
        calibration=Calibration(temperature, 0.1, 0.02, 500),
        groups=Groups(("soft", "hard", "odd"), np.arange(n_classes) % 3),
        succession=Succession(
            np.full(n_classes, 0.6), np.full(n_classes, 0.4), np.ones(n_classes), np.array([[0, 1, 7], [1, 1, 3]])
        ),
    )
