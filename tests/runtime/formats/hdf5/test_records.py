"""Tables of records with fields that h5py cannot read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lithovae.runtime import LithoModel, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Settings


def write_table(path: Path, units: dict[str, str], *, only_time: bool = False, chunks: tuple[int, ...] | None) -> None:
    """Write a table with a time before the depth and the features, as PyTables does."""
    fields = [("depth", h5py.h5t.IEEE_F64LE), ("density", h5py.h5t.IEEE_F32LE), ("MS", h5py.h5t.IEEE_F32LE)]
    fields += [("core", h5py.h5t.STD_I32LE), ("section", h5py.h5t.STD_I32LE)]
    stored = h5py.h5t.create(h5py.h5t.COMPOUND, 8 if only_time else 32)
    stored.insert(b"t", 0, h5py.h5t.UNIX_D64LE)
    offset = 8
    for name, kind in [] if only_time else fields:
        stored.insert(name.encode(), offset, kind)
        offset += kind.get_size()
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if chunks:
            properties.set_chunk(chunks)
            properties.set_deflate(4)
        dataset = h5py.h5d.create(file.id, b"log", stored, h5py.h5s.create_simple((9,)), properties)
        if not only_time:
            rows = np.zeros(9, [("depth", "f8"), ("density", "f4"), ("MS", "f4")])
            rows["depth"], rows["density"], rows["MS"] = np.arange(1, 10) * 0.2, 1700.0, np.arange(9)
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, rows)
        for name, text in units.items():
            file["log"].attrs[name] = text


@pytest.mark.parametrize("chunks", [None, (4,)])
def test_a_time_beside_the_features_is_passed_over(tmp_path: Path, chunks: tuple[int, ...] | None) -> None:
    # the positions of the fields count with the time: field 0 is the time, in seconds
    write_table(
        tmp_path / "log.h5", {"FIELD_0_UNITS": "s", "FIELD_1_UNITS": "m", "FIELD_2_UNITS": "kg/m3"}, chunks=chunks
    )
    with open_scan(tmp_path / "log.h5") as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_allclose(stretch.features[0], 1.7)
        assert stretch.features[1].tolist() == list(range(9))
        np.testing.assert_allclose(np.asarray(stretch.depth), np.arange(1, 10) * 0.2)
        assert "log: t holds times, or another type that is not read: left out" in scan.notes
        assert scan.unused == ["log:t"]
        assert not scan.tracks[0].unreadable  # beside core and section, t could be a type


def test_a_table_of_times_alone_is_noted(tmp_path: Path) -> None:
    write_table(tmp_path / "log.h5", {}, only_time=True, chunks=None)
    with pytest.raises(ScanError, match="log cannot be read: No NumPy equivalent"), open_scan(tmp_path / "log.h5"):
        pass


def test_field_case_h8(shared_field: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    summary = embed_scan(shared_field / "H8_pytables_time64.h5", out, LithoModel.load("unsup_hybrid"), Settings())
    assert (summary.n_rows, summary.n_missing.tolist()) == (60, [0, 0, 0, 60, 60, 60])
    assert any("log: t holds times" in note for note in summary.scan.notes)


@pytest.mark.parametrize("path", ["MS_SIx10-5 ", "MS_SIx10-5", "/MS_SIx10-5 "])
def test_field_case_h9(shared_field: Path, path: str) -> None:
    with open_scan(shared_field / "H9_name_with_blank.h5", {"MS": path}) as scan:
        assert scan.sources[1][0].column.path == "MS_SIx10-5 "
