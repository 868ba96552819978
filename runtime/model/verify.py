"""Replay a bundle's golden rows on the machine at hand: does its onnxruntime give what torch gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError

from .bundle import Bundle
from .session import describe, open_session


@dataclass(frozen=True)
class Check:
    """What one output of a graph gave on its golden rows.

    Attributes
    ----------
    output : str
        Name of the output, as ``encoder.mu``.
    n_rows : int
        Number of golden rows.
    error : float
        Largest deviation from the expected value, as a multiple of max(1, |expected|); infinite where NaN or infinity
        stand in other places.
    tolerance : float
        What the graph allows.
    """

    output: str
    n_rows: int
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the output is as it should be."""
        return self.error <= self.tolerance


def verify(bundle: Bundle) -> list[Check]:
    """Replay the golden rows of each graph.

    Raises
    ------
    BundleError
        If a graph cannot be opened, or carries no golden rows.
    """
    found = []
    for graph in bundle.graphs:
        session, place = open_session(bundle, graph), bundle.path / f"{graph}.onnx"
        inputs, outputs = bundle.signature(graph)
        try:
            golden = describe(session, place)["golden"]
            given = {name: np.array(golden["inputs"][name], np.float64).astype(np.float32) for name in inputs}
            expected = {name: np.array(golden["outputs"][name], np.float64) for name in outputs}
            tolerance = {name: float(golden["tolerance"][name]) for name in outputs}
            n_rows = len(next(iter(given.values())))
            shapes = [(n_rows, width) for width in outputs.values()]
            if not n_rows or [values.shape for values in expected.values()] != shapes:
                raise ValueError("shapes")
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{place} carries no golden rows, or invalid ones: export the bundle again", bundle.path
            ) from error
        for name, values in zip(outputs, session.run(list(outputs), given), strict=True):
            off = _deviation(np.asarray(values, np.float64), expected[name])
            found.append(Check(f"{graph}.{name}", n_rows, off, tolerance[name]))
    return found


def require(bundle: Bundle, checks: list[Check]) -> None:
    """Raise BundleError, naming the worst, if a check does not pass."""
    failed = sorted((check for check in checks if not check.passed), key=lambda check: -check.error / check.tolerance)
    if failed:
        raise BundleError(
            f"verification of {bundle.path} failed: {failed[0].output} differs by {failed[0].error:.3g} (allowed "
            f"{failed[0].tolerance:.3g}); do not use this bundle with this version of ONNX Runtime",
            bundle.path,
        )


def _deviation(values: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    if not (np.isfinite(values) == np.isfinite(wanted)).all():
        return float("inf")
    off = np.abs(values - wanted) / np.maximum(1, np.abs(wanted))
    return float(np.max(off, initial=0.0, where=np.isfinite(wanted)))
