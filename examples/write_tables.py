"""Write the tables of ``examples/core``, for the tutorial: what four instruments logged, as text, from ``scan.h5``.

The core is simulated. Of density, susceptibility and colour only some samples are taken, and natural gamma has a gap,
so that the tutorial has one.
"""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
TABLES = {
    "density.csv": ("GRA", 2, {"Bulk density (GRA)": "Bulk density (g/cm3)"}),
    "susceptibility.csv": (
        "MS",
        2,
        {"Magnetic susceptibility (instr. units)": "Magnetic susceptibility (instr. units)"},
    ),
    "gamma.csv": ("NGR", 1, {"NGR total counts (cps)": "NGR total counts (cps)"}),
    "colour.csv": ("RGB", 5, {"R": "R", "G": "G", "B": "B"}),
}
"""File, group of the scan, how many samples make one row, and the headings of its columns."""
GAP = (12.0, 14.0)
"""Depths in metres between which there is no natural gamma."""


def write_tables(folder: Path) -> None:
    """Write the tables into a folder."""
    folder.mkdir(exist_ok=True)
    with h5py.File(HERE / "scan.h5") as scan:
        hole = scan.attrs["hole"]
        for name, (group, every, headings) in TABLES.items():
            table = scan[group]
            depth = table["depth"][:] / (100 if table["depth"].attrs["units"] == "cm" else 1)
            values = np.column_stack([table[column][:] for column in headings])
            kept = [i for i in range(0, len(depth), every) if group != "NGR" or not GAP[0] <= depth[i] < GAP[1]]
            with open(folder / name, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["Hole", "Core", "Section", "Depth (m)", *headings.values()])
                for i in kept:
                    cells = ["" if np.isnan(value) else f"{value:.6g}" for value in values[i]]
                    writer.writerow([hole, table["core"][i], table["section"][i], f"{depth[i]:.3f}", *cells])


if __name__ == "__main__":
    write_tables(HERE / "core")
