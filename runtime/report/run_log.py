"""What `lithovae-run` says of a scan before it is embedded, and of the result afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.answers.summary import Summary
from lithovae.runtime.console import say
from lithovae.runtime.features import FEATURE_NAMES, FEATURES
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.source import Source

from .inspection import SHORT_NAMES

MAX_NOTES = 20


def announce(scan: Scan) -> None:
    """Say what was understood of a file."""
    address = ", ".join(f"{part} {text}" for part, text in scan.address.items())
    say(f"read   {scan.path}{f'  ({address})' if address else ''}")
    for i, feature in enumerate(FEATURES):
        say(f"       {feature.name:38} {_several(scan.sources.get(i, []), 2)}")
    say(f"       {'depth':38} {_several([track.depth_text for track in scan.tracks if track.depth], 4)}")
    for note in scan.notes[:MAX_NOTES]:
        say(f"note   {note}")
    if len(scan.notes) > MAX_NOTES:
        say(f"note   and {len(scan.notes) - MAX_NOTES:,} more (lithovae-run --inspect --json lists all)")
    if scan.unused:
        more = f" and {len(scan.unused) - 12} more" if len(scan.unused) > 12 else ""
        say(f"unused {', '.join(scan.unused[:12])}{more}")


def _several(sources: Sequence[Source | str], at_most: int) -> str:
    texts = list(dict.fromkeys(map(str, sources)))
    more = f" and {len(texts) - at_most:,} more" if len(texts) > at_most else ""
    return f"{', '.join(texts[:at_most])}{more}" if texts else "not in this scan"


def conclude(summary: Summary, model: LithoModel, out: Path) -> None:
    """Say what was read and written, and what of it a user should know."""
    where = ""
    if summary.depth_range:
        where = f", {summary.depth_range[0]:.2f} to {summary.depth_range[1]:.2f} m"
    if summary.bin_width is None:
        say(f"rows   {summary.n_rows:,} as they are in the scan{where}")
    else:
        tables = _count(len(summary.scan.tracks), "table")
        say(f"rows   {_count(summary.n_rows, 'bin')} of {summary.bin_width:g} m, from {tables}{where}")
    for line in _left_out(summary):
        say(f"note   {line}")
    for line in _missing(summary):
        say(f"note   {line}")
    for feature, n in zip(FEATURES, summary.n_implausible.tolist(), strict=True):
        if n:
            low, high = feature.plausible
            unit = "" if feature.unit == "0-255" else f" {feature.unit}"
            span = f"outside {low:g} to {high:g}{unit}"
            say(f"note   {feature.name} is {span} in {_of(n, summary.n_rows)}: is it in another unit?")
    if summary.highest[3:].max() <= 1 and np.isfinite(summary.highest[3:]).any():
        say("note   no colour is above 1: the models take R, G, B from 0 to 255, not from 0 to 1")
    members = [("'missing'", summary.n_missing), ("'implausible'", summary.n_implausible)]
    if bits := [member for member, counts in members if counts.any()]:
        say(f"       which features, row by row: the bits of {' and '.join(bits)} in the output")
    for note in summary.notes:
        say(f"note   {note}")
    if summary.n_nan:
        advice = "" if model.imputes or summary.policy.name != "nan" else "; the hybrid models impute what is missing"
        say(f"note   {summary.n_nan:,} of {summary.n_rows:,} rows have no embedding (NaN){advice}")
    say(f"model  {model.bundle.name}, trained on: {model.bundle.description['trained_on']}")
    say(f"wrote  {out}: embeddings ({summary.n_rows}, {model.latent_dim}) float32")


def conclude_one(summary: Summary, out: Path) -> None:
    """Say in a line what was written of one scan among many."""
    width = summary.bin_width
    parts = [_count(summary.n_rows, "row") if width is None else f"{_count(summary.n_rows, 'bin')} of {width:g} m"]
    for what, counts in (("missing", summary.n_missing), ("implausible", summary.n_implausible)):
        if counts.any():
            parts.append(f"{what}: {_by_feature(counts, SHORT_NAMES)}")
    if summary.n_dropped:
        parts.append(f"left out: {_count(summary.n_dropped, 'row')}")
    if summary.n_left_out:
        parts.append(f"left out: {_count(summary.n_left_out, 'sample')} without a depth")
    say(f"wrote  {out}: {'; '.join(parts)}")


def _missing(summary: Summary) -> Iterator[str]:
    """Say which features are missing, and in how many rows: those that all rows lack in one line."""
    effect = "imputed" if summary.policy.name == "impute" else "embedding is NaN"
    counts = dict(zip(FEATURE_NAMES, summary.n_missing.tolist(), strict=True))
    if lacking := [name for name, n in counts.items() if n == summary.n_rows > 0]:
        verb = "is" if len(lacking) == 1 else "are"
        yield f"{', '.join(lacking)} {verb} missing in {_of(summary.n_rows, summary.n_rows)}: {effect}"
    for name, n in counts.items():
        if 0 < n < summary.n_rows:
            yield f"{name} is missing in {_of(n, summary.n_rows)}: {effect}"


def _left_out(summary: Summary) -> Iterator[str]:
    """Say what of the scan is in no row, and why."""
    if summary.n_left_out:
        of = _by_feature(summary.rows.left_out, FEATURE_NAMES)
        yield f"{_count(summary.n_left_out, 'sample')} without a depth left out ({of})"
    for placement in (track.placement for track in summary.scan.tracks if track.placement):
        yield from placement.notes
    if summary.n_dropped:
        of = _by_feature(summary.dropped, FEATURE_NAMES)
        yield f"{_count(summary.n_dropped, 'row')} with a feature missing left out, as asked ({of})"


def _by_feature(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in zip(names, counts.tolist(), strict=True) if n)


def _of(n: int, total: int) -> str:
    return f"all {_count(total, 'row')}" if n == total > 1 else f"{n:,} of {_count(total, 'row')}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
