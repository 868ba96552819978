"""Replays a bundle's golden rows: checks that onnxruntime on this machine reproduces the outputs of torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError

from .bundle import Bundle
from .session import checked, describe, open_session


@dataclass(frozen=True)
class Check:
    """Result of replaying the golden rows for one output of a graph.

    Attributes
    ----------
    output : str
        Name of the output, such as ``encoder.mu``.
    n_rows : int
        Number of golden rows.
    error : float
        Largest deviation from the expected value, divided by max(1, |expected|); infinite if NaN or infinity occur in
        other places than expected.
    tolerance : float
        Largest error that is allowed, as stored in the graph.
    """

    output: str
    n_rows: int
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


def verify(bundle: Bundle) -> list[Check]:
    """Replay the golden rows of each graph and return a check for each output.

    Raises
    ------
    BundleError
        If a graph cannot be opened, or has no valid golden rows, or if the bundle's reference is malformed.
    """
    _ = bundle.reference
    found = []
    for graph in bundle.graphs:
        session, path = open_session(bundle, graph), bundle.path / f"{graph}.onnx"
        inputs, outputs = bundle.signature(graph)
        try:
            golden = describe(session, path)["golden"]
            given = {name: np.array(golden["inputs"][name], np.float64).astype(np.float32) for name in inputs}
            expected = {name: np.array(golden["outputs"][name], np.float64) for name in outputs}
            tolerance = {name: float(golden["tolerance"][name]) for name in outputs}
            n_rows = len(next(iter(given.values())))
            shapes = [(n_rows, width) for width in outputs.values()]
            if not n_rows or [values.shape for values in expected.values()] != shapes:
                raise ValueError("shapes")
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{path} has no golden rows, or invalid ones: export the bundle again", bundle.path
            ) from error
        found_values = checked(partial(session.run, list(outputs), given), path, outputs, n_rows)
        for name, values in zip(outputs, found_values, strict=True):
            deviation = _deviation(np.asarray(values, np.float64), expected[name])
            found.append(Check(f"{graph}.{name}", n_rows, deviation, tolerance[name]))
    return found


def require(bundle: Bundle, checks: list[Check]) -> None:
    """Raise BundleError, naming the worst output, if a check has not passed."""
    failed = sorted((check for check in checks if not check.passed), key=lambda check: -check.error / check.tolerance)
    if failed:
        raise BundleError(
            f"verification of {bundle.path} failed: {failed[0].output} differs by {failed[0].error:.3g} (allowed "
            f"{failed[0].tolerance:.3g}); do not use this bundle with this version of ONNX Runtime",
            bundle.path,
        )


def _deviation(values: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    if not (np.isfinite(values) == np.isfinite(expected)).all():
        return float("inf")
    off = np.abs(values - expected) / np.maximum(1, np.abs(expected))
    return float(np.max(off, initial=0.0, where=np.isfinite(expected)))
