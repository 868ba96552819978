"""A scan to an ``.npz``, streamed: the next block is read while one is computed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

READ_ROWS = 262_144
"""Rows per block: whole chunks of the scans that are measured."""
BIN_WIDTH = 0.2


def embed_scan(scan: Path, out: Path, embed: Callable[[Float32s], Float32s]) -> None:
    """Embed a scan: the rows of a table, or instruments on different depth grids in bins of 0.2 m."""
    with h5py.File(scan) as file, zipfile.ZipFile(out, "w") as archive:
        if "data" not in file:
            depth, features = binned(file)
            with member(archive, "embeddings", np.float32, (len(depth), 10)) as write:
                write(embed(features))
            with member(archive, "depth", np.float64, depth.shape) as write:
                write(depth)
            return
        data, depths = file["data"], file["depth"]
        with ThreadPoolExecutor(1) as reader, member(archive, "embeddings", np.float32, (len(data), 10)) as write:
            ahead = reader.submit(rows, data, 0)
            for start in range(0, len(data), READ_ROWS):
                block = ahead.result()
                ahead = reader.submit(rows, data, start + READ_ROWS)
                write(embed(block))
        with member(archive, "depth", np.float64, depths.shape) as write:
            for start in range(0, len(depths), READ_ROWS):
                write(depths[start : start + READ_ROWS])


def rows(data: Any, start: int) -> Float32s:
    """Read a block as contiguous float32."""
    return np.ascontiguousarray(data[start : start + READ_ROWS], dtype=np.float32)


@contextmanager
def member(
    archive: zipfile.ZipFile, name: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> Iterator[Callable[[NDArray[Any]], object]]:
    """Open a member of an ``.npz`` for writing, block by block."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda block: file.write(np.ascontiguousarray(block, dtype).data.cast("B"))


def binned(file: Any) -> tuple[NDArray[np.float64], Float32s]:
    """Average instruments in bins: return the depths of the bins, and the mean of each feature (n, 6)."""
    sums: list[tuple[str, str]] = [
        ("GRA", "Bulk density (GRA)"),
        ("MS", "Magnetic susceptibility (instr. units)"),
        ("NGR", "NGR total counts (cps)"),
        *[("camera", colour) for colour in "RGB"],
    ]
    last = max(file[f"{group}/depth"][-1] for group, _ in sums)
    n = round(float(last) / BIN_WIDTH) + 1
    means: NDArray[np.float64] = np.full((n, len(sums)), np.nan)
    for group in dict.fromkeys(group for group, _ in sums):
        columns = [i for i, (name, _) in enumerate(sums) if name == group]
        totals, counts = np.zeros((n, len(columns))), np.zeros(n)
        for start in range(0, len(file[f"{group}/depth"]), READ_ROWS):
            some = slice(start, start + READ_ROWS)
            bins = np.rint(file[f"{group}/depth"][some] / BIN_WIDTH).astype(np.int64)
            counts += np.bincount(bins, minlength=n)
            for k, i in enumerate(columns):
                totals[:, k] += np.bincount(bins, file[f"{group}/{sums[i][1]}"][some], n)
        with np.errstate(invalid="ignore"):
            means[:, columns] = totals / counts[:, None]
    measured = ~np.isnan(means).all(axis=1)
    return np.asarray(np.flatnonzero(measured) * BIN_WIDTH, np.float64), means[measured].astype(np.float32)
