from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.scan.scan import open_scan

hdf5plugin = pytest.importorskip("hdf5plugin", reason="hdf5plugin (the extra filters) is not installed")
FILTERS = {"Blosc": "Blosc", "Blosc2": "Blosc2", "LZ4": "LZ4", "Zstandard": "Zstd", "bitshuffle": "Bitshuffle"}


def write(path: Path, name: str, dataset: str = "MS") -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(dataset, data=np.arange(500.0), chunks=(100,), **getattr(hdf5plugin, FILTERS[name])())
        file["R"] = np.ones(500)


@pytest.mark.parametrize("name", FILTERS)
def test_filters_of_hdf5plugin_are_read(tmp_path: Path, name: str) -> None:
    write(tmp_path / "scan.h5", name)
    with open_scan(tmp_path / "scan.h5") as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(stretch.features[1], np.arange(500))


def hide_hdf5plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate that the extra is not installed: hide the filters that it has already registered."""
    known = h5py.h5z.filter_avail

    def import_module(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: number < 32001 and known(number))
    monkeypatch.setattr(importlib, "import_module", import_module)


@pytest.mark.parametrize("name", FILTERS)
def test_a_missing_filter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write(tmp_path / "scan.h5", name)
    hide_hdf5plugin(monkeypatch)
    with pytest.raises(
        ScanError, match=rf"MS is compressed with {name}, which needs hdf5plugin: pip install 'lithovae\[filters\]'"
    ):
        with open_scan(tmp_path / "scan.h5"):
            pass


def test_a_dataset_that_is_not_read_needs_no_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "scan.h5", "Blosc", dataset="temperature")
    hide_hdf5plugin(monkeypatch)
    with open_scan(tmp_path / "scan.h5") as scan:
        assert list(scan.sources) == [3]


@pytest.mark.parametrize("options", [{"fletcher32": True}, {"compression": "lzf"}, {"compression": 9, "shuffle": True}])
@pytest.mark.parametrize("dtype", [">f2", "<f4", ">f8", "i1", "<u2", ">i4", "u8"])
def test_builtin_filters_are_read(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    values = (np.arange(120) % 100).astype(dtype)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("NGR", data=values, chunks=(50,), **options)
    with open_scan(tmp_path / "scan.h5") as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(stretch.features[2], np.arange(120) % 100)
