"""Reports of a run: which writer draws them, and the log that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.answers.answers import Answers
from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import Log
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.report.run_log import summary_notes
from lithovae.runtime.summary import Summary

PICTURES: Mapping[str, Literal["png", "pdf", "svg"]] = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
"""Formats of pictures, which matplotlib draws, by extension."""

DIGITS = 12
"""Digits of a SHA-256 that are shown; the result has all."""


def report_writer(path: Path) -> Callable[[BinaryIO, Log], None]:
    """Return what writes a report of a log to an open file.

    Raises
    ------
    OutputError
        If the extension is not that of a report, or matplotlib is needed and is not installed.
    """
    extension = path.suffix.lower()
    if extension == ".html":
        from lithovae.runtime.report.page import write_page

        return write_page
    if extension not in PICTURES:
        raise OutputError(f"{path} must end in .html, .png, .pdf or .svg", path)
    if not find_spec("matplotlib"):
        raise OutputError(
            f"{path}: drawing a picture needs matplotlib: pip install 'lithovae[report]', or choose a name that ends "
            "in .html",
            path,
        )
    from lithovae.runtime.report.strip_log import write_strip_log

    return lambda file, log: write_strip_log(file, log, PICTURES[extension])


def log_of(summary: Summary, bundle: Bundle, answers: Answers, about: Mapping[str, Any]) -> Log:
    """Return the log of a run.

    Parameters
    ----------
    summary : Summary
        Counts of the run.
    bundle : Bundle
        The model.
    answers : Answers
        The answers of the run, with the rows that it kept.
    about : mapping of str
        The provenance of the result.
    """
    kept = answers.kept
    assert kept is not None
    columns: dict[str, Any] = kept.columns()
    codes: NDArray[Any] | None = columns.get("lithologies")
    if codes is not None:
        codes = np.where(codes < len(bundle.classes), codes.astype(np.int64), -1)
    groups = bundle.reference.groups if bundle.reference and bundle.classes else None
    thinned = [f"the picture shows one row in {kept.step:,} of {kept.n:,}"] if kept.step > 1 else []
    return Log(
        title=Path(summary.scan.path).name,
        features=summary.features,
        depth=columns["depth"],
        has_depth=summary.depth_range is not None,
        bin_width=summary.bin_width,
        hole=columns["hole"],
        values=columns["values"],
        missing=columns["missing"],
        implausible=columns["implausible"],
        embeddings=columns["embeddings"],
        classes=bundle.classes,
        groups=groups.names if groups else (),
        group_of_class=groups.of_class if groups else np.empty(0, np.int64),
        lithologies=codes,
        probabilities=columns.get("probabilities"),
        residuals=columns.get("residuals"),
        novelty_p=columns.get("novelty_p"),
        flags=columns.get("flags"),
        intervals=summary.intervals,
        faults=summary.faults,
        drift=summary.drift,
        facts=list(_facts(summary, about)),
        notes=[*thinned, *summary_notes(summary)],
        warning=bundle.warning if bundle.classes else "",
        n_rows=kept.n,
    )


def _facts(summary: Summary, about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    scan, short = summary.scan, summary.features.short_names
    yield "scan", Path(scan.path).name
    if scan.address:
        yield "from", ", ".join(f"{part} {text}" for part, text in scan.address.items())
    rows = f"{summary.n_rows:,}" if summary.bin_width is None else f"{summary.n_rows:,} bins of {summary.bin_width:g} m"
    yield "rows", rows
    found = {short[each.name]: ", ".join(source.text for source in each.sources) for each in scan.features}
    yield "columns", "; ".join(f"{name}: {source}" for name, source in found.items() if source)
    if absent := [name for name, source in found.items() if not source]:
        yield "not in this scan", ", ".join(absent)
    yield "depth", ", ".join(dict.fromkeys(scan.depths)) or "not in this scan"
    yield "missing values", {"impute": "imputed", "nan": "no embedding"}.get(summary.missing, summary.missing)
    yield "model", f"{summary.model}, SHA-256 {str(about.get('bundle_sha256'))[:DIGITS]}…"
    yield "trained on", summary.trained_on
    yield "versions", ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
