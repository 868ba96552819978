"""Headings of files as repositories and instruments give them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.features import DEPTH, LILY
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]


def sources(path: Path, mapping: dict[str, str] | None = None) -> tuple[dict[int, str], str, list[str]]:
    with open_scan(path, mapping) as scan:
        return {i: s[0].column.path for i, s in scan.sources.items()}, scan.tracks[0].depth_text, list(scan.notes)


@pytest.mark.parametrize(
    ("position", "name"),
    [
        (0, "Wet_gamma_ray_density_SAT_gcm-3"),
        (0, "Density wet bulk [g/cm**3]"),
        (0, "WBD [g/cm**3]"),
        (0, "Den1"),
        (0, "Density (g/cc)"),
        (0, "GRAPE density (g/cc)"),
        (0, "Gamma attenuation density (g/cm3)"),
        (2, "Nat. Gamma (cps)"),
        (1, "Magnetic Suscept."),
        (1, "Corrected Suscept."),
        (1, "MS1"),
    ],
)
def test_features(write_scan: WriteScan, position: int, name: str) -> None:
    table = write_scan({"x": np.ones((3, 1))}, attrs={"x@columns": [name]})
    assert list(sources(table)[0]) == [position]


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("DEPTH_WMSF", 1.0),
        ("Sediment Depth, unscaled (MBS / CSF-A)", 1.0),
        ("SB DEPTH", 1.0),
        ("SB_DEPTH_cm", 0.01),
        ("Depth sed [m]", 1.0),
        ("Depth, sediment/rock [m]", 1.0),
        ("Depth (mbsf)", 1.0),
        ("Depth (mblf)", 1.0),
        ("Depth (cmbsf)", 0.01),
        ("Depth (in)", 0.0254),
    ],
)
def test_depths(write_scan: WriteScan, name: str, factor: float) -> None:
    table = write_scan({"x": np.full((3, 2), 2.0)}, attrs={"x@columns": ["MS", name]})
    with open_scan(table) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        assert stretch.depth.tolist() == [2.0 * factor] * 3


@pytest.mark.parametrize(
    "name", ["Sec Depth (cm)", "SECT DEPTH", "Top (cm)", "Top(cm)", "Section Depth", "Offset (cm)"]
)
def test_an_offset_in_the_section_is_not_the_depth(name: str) -> None:
    assert DEPTH.rank(name) is None


@pytest.mark.parametrize(
    "name", ["MS_SIx10-5 ", "MS1 (SI x 10^-5)", "kappa [10**-6 SI]", "MS_SI x 10^-5", "MS 10^-5 SI"]
)
def test_susceptibilities_in_si_are_left_out_with_a_note(write_scan: WriteScan, name: str) -> None:
    table = write_scan({"x": np.ones((3, 2))}, attrs={"x@columns": [name, "density"]})
    found, _, notes = sources(table)
    assert list(found) == [0]
    assert any("is not instr. units: left out (--map takes it unchanged)" in note for note in notes), notes


def test_density_for_unsaturated_pores_is_not_the_wet_one() -> None:
    assert LILY[0].rank("Wet_gamma_ray_density_UNSAT_gcm-3") is None


def test_the_raw_susceptibility_is_taken_before_the_corrected_one(shared_tables: Path) -> None:
    found, depth, notes = sources(shared_tables / "883A_magsus.csv")
    assert (found, depth) == ({1: "Magnetic Suscept."}, "Depth (mbsf)")
    assert any("Corrected Suscept. could be" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "found", "depth"),
    [
        *((f"883{hole}_GRAPE_WBD.csv", {0: "Density (g/cc)"}, "Depth (mbsf)") for hole in "ABCD"),
        *((f"883{hole}_magsus.csv", {1: "Magnetic Suscept."}, "Depth (mbsf)") for hole in "ABCD"),
        ("EXPD_MSCL_20200626_part2.out", {0: "Den1"}, "SB DEPTH (m)"),
        ("EXPD_MSCL_20200627_part3.out", {0: "Den1"}, "SB DEPTH (m)"),
        ("KITE_GEOTEK_MSCL_0.5cm.csv", {0: "Wet_gamma_ray_density_SAT_gcm-3"}, "SB_DEPTH_cm (cm)"),
    ],
)
def test_real_tables(shared_tables: Path, name: str, found: dict[int, str], depth: str) -> None:
    assert sources(shared_tables / name)[:2] == (found, depth)


def test_the_message_names_the_nearest_columns_and_what_takes_them(write_scan: WriteScan) -> None:
    path = write_scan({"bulk_dens_corr": np.ones(3), "susceptib": np.ones(3), "pwave": np.ones(3)})
    with pytest.raises(ScanError) as caught, open_scan(path):
        pass
    assert "--map 'MS=susceptib'" in str(caught.value)
    assert "--map 'density=bulk_dens_corr'" in str(caught.value)
    assert "pwave'" not in str(caught.value)


@pytest.mark.parametrize("name", ["Red (%)", "Density (%)", "MS (-)", "NGR (‰)"])
def test_a_unit_of_signs_alone_is_a_unit(write_scan: WriteScan, name: str) -> None:
    table = write_scan({"x": np.full((3, 1), 50.0)}, attrs={"x@columns": [name]})
    with pytest.raises(ScanError, match=r"its unit '.' is not"), open_scan(table):
        pass


def test_columns_of_one_name_are_told_apart_by_number(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    path.write_text("depth,MS,MS\n0.1,1,2\n0.2,3,4\n", encoding="utf-8")
    with pytest.raises(ScanError, match=r"could be any of MS:1, MS:2: choose one, as with --map .*=MS:1"):
        sources(path)
    with pytest.raises(ScanError, match=r"could be any of MS:1, MS:2, whose values differ: .* --map 'MS=MS:2'"):
        sources(path, {"MS": "MS"})
    assert sources(path, {"MS": "MS:2"})[0] == sources(path, {"MS": "2"})[0] == {1: "MS:2"}
    path.write_text("depth,MS,MS\n0.1,1,1\n0.2,NA,NA\n", encoding="utf-8")
    for mapping in ({}, {"MS": "MS"}):
        found, _, notes = sources(path, mapping)
        assert found == {1: "MS:1"}
        assert "MS:1 is taken: MS:2 has the same name and the same values" in notes


def test_two_columns_of_one_name_in_a_real_file(shared_tables: Path) -> None:
    found, _, notes = sources(shared_tables / "KITE_GEOTEK_MSCL_0.5cm.csv", {"MS": "MS_SIx10-5 "})
    assert found[1] == "MS_SIx10-5:16"
    assert "MS_SIx10-5:16 is taken: MS_SIx10-5:22 has the same name and the same values" in notes


def test_a_table_without_headings_is_told_what_to_do(shared_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"no headings.*write a line of names above its first row, or map columns by"):
        sources(shared_tables / "corelist-mscl.csv")
    path = tmp_path / "correlator.dat"
    path.write_text("".join(f"U1482 A {i} H 1 5.0 {i / 10:.1f} {i}\n" for i in range(1, 30)), encoding="utf-8")
    assert sources(path, {"MS": "7", "depth": "6"})[:2] == ({1: "7"}, "6 (no unit given)")


def test_text_in_a_column_of_a_feature_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    path.write_text("depth,MS\n0.1,1\n" + "0.2,saturated\n0.3,2\n" * 9, encoding="utf-8")
    with pytest.raises(ScanError, match=r"column MS matches .* but holds text \('saturated'\), not numbers"):
        sources(path)


@pytest.mark.parametrize("name", ["Tiefe (m)", "Profondeur [cm]", "profundidad_m", "Teufe (m)"])
def test_a_length_is_suggested_where_no_depth_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "core.csv"
    path.write_text(f"{name},MS,Wert\n0.1,1,2\n0.2,3,4\n", encoding="utf-8")
    _, depth, notes = sources(path)
    assert depth == ""
    assert any(f"no depth is found by its name; {name} states a unit of length" in note for note in notes), notes
    assert sources(path, {"depth": name})[1]
