"""Intervals of lithology: the rows of a scan as stretches of depth, by a sequence model instead of row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError, InputError, ScanError
from lithovae.runtime.log import Interval
from lithovae.runtime.missing import Bits, unpacked
from lithovae.runtime.model.model import LithoModel

from .cells import CellBuilder, Core
from .sequence import Jumps, Sequence, evidence_of

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Indices = NDArray[np.intp]

LEAST_ABSENCE = 5
"""Cells, one after the other, that a channel must be absent from to count as having ended."""
NEAR = 2
"""Cells from where a channel begins or ends within which a boundary coincides with it."""
REACH = 10
"""Cells from there within which a boundary must also be found without the channel."""
WINDOW = 50
"""Cells above and below such a boundary that are looked at without the channel."""


class IntervalBuilder:
    """Collects rows block by block, and makes intervals of them.

    Parameters
    ----------
    model : LithoModel
        A model with a classifier.
    bin_width : float, optional
        Width of the rows' depth bins in metres; by default rows are points, which reach half-way to their neighbours.
    min_thickness : float
        Thinner intervals (m) join the neighbour whose lithology is likelier there. One without neighbours stays.

    Raises
    ------
    BundleError
        If the model is unsupervised.
    InputError
        If ``min_thickness`` is negative or not finite.
    """

    def __init__(self, model: LithoModel, *, bin_width: float | None = None, min_thickness: float = 0.0) -> None:
        bundle = model.bundle
        if not bundle.classes:
            raise BundleError(f"{bundle.name} is unsupervised: it has no classifier, and so no intervals", bundle.path)
        if not 0 <= min_thickness < np.inf:  # False for NaN
            raise InputError(f"the minimum thickness of an interval must be 0 m or more, not {min_thickness:g}")
        self._model, self._bin_width, self._min_thickness = model, bin_width, min_thickness
        reference = bundle.reference
        self._groups = reference.groups if reference else None
        self._sequence = Sequence(len(bundle.classes), reference.succession if reference else None, self._groups)
        self._cells = CellBuilder()

    def add(self, depth: Floats | None, hole: NDArray[np.str_], embeddings: Float32s, missing: Bits) -> None:
        """Take the next rows of the scan. Rows without depth or embedding are left out.

        Parameters
        ----------
        depth : ndarray of shape (n,), float64, or None
            Depth in metres; NaN where it is missing.
        hole : ndarray of shape (n,), str
            Address of the core of each row.
        embeddings : ndarray of shape (n, latent_dim), float32
            Embeddings; NaN for a row without one.
        missing : ndarray of shape (n,), of bits
            Bit ``i`` is set where feature ``i`` is missing.

        Raises
        ------
        ScanError
            If there are no depths, or if those of very many rows are in no order.
        """
        if depth is None:
            raise ScanError("intervals need depths: the rows have none")
        self._cells.add(depth, hole, embeddings, missing)

    def finish(self) -> list[Interval]:
        """Return the intervals of all rows: the holes in the order of the rows, each from its top to its base.

        Raises
        ------
        ScanError
            If there are rows, but none with a depth and an embedding.
        """
        cells = self._cells.finish()
        if cells is None:
            if self._cells.n_rows:
                raise ScanError("intervals need depths and embeddings: no row has both")
            return []
        edges = np.searchsorted(cells.hole, np.arange(len(self._cells.holes) + 1))
        cores = [Core.of(cells.take(slice(*edges[i : i + 2])), self._bin_width) for i in range(len(edges) - 1)]
        jumps = Jumps.of(core.cells.means[slice(*chain)] for core in cores for chain in core.chains)
        named = zip(self._cells.holes, cores, strict=True)
        return [interval for hole, core in named for interval in self._of_core(hole, core, jumps)]

    def _of_core(self, hole: str, core: Core, jumps: Jumps) -> Iterator[Interval]:
        """Yield the intervals of a hole."""
        means = core.cells.means
        probabilities, classes, evidence = self._evidence(means)
        ends = _channel_ends(core.cells.absent, len(self._model.features))
        gains = jumps.gains(means)
        for end in ends:  # that the embedding jumps there says nothing
            gains[max(0, end.cell - 1) : end.cell + 2] = 0
        for first, last in core.chains:
            chain = slice(first, last)
            labels = self._sequence.decode(evidence[chain], classes, gains[chain], core.step)
            unfounded = []
            for start in _starts(labels)[1:].tolist():
                near = [end for end in ends if abs(first + start - end.cell) <= REACH]
                if not near or labels[start] == labels[start - 1]:  # joined with the one above by now
                    continue
                if not self._is_found_without({end.feature for end in near}, means[chain], labels, start, core.step):
                    labels = _joined(labels, evidence[chain], start)
                    unfounded += near
            edges = core.edges(first, last)
            labels = _without_thin(labels, edges, evidence[chain], self._min_thickness)
            starts = _starts(labels)
            bounds = np.append(starts, len(labels))
            n_rows = core.cells.n_rows[chain]
            sums = np.add.reduceat(probabilities[np.arange(first, last), labels].astype(np.float64) * n_rows, starts)
            counts = np.add.reduceat(n_rows, starts)
            for i, (label, count) in enumerate(zip(classes[labels[starts]].tolist(), counts.tolist(), strict=True)):
                yield Interval(
                    hole,
                    float(edges[bounds[i]]),
                    float(edges[bounds[i + 1]]),
                    self._model.classes[label],
                    self._groups.names[self._groups.of_class[label]] if self._groups else "",
                    float(sums[i] / count),
                    count,
                    self._note(first + int(bounds[i]), first + int(bounds[i + 1]), ends, unfounded, core),
                )

    def _evidence(self, embeddings: Float32s) -> tuple[Float32s, Indices, Float32s]:
        """Return probabilities (n, k) of the k lithologies that are somewhere the likeliest, these, and evidence."""
        probabilities = self._model.graphs.classify(embeddings)
        classes = np.unique(probabilities.argmax(axis=1))
        return probabilities[:, classes], classes, evidence_of(probabilities[:, classes])

    def _is_found_without(
        self, features: set[int], embeddings: Float32s, labels: Indices, start: int, step: float
    ) -> bool:
        """Return whether a boundary is also found if features are withheld from the cells above and below it.

        The rows are gone by now: what they were is decoded from the embeddings.
        """
        bounds = np.append(_starts(labels), len(labels))
        i = int(np.searchsorted(bounds, start))
        above, below = max(int(bounds[i - 1]), start - WINDOW), min(int(bounds[i + 1]), start + WINDOW)
        rows = self._model.graphs.decode(embeddings[above:below])
        for feature in features:
            rows[:, feature] = np.nan if self._model.imputes else self._model.bundle.fill[feature]
        without = self._model.graphs.embed(rows)
        _, classes, evidence = self._evidence(without)
        found = self._sequence.decode(evidence, classes, Jumps.of([without]).gains(without), step)
        return bool((np.abs(above + _starts(found)[1:] - start) <= NEAR).any())

    def _note(self, first: int, last: int, ends: list[_ChannelEnd], unfounded: list[_ChannelEnd], core: Core) -> str:
        """Return the note on an interval: that channels begin or end at its edges, or where a boundary was not made."""
        names: dict[tuple[str, str, str], list[str]] = {}  # of the features that share a note
        for edge, cell in (("top", first), ("base", last)):
            for end in ends:
                if 0 < cell < len(core.cells) and abs(cell - end.cell) <= NEAR:
                    note = f"its {edge} is where ", end.verb, ""
                    names.setdefault(note, []).append(self._model.features[end.feature])
        for end in unfounded:
            if first < end.cell < last:
                note = "", end.verb, f" at {core.cells.low[end.cell]:.2f} m: without it, there is no boundary"
                names.setdefault(note, []).append(self._model.features[end.feature])
        return "; ".join(
            f"{before}{', '.join(each)} {verb if len(each) == 1 else verb.removesuffix('s')}{after}"
            for (before, verb, after), each in names.items()
        )


class _ChannelEnd(NamedTuple):
    """The cell from which on a feature is measured, or is not measured any more."""

    cell: int
    feature: int
    verb: str


def _channel_ends(absent: Bits, n_features: int) -> list[_ChannelEnd]:
    """Return where features begin and end, given which of them cells lack; a lack of few cells is none."""
    found = []
    for feature, lacks in enumerate(unpacked(absent, n_features).T):
        starts = _starts(lacks)
        lasts = np.diff(starts, append=len(lacks)) >= LEAST_ABSENCE
        for i in range(1, len(starts)):
            if lacks[starts[i]] and lasts[i]:
                found.append(_ChannelEnd(int(starts[i]), feature, "ends"))
            elif not lacks[starts[i]] and lasts[i - 1]:
                found.append(_ChannelEnd(int(starts[i]), feature, "begins"))
    return found


def _starts(labels: NDArray[Any]) -> Indices:
    """Return the first cell of each stretch of equal labels."""
    return np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))


def _joined(labels: Indices, evidence: Float32s, start: int) -> Indices:
    """Return labels in which the stretches above and below a boundary have the label that is likelier over both."""
    bounds = np.append(_starts(labels), len(labels))
    i = int(np.searchsorted(bounds, start))
    both = slice(int(bounds[i - 1]), int(bounds[i + 1]))
    sums, joined = evidence[both].sum(axis=0, dtype=np.float64), labels.copy()
    joined[both] = max(labels[start - 1], labels[start], key=lambda label: sums[label])
    return joined


def _without_thin(labels: Indices, edges: Floats, evidence: Float32s, least: float) -> Indices:
    """Return labels without stretches that are thinner than ``least`` (m), the thinnest first."""
    starts = _starts(labels)
    kinds = labels[starts]
    while len(starts) > 1:
        bounds = np.append(starts, len(labels))
        thickness = np.diff(edges[bounds])
        i = int(thickness.argmin())
        if thickness[i] >= least - 1e-9:
            break
        sums = evidence[bounds[i] : bounds[i + 1]].sum(axis=0, dtype=np.float64)
        kinds[i] = max((kinds[j] for j in (i - 1, i + 1) if 0 <= j < len(kinds)), key=lambda kind: sums[kind])
        stays = np.append(True, kinds[1:] != kinds[:-1])
        starts, kinds = starts[stays], kinds[stays]
    return np.repeat(kinds, np.diff(starts, append=len(labels)))
