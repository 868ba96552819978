"""What `lithovae-run` says of a scan before it is embedded, and of the result afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .command import say
from .features import FEATURE_NAMES, FEATURES
from .model import LithoModel
from .scan import Scan
from .source import Source
from .summary import Summary

MAX_NOTES = 20


def announce(scan: Scan) -> None:
    """Say what was understood of a file."""
    address = ", ".join(f"{part} {text}" for part, text in scan.address.items())
    say(f"read   {scan.path}{f'  ({address})' if address else ''}")
    for i, feature in enumerate(FEATURES):
        say(f"       {feature.name:38} {_several(scan.sources.get(i, []))}")
    say(f"       {'depth':38} {_several([track.depth_text for track in scan.tracks if track.depth])}")
    for note in scan.notes[:MAX_NOTES]:
        say(f"note   {note}")
    if len(scan.notes) > MAX_NOTES:
        say(f"note   and {len(scan.notes) - MAX_NOTES:,} more (lithovae-run --inspect --json lists all)")
    if scan.unused:
        more = f" and {len(scan.unused) - 12} more" if len(scan.unused) > 12 else ""
        say(f"       not used: {', '.join(scan.unused[:12])}{more}")


def _several(sources: Sequence[Source | str]) -> str:
    texts = list(dict.fromkeys(map(str, sources)))
    more = f" and {len(texts) - 4} more" if len(texts) > 4 else ""
    return f"{', '.join(texts[:4])}{more}" if texts else "not in this scan"


def conclude(summary: Summary, model: LithoModel, out: Path) -> None:
    """Say what was read and written, and what of it a user should know."""
    where = ""
    if summary.depth_range:
        where = f", {summary.depth_range[0]:.2f} to {summary.depth_range[1]:.2f} m"
    if summary.bin_width is None:
        say(f"rows   {summary.n_rows:,} as they are in the scan{where}")
    else:
        tracks = _count(len(summary.scan.tracks), "track")
        say(f"rows   {_count(summary.n_rows, 'bin')} of {summary.bin_width:g} m, from {tracks}{where}")
    for line in _left_out(summary):
        say(f"note   {line}")
    effect = "imputed" if summary.policy.name == "impute" else "embedding is NaN"
    for name, n in zip(FEATURE_NAMES, summary.n_missing.tolist(), strict=True):
        if n:
            say(f"note   {name} is missing in {n:,} of {summary.n_rows:,} rows: {effect}")
    for feature, n in zip(FEATURES, summary.n_implausible.tolist(), strict=True):
        if n:
            low, high = feature.plausible
            span = f"outside {low:g} to {high:g} {feature.unit}"
            say(f"note   {feature.name} is {span} in {n:,} of {summary.n_rows:,} rows: is it in another unit?")
    if summary.highest[3:].max() <= 1 and np.isfinite(summary.highest[3:]).any():
        say("note   no colour is above 1: the models take R, G, B from 0 to 255, not from 0 to 1")
    if summary.n_missing.any():
        say("       which features are missing in a row: the bits of 'missing'")
    for note in summary.notes:
        say(f"note   {note}")
    if summary.n_nan:
        advice = "" if model.imputes or summary.policy.name != "nan" else "; the hybrid models impute what is missing"
        say(f"note   {summary.n_nan:,} of {summary.n_rows:,} rows have no embedding (NaN){advice}")
    say(f"wrote  {out}: embeddings ({summary.n_rows}, {model.latent_dim}) float32, by {model.bundle.name}")


def _left_out(summary: Summary) -> Iterator[str]:
    """Say what of the scan is in no row, and why."""
    if summary.n_left_out:
        of = ", ".join(f"{FEATURE_NAMES[i]} {n:,}" for i, n in enumerate(summary.rows.left_out.tolist()) if n)
        yield f"{_count(summary.n_left_out, 'sample')} without a depth left out ({of})"
    for placement in (track.placement for track in summary.scan.tracks if track.placement):
        yield from placement.notes
    if summary.n_dropped:
        of = ", ".join(f"{FEATURE_NAMES[i]} {n:,}" for i, n in enumerate(summary.dropped.tolist()) if n)
        yield f"{_count(summary.n_dropped, 'row')} with a feature missing left out, as asked ({of})"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
