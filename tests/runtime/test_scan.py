from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import ScanError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.scan import Scan, open_scan

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]


def values_of(scan: Scan) -> Floats:
    """All rows of a scan's only track, (n, 6)."""
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
        assert [source.column.path for source in scan.sources.values()] == list(FEATURE_NAMES)
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
        assert "mbsf gives no unit: taken as metres" in scan.notes


def test_a_nameless_matrix_is_not_guessed_but_can_be_mapped(write_scan: WriteScan, features: Floats) -> None:
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
    columns = {"columns": [name], "units": [unit]} if unit else {"columns": [name]}  # "/" cannot be in a dataset's name
    path = write_scan({"x": np.array([[1.5], [2.5]])}, attrs={f"x@{key}": value for key, value in columns.items()})
    with open_scan(path) as scan:
        np.testing.assert_allclose(values_of(scan)[:, 0], np.array([1.5, 2.5]) * factor)


@pytest.mark.parametrize(("unit", "factor"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("ft", 0.3048), ("Metres", 1.0)])
def test_depth_units(write_scan: WriteScan, unit: str, factor: float) -> None:
    with open_scan(write_scan({"MS": np.ones(3), "depth": np.arange(3.0)}, {"depth": unit})) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_allclose(np.asarray(stretch.depth), np.arange(3) * factor)


@pytest.mark.parametrize(("name", "unit"), [("NGR", "gAPI"), ("MS", "10^-5 SI"), ("Density", "%")])
def test_a_unit_that_cannot_be_converted_is_left_out_aloud(write_scan: WriteScan, name: str, unit: str) -> None:
    path = write_scan({name: np.ones(3), "R": np.ones(3)}, {name: unit})
    with open_scan(path) as scan:
        assert list(scan.sources) == [3]
        assert any(name in note and unit in note and "left out" in note for note in scan.notes)
    with open_scan(path, {name: name}) as scan:  # unless the user says so
        assert len(scan.sources) == 2
        assert any("as mapped" in note for note in scan.notes)


def test_a_parenthesis_in_a_known_name_is_no_unit(write_scan: WriteScan) -> None:
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
        assert scan.sources[1].column.path == "a/MS"
        assert any("b/hiresMS is a point sensor" in note for note in scan.notes)
    with open_scan(path, {"MS": "b/hiresMS"}) as scan:
        assert scan.sources[1].column.path == "b/hiresMS"


def test_of_several_names_the_published_one_is_taken(write_scan: WriteScan) -> None:
    with open_scan(write_scan({"density": np.ones(3), "Bulk density (GRA)": np.ones(3)})) as scan:
        assert scan.sources[0].column.path == "Bulk density (GRA)"
        assert any(note.startswith("density could be Bulk density (GRA) too") for note in scan.notes)


def test_equally_good_candidates_are_not_guessed_between(write_scan: WriteScan) -> None:
    path = write_scan({"A/MS": np.ones(3), "B/MS": np.ones(3)})
    with pytest.raises(ScanError, match=r"could be any of A/MS, B/MS: choose one, as with --map"):
        with open_scan(path):
            pass
    with open_scan(path, {"magnetic susceptibility": "/B/MS"}) as scan:
        assert scan.sources[1].column.path == "B/MS"


def test_lab_colour_is_not_rgb(write_scan: WriteScan) -> None:
    with open_scan(write_scan({name: np.ones(3) for name in ("R", "G", "B", "L*", "a*", "b*")})) as scan:
        assert [source.column.path for source in scan.sources.values()] == ["R", "G", "B"]
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


def test_columns_of_different_holes_are_not_brought_together(write_scan: WriteScan) -> None:
    data = {f"{hole}/{name}": np.ones(3) for hole, name in [("A", "MS"), ("A", "depth"), ("B", "NGR"), ("B", "depth")]}
    with pytest.raises(ScanError, match="spread over several holes"):
        with open_scan(write_scan(data, attrs={"A@hole": "A", "B@hole": "B"})):
            pass


def test_an_instrument_without_depth_cannot_join_others(write_scan: WriteScan) -> None:
    data = {"a/MS": np.ones(3), "a/depth": np.arange(3.0), "b/NGR": np.ones(4)}
    with pytest.raises(ScanError, match=r"b/NGR \(4 samples\) has no depth"):
        with open_scan(write_scan(data)):
            pass


def test_links_to_elsewhere_are_not_followed(tmp_path: Path, flat_scan: Path) -> None:
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["MS"] = np.ones(3)
        file["R"] = h5py.ExternalLink(flat_scan.name, "R")
        file["G"] = h5py.SoftLink("/MS")
        file["loop"] = file["/"]
    with open_scan(tmp_path / "links.h5") as scan:
        assert list(scan.sources) == [1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": np.ones(3)}, "none of the six features found among x"),
        ({}, "none of the six features found among nothing"),
        ({"R": np.array([b"bright", b"dark"])}, "R, by its name R, holds text, not numbers"),
        ({"R": np.empty(0)}, "have no rows"),
        ({"NGR (gAPI)": np.ones(3)}, "no feature can be taken; .*gAPI"),
        ({"R": 3.0}, "none of the six features"),
    ],
)
def test_what_cannot_be_understood(write_scan: WriteScan, data: dict[str, Any], message: str) -> None:
    path = write_scan(data)
    with pytest.raises(ScanError, match=message) as caught:
        with open_scan(path):
            pass
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"porosity": "R"}, "'porosity' is none of the features"),
        ({"R": "nowhere"}, "no column 'nowhere'; the file has"),
        ({"R": "name"}, r"name .* does not hold numbers"),
    ],
)
def test_a_map_that_leads_nowhere(write_scan: WriteScan, mapping: dict[str, str], message: str) -> None:
    with pytest.raises(ScanError, match=message):
        with open_scan(write_scan({"R": np.ones(3), "name": np.array([b"a", b"b", b"c"])}), mapping):
            pass
