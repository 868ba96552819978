from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]


@pytest.mark.parametrize(
    "units",
    [{"depth_units": "cm", "density_unit": "kg/m3"}, {"FIELD_0_UNITS": "cm", "FIELD_1_UNITS": "kg/m3"}],
    ids=str,
)
def test_a_tables_attributes_may_give_the_unit_of_a_field(write_scan: WriteScan, units: dict[str, str]) -> None:
    table = np.array([(50, 1800), (100, 1900)], [("depth", "f8"), ("density", "f8")])
    with open_scan(write_scan({"log": table}, attrs={f"log@{name}": unit for name, unit in units.items()})) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        assert stretch.depth.tolist() == [0.5, 1.0]
        assert stretch.features[0].tolist() == [1.8, 1.9]
