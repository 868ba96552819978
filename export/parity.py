"""The parity check: the errors of a bundle, and of torch in float32, compared with torch in float64.

The runtime's own code runs the bundle. For each output of each graph, the error of the bundle may be at most `LIMIT`
times that of torch in float32 on the same rows, and NaN must occur exactly where a missing feature requires it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import ParityError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import SENTINELS, without_sentinels
from lithovae.runtime.model.bundle import filled
from lithovae.runtime.model.reference import Groups

from .graph import LOWEST

LIMIT = 2.0
ENOUGH_ROWS = 1024
"""Rows for a stable largest error: on single rows, even the error of torch varies by a factor of three."""

LABELLED = ("logits", "probabilities", "scores", "weights")
"""Outputs with a column for each lithology."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Parity:
    """How one output compares on one set of rows.

    Attributes
    ----------
    rows : str
        Name of the set of rows.
    output : str
        Name of the output, as ``encoder.mu``.
    onnx_error, torch_error : float
        Largest absolute difference from torch in float64, of the bundle and of torch in float32.
    labels : float or None
        Share of the rows whose most likely class is the reference's; None if the output is not of classes.
    margin : float
        Largest difference, in the reference's output, between its most likely class and the class given instead; 0 if
        all agree.
    missing_agree : bool
        Whether NaN and infinity occur in exactly the same places as in the reference, and every plausible row has an
        answer.
    """

    rows: str
    output: str
    onnx_error: float
    torch_error: float
    missing_agree: bool
    labels: float | None = None
    margin: float = 0.0

    @property
    def ratio(self) -> float:
        """The bundle's error as a multiple of torch's."""
        if self.onnx_error == 0:
            return 0.0
        return self.onnx_error / self.torch_error if self.torch_error else float("inf")

    @property
    def passed(self) -> bool:
        """Whether this output passes the parity check."""
        return self.missing_agree and self.ratio <= LIMIT


def sets_of_rows(checkpoint: Checkpoint) -> Arrays:
    """Return the sets of raw rows, (n, n_features) float32 each, that every export is checked on.

    ``plausible``: distributed like the training table; ``uniform``: over the plausible ranges; ``extreme``: zeros,
    denormals, negatives, +-1e6; ``gaps``: plausible, with a fifth of the values missing (a smaller share if there are
    many features), rows without any value (the first 8), infinities, then values that have no logarithm;
    ``sentinels``: plausible, with as many values replaced by sentinels, after one row of each sentinel alone.
    """
    features, k = checkpoint.features, len(checkpoint.features)
    rng = np.random.default_rng(0)
    n, share = 16_384, min(0.2, 1.2 / k)
    plausible = checkpoint.scaler.inverse_transform(rng.standard_normal((n, k)))
    low, high = np.transpose([feature.plausible for feature in features])
    uniform = rng.uniform(low, high, (n, k))
    extreme = np.where(
        features.is_log1p,
        rng.choice([0, 1e-40, 1e-7, 1, -0.5, -0.999999, 255, 1e6], (n, k)),
        rng.choice([0, 1e-40, -1e-40, 1e-7, 1, -1, 1e6, -1e6], (n, k)),
    )
    gaps = np.where(rng.random((n, k)) < share, np.nan, plausible)
    gaps[:8] = np.nan
    wrong = [(i, value) for value in (np.inf, -np.inf) for i in range(k)]
    wrong += [(i, value) for value in (-1.0, -7.0) for i in np.flatnonzero(features.is_log1p).tolist()]
    for row, (i, value) in enumerate(wrong, start=8):
        gaps[row] = plausible[row]
        gaps[row, i] = value
    marks = np.array(SENTINELS)
    sentinels = np.where(rng.random((n, k)) < share, rng.choice(marks, (n, k)), plausible)
    sentinels[: len(marks)] = marks[:, None]
    rows = {"plausible": plausible, "uniform": uniform, "extreme": extreme, "gaps": gaps, "sentinels": sentinels}
    sets = {name: values.astype(np.float32) for name, values in rows.items()}
    if 8**k < ENOUGH_ROWS:  # the same few rows again and again
        sets |= with_neighbours({"extreme": sets["extreme"][: 8**k]})
    return sets


def with_neighbours(sets: Arrays) -> Arrays:
    """Extend each small set to `ENOUGH_ROWS` by copies of its rows that differ by some thousandths."""
    rng = np.random.default_rng(2)
    found = {}
    for name, rows in sets.items():
        near = np.resize(rows, (max(0, ENOUGH_ROWS - len(rows)), rows.shape[1]))
        marks = np.isin(near, np.array(SENTINELS, np.float32))
        near = np.where(marks, near, near * (1 + 1e-3 * rng.standard_normal(near.shape)))
        found[name] = np.concatenate([rows, near.astype(np.float32)])
    return found


def measure(checkpoint: Checkpoint, sessions: dict[str, Any], extra_rows: Arrays | None = None) -> list[Parity]:
    """Measure every output of a bundle on every set of rows.

    Parameters
    ----------
    checkpoint : Checkpoint
        What the bundle was made from.
    sessions : dict of str to onnxruntime.InferenceSession
        The graphs, by name.
    extra_rows : dict of str to ndarray (n, n_features) float32, optional
        More sets of raw rows.
    """
    double = copy.deepcopy(checkpoint.model).double()
    sets = sets_of_rows(checkpoint) | with_neighbours(extra_rows or {})
    found: list[Parity] = []
    for name, rows in sets.items():
        exact = torch_encoder(double, checkpoint, rows)
        latent = exact["mu"].astype(np.float32)
        exact |= torch_heads(double, checkpoint, latent)
        single = torch_encoder(checkpoint.model, checkpoint, rows) | torch_heads(checkpoint.model, checkpoint, latent)
        for graph, session in sessions.items():
            input_name = session.get_inputs()[0].name
            for output, ours in run(session, latent if input_name == "z" else rows).items():
                found += compare(checkpoint.features, name, f"{graph}.{output}", exact[output], single[output], ours)
    return found


def run(session: Any, rows: NDArray[np.float32]) -> Arrays:
    """Run a graph on rows of its one input; return its outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: rows}), strict=True))


def require(results: Iterable[Parity]) -> None:
    """Raise ParityError, which names the worst result, if any does not pass."""
    failed = sorted((result for result in results if not result.passed), key=lambda result: -result.ratio)
    if failed:
        worst = failed[0]
        raise ParityError(
            f"{len(failed)} outputs differ too much from torch; the worst is {worst.output} on {worst.rows} rows: its "
            f"error is {worst.onnx_error:.3g}, that of torch in float32 {worst.torch_error:.3g} (limit {LIMIT:g} times)"
            + ("" if all(result.missing_agree for result in failed) else "; NaN or infinity occur in other places")
        )


def summary(results: list[Parity], graph: str = "") -> dict[str, dict[str, list[float]]]:
    """Return the results, or those of one graph, as plain data.

    Returns
    -------
    dict
        By output, then by set of rows: the bundle's error and torch's; for a classifier's output also the share of rows
        with the same most likely class, and the largest margin of a row that has another.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for result in results:
        if result.output.startswith(f"{graph}.") or not graph:
            figures = [result.onnx_error, result.torch_error]
            figures += [] if result.labels is None else [result.labels, result.margin]
            found.setdefault(result.output, {})[result.rows] = [float(f"{figure:.3g}") for figure in figures]
    return found


def torch_encoder(model: VAE, checkpoint: Checkpoint, rows: NDArray[np.float32]) -> Arrays:
    """Return torch's ``mu`` and ``logvar`` of raw rows (n, n_features), in the model's own precision."""
    scaled = checkpoint.scaler.transform(without_sentinels(rows))
    lacks = ~np.isfinite(scaled)
    no_answer = lacks.all(axis=1) if checkpoint.missing == "impute" else lacks.any(axis=1)
    x = torch.tensor(np.where(lacks, 0.0, scaled), dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        mu, logvar = (value.numpy() for value in model.encode(x))
    mu[no_answer] = np.nan
    logvar[no_answer] = np.nan
    return {"mu": mu, "logvar": logvar}


def torch_heads(model: VAE, checkpoint: Checkpoint, latent: NDArray[np.float32]) -> Arrays:
    """Return torch's raw ``features`` and the outputs of a classifier's graphs for latent vectors."""
    z = torch.tensor(latent, dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        with np.errstate(over="ignore"):
            outputs = {"features": checkpoint.scaler.inverse_transform(model.decode(z).numpy())}
        if isinstance(model, SemiSupervisedVAE):
            logits = model.classify(z)
            scaled = logits / checkpoint.temperature
            probabilities = torch.softmax(scaled, dim=1).numpy()
            outputs |= {"logits": logits.numpy(), "probabilities": probabilities}
            outputs |= _weights(scaled - scaled.max(dim=1, keepdim=True).values, checkpoint.groups)
    return outputs


def _weights(below: torch.Tensor, groups: Groups | None) -> Arrays:
    """Return the outputs of the graph of lithologies, from logits minus the largest."""
    more = filled(below.shape[1]) - below.shape[1]
    scores = torch.nn.functional.pad(below, (0, more), value=LOWEST).clamp(min=LOWEST)
    scores[below[:, 0].isnan()] = torch.nan
    weights = torch.exp(scores)
    sums = weights.sum(dim=1, keepdim=True)
    if groups:
        members = torch.zeros(weights.shape[1], len(groups.names), dtype=weights.dtype)
        members[torch.arange(len(groups.of_class)), torch.tensor(groups.of_class)] = 1
        sums = torch.cat([sums, weights @ members], dim=1)
    return {"scores": scores.numpy(), "weights": weights.numpy(), "sums": sums.numpy()}


def compare(
    features: FeatureSet, rows: str, output: str, exact: NDArray[Any], single: NDArray[Any], ours: NDArray[Any]
) -> Iterable[Parity]:
    """Compare one output on one set of rows: torch in float64, torch in float32, and the export."""
    columns = [(output, slice(None))]
    if output == "decoder.features":  # different units: each feature is compared on its own
        columns = [(f"decoder.{name}", slice(i, i + 1)) for i, name in enumerate(features.names)]
    agree, margin = _labels(exact, ours) if output.partition(".")[2] in LABELLED else (None, 0.0)
    for name, column in columns:
        with np.errstate(over="ignore"):
            reference = exact[:, column].astype(np.float32)
            torch_float32 = single[:, column].astype(np.float32)
        finite = np.isfinite(reference)  # a reconstruction of extreme rows overflows float32
        answered = rows != "plausible" or not np.isnan(reference).any()
        yield Parity(
            rows=rows,
            output=name,
            onnx_error=_largest(ours[:, column], exact[:, column], finite),
            torch_error=_largest(torch_float32, exact[:, column], finite),
            missing_agree=_same_places(ours[:, column], reference) and answered,
            labels=agree,
            margin=margin,
        )


def _labels(exact: NDArray[Any], ours: NDArray[Any]) -> tuple[float, float]:
    rows = np.flatnonzero(~np.isnan(exact[:, 0]))
    right, given = exact[rows].argmax(axis=1), ours[rows].argmax(axis=1)
    lead = exact[rows, right] - exact[rows, given]
    return float((right == given).mean()) if len(rows) else 1.0, float(lead.max(initial=0.0))


def _same_places(ours: NDArray[Any], reference: NDArray[Any]) -> bool:
    infinite = np.isinf(reference)
    return bool((np.isnan(ours) == np.isnan(reference)).all() and (ours[infinite] == reference[infinite]).all())


def _largest(values: NDArray[Any], exact: NDArray[Any], where: NDArray[np.bool_]) -> float:
    difference = np.abs(values[where].astype(np.float64) - exact[where])
    return float(difference.max()) if difference.size else 0.0
