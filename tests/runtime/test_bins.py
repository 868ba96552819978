from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lithovae.runtime.bins import DepthBins, split_keys

Floats = NDArray[np.float64]


def one_channel(depth: Floats, values: Floats) -> DepthBins:
    bins = DepthBins(1)
    bins.add(np.asarray(depth, float), {0: np.asarray(values, float)})
    return bins


def test_bins_are_those_of_the_published_table() -> None:
    rng = np.random.default_rng(0)
    depth, values = rng.uniform(0, 50, 5000), rng.normal(size=5000)
    expected = pd.Series(values).groupby(np.round(depth / 0.2) * 0.2).mean()
    bins = one_channel(depth, values)
    np.testing.assert_array_equal(bins.depth, expected.index)
    np.testing.assert_allclose(bins.mean()[:, 0], expected, rtol=1e-12, atol=1e-15)


def test_edges_of_bins_round_to_even() -> None:
    # 0.1 / 0.2 = 0.5 rounds to 0 and 0.5 / 0.2 = 2.5 to 2; 0.3 / 0.2 falls just short of 1.5.
    np.testing.assert_allclose(one_channel(np.array([0.1, 0.3, 0.5]), np.ones(3)).depth, [0.0, 0.2, 0.4])


@st.composite
def samples(draw: st.DrawFn) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Draw depths in any order, some missing; two channels with gaps; holes; labels, some of them missing."""
    n = draw(st.integers(1, 60))
    depth = draw(arrays(np.float64, n, elements=st.floats(-2, 5) | st.just(float("nan"))))
    if draw(st.booleans()):
        depth = np.sort(depth)
    values = draw(arrays(np.float64, (n, 2), elements=st.floats(-1e3, 1e3) | st.just(float("nan"))))
    holes = draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    return depth, values, holes, draw(arrays(np.int64, (n, 2), elements=st.integers(-1, 3)))


@given(samples(), st.lists(st.integers(0, 60)))
def test_the_split_into_blocks_changes_no_bit(
    data: tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]], cuts: list[int]
) -> None:
    depth, values, holes, labels = data
    sums: dict[tuple[int, int], list[list[float]]] = {}
    for number, row, hole in zip(np.rint(depth / 0.2), values, holes, strict=True):
        if not (np.isnan(number) or np.isnan(row).all()):
            pair = sums.setdefault((int(hole), int(number)), [[0.0, 0], [0.0, 0]])
            for cell, value in zip(pair, row, strict=True):
                if not np.isnan(value):
                    cell[0], cell[1] = cell[0] + value, cell[1] + 1  # one by one, in order: the definition
    found = []
    for bounds in ([0, len(depth)], sorted({0, *np.minimum(cuts, len(depth)).tolist(), len(depth)})):
        bins = DepthBins(2, n_labels=2)
        touched: set[int] = set()
        for start, stop in pairwise(bounds):
            some = slice(start, stop)
            channels = {0: values[some, 0], 1: values[some, 1]}
            touched.update(bins.add(depth[some], channels, holes[some], labels[some]).tolist())
        assert sorted(touched) == bins.keys.tolist()
        found.append((bins.keys.tobytes(), bins.mean().tobytes(), bins.count.tobytes(), bins.label.tobytes()))
    assert found[0] == found[1]
    keys = sorted(sums)
    np.testing.assert_array_equal(np.column_stack([bins.hole, np.rint(bins.depth / 0.2)]), np.reshape(keys, (-1, 2)))
    means = [[total / n if n else np.nan for total, n in sums[key]] for key in keys]
    np.testing.assert_array_equal(bins.mean(), np.reshape(means, (-1, 2)))


@given(
    arrays(np.float64, 40, elements=st.floats(-5, 30)),
    arrays(np.float64, 40, elements=st.floats(-1e3, 1e3) | st.just(float("nan"))),
    st.permutations(range(40)),
)
def test_the_order_of_samples_changes_the_last_bits_at_most(depth: Floats, values: Floats, order: list[int]) -> None:
    one, other = one_channel(depth, values), one_channel(depth[order], values[order])
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.count, other.count)
    np.testing.assert_allclose(one.mean(), other.mean(), rtol=1e-9, atol=1e-9)


def test_a_row_for_every_bin_with_a_sample_and_no_other() -> None:
    bins = DepthBins(2)
    bins.add(np.array([0.0, 0.2, 0.4]), {0: np.array([1.0, np.nan, 3.0])})
    bins.add(np.array([0.41, 0.8]), {1: np.array([5.0, 6.0])})
    np.testing.assert_allclose(bins.depth, [0.0, 0.4, 0.8])
    np.testing.assert_array_equal(bins.mean(), [[1, np.nan], [3, 5], [np.nan, 6]])
    np.testing.assert_array_equal(bins.count, [[1, 0], [1, 1], [0, 1]])


def test_samples_without_a_depth_are_left_out_and_counted() -> None:
    bins = one_channel(np.array([0.0, np.nan, np.inf, 1e9, -1e300, 0.2]), np.ones(6))
    assert bins.n_left_out == 4
    np.testing.assert_allclose(bins.depth, [0.0, 0.2])


def test_holes_never_share_a_bin() -> None:
    bins = DepthBins(1)
    depth, values = np.array([-0.4, 1.0, 1.0, -0.4]), np.array([1.0, 2.0, 4.0, 8.0])
    bins.add(depth, {0: values}, holes=np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(bins.hole, [0, 0, 1, 1])
    np.testing.assert_allclose(bins.depth, [-0.4, 1.0, -0.4, 1.0])
    np.testing.assert_array_equal(bins.mean()[:, 0], [1, 2, 8, 4])


def test_a_bin_has_the_label_of_its_first_labelled_sample() -> None:
    bins = DepthBins(2, n_labels=2)
    bins.add(np.array([0.0, 1.0]), {0: np.ones(2)})
    bins.add(np.array([1.0, 1.01, 2.0, 2.0]), {1: np.ones(4)}, labels=np.array([[7, -1], [8, -1], [9, -1], [1, 6]]))
    bins.add(np.array([1.0, 2.0]), {1: np.ones(2)}, labels=np.array([[5, 3], [5, 4]]))
    np.testing.assert_array_equal(bins.label, [[-1, -1], [7, 3], [9, 6]])


def test_memory_grows_with_the_bins_only() -> None:
    bins = DepthBins(1)
    for _ in range(50):
        bins.add(np.linspace(0, 10, 10_000), {0: np.ones(10_000)})
    assert len(bins) == 51
    assert bins.count.sum() == 500_000


def test_a_key_finds_its_row_when_bins_have_appeared_above_it() -> None:
    bins = DepthBins(1)
    (key,) = bins.add(np.array([5.0]), {0: np.array([3.0])})
    bins.add(np.array([1.0, 9.0, 5.0]), {0: np.array([10.0, 20.0, 4.0])})
    rows = bins.rows(np.array([key]))
    assert rows.tolist() == [1]
    np.testing.assert_array_equal(bins.mean(rows), [[3.5]])
    np.testing.assert_array_equal(split_keys(bins.keys)[1], [5, 25, 45])


def test_sums_that_overflow_become_infinite_quietly() -> None:
    bins = one_channel(np.zeros(3), np.full(3, 1e308))
    assert bins.mean().tolist() == [[np.inf]]


def test_a_negative_zero_is_the_same_bin_and_depth_as_zero() -> None:
    bins = one_channel(np.array([-0.0, -0.05, 0.0]), np.ones(3))
    assert bins.depth.tobytes() == np.zeros(1).tobytes()
    assert bins.count.tolist() == [[3]]


def test_a_bin_collects_the_flags_of_its_samples() -> None:
    bins = DepthBins(1)
    depth, values = np.array([1.0, 1.0, 2.0]), np.array([5.0, np.nan, np.nan])
    bins.add(depth, {0: values}, flags=np.array([0, 2, 4], np.uint8))
    bins.add(np.array([0.0, 2.0]), {0: np.ones(2)})
    assert bins.flags.tolist() == [0, 2, 4]
    assert bins.count.tolist() == [[1], [1], [1]]
