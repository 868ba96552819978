from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import ScanError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import Scan, open_scan

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]


def values_of(scan: Scan) -> Floats:
    """Return all rows of a scan's only track, shape (n, 6)."""
    (track,) = scan.tracks
    columns = np.full((track.length, 6), np.nan)
    start = 0
    for stretch in track.stretches():
        for i, values in stretch.features.items():
            columns[start : start + stretch.length, i] = values
        start += stretch.length
    return columns


def test_one_dataset_per_feature(flat_scan: Path, features: Floats) -> None:
    with open_scan(flat_scan) as scan:
        np.testing.assert_array_equal(values_of(scan), features)
        assert [source.column.path for (source,) in scan.sources.values()] == list(FEATURE_NAMES)
        assert scan.notes == []


@pytest.mark.parametrize("names", [list(FEATURE_NAMES), ["RHOB", "mag_sus", "NGR", "red", "Green", "BLUE"]])
@pytest.mark.parametrize("attribute", ["columns", "feature_names"])
def test_a_matrix_with_column_names(write_scan: WriteScan, features: Floats, names: list[str], attribute: str) -> None:
    order = [5, 3, 0, 1, 4, 2]
    path = write_scan({"log/data": features[:, order]}, attrs={f"log/data@{attribute}": [names[i] for i in order]})
    with open_scan(path) as scan:
        np.testing.assert_array_equal(values_of(scan), features)


def test_a_matrix_may_have_its_depth_as_a_column_or_beside_it(write_scan: WriteScan, features: Floats) -> None:
    names = [*FEATURE_NAMES, "depth"]
    depth = np.arange(len(features)) * 0.5
    inside = write_scan({"data": np.column_stack([features, depth])}, attrs={"data@columns": names})
    with open_scan(inside) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(stretch.depth, depth)
    beside = write_scan({"data": features, "mbsf": depth}, attrs={"data@columns": list(FEATURE_NAMES)})
    with open_scan(beside) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(stretch.depth, depth)
        assert "mbsf states no unit: taken as metres" in scan.notes


def test_an_unnamed_matrix_is_refused_but_can_be_mapped(write_scan: WriteScan, features: Floats) -> None:
    path = write_scan({"data": features})
    with pytest.raises(ScanError, match=r"data \(1000, 6\) does not say what its columns are.*--map 'density=data:0'"):
        with open_scan(path):
            pass
    names = ["density", "MS", "NGR", "R", "G", "B"]
    with open_scan(path, {name: f"data:{i}" for i, name in enumerate(names)}) as scan:
        np.testing.assert_array_equal(values_of(scan), features)


def test_a_compound_table(write_scan: WriteScan, features: Floats) -> None:
    fields = [("core", "<i4"), ("section", "S2"), ("Depth (cm)", ">f8"), *((name, "<f4") for name in FEATURE_NAMES)]
    rows = np.zeros(len(features), fields)
    rows["Depth (cm)"] = np.arange(len(features))
    rows["section"] = b"CC"
    for i, name in enumerate(FEATURE_NAMES):
        rows[name] = features[:, i]
    with open_scan(write_scan({"A/table": rows})) as scan:
        np.testing.assert_allclose(values_of(scan), features.astype(np.float32))
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_allclose(np.asarray(stretch.depth), np.arange(len(features)) * 0.01)
        assert set(stretch.address["section"].tolist()) == {"CC"}
        assert set(stretch.address["core"].tolist()) == {"0"}


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("Bulk density (GRA)", None, 1),
        ("Density", "gm/cc", 1),
        ("density", "kg/m3", 1e-3),
        ("GRA density (kg/m^3)", None, 1e-3),
        ("Den", "G/CM3", 1),
    ],
)
def test_density_units(write_scan: WriteScan, name: str, unit: str | None, factor: float) -> None:
    columns = (
        {"columns": [name], "units": [unit]} if unit else {"columns": [name]}
    )  # a dataset's name cannot contain "/"
    path = write_scan({"x": np.array([[1.5], [2.5]])}, attrs={f"x@{key}": value for key, value in columns.items()})
    with open_scan(path) as scan:
        np.testing.assert_allclose(values_of(scan)[:, 0], np.array([1.5, 2.5]) * factor)


@pytest.mark.parametrize(("unit", "factor"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("ft", 0.3048), ("Metres", 1.0)])
def test_depth_units(write_scan: WriteScan, unit: str, factor: float) -> None:
    with open_scan(write_scan({"MS": np.ones(3), "depth": np.arange(3.0)}, {"depth": unit})) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_allclose(np.asarray(stretch.depth), np.arange(3) * factor)


@pytest.mark.parametrize(("name", "unit"), [("NGR", "gAPI"), ("MS", "10^-5 SI"), ("Density", "%")])
def test_a_unit_that_cannot_be_converted_is_left_out_with_a_note(write_scan: WriteScan, name: str, unit: str) -> None:
    path = write_scan({name: np.ones(3), "R": np.ones(3)}, {name: unit})
    with open_scan(path) as scan:
        assert list(scan.sources) == [3]
        assert any(name in note and unit in note and "left out" in note for note in scan.notes)
    with open_scan(path, {name: name}) as scan:  # unless the user maps it
        assert len(scan.sources) == 2
        assert any("as mapped, although its unit is" in note for note in scan.notes)


def test_a_parenthesis_in_a_known_name_is_not_a_unit(write_scan: WriteScan) -> None:
    with open_scan(write_scan({"MS (loop)": np.ones(3), "Density (GRA)": np.ones(3)})) as scan:
        assert list(scan.sources) == [1]
    with open_scan(write_scan({"Bulk density (GRA)": np.ones(3)})) as scan:
        assert list(scan.sources) == [0]


def test_a_unit_in_the_name_counts_too(write_scan: WriteScan) -> None:
    with open_scan(write_scan({"NGR (gAPI)": np.ones(3), "G": np.ones(3)})) as scan:
        assert list(scan.sources) == [4]


def test_the_loop_is_preferred_to_the_point_sensor(write_scan: WriteScan) -> None:
    path = write_scan({"a/MS": np.ones(3), "b/hiresMS": np.zeros(3)})
    with open_scan(path) as scan:
        assert scan.sources[1][0].column.path == "a/MS"
        assert any(
            "b/hiresMS is Magnetic susceptibility (instr. units) from a point sensor" in note for note in scan.notes
        )
    with open_scan(path, {"MS": "b/hiresMS"}) as scan:
        assert scan.sources[1][0].column.path == "b/hiresMS"


def test_of_several_names_the_published_one_is_taken(write_scan: WriteScan) -> None:
    with open_scan(write_scan({"density": np.ones(3), "Bulk density (GRA)": np.ones(3)})) as scan:
        assert scan.sources[0][0].column.path == "Bulk density (GRA)"
        assert any(note.startswith("density could be Bulk density (GRA) too") for note in scan.notes)


def test_equally_good_candidates_are_ambiguous(write_scan: WriteScan) -> None:
    path = write_scan({"A/MS": np.ones(3), "B/MS": np.ones(3)})
    with pytest.raises(ScanError, match=r"could be any of A/MS, B/MS: choose one, as with --map"):
        with open_scan(path):
            pass
    with open_scan(path, {"magnetic susceptibility": "/B/MS"}) as scan:
        assert scan.sources[1][0].column.path == "B/MS"


def test_lab_colour_is_not_rgb(write_scan: WriteScan) -> None:
    with open_scan(write_scan({name: np.ones(3) for name in ("R", "G", "B", "L*", "a*", "b*")})) as scan:
        assert [source.column.path for (source,) in scan.sources.values()] == ["R", "G", "B"]
        assert scan.unused == ["L*", "a*", "b*"]


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "i2", "u1", ">i4"])
@pytest.mark.parametrize("storage", [{}, {"chunks": (7,), "compression": "gzip", "shuffle": True}])
def test_number_types_and_storage(tmp_path: Path, dtype: str, storage: dict[str, Any]) -> None:
    values = np.arange(100).astype(dtype)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("R", data=values, **storage)
    with open_scan(tmp_path / "scan.h5") as scan:
        np.testing.assert_array_equal(values_of(scan)[:, 3], np.arange(100))


def test_missing_values_as_datasets_declare_them(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("R", data=np.array([1.0, -999.25, 7.0, 5.0]))
        file["R"].attrs["missing_value"] = 7.0
        file.create_dataset("G", data=np.array([1, 255, 3, -9999]), fillvalue=255)
        file.create_dataset("B", data=np.array([0, 1, 2, 3]))  # HDF5's own default fill, 0, is a colour
    with open_scan(tmp_path / "scan.h5") as scan:
        missing = np.isnan(values_of(scan)[:, 3:])
    np.testing.assert_array_equal(missing.T, [[False, True, True, False], [False, True, False, True], [False] * 4])


def test_packed_values_are_unpacked_after_the_fill(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["density"] = np.array([100, 150, -32768], "i2")
        file["density"].attrs.update({"scale_factor": 0.01, "add_offset": 0.5, "_FillValue": np.int16(-32768)})
    with open_scan(tmp_path / "scan.h5") as scan:
        np.testing.assert_allclose(values_of(scan)[:, 0], [1.5, 2.0, np.nan])


def test_attributes_give_the_address(write_scan: WriteScan) -> None:
    attrs = {"@leg": 154, "@Site": np.int64(926), "A@hole": b"A", "@unrelated": [1, 2]}
    with open_scan(write_scan({"A/MS": np.ones(3)}, attrs=attrs)) as scan:
        assert scan.address == {"expedition": "154", "site": "926", "hole": "A"}


@pytest.mark.parametrize(("names", "attrs"), [("ab", {"a@hole": "A", "b@hole": "B"}), (("U1482A", "U1482B"), {})])
def test_columns_of_different_holes_are_not_combined(
    write_scan: WriteScan, names: Sequence[str], attrs: dict[str, str]
) -> None:
    one, two = names
    data = {f"{one}/MS": np.ones(3), f"{two}/NGR": np.full(3, 2.0)}
    data |= {f"{hole}/depth": np.arange(3.0) for hole in names}
    with open_scan(write_scan(data, attrs=attrs)) as scan:
        rows = rows_of(scan, lambda items, label, total, size: items)
        (block,) = (read() for read in rows.blocks)
    holes = [attrs.get(f"{name}@hole", name) for name in names]
    assert block.address["hole"].tolist() == [holes[0]] * 3 + [holes[1]] * 3
    assert np.isnan(block.features[:3, 2]).all()  # equal depths in different holes
    assert np.isnan(block.features[3:, 1]).all()


def test_an_instrument_without_depth_cannot_join_others(write_scan: WriteScan) -> None:
    data = {"a/MS": np.ones(3), "a/depth": np.arange(3.0), "b/NGR": np.ones(4)}
    with pytest.raises(ScanError, match=r"b/NGR \(4 samples\) has no depth"):
        with open_scan(write_scan(data)):
            pass


def test_links_within_the_file_are_followed_and_others_are_not(tmp_path: Path, flat_scan: Path) -> None:
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["raw/17"] = np.ones(3)
        file["MS"] = h5py.SoftLink("/raw/17")
        file["density"] = np.ones(3)
        file["Bulk density"] = file["density"]  # the same data under two names is one candidate
        file["R"] = h5py.ExternalLink(flat_scan.name, "R")
        file["out"] = h5py.ExternalLink(flat_scan.name, "/")
        file["B"] = h5py.SoftLink("/out/B")
        file["G"] = h5py.SoftLink("/nowhere")
        file["loop"] = file["/"]
    with open_scan(tmp_path / "links.h5") as scan:
        assert [scan.sources[i][0].column.path for i in scan.sources] == ["Bulk density", "MS"]
        assert sorted(note.split()[0] for note in scan.notes) == ["B", "G", "R", "out"]


@pytest.mark.parametrize("unit", [np.array([b"cm"]), np.array(["cm"], object), b"cm", " CM "])
@pytest.mark.parametrize("attribute", ["units", "Units", "UNIT"])
def test_units_in_any_spelling(write_scan: WriteScan, unit: Any, attribute: str) -> None:
    path = write_scan({"MS": np.ones(3), "depth": np.arange(3.0)}, attrs={f"depth@{attribute}": unit})
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_allclose(np.asarray(stretch.depth), [0, 0.01, 0.02])


def test_a_unit_in_latin_1(write_scan: WriteScan) -> None:
    path = write_scan({"density": np.array([1500.0])}, attrs={"density@units": np.bytes_("kg/m³".encode("latin-1"))})
    with open_scan(path) as scan:
        assert values_of(scan)[0, 0] == 1.5


@pytest.mark.parametrize("fill", [np.array([-99.0, -88.0]), "-99", b"-99", -99])
@pytest.mark.parametrize("attribute", ["missing_value", "_FillValue", "FillValue", "Missing Value"])
def test_declared_fills_in_any_spelling(write_scan: WriteScan, fill: Any, attribute: str) -> None:
    with open_scan(write_scan({"density": np.array([1.5, -99.0])}, attrs={f"density@{attribute}": fill})) as scan:
        np.testing.assert_array_equal(values_of(scan)[:, 0], [1.5, np.nan])


def test_sentinels_are_compared_with_unpacked_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["MS"] = np.array([5000, -999, -99925], "i4")
        file["MS"].attrs["scale_factor"] = 0.01
    with open_scan(tmp_path / "scan.h5") as scan:
        np.testing.assert_allclose(values_of(scan)[:, 1], [50, -9.99, np.nan])


@pytest.mark.parametrize("packing", ["abc", np.array([]), np.array([1.0, 2.0])])
def test_a_packing_that_is_not_a_number_is_refused(write_scan: WriteScan, packing: Any) -> None:
    with open_scan(write_scan({"MS": np.ones(3)}, attrs={"MS@scale_factor": packing})) as scan:
        with pytest.raises(ScanError, match=r"attribute scale_factor of MS is .*, not a number"):
            values_of(scan)


def test_unwritten_chunks_are_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("R", (1000,), "f4", chunks=(100,))[150:350] = 40
        file.create_dataset("G", (1000,), "f4")
        file.create_dataset("data", (1000, 2), "f4", chunks=(500, 1))[:500, 1] = 7
        file["data"].attrs["columns"] = ["MS", "NGR"]
        file["depth"] = np.arange(1000.0)
    with open_scan(tmp_path / "scan.h5") as scan:
        assert sorted(note for note in scan.notes if "never written" in note)[0].startswith("parts of G")
        values = {
            i: np.concatenate([stretch.features[i] for stretch in track.stretches()])
            for track in scan.tracks
            for i in track.features
        }
    assert np.isnan(values[4]).all()
    assert np.flatnonzero(~np.isnan(values[3])).tolist() == list(range(100, 400))  # by whole chunks
    assert np.isnan(values[1]).all()
    assert np.flatnonzero(~np.isnan(values[2])).tolist() == list(range(500))


def test_a_virtual_dataset_is_not_read(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "MS", (3,))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_virtual_dataset("MS", layout)
    with pytest.raises(ScanError, match=r"MS is a virtual dataset: not read"):
        with open_scan(tmp_path / "scan.h5"):
            pass


def test_lab_colour_without_stars_is_not_rgb_either(write_scan: WriteScan) -> None:
    with open_scan(write_scan({name: np.ones(3) for name in ("L", "a", "b", "MS")})) as scan:
        assert list(scan.sources) == [1]


def test_columns_of_one_name_are_distinguished_by_number(write_scan: WriteScan) -> None:
    path = write_scan({"data": np.arange(6.0).reshape(2, 3)}, attrs={"data@columns": ["R", "R", "G"]})
    with pytest.raises(ScanError, match="could be any of data:0, data:1"):
        with open_scan(path):
            pass
    with open_scan(path, {"R": "data:1"}) as scan:
        np.testing.assert_array_equal(values_of(scan)[:, 3], [1, 4])


def test_a_feature_is_mapped_once(write_scan: WriteScan) -> None:
    with pytest.raises(ScanError, match="R is mapped twice"):
        with open_scan(write_scan({"x": np.ones(3), "y": np.ones(3)}), {"R": "x", "red": "y"}):
            pass


def test_wide_tables_are_read_in_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"channel {i}" for i in range(50)] + ["MS"]
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = np.arange(100 * 51, dtype="f8").reshape(100, 51)
        file["data"].attrs["columns"] = names
    monkeypatch.setattr("lithovae.runtime.scan.track.MAX_BLOCK_BYTES", 51 * 8 * 10)
    with open_scan(tmp_path / "scan.h5") as scan:
        assert [stretch.length for stretch in scan.tracks[0].stretches()] == [10] * 10
        np.testing.assert_array_equal(values_of(scan)[:, 1], np.arange(100) * 51 + 50)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.ones(3)}, "none of the features is among its columns \\(x\\)"),
        ({}, "the file contains no data columns"),
        ({"R": np.array([b"bright", b"dark"])}, "column R matches feature R by name but holds text, not numbers"),
        ({"R": np.empty(0)}, "have no rows"),
        ({"NGR (gAPI)": np.ones(3)}, "no usable feature found; .*gAPI"),
        ({"R": 3.0}, "the file contains no data columns"),
    ],
)
def test_a_scan_without_usable_features_is_refused(write_scan: WriteScan, data: dict[str, Any], message: str) -> None:
    path = write_scan(data)
    with pytest.raises(ScanError, match=message) as caught:
        with open_scan(path):
            pass
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"porosity": "R"}, "unknown feature 'porosity'; known are .* and depth"),
        ({"R": "nowhere"}, "no column 'nowhere'; the file has"),
        ({"R": "name"}, r"--map: name holds text, not numbers"),
    ],
)
def test_an_invalid_map_is_refused(write_scan: WriteScan, mapping: dict[str, str], message: str) -> None:
    with pytest.raises(ScanError, match=message):
        with open_scan(write_scan({"R": np.ones(3), "name": np.array([b"a", b"b", b"c"])}), mapping):
            pass


@pytest.mark.parametrize("make", [lambda file: h5py.SoftLink("/run/MS"), lambda file: file["run/MS"]])
def test_a_single_link_does_not_separate_a_column_from_its_table(tmp_path: Path, make: Callable[[Any], Any]) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        for name in ("MS", "R", "depth"):
            file[f"run/{name}"] = np.arange(3.0)
        file["best/MS"] = make(file)
    with open_scan(tmp_path / "scan.h5") as scan:
        (track,) = scan.tracks
        assert [source.column.path for source in track.features.values()] == ["run/MS", "run/R"]


def test_lab_colour_beside_rgb_is_distinguished_by_case(write_scan: WriteScan) -> None:
    with open_scan(write_scan({name: np.full(3, 90.0) for name in ("R", "G", "B", "L", "a", "b")})) as scan:
        assert [source.column.path for source in scan.tracks[0].features.values()] == ["R", "G", "B"]


def test_a_slash_in_a_columns_unit_does_not_split_its_name(write_scan: WriteScan) -> None:
    path = write_scan({"Bulk density (kg/m3)": np.full(3, 1900.0), "NGR (counts/s)": np.ones(3), "depth": np.ones(3)})
    with open_scan(path) as scan:
        np.testing.assert_array_equal(values_of(scan)[:, 0], [1.9] * 3)
        assert scan.tracks[0].depth is not None
        assert scan.unused == []


def test_columns_that_have_no_names_are_listed_once(write_scan: WriteScan) -> None:
    with open_scan(write_scan({"MS": np.ones(5), "colours": np.ones((5, 3))})) as scan:
        assert scan.unused == ["colours"]


def test_names_that_fit_neither_rows_nor_columns_are_refused(write_scan: WriteScan) -> None:
    path = write_scan({"data": np.ones((9, 4))}, attrs={"data@columns": ["MS", "R", "depth"]})
    with pytest.raises(ScanError, match=r"data \(9, 4\) has 3 names, but neither 3 columns nor 3 rows"):
        with open_scan(path):
            pass


def test_a_3d_dataset_that_is_not_an_image_is_not_used(write_scan: WriteScan) -> None:
    cube = np.arange(5 * 4 * 3.0).reshape(5, 4, 3)
    path = write_scan({"MS": np.ones(5), "acceleration": cube})
    with open_scan(path) as scan:
        assert list(scan.sources) == [1]
        assert any(note.startswith("acceleration (5, 4, 3) is not marked as an image") for note in scan.notes)
    with open_scan(path, {"G": "acceleration:1"}) as scan:
        np.testing.assert_array_equal(values_of(scan)[:, 4], cube[:, :, 1].mean(axis=1))


@pytest.mark.parametrize("name", ["a/MS", "RGB"])
def test_tables_that_share_one_depth_share_their_rows(write_scan: WriteScan, name: str) -> None:
    values = np.ones((7, 3)) if name == "RGB" else np.ones(7)
    density = {"density": np.ones(7)} if name == "RGB" else {"b/density": np.ones(7)}
    with open_scan(write_scan({name: values, "depth": np.arange(7.0)} | density)) as scan:
        (track,) = scan.tracks
        assert list(track.features) == ([0, 3, 4, 5] if name == "RGB" else [0, 1])


def test_an_address_that_was_never_written_is_blank(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["MS"] = np.ones(4)
        file.create_dataset("core", (4,), "i4", chunks=(2,))[:2] = 3
    with open_scan(tmp_path / "scan.h5") as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.address["core"].tolist() == ["3", "3", "", ""]


def test_a_column_serves_once(write_scan: WriteScan) -> None:
    data = {"density": np.ones(5), "R": np.arange(5.0), "depth": np.arange(5.0), "log/b": np.ones(5)}
    path = write_scan(data)
    with pytest.raises(
        ScanError, match=r"R is mapped to Magnetic .*, but by its name it is R, .*: a column serves once"
    ):
        open_scan(path, {"MS": "R", "NGR": "log/b"}).__enter__()
    more = write_scan(data | {f"rgb/{name}": np.arange(5.0) for name in "RGB"})
    with open_scan(more, {"MS": "R", "R": "rgb/R", "B": "rgb/B"}) as scan:
        assert {i: sources[0].column.path for i, sources in scan.sources.items()} == {
            0: "density", 1: "R", 3: "rgb/R", 4: "rgb/G", 5: "rgb/B",
        }  # fmt: skip
    with pytest.raises(ScanError, match=r"--map: R is mapped to Magnetic .* and NGR .*: a column serves once"):
        open_scan(path, {"MS": "R", "NGR": "R"}).__enter__()
    with pytest.raises(ScanError, match=r"--map: R is mapped to Magnetic .* and Depth .*: a column serves once"):
        open_scan(path, {"MS": "R", "depth": "R"}).__enter__()
    del data["log/b"]
    for feature, column, name in (("MS", "depth", "the depth"), ("depth", "density", "Bulk density")):
        with pytest.raises(
            ScanError, match=rf"{column} is mapped to .* by its name it is {name}.*a column serves once"
        ):
            open_scan(write_scan(data), {feature: column}).__enter__()
    with open_scan(write_scan(data | {"mbsf": np.arange(5.0)}), {"MS": "depth"}) as scan:
        assert scan.tracks[0].depth_text == "mbsf (no unit given)"


RESISTIVITY = np.linspace(0.4, 90.2, 5)


@pytest.mark.parametrize(
    ("data", "units", "found"),
    [
        ({"R": RESISTIVITY}, {}, []),
        ({"R": RESISTIVITY, "B": RESISTIVITY}, {}, []),
        ({"R": RESISTIVITY, "other/G": RESISTIVITY, "other/B": RESISTIVITY}, {}, []),
        ({"R": RESISTIVITY}, {"R": "ohm m"}, []),
        ({"R": RESISTIVITY, "G": RESISTIVITY, "B": RESISTIVITY}, {}, [3, 4, 5]),
        ({"R": RESISTIVITY}, {"R": "0-255"}, [3]),
        ({"R": np.arange(5.0)}, {}, [3]),
        ({"R": np.arange(5, dtype="u1")}, {}, [3]),
        ({"red": RESISTIVITY}, {}, [3]),
        ({"camera/R": RESISTIVITY}, {}, [3]),
    ],
    ids=str,
)
def test_a_single_letter_is_colour_only_with_evidence(
    write_scan: WriteScan, data: dict[str, Any], units: dict[str, str], found: list[int]
) -> None:
    path = write_scan(data | {"MS": np.ones(5), "camera/depth": np.arange(5.0), "depth": np.arange(5.0)}, units)
    with open_scan(path) as scan:
        assert [i for i in scan.sources if i > 1] == found
        assert found or any("R" in note and "left out (--map takes it" in note for note in scan.notes)
    with open_scan(path, {"R": next(iter(data))}) as scan:
        assert 3 in scan.sources
