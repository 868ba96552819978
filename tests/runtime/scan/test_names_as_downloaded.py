"""Headings of files as repositories and instruments give them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.features import DEPTH, FEATURES
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
    assert FEATURES[0].rank("Wet_gamma_ray_density_UNSAT_gcm-3") is None


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
