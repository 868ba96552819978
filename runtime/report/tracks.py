"""What a log shows: its rows by hole and depth, and its tracks with their scales. Every report draws the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import BLUE, GAMMA, GREEN, LIGHTNESS, RED, FeatureSet, Quantity
from lithovae.runtime.log import Log
from lithovae.runtime.missing import unpacked

Scale = Literal["linear", "log", "symlog"]
COLOUR_SETS = (("R", "G", "B"), ("L*", "a*", "b*"))
"""Names of features that together are a colour."""
SLIM = 0.4
"""Width of the track of a feature that the scan lacks."""
MANY_FEATURES = 8
"""With more features than these, the answers stand before them."""
MAX_NOVELTY = 6.0
"""Largest novelty (-log10 p) on the axis."""


class Hole(NamedTuple):
    """The rows of one core.

    Attributes
    ----------
    name : str
        Its address; empty if the scan has only one.
    start, stop : int
        Its rows.
    step, gap : float
        Usual step between its rows, and the largest one that is not a gap, in the unit of the depth.
    """

    name: str
    start: int
    stop: int
    step: float
    gap: float


class Tick(NamedTuple):
    """A tick of a scale: where it is, from 0 (left) to 1, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """The scale of a track.

    Attributes
    ----------
    scale : {"linear", "log", "symlog"}
        How values are spaced. ``symlog`` is ``sign(x) * log1p(|x| / around_0)``.
    low, high : float
        Values at the left and the right end. Values beyond them are drawn at the end.
    around_0 : float
        Where ``symlog`` turns from linear to logarithmic.
    """

    scale: Scale
    low: float
    high: float
    around_0: float = 1.0

    def position(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where values are, from 0 (left) to 1 (right)."""
        low, high = self._spaced(np.array([self.low, self.high]))
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (self._spaced(np.asarray(values, np.float64)) - low) / (high - low)
            return np.where(np.isnan(values), np.nan, np.nan_to_num(found, nan=0.0).clip(0, 1))

    def _spaced(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.scale == "linear":
            return values
        if self.scale == "log":
            return np.log10(values)
        return np.sign(values) * np.log1p(np.abs(values) / self.around_0)

    def ticks(self) -> list[Tick]:
        """Return two to five ticks."""
        values = _linear_ticks(self.low, self.high)
        if self.scale == "log" and self.high >= 20 * self.low:
            values = _decades(self.low, self.high)
        if self.scale == "symlog":
            reach = max(-self.low, self.high)
            sides = [10.0**k for k in range(int(np.ceil(np.log10(self.around_0))), int(np.floor(np.log10(reach))) + 1)]
            sides = sides[:: -max(1, int(np.ceil(len(sides) / 3)))]
            values = sorted({0.0, *sides, *(-side for side in sides)})
        values = [value for value in values if self.low <= value <= self.high]
        at = self.position(np.array(values)).tolist()
        ticks = [Tick(round(where, 5), _label(value)) for where, value in zip(at, values, strict=True)]
        kept: list[Tick] = []
        for tick in ticks:
            is_close = kept and tick.at - kept[-1].at < 0.24
            if is_close and tick.label == "0":
                kept.pop()
            if not is_close or tick.label == "0":
                kept.append(tick)
        return kept


@dataclass(frozen=True)
class Track:
    """One track.

    Attributes
    ----------
    kind : str
        ``curve``, ``colour``, ``lithology``, ``rows`` (the lithology of each row), ``probability``, ``novelty``,
        ``flags`` or ``embedding``.
    label, unit : str
        Heading.
    width : float
        Width as a share of a curve's.
    features : tuple of int
        Positions of the features that it shows.
    axis : Axis or None
        Its scale; None if it has none, or if none of its features has a value.
    """

    kind: str
    label: str
    unit: str = ""
    width: float = 1.0
    features: tuple[int, ...] = ()
    axis: Axis | None = None


def ordered(log: Log) -> tuple[Log, list[Hole]]:
    """Return the rows of a log by hole and depth, without those that have no depth; and its holes."""
    _, first, code = np.unique(log.hole, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))  # in the order of the scan
    code = rank[code] if len(log.hole) else np.empty(0, np.int64)
    order = np.lexsort((log.depth, code))
    order = order[np.isfinite(log.depth[order])]
    if not np.array_equal(order, np.arange(len(log.depth))):
        per_row = ("depth", "hole", "values", "missing", "implausible", "embeddings")
        optional = ("lithologies", "probabilities", "residuals", "novelty_p", "flags")
        arrays = {name: getattr(log, name) for name in (*per_row, *optional)}
        log = replace(log, **{name: array[order] for name, array in arrays.items() if array is not None})
    code = code[order]
    edges = [0, *(np.flatnonzero(np.diff(code)) + 1).tolist(), len(code)]
    return log, [_hole(log, start, stop) for start, stop in pairwise(edges) if stop > start]


def _hole(log: Log, start: int, stop: int) -> Hole:
    steps = np.diff(log.depth[start:stop])
    steps = steps[steps > 0]
    step = float(np.median(steps)) if len(steps) else 1.0
    if not log.has_depth:
        gap = 1.5 * step
    elif log.bin_width is not None:
        one_in = max(1, round(log.n_rows / max(len(log.depth), 1)))  # more if only some rows are kept
        step = log.bin_width * one_in
        gap = 1.5 * step
    else:
        gap = 3 * step
    return Hole(str(log.hole[start]), start, stop, step, gap)


def tracks_of(log: Log) -> list[Track]:
    """Return the tracks of a log, from left to right."""
    features, answers = _feature_tracks(log), _answer_tracks(log)
    return [*answers, *features] if len(features) > MANY_FEATURES else [*features, *answers]


def _feature_tracks(log: Log) -> list[Track]:
    tracks = []
    colour, short = colour_features(log.features), log.features.short_names
    for i, feature in enumerate(log.features):
        if i not in colour:
            values = log.values[:, i]
            plausible = values[np.isfinite(values) & ~unpacked(log.implausible, len(log.features))[:, i]]
            axis = _axis(feature, plausible if len(plausible) else values[np.isfinite(values)])
            label = _title(feature, short) if axis else short[feature.name]
            tracks.append(Track("curve", label, feature.unit, 1.0 if axis else SLIM, (i,), axis))
    if colour:
        names = ", ".join(log.features[i].name for i in colour)
        tracks.append(Track("colour", "Colour", names, 0.55, tuple(colour)))
    return tracks


def _answer_tracks(log: Log) -> list[Track]:
    tracks = []
    if log.classes and log.lithologies is not None:
        if log.intervals:
            tracks.append(Track("lithology", "Lithology", "intervals", 1.25))
        tracks.append(Track("rows", "Lithology" if not log.intervals else "by row", "", 0.4 if log.intervals else 1.25))
        if log.probabilities is not None:
            tracks.append(Track("probability", "Probability", "", 0.85, (), Axis("linear", 0, 1)))
    elif log.intervals:
        tracks.append(Track("lithology", "Lithology", "intervals", 1.25))
    if log.novelty_p is not None:
        p = log.novelty_p[np.isfinite(log.novelty_p)]
        high = float(np.ceil(min(MAX_NOVELTY, max(3.0, novelty(p).max(initial=0.0)))))
        tracks.append(Track("novelty", "Novelty", "−log₁₀ p", 0.8, (), Axis("linear", 0, high)))
    if log.flags is not None and log.flags.any():
        tracks.append(Track("flags", "Flags", "", 0.5))
    if log.embeddings.shape[1]:
        tracks.append(Track("embedding", "Embedding", f"{log.embeddings.shape[1]}-D", 1.3))
    return tracks


def _title(feature: Quantity, short: dict[str, str]) -> str:
    """Return a feature's name without its unit, or its short name if the name is long."""
    name = feature.name.replace(f" ({feature.unit})", "").removesuffix(" (GRA)").replace(" total counts", "")
    name = "Natural gamma" if feature == GAMMA else name
    return name if len(name) <= 24 else short[feature.name]


def _axis(feature: Quantity, values: NDArray[np.float32]) -> Axis | None:
    if not len(values):
        return None
    low, high = (float(end) for end in np.percentile(values, [0.1, 99.9]))
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - margin, high + margin
    if feature.transform == "none" or feature.name in (GAMMA.name, RED.name, GREEN.name, BLUE.name):
        return Axis("linear", low, high)
    least, most = float(values.min()), float(values.max())
    if least > 0:
        low, high = (float(end) for end in np.percentile(values, [0.1, 99.9]))
        return Axis("log", low / 1.15, high * 1.15)
    reach = max(abs(least), abs(most)) or 1.0
    return (
        Axis("symlog", low, high, 10.0 ** np.floor(np.log10(reach / 100))) if reach < 100 else Axis("symlog", low, high)
    )


def _linear_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 3.2
    size = 10.0 ** np.floor(np.log10(rough))
    step = next(float(size * factor) for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    powers = list(range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 1))
    if len(powers) <= 3:
        return [factor * 10.0**k for k in powers for factor in (1, 3)]
    return [10.0**k for k in powers[:: max(1, int(np.ceil(len(powers) / 4)))]]


def _label(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


def novelty(p: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return -log10 of p-values, at most `MAX_NOVELTY`; NaN where p is NaN."""
    found: NDArray[np.float64] = -np.log10(np.maximum(p.astype(np.float64), 10.0**-MAX_NOVELTY))
    return found


def colour_features(features: FeatureSet) -> tuple[int, ...]:
    """Return the positions of the three features that together are a colour; empty if there are none."""
    for names in COLOUR_SETS:
        if set(names) <= set(features.names):
            return tuple(features.names.index(name) for name in names)
    return ()


def colours_of(log: Log) -> NDArray[np.uint8] | None:
    """Return the colour of each row as R, G, B and whether it has one (255, else 0); None if the log has no colour."""
    found = colour_features(log.features)
    if not found:
        return None
    values = log.values[:, found].astype(np.float64)
    has = np.isfinite(values).all(axis=1)
    values[~has] = 0
    rgb = _srgb(values) if log.features[found[0]].name == LIGHTNESS.name else values
    return np.column_stack([rgb.clip(0, 255).round(), np.where(has, 255, 0)]).astype(np.uint8)


def _srgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIELAB (D65) as sRGB from 0 to 255."""
    y = (lab[:, 0] + 16) / 116
    f = np.column_stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.95047, 1.0, 1.08883]
    to_rgb = np.array([[3.2406, -0.9689, 0.0557], [-1.5372, 1.8758, -0.2040], [-0.4986, 0.0415, 1.0570]])
    linear = (xyz @ to_rgb).clip(0, 1)
    rgb: NDArray[np.float64] = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb


class Lithology(NamedTuple):
    """A lithology that a log shows.

    Attributes
    ----------
    name, group : str
        Names of the lithology and of its group; the group is empty if it is not known.
    code : int
        Position in the log's classes; -1 if only an interval names it.
    """

    name: str
    group: str
    code: int


def shown_lithologies(log: Log) -> list[Lithology]:
    """Return the lithologies of a log's intervals and those that are the likeliest of a row, the commonest first."""
    known = {name: i for i, name in enumerate(log.classes)}
    weights: dict[str, float] = {}
    groups = {interval.lithology: interval.group for interval in log.intervals}
    total = sum(interval.thickness for interval in log.intervals) or 1.0
    for interval in log.intervals:
        weights[interval.lithology] = weights.get(interval.lithology, 0) + 10 * interval.thickness / total
    if log.lithologies is not None and log.lithologies.size:
        codes, counts = np.unique(log.lithologies[:, 0].astype(np.int64), return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            if 0 <= code < len(log.classes):
                name = log.classes[code]
                weights[name] = weights.get(name, 0) + count / len(log.lithologies)
    if log.groups:
        groups |= {name: log.groups[log.group_of_class[i]] for name, i in known.items()}
    names = sorted(weights, key=lambda name: -weights[name])
    return [Lithology(name, groups.get(name, ""), known.get(name, -1)) for name in names]


class Projection(NamedTuple):
    """Embeddings on two main directions: points (NaN for a row without one), and their shares of variance."""

    points: NDArray[np.float32]
    shares: Sequence[float]


def project(embeddings: NDArray[np.float32]) -> Projection:
    """Return the principal components of embeddings, two of them."""
    n, width = embeddings.shape
    points, has = np.full((n, 2), np.nan, np.float32), np.isfinite(embeddings).all(axis=1)
    rows = embeddings[has].astype(np.float64)
    if len(rows) < 2 or width < 2:
        points[has] = 0
        return Projection(points, (0.0, 0.0))
    rows -= rows.mean(axis=0)
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    main = directions[:, ::-1][:, :2]
    main = main * np.sign(main[np.abs(main).argmax(axis=0), [0, 1]])  # the same sign on every machine
    points[has] = rows @ main
    shares = variances[::-1][:2] / variances.sum() if variances.sum() > 0 else np.zeros(2)
    return Projection(points, shares.tolist())
