from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]


def deepest(path: Path) -> float:
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        return float(stretch.depth[-1])


@pytest.mark.parametrize(
    ("name", "metres"),
    [
        ("depth_cm", 2.0), ("depth_metres", 200.0), ("depth meters", 200.0), ("depth_feet", 60.96),
        ("Depth_millimetres", 0.2),
    ],
)  # fmt: skip
def test_a_unit_in_the_name_is_used_if_the_attribute_is_blank(write_scan: WriteScan, name: str, metres: float) -> None:
    data = {"MS": np.ones(3), name: np.array([0.0, 100.0, 200.0])}
    assert deepest(write_scan(data)) == pytest.approx(metres)
    assert deepest(write_scan(data, {name: ""})) == pytest.approx(metres)


@pytest.mark.parametrize("attribute", ["@depth_units", "GRA@depth_unit"])
def test_the_file_or_the_group_may_state_the_unit_of_depths(write_scan: WriteScan, attribute: str) -> None:
    path = write_scan({"GRA/density": np.ones(3), "GRA/depth": np.array([0.0, 100.0, 200.0])}, attrs={attribute: "cm"})
    assert deepest(path) == 2.0
    with open_scan(path) as scan:
        assert "GRA/depth states no unit, but its group or the file states that depths are in 'cm'" in scan.notes


def test_depths_on_different_scales_are_noted(write_scan: WriteScan) -> None:
    data = {"GRA/density": np.ones(3), "GRA/Depth CSF-A (m)": np.arange(3.0), "loop/MS": np.ones(4)}
    with open_scan(write_scan(data | {"loop/mcd": np.arange(4.0)})) as scan:
        assert any(
            note.startswith("depths are on different scales (CSF-A in GRA/Depth CSF-A (m), CCSF in loop/mcd)")
            for note in scan.notes
        )
    with open_scan(write_scan(data | {"loop/depth": np.arange(4.0), "loop/mbsf": np.arange(4.0)})) as scan:
        assert not any("scales" in note for note in scan.notes)


def test_a_note_is_bounded_whatever_it_quotes(write_scan: WriteScan) -> None:
    data = {"MS": np.ones(3), "depth": np.arange(3.0), "tvd": np.arange(3.0)}
    with open_scan(write_scan(data, {"depth": "m", "tvd": "x" * 60_000})) as scan:
        assert max(map(len, scan.notes)) < 1100
