"""The five real cores, compared with bins computed here with only h5py and numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan

Floats = NDArray[np.float64]
Tracks = list[tuple[Floats, dict[int, Floats]]]


def m9907(file: Any, per_metre: float) -> Tracks:
    mst, camera = file["MST"], file["linescan"]
    return [
        (mst["depth"][:] / per_metre, {0: mst["Den"][:], 1: mst["MS"][:]}),
        (camera["depth"][:] / per_metre, {3: camera["R"][:], 4: camera["G"][:], 5: camera["B"][:]}),
    ]


def odp_926a(file: Any) -> Tracks:
    depth = "Depth CSF-A (m)"
    ms, ngr, colour = file["susceptibility"], file["natural_gamma"], file["colour"]
    return [
        (ms[depth][:], {1: ms["magnetic_susceptibility"][:]}),
        (ngr[depth][:], {2: ngr["NGR total counts (cps)"][:]}),
        (colour[depth][:], {3: colour["R"][:], 4: colour["G"][:], 5: colour["B"][:]}),
    ]


def odp_984a(file: Any) -> Tracks:
    names = {
        "GRA": (0, "Bulk density (GRA)"),
        "MS": (1, "Magnetic susceptibility (instr. units)"),
        "NGR": (2, "NGR total counts (cps)"),
    }
    tables = {name: file["162-984-A"][name][:] for name in names}
    return [(tables[name]["Depth CSF-A (m)"], {i: tables[name][column]}) for name, (i, column) in names.items()]


def u1482c(file: Any) -> Tracks:
    depth = "Depth CSF-A (m)"
    ngr = file["NGR"]
    return [
        (file[depth][:], {0: file["Bulk density (GRA)"][:]}),
        (ngr[depth][:], {2: ngr["NGR total counts (cps)"][:]}),
    ]


def binned(tracks: Tracks) -> tuple[Floats, Floats]:
    """Return depths (m) and means, shape (bins, 6), by the definition of the published table."""
    cells: dict[tuple[int, int], list[float]] = {}
    for depth, channels in tracks:
        for i, values in channels.items():
            for key, value in zip(np.round(depth / 0.2), values, strict=True):
                if not np.isnan(value) and value != -999.25:
                    cells.setdefault((int(key), i), []).append(float(value))
    keys = sorted({key for key, _ in cells})
    means = np.array([[np.mean(cells.get((key, i), [np.nan])) for i in range(6)] for key in keys])
    return np.array(keys) * 0.2, means


CASES: dict[str, tuple[Callable[[Any], Tracks], int, dict[str, str]]] = {
    "m9907-23pc": (lambda file: m9907(file, 100.0), 40, {"core": "M9907-23PC"}),
    "m9907-11pc": (lambda file: m9907(file, 1.0), 23, {"core": "M9907-11PC"}),
    "odp-926a": (odp_926a, 1604, {"expedition": "154", "site": "926", "hole": "A"}),
    "odp-984a": (odp_984a, 870, {"expedition": "162", "site": "984", "hole": "A"}),
    "iodp-u1482c": (u1482c, 2554, {"hole": "U1482C"}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bundle", ["semisup_hybrid", "semisup"])
def test_features_units_and_bins(shared_scans: Path, tmp_path: Path, name: str, bundle: str) -> None:
    read, n_bins, address = CASES[name]
    with h5py.File(shared_scans / f"{name}.h5") as file:
        depth, means = binned(read(file))
    model = LithoModel.load(bundle)
    embed_scan(shared_scans / f"{name}.h5", tmp_path / "out.npz", model)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert len(depth) == n_bins
        np.testing.assert_allclose(arrays["depth"], depth)
        np.testing.assert_array_equal(arrays["missing"], np.isnan(means) @ (1 << np.arange(6)))
        np.testing.assert_allclose(arrays["embeddings"], model.embed(means), rtol=1e-4, atol=1e-5)
        for part, text in address.items():
            assert set(np.atleast_1d(arrays[part]).tolist()) == {text}
        # A hybrid model imputes missing features; a standard one returns NaN.
        lacks = np.isnan(means).any(axis=1)
        assert np.isnan(arrays["embeddings"]).any(axis=1).tolist() == (lacks & (bundle == "semisup")).tolist()


def test_samples_keep_their_core_and_section(shared_scans: Path, tmp_path: Path) -> None:
    embed_scan(shared_scans / "odp-984a.h5", tmp_path / "out.npz", LithoModel.load("unsup_hybrid"))
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["core"][0] == "1"
        assert arrays["section"][0] == "1"
        core = arrays["core"].astype(int)
        assert (np.diff(core) >= 0).mean() > 0.99
        assert core.max() == 19
