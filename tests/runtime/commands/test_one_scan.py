from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import LithoModel, OutputError, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.formats.hdf5 import reading
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.scan.blocks import BLOCK_ROWS, BYTES_IN_FLIGHT
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Settings

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid")


@pytest.fixture(params=[BLOCK_ROWS, 64])
def block_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run with blocks of the usual size, and with small ones."""
    monkeypatch.setattr(track_module, "BLOCK_ROWS", request.param)
    return int(request.param)


def run(scan: Path, model: LithoModel, **options: Any) -> dict[str, NDArray[Any]]:
    out = scan.with_suffix(".npz")
    embed_scan(scan, out, model, Settings(**options))
    with np.load(out, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.usefixtures("block_rows")
def test_own_rows_are_kept_unchanged(write_scan: WriteScan, features: Floats, model: LithoModel) -> None:
    features[::7, 2] = np.nan
    depth = np.arange(len(features)) * 0.01
    section = np.array([f"{1 + i // 100}" for i in range(len(features))], "S4")
    data = {name: features[:, i] for i, name in enumerate(FEATURE_NAMES)}
    scan = write_scan(data | {"depth": depth, "section": section}, {"depth": "m"}, {"@hole": "U1482C"})
    arrays = run(scan, model)
    np.testing.assert_array_equal(arrays["embeddings"], model.embed(features))
    assert arrays["embeddings"].dtype == np.float32
    np.testing.assert_array_equal(arrays["depth"], depth)
    np.testing.assert_array_equal(arrays["missing"], np.where(np.arange(len(features)) % 7 == 0, 4, 0))
    assert arrays["section"].tolist() == section.astype(str).tolist()
    assert arrays["hole"] == "U1482C"  # 0-d: the same in all rows
    np.testing.assert_array_equal(arrays["features"], FEATURE_NAMES)


@pytest.mark.usefixtures("block_rows")
def test_instruments_are_brought_together_in_bins(write_scan: WriteScan, model: LithoModel) -> None:
    rng = np.random.default_rng(5)
    data: dict[str, Any] = {}
    expected: dict[int, dict[int, float]] = {}
    for group, step, columns in [
        ("gra", 0.025, (0,)),
        ("ms", 0.03, (1,)),
        ("ngr", 0.1, (2,)),
        ("rgb", 0.01, (3, 4, 5)),
    ]:
        data[f"{group}/depth"] = rng.permutation(np.arange(30, 2000.0, step * 100))
        depth = data[f"{group}/depth"] / 100
        for i in columns:
            values = rng.uniform(1, 4 if i == 0 else 200, len(depth))
            values[rng.random(len(depth)) < 0.1] = -999.25
            data[f"{group}/{FEATURE_NAMES[i].replace('/', '')}"] = values
            for key in np.unique(np.round(depth / 0.2)):
                inside = values[(np.round(depth / 0.2) == key) & (values != -999.25)]
                if len(inside):
                    expected.setdefault(int(key), {})[i] = inside.mean()
    scan = write_scan(data, {f"{group}/depth": "cm" for group in ("gra", "ms", "ngr", "rgb")})
    arrays = run(scan, model)
    keys = sorted(expected)
    table = np.array([[expected[key].get(i, np.nan) for i in range(6)] for key in keys])
    np.testing.assert_allclose(arrays["depth"], np.array(keys) * 0.2)
    np.testing.assert_allclose(arrays["embeddings"], model.embed(table), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(arrays["missing"], model.missing(table))
    assert arrays["samples"].shape == (len(keys), 6)
    assert ((arrays["samples"] == 0) == np.isnan(table)).all()


@pytest.mark.usefixtures("block_rows")
def test_several_holes_are_kept_apart(write_scan: WriteScan, model: LithoModel) -> None:
    data: dict[str, Any] = {}
    for group, name in (("a", "density"), ("b", "NGR")):
        data[f"{group}/{name}"] = np.array([1.0, 2.0, 3.0, 4.0])
        data[f"{group}/depth"] = np.array([0.0, 0.2, 0.0, 0.2])
        data[f"{group}/Hole"] = np.array([b"A", b"A", b"B", b"B"])
        data[f"{group}/Core"] = np.array([1, 2, 1, 2])
    arrays = run(write_scan(data), model)
    assert arrays["hole"].tolist() == ["A", "A", "B", "B"]
    assert arrays["core"].tolist() == ["1", "2", "1", "2"]
    np.testing.assert_allclose(arrays["depth"], [0.0, 0.2, 0.0, 0.2])
    expected = np.full((4, 6), np.nan)
    expected[:, 0] = expected[:, 2] = [1, 2, 3, 4]
    np.testing.assert_allclose(arrays["embeddings"], model.embed(expected), atol=1e-6)


def test_every_part_of_an_address_is_kept_where_any_instrument_has_it(write_scan: WriteScan, model: LithoModel) -> None:
    data = {
        **{"a/density": np.ones(2), "a/depth": np.array([0.0, 0.2]), "a/core": np.array([7, 31], "u1")},
        **{"b/NGR": np.ones(2), "b/depth": np.array([0.2, 0.4]), "b/section": np.array([b"1 ", b"CC"])},
    }
    arrays = run(write_scan(data, attrs={"@hole": np.array([b"A"])}), model)
    assert arrays["core"].tolist() == ["7", "31", ""]
    assert arrays["section"].tolist() == ["", "1", "CC"]
    assert arrays["hole"] == "A"


def test_a_hole_named_by_a_column_and_another_by_an_attribute(write_scan: WriteScan, model: LithoModel) -> None:
    data = {"a/density": np.ones(1), "a/depth": np.zeros(1), "b/NGR": np.ones(1), "b/depth": np.zeros(1)}
    with pytest.raises(ScanError, match=r"several holes \(hole A, B\)"):
        run(write_scan(data | {"a/hole": [b"A"]}, attrs={"b@hole": "B"}), model)


def test_holes_numbered_by_floats_stay_apart(write_scan: WriteScan, model: LithoModel) -> None:
    data: dict[str, Any] = {}
    for group, name in (("a", "density"), ("b", "NGR")):
        data |= {
            f"{group}/{name}": np.ones(2),
            f"{group}/depth": np.zeros(2),
            f"{group}/hole": [12345671.0, 12345672.0],
        }
    assert run(write_scan(data), model)["hole"].tolist() == ["12345671", "12345672"]


def test_bad_samples_do_not_spoil_a_bin(write_scan: WriteScan, model: LithoModel) -> None:
    data = {"a/R": np.array([100.0, -1, -7, 102]), "a/depth": np.zeros(4),
            "b/density": np.array([1.5, np.inf, 2.5]), "b/depth": np.zeros(3)}  # fmt: skip
    arrays = run(write_scan(data), model)
    assert arrays["samples"][0].tolist() == [2, 0, 0, 2, 0, 0]
    expected = np.array([[2.0, np.nan, np.nan, 101.0, np.nan, np.nan]])
    np.testing.assert_allclose(arrays["embeddings"], model.embed(expected), atol=1e-6)


def test_depths_in_m_and_cm_fall_into_the_same_bins(write_scan: WriteScan, model: LithoModel) -> None:
    tenths = np.arange(1000)
    data = {"a/density": np.ones(1000), "a/depth": tenths / 10, "b/NGR": np.ones(1000), "b/depth": tenths * 10.0}
    arrays = run(write_scan(data, {"a/depth": "m", "b/depth": "cm"}), model)
    np.testing.assert_array_equal(arrays["samples"][:, 0], arrays["samples"][:, 2])


def test_implausible_values_are_counted(flat_scan: Path, model: LithoModel) -> None:
    with h5py.File(flat_scan, "a") as file:
        file[FEATURE_NAMES[0]][:10] = 1700.0  # kg/m3 that does not say so
    summary = embed_scan(flat_scan, flat_scan.with_suffix(".npz"), model)
    assert summary.n_implausible.tolist() == [10, 0, 0, 0, 0, 0]


def test_holes_that_only_one_instrument_names_are_not_mixed(write_scan: WriteScan, model: LithoModel) -> None:
    data = {"a/density": np.ones(2), "a/depth": np.zeros(2), "b/NGR": np.ones(2), "b/depth": np.zeros(2)}
    one = run(write_scan(data | {"a/hole": np.array([b"A", b"A"])}), model)
    assert one["hole"] == "A"
    with pytest.raises(ScanError, match=r"several holes \(hole A, B\), but not every instrument says which"):
        run(write_scan(data | {"a/hole": np.array([b"A", b"B"])}), model)


def test_samples_without_depth_are_left_out_and_counted(write_scan: WriteScan, model: LithoModel) -> None:
    data = {
        "a/density": np.ones(4),
        "a/depth": np.array([0.0, -999.25, np.nan, 0.2]),
        "b/R": np.ones(1),
        "b/depth": [0.0],
    }
    scan = write_scan(data)
    summary = embed_scan(scan, scan.with_suffix(".npz"), model)
    assert (summary.n_rows, summary.n_left_out) == (2, 2)
    with pytest.raises(ScanError, match="no sample has both a depth and a value"):
        run(write_scan(data | {"a/depth": np.full(4, np.nan), "b/depth": [-999.0]}), model)


@pytest.mark.parametrize(
    "section", [np.array([1.0, 2.5, 3.0]), np.array(["1", "CC", "naïve"], object), np.array([1, 2, 3])]
)
def test_address_parts_of_any_type_become_text(write_scan: WriteScan, model: LithoModel, section: Any) -> None:
    arrays = run(write_scan({"R": np.ones(3), "section": section}), model)
    expected = [f"{value:g}" if isinstance(value, float) else str(value) for value in section.tolist()]
    assert arrays["section"].tolist() == expected


def test_the_output_says_what_it_was_made_from(write_scan: WriteScan) -> None:
    scan = write_scan({"a/Den": np.ones(3), "a/depth": np.arange(3.0), "b/MS": np.ones(3), "b/depth": np.arange(3.0)},
                      {"a/Den": "gm/cc", "a/depth": "cm", "b/depth": "m"})  # fmt: skip
    about = json.loads(str(run(scan, LithoModel.load("unsup"))["about"]))
    assert about["sources"] == {FEATURE_NAMES[0]: "a/Den (gm/cc)", FEATURE_NAMES[1]: "b/MS (no unit given)"}
    assert about["depth"] == ["a/depth (cm)", "b/depth (m)"]
    assert (about["bundle"], about["missing"], about["bin_width"], about["scan"]) == ("unsup", "nan", 0.2, "scan.h5")


def test_the_same_scan_gives_the_same_bytes(flat_scan: Path, model: LithoModel) -> None:
    outs = [flat_scan.with_name(name) for name in ("a.npz", "b.npz")]
    for out in outs:
        embed_scan(flat_scan, out, model)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_summary_counts(flat_scan: Path) -> None:
    with h5py.File(flat_scan, "a") as file:
        file["R"][:10] = np.nan
        file["G"][5:15] = -999
    summary = embed_scan(flat_scan, flat_scan.with_suffix(".npz"), LithoModel.load("unsup"))
    assert summary.n_missing.tolist() == [0, 0, 0, 10, 10, 0]
    assert (summary.n_rows, summary.n_nan) == (1000, 15)


def damaged(path: Path, features: Floats) -> Path:
    """Write a scan with a late chunk that cannot be decompressed."""
    with h5py.File(path, "w") as file:
        for i, name in enumerate(FEATURE_NAMES):
            file.create_dataset(name, data=features[:, i], chunks=(100,), compression="gzip")
        last = file["R"].id.get_chunk_info(9)
    with open(path, "r+b") as raw:
        raw.seek(last.byte_offset + 20)
        raw.write(b"\xff" * 40)
    return path


@pytest.mark.usefixtures("block_rows")
def test_a_failure_on_the_way_leaves_nothing_and_spoils_nothing(
    tmp_path: Path, features: Floats, model: LithoModel
) -> None:
    scan, out = damaged(tmp_path / "scan.h5", features), tmp_path / "out.npz"
    out.write_bytes(b"yesterday's result")
    with pytest.raises(ScanError, match=r"rows \d+ to \d+ of /R cannot be read \(damaged file\)"):
        embed_scan(scan, out, model)
    assert out.read_bytes() == b"yesterday's result"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "scan.h5"]


def test_an_invalid_output_path_is_refused_before_the_scan_is_read(tmp_path: Path, model: LithoModel) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        embed_scan(tmp_path / "absent.h5", tmp_path / "nowhere" / "out.npz", model)


def test_nothing_is_kept_of_a_scan_that_lacks_a_feature(
    write_scan: WriteScan, tmp_path: Path, model: LithoModel
) -> None:
    with pytest.raises(ScanError, match=r"would drop every row: this scan has no Magnetic .*, NGR .*, R, G, B$"):
        embed_scan(write_scan({"density": np.ones(3)}), tmp_path / "out.npz", model, Settings(missing="drop"))
    assert not (tmp_path / "out.npz").exists()


def test_invalid_output_paths(flat_scan: Path, model: LithoModel, tmp_path: Path) -> None:
    before = flat_scan.read_bytes()
    with pytest.raises(OutputError, match="would replace the scan"):
        embed_scan(flat_scan, flat_scan, model)
    assert flat_scan.read_bytes() == before
    with pytest.raises(OutputError, match="is a folder"):
        embed_scan(flat_scan, tmp_path, model)
    with pytest.raises(OutputError, match="no such folder"):
        embed_scan(flat_scan, tmp_path / "absent" / "out.npz", model)


def test_few_blocks_of_wide_tables_are_in_memory_with_many_threads(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        wide = np.dtype([("R", "f8"), *((f"other{i}", "f8") for i in range(799))])
        file.create_dataset("data", (100_000,), wide, chunks=(1000,))[:1000] = np.ones(1000, wide)
        file["R"] = np.ones(100_000, np.float32)
    with open_scan(tmp_path / "wide.h5", {"R": "data:R"}) as scan:
        found = rows_of(scan, lambda items, *_: items, None, threads=64)
        (track,) = scan.tracks
        assert track.block_rows * 800 * 8 * found.in_flight <= BYTES_IN_FLIGHT
        assert found.in_flight > 1
    with open_scan(tmp_path / "wide.h5", {"R": "R"}) as scan:
        assert rows_of(scan, lambda items, *_: items, None, threads=8).in_flight == 11


def test_too_little_memory_is_not_reported_as_damage(
    flat_scan: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "read_window", refused)
    with pytest.raises(ScanError, match=r"cannot be read \(out of memory\)$"):
        embed_scan(flat_scan, flat_scan.with_suffix(".npz"), model)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite_a_value(path: Path) -> None:
    data = path.read_bytes()
    with path.open("r+b") as file:  # as a logger does: no other size
        file.seek(-8, os.SEEK_END)
        file.write(data[-8:])
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + 1_000_000))  # the clock of the file system may be coarser than this test


def replace_by_a_copy(path: Path) -> None:
    before = path.stat()
    copy = path.with_name("copy.h5")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    r"scan\.h5 changed from [\d,]+ to [\d,]+ bytes while it was read": truncate,
    r"scan\.h5 changed from [\d,]+ to [\d,]+ bytes while": append,
    r"scan\.h5 was modified while it was read: run again when no program writes to it": rewrite_a_value,
    r"scan\.h5 was replaced by another file while": replace_by_a_copy,
    r"scan\.h5 was removed or renamed while": Path.unlink,
}


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_file_that_changes_while_it_is_read_gives_no_result(
    flat_scan: Path, model: LithoModel, message: str, at_the_end: bool
) -> None:
    def meddling(items: Iterable[Any], *_: object) -> Iterator[Any]:
        if not at_the_end:
            CHANGES[message](flat_scan)
        yield from items
        if at_the_end:
            CHANGES[message](flat_scan)

    out = flat_scan.with_suffix(".npz")
    out.write_bytes(b"of an earlier run")
    with pytest.raises(ScanError, match=message):
        embed_scan(flat_scan, out, model, progress=meddling)
    assert out.read_bytes() == b"of an earlier run"
    assert not list(out.parent.glob("*.partial"))


def test_an_error_that_a_change_explains_is_said_as_the_change(
    flat_scan: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*arguments: object) -> None:
        truncate(flat_scan)
        raise OSError("wrong B-tree signature")

    monkeypatch.setattr(reading, "read_window", damaged)
    with pytest.raises(ScanError, match=r"changed from .* bytes while it was read"):
        embed_scan(flat_scan, flat_scan.with_suffix(".npz"), model)
