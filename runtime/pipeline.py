"""A scan through a model into a file, block by block: memory does not grow with the scan."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .address import ADDRESS, HOLE_PARTS, Codes
from .bins import DepthBins
from .errors import OutputError, ScanError
from .features import FEATURE_NAMES, FEATURES
from .missing import bit_counts
from .model import LithoModel
from .output import NpzStream, npz_stream
from .scan import Scan, open_scan
from .track import BLOCK_ROWS, Track

PLAUSIBLE = np.array([feature.plausible for feature in FEATURES], np.float32).T

Progress = Callable[[Iterable[Any], str, int, Callable[[Any], int]], Iterable[Any]]
"""Passes items on, with a label, the sum of their sizes and their size: `lithovae.runtime.command.progress` is one."""


@dataclass
class Summary:
    """What a run read and wrote.

    Attributes
    ----------
    scan : Scan
        What was understood of the file.
    n_rows : int
        Rows written.
    bin_width : float or None
        Width of the depth bins in metres; None where the rows are the scan's own.
    n_missing : ndarray of shape (6,)
        Rows in which each feature is missing.
    n_nan : int
        Rows without an embedding.
    n_left_out : int
        Samples left out because their depth is missing.
    n_implausible : ndarray of shape (6,)
        Rows in which each feature lies beyond its plausible range.
    highest : ndarray of shape (6,)
        Largest value of each feature.
    depth_range : tuple of float, or None
        Shallowest and deepest row in metres.
    """

    scan: Scan
    n_rows: int = 0
    bin_width: float | None = None
    n_missing: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FEATURE_NAMES), np.int64))
    n_implausible: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FEATURE_NAMES), np.int64))
    highest: NDArray[np.float32] = field(default_factory=lambda: np.full(len(FEATURE_NAMES), -np.inf, np.float32))
    n_nan: int = 0
    n_left_out: int = 0
    depth_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Block:
    features: NDArray[np.float32]
    depth: NDArray[np.float64] | None
    address: dict[str, NDArray[np.str_]]
    samples: NDArray[np.int64] | None = None


def embed_scan(
    path: str | PathLike[str],
    out: str | PathLike[str],
    model: LithoModel,
    mapping: dict[str, str] | None = None,
    *,
    announce: Callable[[Scan], None] = lambda scan: None,
    progress: Progress = lambda items, label, total, size: items,
) -> Summary:
    """Embed a core scan.

    Parameters
    ----------
    path : path-like
        An HDF5 file.
    out : path-like
        The ``.npz`` to write; ``docs/output-format.md`` lists its members.
    model : LithoModel
        The model.
    mapping : dict of str to str, optional
        Columns to take, by feature; see `lithovae.runtime.scan.open_scan`.
    announce : callable, optional
        Called with what was understood of the file, before anything is computed.
    progress : callable, optional
        Wraps what passes, to show how far the run is.

    Raises
    ------
    ScanError
        If the file cannot be read or understood.
    OutputError
        If the result cannot be written. Nothing is left under its name.
    """
    out, path = Path(out), Path(path)
    if out.exists() and path.exists() and out.samefile(path):
        raise OutputError(f"the result would replace the scan {path}: choose another name", out)
    with open_scan(path, mapping) as scan:
        announce(scan)
        summary = Summary(scan)
        if len(scan.tracks) == 1:
            _embed_rows(scan, scan.tracks[0], out, model, summary, progress)
        else:
            _embed_bins(scan, out, model, summary, progress)
    return summary


def _embed_rows(scan: Scan, track: Track, out: Path, model: LithoModel, summary: Summary, progress: Progress) -> None:
    constant = {part: np.array(text) for part, text in scan.address.items()}
    types = {part: value.dtype for part, value in constant.items()} | track.address_types()

    def blocks() -> Iterator[_Block]:
        for stretch in progress(track.stretches(), "embedding", track.length, lambda stretch: stretch.length):
            rows = np.full((stretch.length, len(FEATURES)), np.nan, np.float32)
            with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
                for i, values in stretch.features.items():
                    rows[:, i] = values
            broadcast = {part: np.broadcast_to(value, stretch.length) for part, value in constant.items()}
            yield _Block(rows, stretch.depth, broadcast | stretch.address)

    _write(out, blocks(), track.length, track.depth is not None, types, model, summary)


def _embed_bins(scan: Scan, out: Path, model: LithoModel, summary: Summary, progress: Progress) -> None:
    parts = [part for part in ADDRESS if any(part in track.address for track in scan.tracks)]
    shared = [part for part in HOLE_PARTS if all(part in track.address for track in scan.tracks)]
    bins = DepthBins(len(FEATURES), n_labels=len(parts))
    holes, labels = Codes(), {part: Codes() for part in parts}
    named = {part: {text} for part, text in scan.address.items() if part in HOLE_PARTS}
    total = sum(track.length for track in scan.tracks)
    stretches = (stretch for track in scan.tracks for stretch in track.stretches())
    for stretch in progress(stretches, "binning", total, lambda stretch: stretch.length):
        texts, n = stretch.address, stretch.length
        for part in set(HOLE_PARTS) & set(texts) - set(shared):
            named.setdefault(part, set()).update(np.unique(texts[part]).tolist())
            if len(named[part]) > 1:
                names = ", ".join(sorted(named[part])[:4])
                raise ScanError(
                    f"{scan.path}: several holes ({part} {names}), but not every instrument says which its samples are "
                    f"from: add a {part} column to each, or keep one hole per file",
                    scan.path,
                )
        codes = [labels[part].encode([texts[part]], n) if part in texts else np.full(n, -1) for part in parts]
        bins.add(
            stretch.depth,
            np.stack([np.asarray(values, np.float64) for values in stretch.features.values()], axis=1),
            list(stretch.features),
            holes=holes.encode([texts[part] for part in shared], n),
            labels=np.stack(codes, axis=1) if parts else None,
        )
    if not len(bins):
        raise ScanError(f"{scan.path}: no sample has both a depth and a value", scan.path)
    summary.bin_width, summary.n_left_out = bins.width, bins.n_left_out
    address = {part: np.full(len(bins), text) for part, text in scan.address.items()}
    for i, part in enumerate(parts):
        texts_of_codes = [*labels[part].texts(), scan.address.get(part, "")]  # the last is for code -1
        address[part] = np.array(texts_of_codes, np.str_)[bins.label[:, i]]
    with np.errstate(over="ignore"):
        features_of_bins = bins.mean().astype(np.float32)
    depth_of_bins, samples = bins.depth, bins.count

    def blocks() -> Iterator[_Block]:
        for start in range(0, len(bins), BLOCK_ROWS):
            some = slice(start, start + BLOCK_ROWS)
            yield _Block(
                features_of_bins[some],
                depth_of_bins[some],
                {part: values[some] for part, values in address.items()},
                samples[some],
            )

    dtypes = {part: values.dtype for part, values in address.items()}
    _write(out, blocks(), len(bins), True, dtypes, model, summary, samples=True)


def _write(
    out: Path,
    blocks: Iterable[_Block],
    n_rows: int,
    has_depth: bool,
    address: dict[str, np.dtype[Any]],
    model: LithoModel,
    summary: Summary,
    *,
    samples: bool = False,
) -> None:
    members: dict[str, tuple[Any, int | None]] = {
        "embeddings": (np.float32, model.latent_dim),
        "missing": (np.uint8, None),
    }
    members |= {"depth": (np.float64, None)} if has_depth else {}
    members |= {"samples": (np.int64, len(FEATURES))} if samples else {}
    members |= {part: (dtype, None) for part, dtype in address.items()}
    summary.n_rows = n_rows
    with npz_stream(out, n_rows, members) as stream:
        for block in blocks:
            _write_block(stream, block, model, summary)
        stream.add("features", np.array(FEATURE_NAMES))
        stream.add("about", np.array(json.dumps(_about(model, summary), ensure_ascii=False)))


def _write_block(stream: NpzStream, block: _Block, model: LithoModel, summary: Summary) -> None:
    embeddings, missing = model.embed(block.features), model.missing(block.features)
    stream.write(embeddings=embeddings, missing=missing, **block.address)
    if block.samples is not None:
        stream.write(samples=block.samples)
    summary.n_missing += bit_counts(missing)
    summary.n_implausible += ((block.features < PLAUSIBLE[0]) | (block.features > PLAUSIBLE[1])).sum(axis=0)
    summary.highest = np.fmax(summary.highest, np.fmax.reduce(block.features, axis=0, initial=-np.inf))
    summary.n_nan += int(np.isnan(embeddings[:, 0]).sum())
    if block.depth is not None:
        stream.write(depth=block.depth)
        if not np.isnan(block.depth).all():
            low, high = float(np.nanmin(block.depth)), float(np.nanmax(block.depth))
            known = summary.depth_range or (low, high)
            summary.depth_range = (min(low, known[0]), max(high, known[1]))


def _about(model: LithoModel, summary: Summary) -> dict[str, Any]:
    """Say in the output itself what it was made from."""
    scan = summary.scan
    return {
        "scan": scan.path.name,
        "sources": {FEATURES[i].name: str(source) for i, source in scan.sources.items()},
        "depth": sorted({str(track.depth) for track in scan.tracks if track.depth}),
        "bin_width": summary.bin_width,
        "missing": model.bundle.missing,
        "bundle": model.bundle.name,
        "checkpoint_sha256": model.bundle.description.get("checkpoint_sha256"),
        "notes": scan.notes,
    }
