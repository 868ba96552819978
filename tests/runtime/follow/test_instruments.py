from __future__ import annotations

import numpy as np

from lithovae.runtime.follow.instruments import Instruments

FOREVER = float("inf")


def passed(instruments: Instruments, *bins: tuple[int, int], now: float = 0.0) -> list[bool]:
    holes, numbers = np.array(bins, np.int64).T
    return [bool(is_passed) for is_passed in instruments.passed(holes, numbers, now)]


def move(instruments: Instruments, feature: int, hole: int, *numbers: int, now: float = 0.0) -> None:
    instruments.move([feature], np.full(len(numbers), hole, np.int64), np.array(numbers, np.int64), now)


def test_a_bin_is_passed_when_every_feature_is_behind_it() -> None:
    instruments = Instruments([0, 1], 0.0, FOREVER)
    move(instruments, 0, 0, 3, 4, 5)
    assert passed(instruments, (0, 3), (0, 4)) == [False, False]  # the other has not begun
    move(instruments, 1, 0, 2, 4)
    assert passed(instruments, (0, 2), (0, 3), (0, 4), (0, 5)) == [True, True, False, False]
    assert instruments.laggards(np.array([0]), np.array([4])) == [1]


def test_a_log_may_run_upward() -> None:
    instruments = Instruments([0], 0.0, FOREVER)
    move(instruments, 0, 0, 9, 8, 6)
    assert passed(instruments, (0, 9), (0, 7), (0, 6), (0, 5)) == [True, True, False, False]


def test_a_new_hole_finishes_the_old_one() -> None:
    instruments = Instruments([0, 1], 0.0, FOREVER)
    move(instruments, 0, 0, 1, 2)
    move(instruments, 1, 0, 1, 2)
    move(instruments, 0, 1, 0)
    assert passed(instruments, (0, 2)) == [False]
    move(instruments, 1, 1, 0)
    assert passed(instruments, (0, 2), (1, 0)) == [True, False]
    move(instruments, 1, 2, 0)  # which the other has not reached
    assert passed(instruments, (1, 0), (0, 1)) == [False, True]


def test_one_stray_depth_passes_nothing_for_good() -> None:
    instruments = Instruments([0], 0.0, FOREVER)
    move(instruments, 0, 0, 1, 2, 500, 3)
    assert passed(instruments, (0, 2), (0, 3), (0, 4)) == [True, False, False]


def test_what_is_silent_is_waited_for_as_long_as_asked() -> None:
    instruments = Instruments([0, 1], 0.0, 10.0)
    move(instruments, 0, 0, 1, 2, now=11.0)
    assert passed(instruments, (0, 1), now=9.0) == [False]
    assert passed(instruments, (0, 1), now=11.0) == [True]  # the other has never begun
    move(instruments, 1, 0, 1, now=12.0)
    assert passed(instruments, (0, 1), now=13.0) == [False]
