"""The scans that are measured: plausible values in the layouts and filters that loggers use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import FEATURE_NAMES

CHUNK_ROWS = 65_536
POOL_ROWS = 1 << 20
"""Number of distinct rows; a longer scan repeats them."""
ROW_SPACING = 0.001
GZIP = {"compression": "gzip", "shuffle": True}


def plausible_rows(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw raw rows (n, 6), rounded as instruments report them: density to 0.001, counts to 0.01, colour to 0.1."""
    logs = rng.normal([2.5, 3.1, 4.1, 4.1, 4.0], [1.5, 0.6, 0.5, 0.5, 0.5], (n, 5))
    density = rng.normal(1.7, 0.25, n).round(3)
    counts = np.expm1(logs[:, :2]).round(2)
    return np.column_stack([density, counts, np.expm1(logs[:, 2:]).round(1).clip(0, 255)]).astype(np.float32)


def write_table(path: Path, n_rows: int, dtype: str = "f4", **filters: Any) -> Path:
    """Write one (n, 6) dataset with column names, and depth in metres; chunked if there are filters."""
    pool = plausible_rows(min(n_rows, POOL_ROWS), np.random.default_rng(0)).astype(dtype)
    chunk = min(CHUNK_ROWS, n_rows)
    chunks = {"chunks": (chunk, 6)} if filters else {}
    depth_chunks = {"chunks": (chunk,)} if filters else {}
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (n_rows, 6), dtype, **chunks, **filters)
        data.attrs["columns"] = list(FEATURE_NAMES)
        depth = file.create_dataset("depth", (n_rows,), "f8", **depth_chunks, **filters)
        depth.attrs["units"] = "m"
        for start in range(0, n_rows, POOL_ROWS):
            n = min(POOL_ROWS, n_rows - start)
            data[start : start + n] = pool[:n]
            depth[start : start + n] = np.arange(start, start + n) * ROW_SPACING
    return path


def write_instruments(path: Path, n_lines: int) -> Path:
    """Write one group per instrument: a line-scan camera, ``n_lines`` at 0.5 mm, and three loggers at 2 to 5 cm."""
    length = n_lines * 0.0005
    rng = np.random.default_rng(3)
    grids = {"GRA": 0.025, "MS": 0.02, "NGR": 0.05, "camera": 0.0005}
    with h5py.File(path, "w") as file:
        for group, spacing in grids.items():
            depth = np.arange(int(length / spacing)) * spacing
            file[f"{group}/depth"] = depth
            file[f"{group}/depth"].attrs["units"] = "m"
            values = plausible_rows(min(len(depth), POOL_ROWS), rng)
            values = np.resize(values, (len(depth), 6))
            names = FEATURE_NAMES[3:] if group == "camera" else [FEATURE_NAMES[list(grids).index(group)]]
            for name in names:
                file[f"{group}/{name}"] = values[:, FEATURE_NAMES.index(name)]
    return path


def write_small(folder: Path, n_scans: int, n_rows: int) -> list[Path]:
    """Write many small tables."""
    folder.mkdir(parents=True, exist_ok=True)
    first = write_table(folder / "scan0000.h5", n_rows).read_bytes()
    paths = [folder / f"scan{i:04}.h5" for i in range(n_scans)]
    for path in paths[1:]:
        path.write_bytes(first)
    return paths
