from __future__ import annotations

import numpy as np
import pytest

from lithovae.runtime.features import DENSITY, FEATURE_NAMES, GAMMA, LILY, FeatureSet, Quantity
from lithovae.runtime.missing import extremes
from lithovae.runtime.other_units import ArrayUnits, OtherUnits

other_units = ArrayUnits(LILY).notes

NAN = np.nan
ORDINARY = [1.7, 12.0, 30.0, 80.0, 90.0, 100.0]
IN_ANOTHER_UNIT = [1700.0, 12e-5, 3000.0, 0.3, 0.35, 0.4]


def notes_of(columns: tuple[Quantity, ...], rows: list[list[float]]) -> list[str]:
    units = OtherUnits(FeatureSet(columns))
    for row in rows:
        values = np.array([row], np.float32)
        units.add(extremes(values), values)
    return units.notes


def test_a_rule_goes_with_its_feature() -> None:
    assert [note.split(":")[0] for note in notes_of((GAMMA, DENSITY), [[30, 1700], [NAN, 1800]])] == [DENSITY.name]
    in_si = Quantity(DENSITY.name, "kg/m3", (), {}, (300.0, 4000.0))
    assert notes_of((GAMMA, in_si), [[30, 1700]]) == []


@pytest.mark.parametrize("i", range(6))
def test_one_ordinary_value_clears_a_feature(i: int) -> None:
    rows = np.tile(np.array(ORDINARY, np.float32), (3, 1))
    many = slice(3, 6) if i > 2 else slice(i, i + 1)
    rows[:, many] = IN_ANOTHER_UNIT[many]
    (note,) = other_units(rows)
    assert note.startswith(FEATURE_NAMES[i] if i < 3 else "R, G, B")
    for absent in (NAN, -999.25, np.inf):
        rows[1:, i] = rows[1, i], absent
        rows[0] = absent
        assert other_units(rows) == [note], absent
    rows[2, i] = ORDINARY[i]
    assert other_units(rows) == []


def test_colours_that_are_absent_are_not_named() -> None:
    rows = np.array([[NAN, NAN, NAN, 0.5, NAN, NAN], [NAN, NAN, NAN, 0.0, NAN, -5]], np.float32)
    assert other_units(rows) == [
        "R: no value is above 1; the models need 0 to 255, and these seem to be 0 to 1 (multiply by 255)"
    ]


def test_fractions_count_wherever_they_are() -> None:
    scaled = [[NAN, NAN, NAN, x, x, x] for x in (0.0, 1.0, 0.5)]
    assert len(other_units(np.array(scaled, np.float32))) == 1
    assert other_units(np.array(scaled[:2], np.float32)) == []
