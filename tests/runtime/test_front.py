from __future__ import annotations

import numpy as np

from lithovae.runtime.follow.instruments import Front

FOREVER = float("inf")


def passed(front: Front, *bins: tuple[int, int], now: float = 0.0) -> list[bool]:
    holes, numbers = np.array(bins, np.int64).T
    return [bool(is_passed) for is_passed in front.passed(holes, numbers, now)]


def move(front: Front, feature: int, hole: int, *numbers: int, now: float = 0.0) -> None:
    front.move([feature], np.full(len(numbers), hole, np.int64), np.array(numbers, np.int64), now)


def test_a_bin_is_passed_when_every_feature_is_behind_it() -> None:
    front = Front([0, 1], 0.0, FOREVER)
    move(front, 0, 0, 3, 4, 5)
    assert passed(front, (0, 3), (0, 4)) == [False, False]  # the other has not begun
    move(front, 1, 0, 2, 4)
    assert passed(front, (0, 2), (0, 3), (0, 4), (0, 5)) == [True, True, False, False]
    assert front.laggards(np.array([0]), np.array([4])) == [1]


def test_a_log_may_run_upward() -> None:
    front = Front([0], 0.0, FOREVER)
    move(front, 0, 0, 9, 8, 6)
    assert passed(front, (0, 9), (0, 7), (0, 6), (0, 5)) == [True, True, False, False]


def test_a_new_hole_finishes_the_old_one() -> None:
    front = Front([0, 1], 0.0, FOREVER)
    move(front, 0, 0, 1, 2)
    move(front, 1, 0, 1, 2)
    move(front, 0, 1, 0)
    assert passed(front, (0, 2)) == [False]
    move(front, 1, 1, 0)
    assert passed(front, (0, 2), (1, 0)) == [True, False]
    move(front, 1, 2, 0)  # which the other has not reached
    assert passed(front, (1, 0), (0, 1)) == [False, True]


def test_one_stray_depth_passes_nothing_for_good() -> None:
    front = Front([0], 0.0, FOREVER)
    move(front, 0, 0, 1, 2, 500, 3)
    assert passed(front, (0, 2), (0, 3), (0, 4)) == [True, False, False]


def test_what_is_silent_is_waited_for_as_long_as_asked() -> None:
    front = Front([0, 1], 0.0, 10.0)
    move(front, 0, 0, 1, 2, now=11.0)
    assert passed(front, (0, 1), now=9.0) == [False]
    assert passed(front, (0, 1), now=11.0) == [True]  # the other has never begun
    move(front, 1, 0, 1, now=12.0)
    assert passed(front, (0, 1), now=13.0) == [False]
