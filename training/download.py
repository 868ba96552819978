"""Simulate a LILY download: the rows of a simulated table as samples, one CSV per instrument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.errors import OutputError
from lithovae.runtime.features import DEPTH, FEATURE_NAMES, LILY
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.result import SIMULATED

from .lily import CHANNELS, FILES, HOLE_PARTS, PUBLISHED_COVERAGE
from .simulate import simulate_table
from .table import LITHOLOGY, TrainingTable

if TYPE_CHECKING:
    from lithovae.runtime.process.progress import Progress

SAMPLES = {"GRA": 10, "MS": 10, "NGR": 2, "RGB": 42}
"""Samples per bin, as in the published files, rounded to even numbers."""
EXTRAS = (
    (("GRA",), 410),
    (("GRA", "MS"), 4_294),
    (("GRA", "MS", "RGB"), 15_149),
    (("MS",), 91),
    (("NGR",), 2_083),
    (("GRA", "MS", "NGR", "RGB"), PUBLISHED_COVERAGE.outliers),
    (("GRA", "MS", "NGR"), 164_624),
)
"""Bins that are not part of the table: the instruments that measured them, and their number at the full size.

With them, the bins of each instrument and those left after each join are as published. The bins of all four instruments
have an impossible density; those without colour are in holes of their own, as colour was measured in every other hole.
"""
NO_COLOUR, OUTLIERS = EXTRAS[-1][0], EXTRAS[-2][0]
NOISE = 0.02
"""Largest deviation of a sample from its bin's mean, relative to it."""
SENTINEL, SENTINEL_SHARE = -999.25, 0.001
CORE_LENGTH, SECTION_LENGTH = 9.6, 1.5
PISTON_DEPTH = 200.0
"""Depth (m) below which cores are drilled (``R``); above it they are taken by a piston (``H``)."""


@dataclass(frozen=True)
class Bins:
    """Bins of one hole that the same instruments measured; features as in a `TrainingTable`."""

    hole: str
    number: NDArray[np.int64]
    features: NDArray[np.float64]
    lithology: NDArray[np.str_]
    instruments: tuple[str, ...] = tuple(CHANNELS)


def simulate_download(
    folder: str | Path,
    seed: int = 42,
    share: float = 1.0,
    *,
    progress: Progress = lambda items, label, total, size: items,
) -> dict[str, int]:
    """Write a folder of four CSV files in the form of the LILY download, from the simulated table.

    Each row's samples average to its features, to about 1e-7 relative; `lithovae.training.lily.read_lily` restores
    the table. Bins that some instrument did not measure, impossible densities and sentinels are mixed in.

    Parameters
    ----------
    folder : path-like
        Created if it does not exist; its files appear when all four are complete.
    seed, share
        Those of `lithovae.training.simulate.simulate_table`. At ``share=1``, 20 million rows, 1.6 GB.
    progress : callable, optional
        Passes holes on as they are written; see `lithovae.runtime.process.progress.Progress`. Sizes are in rows.

    Returns
    -------
    dict of str to int
        Rows of each instrument's file.

    Raises
    ------
    OutputError
        If the folder cannot be created or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {folder}: {error.strerror}", folder) from error
    table = simulate_table(seed, share)
    rng = np.random.default_rng(seed)
    rows = dict.fromkeys(CHANNELS, 0)
    with ExitStack() as stack:
        files = {instrument: stack.enter_context(whole_file(folder / name)) for instrument, name in FILES.items()}
        for instrument, file in files.items():
            channels = (FEATURE_NAMES[i] for i in CHANNELS[instrument])
            file.write(
                _line(*HOLE_PARTS, "Core", "Type", "Sect", "A/W", DEPTH.name, *channels, LITHOLOGY, SIMULATED).encode()
            )
        for parts in progress(_measured(table, rng), "writing", len(table), lambda parts: len(parts[0].number)):
            for bins in parts:
                for instrument in bins.instruments:
                    text = _samples(bins, instrument, rng, table.simulated)
                    files[instrument].write(text.encode())
                    rows[instrument] += text.count("\n")
    return rows


def _measured(table: TrainingTable, rng: np.random.Generator) -> Iterator[list[Bins]]:
    """Yield the bins of each hole: first those of the table, then those that are not part of it."""
    starts = np.flatnonzero(np.append(True, table.hole[1:] != table.hole[:-1]))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(table)], strict=True):
        own = Bins(
            hole=str(table.hole[start]),
            number=np.rint(table.depth[start:stop] / BIN_WIDTH).astype(np.int64),
            features=table.features[start:stop],
            lithology=table.lithology[start:stop],
        )
        parts = [own]
        below = int(own.number.max()) + 1
        for instruments, n_published in EXTRAS:
            per_row = n_published / PUBLISHED_COVERAGE.rows
            n = round(stop * per_row) - round(start * per_row)
            like = rng.integers(0, stop - start, n)
            extra = Bins(own.hole, np.arange(below, below + n), own.features[like], own.lithology[like], instruments)
            if instruments == NO_COLOUR:
                extra = replace(extra, hole=_sibling(own.hole), number=np.arange(n))
            else:
                below += n
            if instruments == OUTLIERS:
                extra.features[:, 0] = rng.choice([0.12, 5.2], n)
            parts.append(extra)
        yield parts


def _sibling(hole: str) -> str:
    """Return a hole of the same site that is in no table: real ones go from A to I."""
    return hole[:-1] + chr(ord(hole[-1]) + 12)


def _samples(bins: Bins, instrument: str, rng: np.random.Generator, simulated: str) -> str:
    """Return the lines of an instrument's samples in some bins, evenly spaced and clear of the bins' edges."""
    channels, n = list(CHANNELS[instrument]), SAMPLES[instrument]
    offset = ((np.arange(n) + 0.5) / n - 0.5) * BIN_WIDTH
    depth = np.abs(bins.number[:, None] * BIN_WIDTH + offset)  # depths are positive: the first bin is half as wide
    means = bins.features[:, channels][:, None]
    room = np.maximum(0, [LILY[i].plausible[1] for i in channels] - means)
    noise = rng.uniform(-1, 1, (len(means), n // 2, len(channels))) * np.minimum(NOISE * np.abs(means), room)
    values = means + np.concatenate([noise, -noise], axis=1)  # in pairs, so that the mean holds
    lines = _lines(bins, len(channels), simulated)
    lost = np.flatnonzero(rng.random(len(lines)) < SENTINEL_SHARE)
    text = "".join(line * n for line in lines) % tuple(np.dstack([depth, values]).ravel().tolist())
    return text + "".join(lines[i] % (depth[i, 0], *[SENTINEL] * len(channels)) for i in lost.tolist())


def _lines(bins: Bins, n_channels: int, simulated: str) -> list[str]:
    """Return a line for each bin's samples, with placeholders for the depth and the values."""
    core, in_core = np.divmod(bins.number, round(CORE_LENGTH / BIN_WIDTH))
    section = (in_core * BIN_WIDTH / SECTION_LENGTH).astype(np.int64)
    kind = np.where(bins.number * BIN_WIDTH < PISTON_DEPTH, "H", "R")
    hole, places = bins.hole.split("-"), ["%.4f", *["%.8g"] * n_channels]
    return [
        _line(*hole, str(core + 1), kind, str(section + 1), "A", *places, lithology.replace("%", "%%"), simulated)
        for core, kind, section, lithology in zip(
            core.tolist(), kind.tolist(), section.tolist(), bins.lithology.tolist(), strict=True
        )
    ]


def _line(*fields: str) -> str:
    return ",".join(fields) + "\n"  # no published lithology needs quotes
