"""Build a training table from the public LILY download, one CSV per instrument, by the published rules.

Each channel of a hole is averaged in bins, bin = round(depth / 0.2 m) * 0.2 m, with the `DepthBins` that the runtime
uses. A bin has the most common lithology of its density samples. The table has the bins that all channels have and
whose density is 0.3 to 4.0 g/cm³. The files are read in chunks: memory grows with the number of bins, not of samples.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lithovae.runtime.bins import DepthBins
from lithovae.runtime.errors import TableError
from lithovae.runtime.features import DENSITY, DEPTH, FEATURE_NAMES, LILY
from lithovae.runtime.missing import measurable, without_sentinels
from lithovae.runtime.result import SIMULATED

from .table import LITHOLOGY, TrainingTable

if TYPE_CHECKING:
    from lithovae.runtime.process.progress import Progress

CHANNELS = {"GRA": (0,), "MS": (1,), "NGR": (2,), "RGB": (3, 4, 5)}
"""The instruments in the order in which they are joined, and the positions of their features."""
FILES = {instrument: f"{instrument}_DataLITH.csv" for instrument in CHANNELS}
HOLE_PARTS = ["Exp", "Site", "Hole"]
CHUNK_ROWS = 200_000
Chunk = tuple[pd.DataFrame, NDArray[np.float64], int]
"""Rows of a file: their text columns, their depth and channels (n, 1 + channels), and the bytes read for them."""


@dataclass
class Coverage:
    """Counts of a download's samples and bins; instruments are ``GRA``, ``MS``, ``NGR`` and ``RGB``.

    Attributes
    ----------
    samples, left_out : dict of str to int
        Rows of each instrument's file; those of them left out, without a hole, a depth or a possible value.
    bins : dict of str to int
        Bins in which each instrument measured all its channels.
    joined : dict of str to int
        Bins left after joining this instrument's bins to those of the instruments before it.
    outliers, unnamed : int
        Joined bins dropped for a density outside 0.3 to 4.0 g/cm³; others dropped because they have no lithology.
    rows : int
        Rows of the table.
    """

    samples: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    bins: dict[str, int] = field(default_factory=dict)
    joined: dict[str, int] = field(default_factory=dict)
    outliers: int = 0
    unnamed: int = 0
    rows: int = 0


PUBLISHED_COVERAGE = Coverage(
    samples={"GRA": 4_134_647, "MS": 4_081_560, "NGR": 822_161, "RGB": 10_789_797},
    bins={"GRA": 423_244, "MS": 422_925, "NGR": 405_474, "RGB": 253_916},
    joined={"GRA": 423_244, "MS": 422_834, "NGR": 403_391, "RGB": 238_767},
    outliers=261,
    rows=238_506,
)
"""The published counts; how many samples were left out is not published."""


def read_lily(
    folder: str | Path,
    *,
    report: Callable[[Coverage], object] = lambda coverage: None,
    progress: Progress = lambda items, label, total, size: items,
    chunk_rows: int = CHUNK_ROWS,
) -> TrainingTable:
    """Build the training table from a folder with the four CSV files of the LILY download.

    Parameters
    ----------
    folder : path-like
        Holds ``GRA_DataLITH.csv``, ``MS_DataLITH.csv``, ``NGR_DataLITH.csv`` and ``RGB_DataLITH.csv``, in upper or
        lower case; each may be compressed by gzip (``.csv.gz``).
    report : callable, optional
        Called once with the `Coverage`, before the table is returned or found to be empty.
    progress : callable, optional
        Passes chunks on as they are read; see `lithovae.runtime.process.progress.Progress`. Sizes are in bytes.
    chunk_rows : int
        Rows read at a time; the result does not depend on it.

    Returns
    -------
    TrainingTable
        Complete rows only, sorted by hole and depth. The lithology is the most common one of the bin's density
        samples; in a tie the first in alphabetical order, as in pandas' ``mode()[0]``.

    Raises
    ------
    TableError
        If a file is absent, empty or not a CSV, lacks a column, has text in place of a number, or no row is left.
    """
    paths = _find(Path(folder))
    coverage = Coverage()
    holes, lithologies = Codes(), Codes()
    bins = DepthBins(len(FEATURE_NAMES))
    described = DepthBins(1)  # counts density samples; its "holes" are pairs of a hole and a lithology
    seeds: set[str] = set()
    for instrument, path in paths.items():
        channels = list(CHANNELS[instrument])
        columns = [*HOLE_PARTS, LITHOLOGY] if instrument == "GRA" else HOLE_PARTS
        n_samples = n_used = 0
        chunks = _chunks(path, columns, [FEATURE_NAMES[i] for i in channels], chunk_rows)
        for texts, numbers, _ in progress(chunks, f"reading {path.name}", path.stat().st_size, lambda chunk: chunk[2]):
            if SIMULATED in texts:
                seeds.update(texts[SIMULATED].dropna().unique().tolist())
            hole, numbers = holes.of(texts[HOLE_PARTS]), without_sentinels(numbers)
            depth = numbers[:, 0]
            values = np.column_stack(
                [measurable(numbers[:, 1 + i], LILY[channel]) for i, channel in enumerate(channels)]
            )
            use = (hole >= 0) & ~np.isnan(values).all(axis=1)
            before = bins.n_left_out
            bins.add(depth[use], dict(zip(channels, values[use].T, strict=True)), hole[use])
            n_samples += len(hole)
            n_used += int(use.sum()) - (bins.n_left_out - before)
            if instrument == "GRA":
                lithology = lithologies.of(texts[columns])
                use &= lithology >= 0
                described.add(depth[use], {0: values[use, 0]}, lithology[use])
        if not n_samples:
            raise TableError(f"{path} has no rows below its header; download it again", path)
        coverage.samples[instrument], coverage.left_out[instrument] = n_samples, n_samples - n_used
    rows = _join(bins, coverage)
    hole_names = np.array(["-".join(key) for key in holes.codes], np.str_)
    features, names = bins.mean()[rows], _most_common(bins, described, holes, lithologies)[rows]
    dense = (features[:, 0] >= DENSITY.plausible[0]) & (features[:, 0] <= DENSITY.plausible[1])
    keep = dense & (names != "")
    coverage.outliers, coverage.unnamed, coverage.rows = (int(n.sum()) for n in (~dense, dense & ~keep, keep))
    report(coverage)
    if not coverage.rows:
        raise TableError(_why_empty(Path(folder), coverage), folder)
    hole, depth = hole_names[bins.hole[rows][keep]], bins.depth[rows][keep]
    order = np.lexsort((depth, hole))
    lithology_of_row = names[keep][order].astype(np.str_)
    simulated = ", ".join(sorted(seeds))
    return TrainingTable(hole[order], depth[order], features[keep][order], lithology_of_row, simulated=simulated)


def _find(folder: Path) -> dict[str, Path]:
    """Find the file of each instrument; the download's own spelling is preferred."""
    if not folder.is_dir():
        raise TableError(f"no such folder: {folder}; it should hold {', '.join(FILES.values())}", folder)
    found: dict[str, Path] = {}
    for instrument, name in FILES.items():
        alike = sorted(path for path in folder.iterdir() if _name(path) == name.casefold() and path.is_file())
        alike = [path for path in alike if path.name in (name, f"{name}.gz")] or alike
        if len(alike) > 1:
            raise TableError(f"{folder} holds {' and '.join(path.name for path in alike)}: keep one of them", folder)
        if alike:
            found[instrument] = alike[0]
    if absent := [name for instrument, name in FILES.items() if instrument not in found]:
        raise TableError(f"{folder} lacks {', '.join(absent)}: copy these files from the LILY download", folder)
    return found


def is_download(folder: Path) -> bool:
    """Return whether a folder holds a file of the LILY download."""
    return not {_name(path) for path in folder.iterdir()}.isdisjoint(name.casefold() for name in FILES.values())


def _name(path: Path) -> str:
    return path.name.casefold().removesuffix(".gz")


def _chunks(path: Path, texts: list[str], channels: list[str], chunk_rows: int) -> Iterator[Chunk]:
    try:
        header = {str(name).strip(): str(name) for name in pd.read_csv(path, nrows=0, encoding="utf-8-sig")}
        numbers = [DEPTH.name, *channels]
        if absent := [name for name in (*texts, *numbers) if name not in header]:
            raise TableError(f"{path} lacks the column {', '.join(map(repr, absent))}; it has {list(header)}", path)
        texts = [*texts, *([SIMULATED] if SIMULATED in header else [])]
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            frames = pd.read_csv(
                stack.enter_context(gzip.GzipFile(fileobj=file)) if path.suffix.casefold() == ".gz" else file,
                usecols=[header[name] for name in (*texts, *numbers)],
                dtype={header[name]: str for name in texts},
                index_col=False,
                encoding="utf-8-sig",
                chunksize=chunk_rows,
                low_memory=False,
            )
            n_rows = position = 0
            for frame in stack.enter_context(frames):
                frame.columns = [str(name).strip() for name in frame]
                position, before = file.tell(), position
                columns = [_numbers(frame[name], path, n_rows) for name in numbers]
                yield frame[texts], np.column_stack(columns), position - before
                n_rows += len(frame)
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path} is empty; download it again", path) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise TableError(f"{path} cannot be read as CSV: {error}", path) from error


def _numbers(column: pd.Series[Any], path: Path, n_before: int) -> NDArray[np.float64]:
    if column.dtype.kind in "iuf":
        return column.to_numpy(np.float64)
    numbers = pd.to_numeric(column.astype(object).map(str, na_action="ignore"), errors="coerce")
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if len(bad):
        what, row = str(column.iloc[bad[0]])[:40], n_before + int(bad[0]) + 1
        more = f" (and {len(bad) - 1} more by row {n_before + len(column):,})" if len(bad) > 1 else ""
        where = f"{path}: column {str(column.name)!r}, row {row:,} below the header"
        raise TableError(f"{where}{more}: {what!r} is not a number; correct it or leave it empty", path)
    return numbers.to_numpy(np.float64)


class Codes:
    """Codes 0, 1, 2 ... for the combinations of texts in several columns, in order of appearance."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, ...], int] = {}

    def of(self, texts: pd.DataFrame) -> NDArray[np.int64]:
        """Return the code of each row, -1 if one of the columns is empty; shape (n,)."""
        group = texts.groupby(list(texts), sort=False).ngroup().to_numpy()
        _, first, position = np.unique(group, return_index=True, return_inverse=True)
        rows = [tuple(str(part).strip() for part in row) for row in texts.iloc[first].itertuples(index=False)]
        known = (group[first] >= 0) & np.array([all(row) for row in rows], bool)
        codes = [self.codes.setdefault(row, len(self.codes)) if known[i] else -1 for i, row in enumerate(rows)]
        return np.array(codes, np.int64)[position]


def _join(bins: DepthBins, coverage: Coverage) -> NDArray[np.bool_]:
    rows = np.ones(len(bins), bool)
    for instrument, channels in CHANNELS.items():
        measured = (bins.count[:, channels] > 0).all(axis=1)
        rows &= measured
        coverage.bins[instrument], coverage.joined[instrument] = int(measured.sum()), int(rows.sum())
    return rows


def _most_common(bins: DepthBins, described: DepthBins, holes: Codes, lithologies: Codes) -> NDArray[np.object_]:
    """Return the lithology of each bin, empty if it has none; shape (bins,)."""
    hole = np.array([holes.codes[key[:-1]] for key in lithologies.codes], np.int64)[described.hole]
    name = np.array([key[-1] for key in lithologies.codes], object)[described.hole]
    columns = {"hole": hole, "depth": described.depth, "count": -described.count[:, 0], "name": name}
    first = pd.DataFrame(columns).sort_values(list(columns)).drop_duplicates(["hole", "depth"])
    each = pd.DataFrame({"hole": bins.hole, "depth": bins.depth})  # same integer times same width: depths match exactly
    return each.merge(first, how="left", on=["hole", "depth"])["name"].fillna("").to_numpy(object)


def _why_empty(folder: Path, coverage: Coverage) -> str:
    if not coverage.joined["RGB"]:
        counts = f"bins: {coverage.bins}; left after joining each: {coverage.joined}"
        why = f"no 20 cm bin was measured by all four instruments ({counts})"
        return f"{folder}: {why}; check that the files use the same hole names"
    counts = (
        f"{coverage.outliers:,} of {coverage.joined['RGB']:,} joined bins have a density outside {DENSITY.plausible}"
    )
    return f"{folder}: no row is left: {counts}, {coverage.unnamed:,} no {LITHOLOGY!r}; check {FILES['GRA']}"
