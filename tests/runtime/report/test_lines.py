"""Rows on lines of pixels."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.report.lines import Lines, runs
from lithovae.runtime.report.tracks import Hole

HOLE = Hole("", 0, 6, 1.0, 1.5)
DEPTH = np.array([0.0, 1, 2, 7, 8, 9])


def test_line_shows_the_row_that_covers_it_and_a_gap_shows_none() -> None:
    lines = Lines.of(DEPTH, HOLE, -0.5, 9.5, 20)  # two lines a row
    assert lines.cover.tolist() == [0, 0, 1, 1, 2, 2, *[-1] * 8, 3, 3, 4, 4, 5, 5]
    assert lines.picked(np.arange(6), -9)[6] == -9


def test_least_greatest_and_mean_of_the_rows_of_a_line_without_nan() -> None:
    values = np.array([1.0, np.nan, 5, 7, 8, 100])
    lines = Lines.of(DEPTH, HOLE, -0.5, 9.5, 2)
    assert lines.reduced(values, np.fmin).tolist() == [1, 7]
    assert lines.reduced(values, np.fmax).tolist() == [5, 100]
    assert lines.mean(values).tolist() == [3, (7 + 8 + 100) / 3]
    assert lines.share(np.array([True, True, False, False, False, False])).tolist() == [2 / 3, 0]


def test_rows_beyond_the_view_are_in_no_line() -> None:
    values = np.array([1.0, 2, 3, 4, 5, 1000])
    lines = Lines.of(DEPTH, HOLE, 6.5, 8.4, 1)
    assert lines.reduced(values, np.fmax).tolist() == [5]
    assert lines.mean(values).tolist() == [4.5]


def test_rows_of_another_hole_are_in_no_line() -> None:
    depth = np.concatenate([DEPTH, DEPTH])
    values = np.concatenate([np.zeros(6), np.ones(6)])
    second = Hole("B", 6, 12, 1.0, 1.5)
    assert (Lines.of(depth, second, -0.5, 9.5, 2).mean(values) == 1).all()
    assert (Lines.of(depth, HOLE, -0.5, 9.5, 2).mean(values) == 0).all()


def test_runs() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([], np.bool_)) == []
