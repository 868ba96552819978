"""Every format of a result, opened with the library that its users have, and compared with the .npz."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import lasio
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lithovae.runtime import LithoModel, OutputError, Settings, embed_scan, read
from lithovae.runtime.features import LILY, FeatureSet, Quantity
from lithovae.runtime.outputs.writer import FORMATS, Format
from lithovae.runtime.result import ResultSchema
from tests.runtime.outputs.material import (
    ABOUT,
    CLASSES,
    WARNING,
    Values,
    blocks_of,
    many_features,
    rows_of,
    schema_of,
    write,
)

ENGINES: tuple[Any, ...] = ("h5netcdf", "netcdf4")
WHOLE = [extension for extension, format in FORMATS.items() if format.whole and extension != ".hdf5"]
KINDS: dict[str, dict[str, Any]] = {
    "everything": {},
    "no depth": {"has_depth": False},
    "only embeddings": {"is_binned": False, "has_values": False, "lithologies": None, "has_quality": False},
    "no address": {"texts": {}},
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid")


def codes_as_names(values: NDArray[Any], categories: tuple[str, ...]) -> list[Any]:
    names = dict(enumerate(categories))
    return [names.get(code, "") for code in values.tolist()] if values.ndim == 1 else [
        codes_as_names(row, categories) for row in values
    ]  # fmt: skip


def in_npz(folder: Path, schema: ResultSchema, rows: Values) -> Values:
    """Return what the .npz holds, with numpy alone; what is the same in all rows once a row."""
    n = len(rows["embeddings"])
    with np.load(write(folder / "reference.npz", schema, rows), allow_pickle=False) as arrays:
        return {
            name: arrays[name] if arrays[name].ndim else np.broadcast_to(arrays[name], n)
            for name in (column.name for column in schema.columns)
        }


def same(a: NDArray[Any], b: NDArray[Any]) -> None:
    np.testing.assert_array_equal(a, b)
    assert a.dtype.kind == b.dtype.kind


def test_an_npz_has_what_is_the_same_in_all_rows_once(tmp_path: Path) -> None:
    schema = schema_of()
    rows = rows_of(schema, 60)
    with np.load(write(tmp_path / "emb.npz", schema, rows), allow_pickle=False) as arrays:
        assert (arrays["hole"].shape, str(arrays["hole"])) == ((), "A")
        assert (arrays["lithology_warning"].shape, str(arrays["lithology_warning"])) == ((), WARNING)
        assert arrays["core"].tolist() == rows["core"].tolist()
        assert arrays["lithologies_names"].tolist() == list(CLASSES)
        assert arrays["group_names"].tolist() == ["calcareous", "siliciclastic"]
        for name, values in rows.items():
            np.testing.assert_array_equal(np.broadcast_to(arrays[name], values.shape), values)
    assert zipfile.ZipFile(tmp_path / "emb.npz").testzip() is None


TEXTS = st.lists(st.sampled_from(["", "A", "µB", "ab"]), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TEXTS, st.lists(st.integers(0, 12), max_size=8), st.sampled_from([".npz", ".h5", ".nc", ".parquet"]))
def test_texts_may_begin_to_vary_anywhere(tmp_path: Path, texts: list[str], sizes: list[int], suffix: str) -> None:
    schema = ResultSchema.of(
        LILY, 2, {"hole": np.dtype("<U2"), "core": np.dtype("<U2")}, has_depth=False, is_binned=False, grows=False
    )
    rows = rows_of(schema, len(texts)) | {"hole": np.array(texts, "<U2"), "core": np.array(texts[::-1], "<U2")}
    found = read(write(tmp_path / f"emb{suffix}", schema, rows, sizes))
    for name, values in rows.items():
        np.testing.assert_array_equal(found[name], values)


def test_an_npz_of_fewer_rows_than_were_expected(tmp_path: Path) -> None:
    schema = schema_of()
    rows = rows_of(schema, 60)
    with FORMATS[".npz"].whole(tmp_path / "emb.npz", schema, 1000, fewer=True) as writer:  # type: ignore[misc]
        for block in blocks_of(rows, (7, 20)):
            writer.write(writer.pack(block))
    found = read(tmp_path / "emb.npz")
    for name, values in rows.items():
        np.testing.assert_array_equal(found[name], values)
    assert zipfile.ZipFile(tmp_path / "emb.npz").testzip() is None


@pytest.mark.parametrize("suffix", [".h5", ".nc"])
def test_hdf5_opens_in_h5py(tmp_path: Path, suffix: str, kind: dict[str, Any]) -> None:
    schema = schema_of(**kind)
    rows = rows_of(schema, 60)
    expected = in_npz(tmp_path, schema, rows)
    with h5py.File(write(tmp_path / f"emb{suffix}", schema, rows)) as file:
        assert json.loads(file.attrs["about"]) == ABOUT
        assert file.attrs["features"].tolist() == list(LILY.names)
        for column in schema.columns:
            values = expected[column.name]
            if column.name == "values":
                for i, feature in enumerate(LILY):
                    same(file[feature.name][:], values[:, i])
                    assert file[feature.name].attrs["units"] == feature.unit
            elif column.name == "core":
                assert file["core"].asstr()[:].tolist() == values.tolist()
            elif column.dtype.kind == "U":
                assert file.attrs[column.name] == values[0]
            else:
                same(file[column.name][:], values)
                assert file[column.name].dtype == column.dtype
            if column.categories:
                assert file[column.name].attrs["names"].tolist() == list(column.categories)
                assert file[column.name].attrs["comment"] == WARNING
        assert not kind.get("has_depth", True) or file["depth"].attrs["units"] == "m"


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("suffix", [".nc", ".h5"])
def test_netcdf_opens_in_xarray(tmp_path: Path, engine: Any, suffix: str, kind: dict[str, Any]) -> None:
    schema = schema_of(**kind)
    rows = rows_of(schema, 60)
    expected = in_npz(tmp_path, schema, rows)
    row = "depth" if kind.get("has_depth", True) else "row"
    with xr.open_dataset(write(tmp_path / f"emb{suffix}", schema, rows), engine=engine) as found:
        assert found.attrs["Conventions"].startswith("CF-")
        assert found["embeddings"].dims == (row, "latent")
        for column in schema.columns:
            values = expected[column.name]
            if column.name == "values":
                for i, feature in enumerate(LILY):
                    np.testing.assert_array_equal(found[feature.name], values[:, i])
                    assert found[feature.name].attrs["units"] == feature.unit
                    assert found[feature.name].attrs["long_name"] == feature.name
            elif column.categories:  # xarray masks the fill value
                code = found[column.name].attrs["flag_values"]
                names = dict(zip(code.tolist(), found[column.name].attrs["names"], strict=True))
                read_names = np.vectorize(lambda value, names=names: names.get(value, ""))(found[column.name].values)
                assert read_names.tolist() == codes_as_names(values, column.categories)
                assert len(found[column.name].attrs["flag_meanings"].split()) == len(column.categories)
            elif column.name == "core" and (suffix == ".nc" or engine == "netcdf4"):
                assert found["core"].values.tolist() == values.tolist()
            elif column.name == "core":  # h5netcdf gives texts of a fixed length as bytes: .nc has no such
                assert found["core"].values.astype(str).tolist() == values.tolist()
            elif column.dtype.kind == "U":
                assert found.attrs[column.name] == values[0]
            else:
                np.testing.assert_array_equal(found[column.name], values)
        assert found["missing"].attrs["flag_meanings"].split()[3:] == ["R", "G", "B"]
        assert found["missing"].attrs["flag_masks"].tolist() == [1, 2, 4, 8, 16, 32]
        if row == "depth":
            assert float(found["R"].sel(depth=1.0) if "R" in found else found["missing"].sel(depth=1.0)) is not None
            assert found["depth"].attrs["positive"] == "down"


def test_depths_that_repeat_are_not_the_dimension(tmp_path: Path) -> None:
    schema = schema_of(texts={"hole": 1})
    rows = rows_of(schema, 40)
    rows |= {"depth": np.tile(np.arange(20) * 0.2, 2), "hole": np.repeat(["A", "B"], 20)}
    for engine in ENGINES:
        with xr.open_dataset(write(tmp_path / "emb.nc", schema, rows), engine=engine) as found:
            assert found["embeddings"].dims == ("row", "latent")
            assert set(found["embeddings"].coords) == {"depth", "hole"}
            np.testing.assert_array_equal(found["depth"], rows["depth"])
            assert found["hole"].values.tolist() == rows["hole"].tolist()
    assert read(tmp_path / "emb.nc")["hole"].tolist() == rows["hole"].tolist()


@pytest.mark.parametrize("at_most", [60, 61, 100_000])
def test_hdf5_of_fewer_rows_than_were_expected(tmp_path: Path, at_most: int) -> None:
    schema = schema_of()
    rows = rows_of(schema, 60)
    with FORMATS[".nc"].whole(tmp_path / "emb.nc", schema, at_most, fewer=True) as writer:  # type: ignore[misc]
        for block in blocks_of(rows, (7, 20)):
            writer.write(writer.pack(block))
    for engine in ENGINES:
        with xr.open_dataset(tmp_path / "emb.nc", engine=engine) as found:
            np.testing.assert_array_equal(found["embeddings"], rows["embeddings"])
            np.testing.assert_array_equal(found["core"], rows["core"])


def test_parquet_opens_in_pyarrow_and_pandas(tmp_path: Path, kind: dict[str, Any]) -> None:
    schema = schema_of(**kind)
    rows = rows_of(schema, 60)
    expected = in_npz(tmp_path, schema, rows)
    path = write(tmp_path / "emb.parquet", schema, rows)
    table, frame = pq.read_table(path), pd.read_parquet(path)
    assert table.column_names == [heading for column in schema.columns for heading in column.headings]
    assert json.loads(pq.read_metadata(path).metadata[b"about"]) == ABOUT
    for column in schema.columns:
        values = expected[column.name]
        for heading, part in zip(column.headings, [values] if values.ndim == 1 else values.T, strict=True):
            found = table[heading]
            if column.categories:
                assert [text or "" for text in found.to_pylist()] == codes_as_names(part, column.categories)
                assert frame[heading].cat.categories.tolist() == list(column.categories)
            elif column.dtype.kind == "f":
                assert found.null_count == np.isnan(part).sum()
                np.testing.assert_array_equal(frame[heading], part)
            else:
                assert found.to_pylist() == part.tolist()
    encodings = {
        column["path_in_schema"]: column
        for column in (pq.read_metadata(path).row_group(0).column(i).to_dict() for i in range(table.num_columns))
    }
    assert "BYTE_STREAM_SPLIT" in encodings["embeddings_0"]["encodings"]
    assert encodings["embeddings_0"]["compression"] == "ZSTD"


def test_csv_opens_in_the_standard_library(tmp_path: Path, kind: dict[str, Any]) -> None:
    schema = schema_of(**kind)
    rows = rows_of(schema, 60)
    expected = in_npz(tmp_path, schema, rows)
    with write(tmp_path / "emb.csv", schema, rows).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for column in schema.columns:
        values = expected[column.name]
        for heading, part in zip(column.headings, [values] if values.ndim == 1 else values.T, strict=True):
            cells = [line[heading] for line in lines]
            if column.categories:
                assert cells == codes_as_names(part, column.categories)
            elif column.dtype.kind == "f":
                same(np.array([cell or "nan" for cell in cells], column.dtype), part)
            elif column.dtype.kind == "U":
                assert cells == part.tolist()
            else:
                assert list(map(int, cells)) == part.tolist()


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "no depth"], indirect=True)
def test_las_opens_in_lasio(tmp_path: Path, kind: dict[str, Any]) -> None:
    schema = schema_of(**kind)
    rows = rows_of(schema, 60)
    expected = in_npz(tmp_path, schema, rows)
    las = lasio.read(write(tmp_path / "emb.las", schema, rows))
    np.testing.assert_array_equal(las.index, expected["depth"])
    assert (las.well.STRT.value, las.well.STOP.value, las.well.STEP.value) == (0, expected["depth"][-1], 0)
    assert (las.well.STRT.unit, las.well["NULL"].value) == ("M", -999.25)
    curve_of = {curve.descr.strip(): curve.data for curve in las.curves}
    for column in schema.columns:
        values = expected[column.name]
        if column.dtype.kind == "U":
            continue
        for heading, part in zip(column.headings, [values] if values.ndim == 1 else values.T, strict=True):
            known = curve_of[heading.replace(":", ";")]
            if column.categories:
                part = np.where(part == column.no_category, np.nan, part)
            np.testing.assert_array_equal(known.astype(column.dtype if column.dtype.kind == "f" else float), part)
    if "hole" in rows:
        assert las.well.WELL.value == las.well.HOLE.value == "A"
        assert "Texts that vary are not written: core" in las.other
    if "lithologies" in rows:
        assert [las.params[f"LITHOLOGIES_{i}"].value for i in (0, 3)] == [CLASSES[0], CLASSES[3]]
        assert WARNING in las.other
        assert las.well.LITHOLOGY_WARNING.value == WARNING.replace(":", ";")  # a colon ends a value
    assert "values" not in rows or "DENSITY" in [curve.mnemonic for curve in las.curves]


def test_a_log_in_even_steps_says_so(tmp_path: Path) -> None:
    schema = schema_of(texts={})
    rows = rows_of(schema, 30) | {"depth": np.arange(5, 35) * 0.2}
    las = lasio.read(write(tmp_path / "emb.las", schema, rows))
    assert las.well.STEP.value == 0.2
    assert las.well.STRT.value == 1


REFUSED_LOGS: dict[str, tuple[str, dict[str, Any]]] = {
    "of several holes": (r"is of one hole, .* of several \(hole 'A' and 'B'\)", {"hole": np.repeat(["A", "B"], 30)}),
    "from a second block on": (r"\(hole 'A' and 'B'\)", {"hole": np.repeat(["A", "B"], [10, 50])}),
    "that goes back": (r"here 0 m follows 5\.8 m: try --bin 0\.2", {"depth": np.arange(60) % 30 * 0.2}),
    "without any depth": ("no row has one", {"depth": np.full(60, np.nan)}),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED_LOGS)
def test_a_log_that_las_cannot_hold_is_refused(tmp_path: Path, fault: str) -> None:
    message, changed = REFUSED_LOGS[fault]
    schema = schema_of(texts={"hole": 1})
    with pytest.raises(OutputError, match=message):
        write(tmp_path / "emb.las", schema, rows_of(schema, 60) | changed)
    assert list(tmp_path.iterdir()) == []


def test_a_log_needs_depths(tmp_path: Path) -> None:
    schema = schema_of(has_depth=False)
    with pytest.raises(OutputError, match=r"emb\.las: a LAS file needs depths, and the rows have none"):
        write(tmp_path / "emb.las", schema, rows_of(schema, 60))
    assert list(tmp_path.iterdir()) == []


def test_a_log_leaves_out_rows_without_a_depth_and_counts_them(tmp_path: Path) -> None:
    schema = schema_of(texts={})
    rows = rows_of(schema, 60)
    rows["depth"][[3, 40]] = np.nan
    las = lasio.read(write(tmp_path / "emb.las", schema, rows))
    assert len(las.index) == 58
    assert "Rows without a depth are not written: 2" in las.other


@pytest.mark.parametrize("suffix", WHOLE)
def test_an_error_midway_leaves_nothing_and_keeps_the_file_that_was_there(tmp_path: Path, suffix: str) -> None:
    schema, out = schema_of(), tmp_path / f"emb{suffix}"
    rows = rows_of(schema, 60)
    whole = FORMATS[suffix].whole
    assert whole is not None
    for before in (None, b"an earlier run"):
        if before:
            out.write_bytes(before)
        with pytest.raises(KeyError, match="stop"):  # noqa: PT012 (the error is in the block)
            with whole(out, schema, 60, fewer=False) as writer:
                for block in blocks_of(rows, (7, 20)):
                    writer.write(writer.pack(block))
                raise KeyError("stop")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize("suffix", WHOLE)
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    rows = rows_of(schema, 60)
    first = write(tmp_path / f"emb{suffix}", schema, rows).read_bytes()
    time.sleep(1.1)  # a time in seconds would differ
    assert write(tmp_path / f"emb{suffix}", schema, rows).read_bytes() == first


@pytest.mark.parametrize("suffix", WHOLE)
def test_any_number_of_features_is_written_and_read(tmp_path: Path, suffix: str) -> None:
    for n in (1, 9, 64):
        schema = schema_of(many_features(n))
        rows = rows_of(schema, 40)
        found = read(write(tmp_path / f"emb{suffix}", schema, rows))
        assert found.features == schema.features.names
        for name, values in rows.items():
            if name not in found:
                assert (name, suffix) == ("core", ".las")
            elif name in ("lithologies", "group"):
                categories = next(column.categories for column in schema.columns if column.name == name)
                assert found.names(name).tolist() == codes_as_names(values, categories)
            else:
                same(found[name], values)
                assert found[name].dtype == values.dtype or values.dtype.kind == "U"


def test_a_feature_named_like_something_else_in_the_file_is_refused(tmp_path: Path) -> None:
    taken = FeatureSet([*LILY, Quantity("feature", "1", (), {}, (0.0, 1.0))])
    schema = schema_of(taken)
    with pytest.raises(OutputError, match="cannot have the name of the feature feature"):
        write(tmp_path / "emb.h5", schema, rows_of(schema, 5))
    write(tmp_path / "emb.npz", schema, rows_of(schema, 5))


def test_a_slash_in_a_feature_makes_no_group(tmp_path: Path) -> None:
    schema = schema_of(FeatureSet([*LILY, Quantity("Ca/Ti", "1", (), {}, (0.0, 1.0))]))
    rows = rows_of(schema, 5)
    found = read(write(tmp_path / "emb.h5", schema, rows))
    assert found.features[6] == "Ca/Ti"
    np.testing.assert_array_equal(found["values"], rows["values"])
    with h5py.File(tmp_path / "emb.h5") as file:
        assert "Ca_Ti" in file


@pytest.mark.parametrize("suffix", WHOLE)
def test_rows_that_were_never_there(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    rows = rows_of(schema, 0)
    if suffix == ".las":
        with pytest.raises(OutputError, match="no row has one"):
            write(tmp_path / "emb.las", schema, rows)
        return
    found = read(write(tmp_path / f"emb{suffix}", schema, rows))
    assert found.n_rows == 0
    assert found["embeddings"].shape == (0, 4)
    assert found["hole"].shape == (0,)


AGAIN = [".h5", ".nc", ".las"]


@pytest.mark.parametrize("suffix", AGAIN)
@pytest.mark.parametrize("bins", ["auto", 0.5])
def test_a_result_with_values_is_a_scan_that_gives_the_same_embeddings(
    root: Path, tmp_path: Path, model: LithoModel, suffix: str, bins: Any
) -> None:
    assert FORMATS[suffix].needs_values
    scan, out = root / "examples" / "scan.h5", tmp_path / f"emb{suffix}"
    embed_scan(scan, out, model, Settings(bin_width=bins, values=True))
    embed_scan(scan, tmp_path / "first.npz", model, Settings(bin_width=bins))
    embed_scan(out, tmp_path / "again.npz", model)
    first, again = read(tmp_path / "first.npz"), read(tmp_path / "again.npz")
    for name in ("embeddings", "depth", "missing", "implausible", "hole"):
        np.testing.assert_array_equal(first[name], again[name])
    assert again.about["notes"] == []


@pytest.mark.parametrize("suffix", AGAIN)
def test_results_of_real_cores_are_scans(shared_scans: Path, tmp_path: Path, model: LithoModel, suffix: str) -> None:
    for scan in sorted(shared_scans.glob("*.h5")):
        embed_scan(scan, tmp_path / f"emb{suffix}", model, Settings(values=True))
        embed_scan(scan, tmp_path / "first.npz", model)
        embed_scan(tmp_path / f"emb{suffix}", tmp_path / "again.npz", model)
        first, again = read(tmp_path / "first.npz"), read(tmp_path / "again.npz")
        for name in ("embeddings", "depth", "missing", "implausible"):
            np.testing.assert_array_equal(first[name], again[name])


def test_a_result_with_few_rows_is_no_matrix_of_named_features(tmp_path: Path, model: LithoModel) -> None:
    schema = schema_of(texts={})
    for n in (1, 3, 4, 5, 6):  # as many rows as features, ranks, latents or lithologies
        rows = rows_of(schema, n)
        rows["values"] = np.abs(np.nan_to_num(rows["values"])) % 2 + 1
        path = write(tmp_path / "emb.h5", schema, rows)
        summary = embed_scan(path, tmp_path / "again.npz", model)
        again = read(tmp_path / "again.npz")
        np.testing.assert_array_equal(again["embeddings"], model.embed(rows["values"]))
        assert [source.text.partition(" (0")[0] for f in summary.scan.features for source in f.sources]


@pytest.mark.parametrize("suffix", WHOLE)
def test_blocks_packed_by_threads_make_the_same_file(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    rows = rows_of(schema, 500)
    expected = write(tmp_path / f"one{suffix}", schema, rows, sizes=(50,) * 9).read_bytes()
    blocks = list(blocks_of(rows, (50,) * 9))
    packed: list[Any] = [None] * len(blocks)
    whole = FORMATS[suffix].whole
    assert whole is not None
    with whole(tmp_path / f"two{suffix}", schema, 500, fewer=False) as writer:

        def pack(i: int) -> None:
            packed[i] = writer.pack(blocks[i])

        threads = [threading.Thread(target=pack, args=(i,)) for i in reversed(range(len(blocks)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in packed:
            writer.write(each)
        writer.state(ABOUT)
    assert (tmp_path / f"two{suffix}").read_bytes() == expected


@pytest.mark.parametrize("suffix", [".h5", ".nc", ".las", ".csv", ".parquet"])
def test_a_disk_that_is_full_is_one_error(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource")
    depth, block = np.arange(5000) * 0.1, np.random.default_rng(0).uniform(1, 3, (5000, 6)).astype("f4")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"], file["depth"] = block, depth
        file["data"].attrs["columns"] = list(LILY.names)
        file["depth"].attrs["units"] = "m"
    out = tmp_path / "out" / f"emb{suffix}"
    out.parent.mkdir()
    done = subprocess.run(  # not in this process, where libhdf5 would be left broken
        [str(Path(sys.executable).parent / "lithovae"), "run", str(tmp_path / "scan.h5"), "--out", str(out)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: cannot write {out}: ")
    assert list(out.parent.iterdir()) == []


def test_formats_say_which_need_values() -> None:
    assert {extension for extension, format in FORMATS.items() if format.needs_values} == {
        ".h5",
        ".hdf5",
        ".nc",
        ".las",
    }
    assert all(isinstance(format, Format) and format.read for format in FORMATS.values())


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "emb.parquet", schema := schema_of(), rows_of(schema, 3))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for use in (lambda: write(tmp_path / "new.parquet", schema, rows_of(schema, 3)), lambda: read(path)):
        with pytest.raises(OutputError, match=r"needs pyarrow: pip install 'lithovae\[tables\]'"):
            use()
