"""Names and units as loggers and repositories write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime import InputError, ScanError
from lithovae.runtime.features import CATALOGUE, DEPTH, LILY, FeatureSet, read_features, split_suffix
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]


@pytest.mark.parametrize(
    ("position", "names"),
    [
        (
            0,
            [
                "Bulk density (GRA) (g/cm³)",
                "Bulk density (GRA)",
                "BULK_DENSITY",
                "Den1",
                "GRA density",
                "Rhob",
                "RHOB.G/C3",
            ],
        ),
        (1, ["Magnetic susceptibility (instr. units)", "Magnetic susceptibility (instrument units)", "MS1", "Mag-Sus"]),
        (
            2,
            ["NGR total counts (cps)", "Total counts (cps)", "NGAM", "Natural Gamma", "ngr_cps", "NATURAL GAMMA (CPS)"],
        ),
        (3, ["R", "red", "RGB_R", "Mean R"]),
    ],
)
def test_headings_of_lims_lily_geotek_and_janus(write_scan: WriteScan, position: int, names: list[str]) -> None:
    for name in names:
        with open_scan(write_scan({"x": np.ones((3, 1))}, attrs={"x@columns": [name]})) as scan:
            assert list(scan.sources) == [position], name


DEPTHS = ["Depth CSF-A (m)", "Depth CSF-B (m)", "Top depth CSF-A (m)", "SB DEPTH", "SUB_BOTTOM_DEPTH", "DEPT.M", "MD"]


@pytest.mark.parametrize("name", [*DEPTHS, "Depth (mbsf)"])
def test_headings_of_depths(write_scan: WriteScan, name: str) -> None:
    with open_scan(write_scan({"MS": np.ones(3), name: np.arange(3.0)})) as scan:
        assert scan.tracks[0].depth is not None
        assert scan.tracks[0].depth.factor == 1


@pytest.mark.parametrize(
    "name", ["Offset (cm)", "SECT DEPTH", "Dry bulk density", "Grain density", "PWVel", "MS resolution"]
)
def test_similar_names_of_other_quantities_are_not_taken(name: str) -> None:
    assert [quantity.name for quantity in (*LILY, DEPTH) if quantity.rank(name) is not None] == []


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("depth_cm", ("depth", "cm")),
        ("RHOB.K/M3", ("RHOB", "K/M3")),
        ("density_g_cc", ("density", "g_cc")),
        ("density kg/m^3", ("density", "kg/m^3")),
        ("MS_SI", ("MS", "SI")),
        ("Depth, m", ("Depth", "m")),
        ("loop_ms", ("loop_ms", "")),
        ("_m", ("_m", "")),
        ("cm", ("cm", "")),
    ],
)
def test_a_unit_after_the_last_separator(name: str, split: tuple[str, str]) -> None:
    assert split_suffix(name) == split


@pytest.mark.parametrize(
    ("position", "unit", "factor"),
    [
        (0, "g/cm³", 1),
        (0, "G/C3", 1),
        (0, "g cm⁻3", 1),
        (0, "g·cm^-3", 1),
        (0, "gm/cc", 1),
        (0, "kg m**-3", Fraction(1, 1000)),
        (0, "K/M3", Fraction(1, 1000)),
        (0, "lb/ft3", None),
        (0, "mg/m3", None),
        (1, "Instrument Units", 1),
        (1, "SI", None),
        (1, "1e-5 SI", None),
        (1, "10^-6 cgs", None),
        (1, "1", None),
        (2, "counts / second", 1),
        (2, "gAPI", None),
        (2, "cpm", None),
        (3, "0-255", 1),
        (3, "0-1", None),
        (3, "%", None),
    ],
)
def test_units_are_converted_exactly_or_not_at_all(position: int, unit: str, factor: Any) -> None:
    assert LILY[position].factor(unit) == factor


@pytest.mark.parametrize("name", ["GR", "gamma ray", "kappa"])
def test_names_whose_usual_unit_is_another_need_one(write_scan: WriteScan, name: str) -> None:
    with pytest.raises(ScanError, match="this one states no unit: left out"):
        with open_scan(write_scan({name: np.ones(3)})):
            pass
    unit = "iu" if name == "kappa" else "cps"
    with open_scan(write_scan({name: np.ones(3)}, {name: unit})) as scan:
        assert scan.sources


@pytest.mark.parametrize(("name", "unit"), [("MS_SI", "SI"), ("NGR_gAPI", "gAPI"), ("density_km", "km")])
def test_a_name_with_another_unit_is_left_out_with_a_note(write_scan: WriteScan, name: str, unit: str) -> None:
    with pytest.raises(ScanError, match=f"its unit '{unit}' is not"):
        with open_scan(write_scan({name: np.ones(3)})):
            pass
    with open_scan(write_scan({name: np.full(3, 2.0)}), {name.split("_")[0]: name}) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert [values.tolist() for values in stretch.features.values()] == [[2.0] * 3]


def test_colours_from_0_to_1_are_left_out_with_a_note(write_scan: WriteScan) -> None:
    data = {"R": np.linspace(0, 1, 9), "G": np.linspace(0, 1.5, 9), "B": np.ones(9), "depth": np.arange(9.0)}
    with open_scan(write_scan(data)) as scan:
        assert list(scan.sources) == [4, 5]  # a colour of 1 in all rows may be that
        assert any(
            note.startswith("R looks like R, but its values range from 0 to 1, not from 0 to 255")
            for note in scan.notes
        )
    with open_scan(write_scan(data), {"R": "R"}) as scan:
        assert list(scan.sources) == [3, 4, 5]


def test_the_depth_can_be_mapped(write_scan: WriteScan) -> None:
    data = {"MS": np.ones(3), "depth": np.arange(3.0), "mbsf": np.arange(3.0), "z_cm": np.array([300.0, 400, 500])}
    with open_scan(write_scan(data)) as scan:
        assert any("depth could be the depth too: mbsf is taken (--map depth=PATH" in note for note in scan.notes)
    with open_scan(write_scan(data, {"z_cm": "cm"}), {"depth": "z_cm"}) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(np.asarray(stretch.depth), [3, 4, 5])
        assert scan.unused == ["depth", "mbsf"]
    with open_scan(write_scan(data, {"z_cm": "fathoms"}), {"depth": "z_cm"}) as scan:
        assert any(
            "z_cm is taken as a depth in m, as mapped, although its unit is 'fathoms'" in note for note in scan.notes
        )


def test_a_mapped_depth_is_used_by_the_nearest_tables(write_scan: WriteScan) -> None:
    data = {f"{group}/{name}": np.full(3, 1.0) for group, name in [("a", "MS"), ("a", "z"), ("b", "NGR"), ("b", "z")]}
    data["b/z"] = np.full(3, 5.0)
    with open_scan(write_scan(data), {"depth": "*/z"}) as scan:
        depths = [next(track.stretches()).depth for track in scan.tracks]
        assert [np.asarray(depth)[0] for depth in depths] == [1, 5]


def test_equally_good_depths_need_a_choice(write_scan: WriteScan) -> None:
    path = write_scan({"MS": np.ones(3), "depth": np.arange(3.0), "Depth": np.arange(3.0) * 100})
    with pytest.raises(ScanError, match="Depth and depth could both be the depth: choose one, as with --map"):
        with open_scan(path):
            pass
    with open_scan(path, {"depth": "depth"}) as scan:
        assert scan.tracks[0].depth is not None


def test_a_column_whose_name_and_attribute_contradict_each_other_is_not_used(write_scan: WriteScan) -> None:
    data = {"density_g_cc": np.ones(3), "MS": np.ones(3), "depth_cm": np.arange(3.0)}
    with open_scan(write_scan(data, {"density_g_cc": "kg/m3", "depth_cm": "m"})) as scan:
        assert list(scan.sources) == [1]
        assert scan.tracks[0].depth is None
        assert any(
            "density_g_cc looks like" in note and "but it is in 'g_cc' by its name" in note for note in scan.notes
        )
        assert "depth_cm is in 'cm' by its name, and in 'm' by its attribute: not used" in scan.notes


def test_a_matrix_with_the_name_of_a_feature_is_not_used(write_scan: WriteScan) -> None:
    with pytest.raises(ScanError, match=r"R \(10, 300\) has several columns without names: not used"):
        with open_scan(write_scan({"R": np.ones((10, 300))})):
            pass


def test_only_a_name_whose_usual_unit_is_another_needs_a_unit() -> None:
    assert [feature.name for feature in CATALOGUE if feature.needs_unit(feature.name)] == []
    assert [feature.name for feature in CATALOGUE if feature.needs_unit(feature.heading)] == []
    assert [feature.name for feature in CATALOGUE if feature.needs_unit("K")] == ["Potassium (NGR)", "K (XRF)"]
    assert [feature.name for feature in CATALOGUE if feature.needs_unit("Porosity (%)")] == ["Fractional porosity"]


def test_short_names_tell_the_features_of_a_set_apart() -> None:
    short = list(CATALOGUE.short_names.values())
    assert len(set(short)) == len(short)
    assert [CATALOGUE.find(name) for name in short] == list(range(len(CATALOGUE)))
    assert list(FeatureSet.named(["K (XRF)", "Vp"]).short_names.values()) == ["K", "Vp"]


def test_a_feature_set_is_named_or_read_from_a_file(tmp_path: Path) -> None:
    assert read_features("Vp, FP,density").names == ("P-wave velocity", "Fractional porosity", "Bulk density (GRA)")
    entries = [*LILY.to_json()[:1], {**LILY.to_json()[0], "name": "Salinity", "unit": "g/kg", "plausible": [0, 50]}]
    (tmp_path / "ours.JSON").write_text(json.dumps(entries), encoding="utf-8")
    assert read_features(str(tmp_path / "ours.JSON")).names == ("Bulk density (GRA)", "Salinity")
    for wrong in ("density,rhob", "density,,MS", "", "colour of the sky", str(tmp_path / "absent.json")):
        with pytest.raises(InputError, match="--features: "):
            read_features(wrong)
