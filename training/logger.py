"""Simulate a core scan as a multi-instrument logger would write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.result import SIMULATED

from .stratigraphy import CORE_BINS
from .table import TrainingTable

SECTION_LENGTH = 1.5
SENTINEL = -999.25
EDGE = 0.02
"""Distance (m) from a section's end within which the density is too low."""
LOST = 0.01
"""Share of the readings that are lost."""
BLOCK_BINS = 2000


@dataclass(frozen=True)
class Instrument:
    """One sensor: its group in the file, its step along the core, and the features that it measures.

    Attributes
    ----------
    group : str
        Name of its group.
    step : float
        Distance between readings in metres.
    features : tuple of int
        Positions of its features.
    unit : str
        Unit of its readings.
    noise : float
        Standard deviation of a reading, relative to its value.
    in_centimetres : bool
        Whether it logs its depth in centimetres.
    sentinel : bool
        Whether it marks a lost reading by -999.25; by NaN otherwise.
    """

    group: str
    step: float
    features: tuple[int, ...]
    unit: str
    noise: float
    in_centimetres: bool = False
    sentinel: bool = True


INSTRUMENTS = (
    Instrument("GRA", 0.025, (0,), "g/cm^3", 0.01),
    Instrument("MS", 0.025, (1,), "instr. units", 0.03),
    Instrument("NGR", 0.1, (2,), "cps", 0.03),
    Instrument("RGB", 0.01, (3, 4, 5), "0-255", 0.02, in_centimetres=True, sentinel=False),
)


def simulate_scan(
    out: str | Path,
    table: TrainingTable,
    *,
    seed: int = 42,
    length: float = 30.0,
    hole: str | None = None,
    colour_step: float = 0.01,
) -> float:
    """Write a simulated core scan (HDF5) whose 20 cm bins are the rows of a table.

    It has density and susceptibility every 2.5 cm, natural gamma every 10 cm, and colour with its depth in cm; cores of
    9.6 m without their lower part, sections of 1.5 m with low density at their ends, and lost readings as sentinels or
    NaN. The mean of the readings in each bin is the table's value.

    Parameters
    ----------
    out : path-like
        The file; it appears when it is complete.
    table : TrainingTable
        A simulated table.
    seed : int
        The same seed gives the same readings.
    length : float
        Depth (m) below which no bin is written.
    hole : str, optional
        One of the table's holes; by default the one with most rows of those that start at depth 0.
    colour_step : float
        Distance between colour readings in metres: 0.01, or 0.0005 as a line-scan camera takes them.

    Returns
    -------
    float
        Depth (m) of the deepest bin.

    Raises
    ------
    TableError
        If the table has no such hole, or ``colour_step`` does not divide a bin.
    """
    if abs(BIN_WIDTH / colour_step - round(BIN_WIDTH / colour_step)) > 1e-6:
        raise TableError(f"a colour step of {colour_step:g} m does not divide a bin of {BIN_WIDTH:g} m")
    names, first, counts = np.unique(table.hole, return_index=True, return_counts=True)
    if hole is None:
        hole = str(names[np.argmax(np.where(table.depth[first] == 0, counts, 0))])
    if hole not in names:
        raise TableError(f"the simulated table has no hole {hole!r}; it has {', '.join(names[:4])}, …")
    rows = (table.hole == hole) & (table.depth <= length)
    rng = np.random.default_rng(seed)
    with whole_file(out) as file, h5py.File(file, "w") as scan:
        scan.attrs["hole"] = "SIM-A"  # not the name of a real hole: none of this was measured
        scan.attrs["source"] = f"LithoVAE's simulator, seed {seed}: no measured core"
        scan.attrs[SIMULATED] = f"seed {seed}"
        for instrument in INSTRUMENTS:
            step = colour_step if instrument.group == "RGB" else instrument.step
            group = scan.create_group(instrument.group)
            for start in range(0, int(rows.sum()), BLOCK_BINS):
                block = np.flatnonzero(rows)[start : start + BLOCK_BINS]
                _append(group, _readings(instrument, step, table.depth[block], table.features[block], rng))
            group["depth"].attrs["units"] = "cm" if instrument.in_centimetres else "m"
            for feature in instrument.features:
                group[FEATURE_NAMES[feature]].attrs["units"] = instrument.unit
    return float(table.depth[rows].max())


def _readings(
    instrument: Instrument,
    step: float,
    bins: NDArray[np.float64],
    features: NDArray[np.float64],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.generic]]:
    """Return an instrument's readings in some bins, whose means are the bins' features."""
    n = round(BIN_WIDTH / step)
    depth = bins[:, None] + ((np.arange(n) + 0.5) / n - 0.5) * BIN_WIDTH
    in_core = depth % (CORE_BINS * BIN_WIDTH)
    in_section = in_core % SECTION_LENGTH
    above_top = depth < 0
    lost = rng.random(depth.shape) < LOST
    lost[:, -1] = False  # every bin has at least one reading
    columns: dict[str, NDArray[np.generic]] = {
        "depth": depth * 100 if instrument.in_centimetres else depth,
        "core": (depth // (CORE_BINS * BIN_WIDTH)).astype(np.int32) + 1,
        "section": (in_core // SECTION_LENGTH).astype(np.int32) + 1,
    }
    for feature in instrument.features:
        deviation = rng.normal(0, instrument.noise, depth.shape)
        if instrument.group == "GRA":
            deviation -= 0.2 * ((in_section < EDGE) | (in_section > SECTION_LENGTH - EDGE))
        deviation -= np.mean(deviation, axis=1, where=~(lost | above_top), keepdims=True)
        values = features[:, feature, None] * (1 + deviation)
        values[lost] = SENTINEL if instrument.sentinel else np.nan
        columns[FEATURE_NAMES[feature]] = values.astype(np.float32)
    return {name: values[~above_top] for name, values in columns.items()}


def _append(group: h5py.Group, columns: dict[str, NDArray[np.generic]]) -> None:
    for name, values in columns.items():
        if name not in group:
            chunk = min(len(values), 1 << 16)
            options = {"maxshape": (None,), "chunks": (chunk,), "compression": "gzip", "shuffle": True}
            group.create_dataset(name, data=values, track_times=False, **options)
        else:
            dataset = group[name]
            dataset.resize(len(dataset) + len(values), axis=0)
            dataset[-len(values) :] = values
