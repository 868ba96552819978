"""What `lithovae run` and `bins` print about a scan before its rows are written, and about the result afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.console import say
from lithovae.runtime.description import ScanDescription
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.log import Drift
from lithovae.runtime.summary import RowSummary, Summary

from .lists import MAX_NOTES, several, unused_columns

MAX_LITHOLOGIES = 4
"""Number of lithologies that are named."""
MIN_SHARE = 0.01
"""Least share of the rows of a lithology that is named."""
MIN_SHIFT, MIN_BEYOND = 1.0, 0.01
"""Shift in standard deviations, and share of the values beyond the training rows, from which a channel is printed."""


def announce(scan: ScanDescription) -> None:
    """Print what was found in a file."""
    address = ", ".join(f"{part} {text}" for part, text in scan.address.items())
    say(f"read   {scan.path}{f'  ({address})' if address else ''}")
    for line in feature_lines(scan):
        say(f"       {line}")
    say(f"       {'depth':38} {several(scan.depths, 4) or 'not in this scan'}")
    for note in scan.notes[:MAX_NOTES]:
        say(f"note   {note}")
    if len(scan.notes) > MAX_NOTES:
        say(f"note   and {len(scan.notes) - MAX_NOTES:,} more (lithovae inspect --json lists all)")
    if scan.unused:
        say(f"unused {unused_columns(scan.unused)}")


def feature_lines(scan: ScanDescription) -> Iterator[str]:
    """Yield a line for each feature: its name, and the columns that are used for it."""
    for feature in scan.features:
        sources = several([source.text for source in feature.sources], 2)
        yield f"{feature.name:38} {sources or 'not in this scan'}"


def conclude(summary: Summary, out: Path, beside: Sequence[Path] = ()) -> None:
    """Print what was read and embedded, with notes for the user; ``beside`` are the other files that were written."""
    say(f"rows   {_rows_line(summary)}")
    for note in _imputed(summary):
        say(f"note   {note}")
    for fault in summary.faults:
        say(f"fault  {fault.text}")
    for note in _row_notes(summary):
        say(f"note   {note}")
    members = [("'missing'", summary.n_missing), ("'implausible'", summary.n_implausible)]
    if bits := [member for member, counts in members if counts.any()]:
        say(f"       which features, row by row: the bits of {' and '.join(bits)} in the output")
    for note in _other_notes(summary):
        say(f"note   {note}")
    for line in drift_lines(summary.drift):
        say(f"drift  {line}")
    say(f"model  {summary.model}, trained on: {summary.trained_on}")
    if summary.lithologies:
        say(f"guess  {_lithologies(summary.lithologies)}")
    if summary.intervals:
        say(f"found  {_count(len(summary.intervals), 'interval')} of lithology")
    if summary.warning:
        say(f"note   {summary.warning}")
    say(f"wrote  {out}: embeddings ({summary.n_rows}, {summary.latent_dim}) float32")
    for path in beside:
        say(f"wrote  {path}")


def summary_notes(summary: Summary) -> Iterator[str]:
    """Yield the notes about the rows and their embeddings, the most important first."""
    yield from _imputed(summary)
    yield from _row_notes(summary)
    yield from _other_notes(summary)


def drift_lines(drift: Sequence[Drift]) -> Iterator[str]:
    """Yield a line for each channel that differs from the training rows."""
    for each in drift:
        if abs(each.shift) >= MIN_SHIFT or each.beyond >= MIN_BEYOND:
            where = f"{each.shift:+.1f} sd from the training rows' mean (spread {each.spread:.1f} sd)"
            beyond = f"; {each.beyond:.1%} of the values are outside their range" if each.beyond >= MIN_BEYOND else ""
            yield f"{each.feature}: {where}{beyond}"


def _lithologies(counts: Mapping[str, int]) -> str:
    n = sum(counts.values())
    most = [(name, count) for name, count in list(counts.items())[:MAX_LITHOLOGIES] if count >= MIN_SHARE * n]
    shares = ", ".join(f"{name} {count / n:.0%}" for name, count in most)
    more = f", {len(counts) - len(most)} more" if len(counts) > len(most) else ""
    return f"likeliest lithology, row by row: {shares}{more}"


def conclude_table(summary: RowSummary, out: Path) -> None:
    """Print what was read and written into a table of the rows themselves, with notes for the user."""
    say(f"rows   {_rows_line(summary)}")
    for note in (*_lacking(summary, "left blank"), *summary.notes):
        say(f"note   {note}")
    say(f"wrote  {out}: {_count(summary.n_rows, 'row')} of {_count(len(summary.features), 'feature')}")


def _rows_line(summary: RowSummary) -> str:
    where = ""
    if summary.depth_range:
        where = f", {summary.depth_range[0]:.2f} to {summary.depth_range[1]:.2f} m"
    if summary.bin_width is None:
        return f"{summary.n_rows:,} unchanged from the scan{where}"
    tables = _count(summary.scan.n_tables, "table")
    return f"{_count(summary.n_rows, 'bin')} of {summary.bin_width:g} m, from {tables}{where}"


def _imputed(summary: Summary) -> Iterator[str]:
    """Yield a note if most of what the model takes is imputed."""
    n, n_values = int(summary.n_missing.sum()), summary.n_rows * len(summary.features)
    if summary.missing == "impute" and 2 * n > n_values:
        yield f"most of this scan is imputed: {n / n_values:.0%} of the values that the model takes"


def _row_notes(summary: Summary) -> Iterator[str]:
    """Yield notes on what the rows lack and what became of them."""
    effect = "imputed" if summary.missing == "impute" else "embedding is NaN"
    dropped = []
    if summary.n_dropped:
        of = _by_feature(summary.dropped, summary.features.names)
        rows = _count(summary.n_dropped, "row")
        dropped = [f"{rows} with a missing feature left out because of --missing drop ({of})"]
    yield from _lacking(summary, effect, dropped)


def _other_notes(summary: Summary) -> Iterator[str]:
    yield from summary.notes
    if summary.n_nan:
        is_standard = summary.missing == "nan" and not summary.imputes
        advice = "; the hybrid models impute missing features" if is_standard else ""
        yield f"{summary.n_nan:,} of {summary.n_rows:,} rows have no embedding (NaN){advice}"


def _lacking(summary: RowSummary, effect: str, dropped: Sequence[str] = ()) -> Iterator[str]:
    """Yield notes on what the rows lack; ``effect`` says what became of missing values."""
    yield from (*_left_out(summary), *dropped, *_missing(summary, effect))
    n_implausible, n_samples = summary.n_implausible, summary.n_implausible_samples
    yield from implausible_lines(summary.features, n_implausible, summary.n_rows, n_samples)


def implausible_lines(
    features: FeatureSet, n_implausible: NDArray[np.int64], n_rows: int, n_samples: NDArray[np.int64] | None = None
) -> Iterator[str]:
    """Yield a note for each feature outside its plausible range.

    Parameters
    ----------
    features : FeatureSet
        The features.
    n_implausible : ndarray of shape (n_features,), int64
        Number of rows in which the feature is implausible.
    n_rows : int
        Number of rows.
    n_samples : ndarray of shape (n_features,), int64, optional
        Number of samples that were left out of the means of bins for it.
    """
    counts = zip(
        features, n_implausible.tolist(), ([0] * len(features) if n_samples is None else n_samples), strict=True
    )
    for feature, n, n_left_out in counts:
        low, high = feature.plausible
        span = f"outside {low:g} to {high:g}{'' if feature.unit == '0-255' else f' {feature.unit}'}"
        of = _of(n, n_rows)
        if n_left_out:
            verb = "was" if n_left_out == 1 else "were"
            what = f"{_count(int(n_left_out), 'sample')} of {feature.name} {span} {verb} left out of the means ({of})"
            yield f"{what}: is it in another unit?"
        elif n:
            yield f"{feature.name} is {span} in {of}: is it in another unit?"


def conclude_one(summary: Summary, out: Path) -> None:
    """Print one line about the result of a scan among several, and one for each of its units that is doubtful."""
    width = summary.bin_width
    parts = [_count(summary.n_rows, "row") if width is None else f"{_count(summary.n_rows, 'bin')} of {width:g} m"]
    implausible = summary.n_implausible if width is None else summary.n_implausible_samples
    for what, counts in (("missing", summary.n_missing), ("implausible", implausible)):
        if counts.any():
            parts.append(f"{what}: {_by_feature(counts, summary.features.short_names.values())}")
    if summary.n_dropped:
        parts.append(f"left out: {_count(summary.n_dropped, 'row')}")
    if summary.n_left_out:
        parts.append(f"left out: {_count(summary.n_left_out, 'sample')} without a depth")
    say(f"wrote  {out}: {'; '.join(parts)}")
    said = {fault.text for fault in summary.faults}
    for note in summary.other_units:
        if note not in said:
            say(f"note   {summary.scan.path}: {note}")
    for fault in summary.faults:
        say(f"fault  {summary.scan.path}: {fault.text}")


def _missing(summary: RowSummary, effect: str) -> Iterator[str]:
    """Yield notes on which features are missing in how many rows; features that are missing equally often share one."""
    counts = dict(zip(summary.features.names, summary.n_missing.tolist(), strict=True))
    if lacking := [name for name, n in counts.items() if n == summary.n_rows > 0]:
        verb = "is" if len(lacking) == 1 else "are"
        yield f"{', '.join(lacking)} {verb} missing in {_of(summary.n_rows, summary.n_rows)}: {effect}"
    for n in dict.fromkeys(n for n in counts.values() if 0 < n < summary.n_rows):
        names = [name for name, count in counts.items() if count == n]
        verb = "is" if len(names) == 1 else "are each"
        yield f"{', '.join(names)} {verb} missing in {_of(n, summary.n_rows)}: {effect}"


def _left_out(summary: RowSummary) -> Iterator[str]:
    """Yield notes on samples that were left out, and why."""
    if summary.n_left_out:
        of = _by_feature(summary.left_out, summary.features.names)
        yield f"{_count(summary.n_left_out, 'sample')} without a depth left out ({of})"
    yield from summary.lost


def _by_feature(counts: NDArray[np.int64], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in zip(names, counts.tolist(), strict=True) if n)


def _of(n: int, total: int) -> str:
    return f"all {_count(total, 'row')}" if n == total > 1 else f"{n:,} of {_count(total, 'row')}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
