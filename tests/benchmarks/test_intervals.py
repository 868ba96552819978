"""How intervals are scored."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.intervals import Hole, boundaries, margin, matches, score

DEPTH: NDArray[np.float64] = np.linspace(0, 1.4, 8)


def test_boundaries_lie_between_rows_of_different_lithologies_without_a_gap() -> None:
    lithology = np.array(["clay", "clay", "ooze", "", "ooze", "clay", "clay", "ooze"])
    depth = DEPTH.copy()
    depth[7] += 1
    assert boundaries(depth, lithology) == pytest.approx([0.3, 0.9])


def test_a_boundary_matches_one_other_within_20_cm() -> None:
    assert matches(np.array([1.0, 1.1, 5.0]), np.array([1.2, 4.7])) == 1
    assert matches(np.array([1.0, 1.1]), np.array([0.9, 1.3])) == 2
    assert matches(np.array([]), np.array([1.0])) == 0


def test_the_score_of_labels() -> None:
    true = np.array(["clay"] * 4 + ["ooze"] * 3 + [""])
    hole = Hole("A", DEPTH, np.empty((8, 1), np.float32), np.zeros(8, np.uint8), true)
    found = score(hole, np.array(["clay"] * 3 + ["ooze"] * 5), boundaries(DEPTH, true))
    assert found.accuracy == pytest.approx(6 / 7)
    assert (found.f1, found.boundaries) == (1.0, 1)


def test_the_margin_says_how_far_it_spreads() -> None:
    assert margin([0.1, 0.2, 0.3], [0.2, 0.3, 0.2]) == (
        "+0.033 (sd 0.115, 95 % of bootstrap means -0.100 to +0.100; better in 2 of 3)"
    )
