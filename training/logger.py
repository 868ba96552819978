"""A simulated core scan as a multi-instrument logger would leave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.output import whole_file

from .simulate import CORE_BINS, simulate_table

SECTION_LENGTH = 1.5
SENTINEL = -999.25


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
        Whether it marks a lost reading by -999.25; NaN otherwise.
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


def simulate_scan(out: str | Path, seed: int = 42, length: float = 30.0) -> None:
    """Write a simulated core scan (HDF5).

    Density and susceptibility every 2.5 cm, natural gamma every 10 cm, colour every 1 cm with its depth in cm; cores of
    9.6 m with their lower part lost, sections of 1.5 m, low density at section ends, lost readings as sentinels or NaN.

    Parameters
    ----------
    out : path-like
        The file; it appears when it is whole.
    seed : int
        The same seed gives the same scan.
    length : float
        Depth (m) of the deepest reading; at most that of the deepest simulated hole.
    """
    table = simulate_table(seed)
    from_the_top = [name for name in np.unique(table.hole) if table.depth[table.hole == name][0] == 0]
    hole = max(from_the_top, key=lambda name: int(np.count_nonzero(table.hole == name)))
    rows = (table.hole == hole) & (table.depth <= length)
    depth, features = table.depth[rows], table.features[rows]
    rng = np.random.default_rng(seed)
    with whole_file(out) as file, h5py.File(file, "w") as scan:
        scan.attrs["hole"] = "SIM-A"  # not the name of a real hole: none of this was measured
        scan.attrs["source"] = f"LithoVAE's simulator, seed {seed}: no measured core"
        for instrument in INSTRUMENTS:
            _write(scan, instrument, depth, features, rng)


def _write(
    scan: h5py.File,
    instrument: Instrument,
    depth: NDArray[np.float64],
    features: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    grid = np.arange(0, depth[-1], instrument.step)
    recovered = np.isin(np.rint(grid / BIN_WIDTH), np.rint(depth / BIN_WIDTH))
    grid = grid[recovered]
    in_core = grid % (CORE_BINS * BIN_WIDTH)
    section = (in_core // SECTION_LENGTH).astype(np.int32) + 1
    group = scan.create_group(instrument.group)

    def store(name: str, values: NDArray[np.generic], unit: str = "") -> None:
        group.create_dataset(name, data=values, compression="gzip", shuffle=True, track_times=False)
        if unit:
            group[name].attrs["units"] = unit

    if instrument.in_centimetres:
        store("depth", grid * 100, "cm")
    else:
        store("depth", grid, "m")
    store("core", (grid // (CORE_BINS * BIN_WIDTH)).astype(np.int32) + 1)
    store("section", section)
    at_end = (in_core % SECTION_LENGTH < 0.02) | (in_core % SECTION_LENGTH > SECTION_LENGTH - 0.02)
    lost = rng.random(len(grid)) < 0.01
    for feature in instrument.features:
        values = np.interp(grid, depth, features[:, feature]) * rng.normal(1, instrument.noise, len(grid))
        values[at_end] *= 0.8 if instrument.group == "GRA" else 1.0
        values[lost] = SENTINEL if instrument.sentinel else np.nan
        store(FEATURE_NAMES[feature], values.astype(np.float32), instrument.unit)
