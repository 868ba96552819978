from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import InputError, LithoModel, OutputError, Settings, embed_scan, read
from lithovae.runtime.commands.table import write_table
from lithovae.runtime.features import LILY
from lithovae.runtime.outputs.writer import FORMATS, growing_format
from tests.runtime.outputs.material import ABOUT, CLASSES, rows_of, schema_of, write

WHOLE = [extension for extension, format in FORMATS.items() if format.whole]


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_result_has_columns_names_and_provenance(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    rows = rows_of(schema, 30)
    result = read(str(write(tmp_path / f"emb{suffix}", schema, rows)))
    assert set(result.columns) == rows.keys() - ({"core"} if suffix == ".las" else set())
    assert set(result) == set(result.columns)
    assert (result.n_rows, result.features) == (30, LILY.names)
    assert result.about == ({} if suffix == ".csv" else ABOUT)
    assert result.classes == CLASSES
    assert result["hole"].tolist() == ["A"] * 30
    codes = rows["lithologies"]
    expected = [[CLASSES[code] if code < len(CLASSES) else "" for code in row] for row in codes.tolist()]
    assert result.names("lithologies").tolist() == expected
    with pytest.raises(InputError, match="depth has no names: the columns with names are: lithologies, group"):
        result.names("depth")
    with pytest.raises(KeyError):
        result["nowhere"]
    assert "30 rows of depth" in repr(result)


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_result_becomes_a_table_and_a_dataset(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    rows = rows_of(schema, 30)
    result = read(write(tmp_path / f"emb{suffix}", schema, rows))
    table = result.to_pandas()
    np.testing.assert_array_equal(table["embeddings_3"], rows["embeddings"][:, 3])
    np.testing.assert_array_equal(table["R"], rows["values"][:, 3])
    np.testing.assert_array_equal(table["samples R"], rows["samples"][:, 3])
    names = [CLASSES[code] if code < len(CLASSES) else None for code in rows["lithologies"][:, 1].tolist()]
    assert [name if isinstance(name, str) else None for name in table["lithology_2"]] == names
    np.testing.assert_array_equal(table["p clay, silty"], rows["class_probabilities"][:, 2])
    data = result.to_xarray()
    assert data["embeddings"].dims == ("depth", "latent")
    np.testing.assert_array_equal(data["residuals"].sel(feature="G"), rows["residuals"][:, 4])
    np.testing.assert_array_equal(data["class_probabilities"].sel(lithology="sand"), rows["class_probabilities"][:, 1])
    assert data["lithologies"].values.tolist() == result.names("lithologies").tolist()


def test_the_public_name_stays_a_function() -> None:
    import lithovae.runtime.reading

    assert lithovae.runtime.read is lithovae.runtime.reading.read
    assert "read" in lithovae.runtime.__all__


def test_an_npz_of_earlier_versions_with_a_text_in_each_row(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "old.npz",
        embeddings=np.ones((3, 2), np.float32),
        missing=np.zeros(3, np.uint8),
        hole=np.array(["A", "A", "A"]),
        features=np.array(LILY.names),
        about=np.array(json.dumps({"scan": "old.h5"})),
    )
    result = read(tmp_path / "old.npz")
    assert (result["hole"].tolist(), result.about, result.classes) == (["A"] * 3, {"scan": "old.h5"}, ())
    assert result.to_xarray()["embeddings"].dims == ("row", "latent")


@pytest.mark.parametrize("suffix", [".h5", ".jsonl"])
def test_what_follow_wrote(tmp_path: Path, suffix: str) -> None:
    schema = schema_of(grows=True)
    rows: dict[str, Any] = rows_of(schema, 20) | {"complete": np.repeat([1, 0], [15, 5]).astype(np.uint8)}
    rows["embeddings"] = np.where(
        np.arange(20)[:, None] % 3 == 1, np.float32(np.nan), np.nan_to_num(rows["embeddings"])
    )
    rows["entropy"][:] = np.float32(0.1)
    out = tmp_path / f"live{suffix}"
    writer = growing_format(out)(out)
    assert list(writer.earlier()) == []
    writer.begin(ABOUT, schema)
    writer.write(rows)
    for _ in ("while it grows", "at the end"):
        result = read(out)
        assert (result.features, result.about, result.classes) == (LILY.names, ABOUT, CLASSES)
        for name, values in rows.items():
            np.testing.assert_array_equal(result[name], values)
            assert result[name].dtype == values.dtype or values.dtype.kind == "U"
        writer.close(True)


def test_json_lines_that_end_in_half_a_line(tmp_path: Path) -> None:
    lines = [{"about": {"scan": "a.h5", "features": ["R"]}}, {"depth": 0.0, "embedding": None}, {"depth": 0.2}]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"depth": 0.'
    (tmp_path / "live.jsonl").write_text(text)
    result = read(tmp_path / "live.jsonl")
    assert (result.n_rows, result["depth"].tolist()) == (2, [0.0, 0.2])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_lithovae_bins(root: Path, tmp_path: Path, suffix: str) -> None:
    write_table(root / "examples" / "scan.h5", tmp_path / f"t{suffix}", Settings(bin_width=0.5), LILY)
    embed_scan(
        root / "examples" / "scan.h5",
        tmp_path / "e.npz",
        LithoModel.load("unsup"),
        Settings(bin_width=0.5, values=True),
    )
    table, result = read(tmp_path / f"t{suffix}"), read(tmp_path / "e.npz")
    assert table.features == result.features
    for name in ("depth", "hole", "samples"):
        np.testing.assert_array_equal(table[name], result[name])
    np.testing.assert_array_equal(table["values"], result["values"])
    if suffix == ".parquet":
        assert table.about["bin_width"] == 0.5


def _pickled(path: Path) -> None:
    np.savez(path, embeddings=np.array([{}], object), features=np.array(["R"]))


def _huge_npz(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, shape in (("features", (1,)), ("embeddings", (1 << 40, 10))):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
                member.write(b"1234")


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(1 << 27))
    content = path.read_bytes()
    path.write_bytes(content.replace((1 << 27).to_bytes(4, "little"), (3 << 30).to_bytes(4, "little")))


def _huge_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["features"], file.attrs["about"] = ["R"], "{}"
        file.create_dataset("embeddings", (1 << 40, 10), "f4", chunks=(1024, 10))


def _elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["features"], file.attrs["about"] = ["R"], "{}"
        file.create_dataset("embeddings", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/other.h5", "x", (4,))
    with h5py.File(path, "w") as file:
        file.attrs["features"], file.attrs["about"] = ["R"], "{}"
        file.create_virtual_dataset("embeddings", layout)


def _deep(path: Path) -> None:
    path.write_text('{"about": ' + "[" * 200_000 + "\n")


def _with(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


HOSTILE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "not a zip": (".npz", _with(b"PK not a zip")),
    "pickled objects": (".npz", _pickled),
    "an npz of something else": (".npz", lambda path: np.savez(path, x=np.ones(3))),
    "an npz that declares terabytes": (".npz", _huge_npz),
    "a zip bomb": (".npz", _bomb),
    "a pickle": (".npz", _with(pickle.dumps([1, 2]))),
    "not hdf5": (".h5", _with(b"\x89HDF\r\n\x1a\n" + bytes(100))),
    "hdf5 of something else": (".nc", lambda path: h5py.File(path, "w").close()),
    "hdf5 that declares terabytes": (".h5", _huge_h5),
    "hdf5 of other files": (".h5", _elsewhere),
    "virtual hdf5": (".h5", _virtual),
    "not parquet": (".parquet", _with(b"PAR1 and no more")),
    "ragged csv": (".csv", _with(b"depth,missing\n1,2\n1\n")),
    "csv of text": (".csv", _with(b"missing,entropy\nx,y\n")),
    "empty csv": (".csv", _with(b"")),
    "csv that is not UTF-8": (".csv", _with(b"missing\n\xff\n")),
    "LAS of another program": (".las", _with(b"~Version\n~Curve\n DEPT.M : depth\n~A\n1\n")),
    "half a LAS": (".las", _with(b'~Other\nlithovae {"about": {}, "features": [], "categories": {}\n')),
    "JSON of another program": (".jsonl", _with(b'{"depth": 1}\n')),
    "JSON that is no object": (".jsonl", _with(b"[1]\n")),
    "JSON too deep": (".jsonl", _deep),
    "a folder": (".npz", lambda path: path.mkdir()),
    "nothing": (".h5", lambda path: None),
    "another extension": (".txt", _with(b"")),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_file_that_is_no_result_is_one_clear_error(tmp_path: Path, fault: str) -> None:
    suffix, make = HOSTILE[fault]
    make(tmp_path / f"emb{suffix}")
    message = rf"emb\{suffix} (cannot be read as a result: .|declares|must end in)"
    with pytest.raises(OutputError, match=message) as caught:
        dict(read(tmp_path / f"emb{suffix}"))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".parquet", ".csv", ".las"])
def test_damaged_results_are_read_or_refused(tmp_path: Path, suffix: str) -> None:
    schema = schema_of()
    whole = write(tmp_path / f"whole{suffix}", schema, rows_of(schema, 40)).read_bytes()
    rng = np.random.default_rng(0)
    for i in range(60):
        damaged = bytearray(whole)
        if i % 2:
            del damaged[int(rng.integers(1, len(whole))) :]
        for at in rng.integers(0, len(damaged), 4).tolist():
            damaged[at] = int(rng.integers(256))
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(damaged)
        with suppress(OutputError):  # nothing else may be raised
            result = read(path)
            for name in result:
                assert len(result[name]) == result.n_rows


@pytest.mark.parametrize(("method", "library"), [("to_pandas", "pandas"), ("to_xarray", "xarray")])
def test_a_library_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, library: str
) -> None:
    schema = schema_of()
    result = read(write(tmp_path / "emb.npz", schema, rows_of(schema, 3)))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(OutputError, match=f"{method} needs {library}: pip install"):
        getattr(result, method)()


def test_a_code_that_no_lithology_has_is_none(tmp_path: Path) -> None:
    codes = np.array([[0.0], [1.0], [-1.0], [0.5], [np.nan], [7.0]])
    about, features = np.array("{}"), np.array(["density"])
    classes = np.array(["clay", "ooze"])
    np.savez(tmp_path / "odd.npz", lithologies=codes, lithologies_names=classes, about=about, features=features)
    names = read(tmp_path / "odd.npz").names("lithologies")
    assert names.tolist() == [["clay"], ["ooze"], [""], [""], [""], [""]]
