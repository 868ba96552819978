"""Logs for the tests of reports: of real scans, of simulated ones, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime import LithoModel
from lithovae.runtime.features import CATALOGUE, LILY, FeatureSet, Quantity
from lithovae.runtime.log import Drift, Fault, Interval, Log, bit_of
from lithovae.runtime.missing import implausible_bits, missing_bits
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan

WARNING = (
    "This model was trained on simulated data: on real holes its lithologies were right less often than the commonest "
    "lithology of the hole."
)
CLASSES = ("nannofossil ooze", "clay", "silty sand", "diatom ooze", "basalt", "lapilli tuff", "granite", "halite")
GROUPS = ("Carbonate", "Clay/Mud", "Sand", "Biogenic Silica", "Mafic Igneous", "Volcaniclastic", "Other")
GROUP_OF_CLASS = np.array([0, 1, 2, 3, 4, 5, 6, 6])


def log_of(
    title: str,
    features: FeatureSet,
    values: NDArray[np.float32],
    depth: NDArray[np.float64] | None,
    *,
    embeddings: NDArray[np.float32] | None = None,
    probabilities: NDArray[np.float32] | None = None,
    classes: Sequence[str] = (),
    hole: NDArray[np.str_] | None = None,
    bin_width: float | None = None,
    has_quality: bool = False,
    **given: Any,
) -> Log:
    """Return a log of some rows; quality is made up."""
    n, rng = len(values), np.random.default_rng(5)
    missing, implausible = missing_bits(values, features), implausible_bits(values, features)
    empty = np.zeros((n, 0), np.float32)
    top = None if probabilities is None else np.argsort(-probabilities, axis=1)[:, :3]
    flags = (missing != 0) * bit_of("imputed") + (implausible != 0) * bit_of("out_of_range")
    p = rng.uniform(0, 1, n).astype(np.float32) ** 2
    flags = flags + (p < 1e-4) * bit_of("novel")
    log = Log(
        title=title,
        features=features,
        depth=np.arange(n, dtype=np.float64) if depth is None else depth,
        has_depth=depth is not None,
        bin_width=bin_width,
        hole=np.full(n, "") if hole is None else hole,
        values=values,
        missing=missing,
        implausible=implausible,
        embeddings=empty if embeddings is None else embeddings,
        classes=tuple(classes),
        groups=(),
        group_of_class=np.empty(0, np.int64),
        lithologies=top,
        probabilities=None
        if top is None or probabilities is None
        else np.take_along_axis(probabilities, top, axis=1).astype(np.float32),
        residuals=rng.normal(0, 0.5, values.shape).astype(np.float32) if has_quality else None,
        novelty_p=p if has_quality else None,
        flags=flags.astype(np.uint8) if has_quality else None,
        intervals=(),
        faults=(),
        drift=(),
        facts=(),
        notes=(),
        warning="",
        n_rows=n,
    )
    return replace(log, **given)


def intervals_of(log: Log, least: float = 0.4) -> list[Interval]:
    """Return the runs of one lithology as intervals, those that are too thin joined with the one above."""
    assert log.lithologies is not None
    found: list[Interval] = []
    half = (log.bin_width or float(np.median(np.diff(log.depth)))) / 2
    for hole in dict.fromkeys(log.hole.tolist()):
        rows = np.flatnonzero((log.hole == hole) & np.isfinite(log.embeddings[:, 0]))
        for code, group in groupby(rows.tolist(), lambda row: int(log.lithologies[row, 0])):  # type: ignore[index]
            run = list(group)
            top, base = log.depth[run[0]] - half, log.depth[run[-1]] + half
            before = found[-1] if found and found[-1].hole == hole else None
            name = log.classes[code]
            if before and (base - top < least or before.lithology == name):
                found[-1] = before._replace(base=base, n_rows=before.n_rows + len(run))
                continue
            probability = 0.5 if log.probabilities is None else float(log.probabilities[run, 0].mean())
            kind = log.groups[log.group_of_class[code]] if log.groups else ""
            found.append(Interval(hole, top, base, name, kind, probability, len(run), ""))
    return found


def real_log(path: Path, bundle: str = "semisup_hybrid", bin_width: Any = "auto") -> Log:
    """Return the log of a scan. Embeddings and probabilities are the model's, quality is made up."""
    model = LithoModel.load(bundle)
    with open_scan(path, {}, {}, model.bundle.features) as scan:
        rows = rows_of(scan, silent, bin_width, 1)
        blocks = [read() for read in rows.blocks]
    features = np.concatenate([block.features for block in blocks])
    depth = None
    if all(block.depth is not None for block in blocks):
        depth = np.concatenate([block.depth for block in blocks if block.depth is not None])
    parts = [part for part in ("site", "hole") if all(part in block.address for block in blocks)]
    hole = np.array(
        [
            " ".join(texts)
            for texts in zip(*(np.concatenate([b.address[p] for b in blocks]) for p in parts), strict=True)
        ]
    )
    if len(set(hole.tolist())) < 2:
        hole = np.full(len(features), "")
    log = log_of(
        path.stem,
        model.bundle.features,
        features,
        depth,
        embeddings=model.embed(features),
        probabilities=model.classify(features) if model.classes else None,
        classes=model.classes,
        hole=hole,
        bin_width=rows.bin_width,
        has_quality=True,
        warning=WARNING if model.classes else "",
        facts=(("Model", bundle), ("Rows", f"{len(features):,}"), ("Missing features", "imputed"), ("Scan", path.name)),
        notes=rows.notes,
        drift=[
            Drift(name, int(np.isfinite(x).sum()), float(np.nanmean(x)) if np.isfinite(x).any() else np.nan, 1.1, 0.012)
            for name, x in zip(model.features, features.T, strict=True)
        ],
    )
    if model.classes and depth is not None:
        log = replace(log, intervals=intervals_of(log, 1.0))
    return log


def simulated_log(
    n: int = 400, features: FeatureSet = LILY, n_holes: int = 1, latent_dim: int = 10, **given: Any
) -> Log:
    """Return a log of ``n`` rows in each of some holes, with gaps, missing stretches and all that can be computed."""
    rng = np.random.default_rng(3)
    total = n * n_holes
    part = np.repeat(np.arange(max(1, total // 40) + 1), 40)[:total] % len(CLASSES)
    walk = np.cumsum(rng.normal(0, 0.12, (total, len(features))), axis=0)
    noise = np.sin(walk + part[:, None]) + rng.normal(0, 0.15, (total, len(features)))
    low, high = features.plausible
    values = np.empty((total, len(features)), np.float32)
    usual = {"Bulk density (GRA)": (1.7, 0.2), "NGR total counts (cps)": (30, 12)}
    for i, feature in enumerate(features):
        middle, size = usual.get(feature.name, (110, 40) if feature.instrument == "camera" else (1.0, 0.3))
        values[:, i] = (
            10 ** (1.4 + 0.6 * noise[:, i])
            if feature.transform == "signed_log" and feature.name not in usual
            else middle + size * noise[:, i]
        ).clip(low[i], high[i])
    depth = np.tile(np.arange(n) * 0.05 + (np.arange(n) > 0.6 * n) * 1.5, n_holes)
    values[n // 5 : n // 4, 0] = np.nan
    if total > 3:
        values[n // 2, 0] = 9.0
    logits = rng.normal(0, 1, (total, len(CLASSES))) + 3 * np.eye(len(CLASSES))[part]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    embeddings = (
        np.eye(len(CLASSES))[part] @ rng.normal(0, 1, (len(CLASSES), latent_dim))
        + rng.normal(0, 0.3, (total, latent_dim))
    ).astype(np.float32)
    hole = np.repeat([f"U14{i:02}A" for i in range(n_holes)], n) if n_holes > 1 else None
    log = log_of(
        "Simulated hole",
        features,
        values,
        depth,
        embeddings=embeddings,
        probabilities=probabilities,
        classes=CLASSES,
        hole=hole,
        has_quality=True,
        warning=WARNING,
        groups=GROUPS,
        group_of_class=GROUP_OF_CLASS,
        facts=(("Model", "semisup_hybrid"), ("Scan", "simulated")),
        notes=("a note",),
        faults=[
            Fault("stuck", features.names[0], 2.0, 4.0, "repeats one value; check the sensor"),
            Fault("unit", features.names[-1], None, None, "looks like another unit; give its unit"),
        ],
        drift=[Drift(name, total, 0.1, 1.0, 0.02) for name in features.names],
    )
    if total > 1 and len(part):
        log = replace(log, intervals=intervals_of(log))
    return replace(log, **given)


def many_features(n: int = 64) -> FeatureSet:
    """Return a set of ``n`` features, more than the catalogue has."""
    own = [Quantity(f"Own channel {i}", "V", (), {}, (-1e6, 1e6)) for i in range(n)]
    return FeatureSet([*CATALOGUE, *own][:n])
