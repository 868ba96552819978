from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lithovae.runtime.bins import DepthBins

Floats = NDArray[np.float64]


def one_channel(depth: Floats, values: Floats) -> DepthBins:
    bins = DepthBins(1)
    bins.add(np.asarray(depth, float), np.asarray(values, float)[:, None], [0])
    return bins


def test_as_the_published_table_was_made() -> None:
    rng = np.random.default_rng(0)
    depth, values = rng.uniform(0, 50, 5000), rng.normal(size=5000)
    expected = pd.Series(values).groupby(np.round(depth / 0.2) * 0.2).mean()
    bins = one_channel(depth, values)
    np.testing.assert_array_equal(bins.depth, expected.index)
    np.testing.assert_allclose(bins.mean()[:, 0], expected, rtol=1e-12, atol=1e-15)


def test_edges_of_bins_round_to_even() -> None:
    # 0.1 / 0.2 = 0.5 rounds to 0 and 0.5 / 0.2 = 2.5 to 2; 0.3 / 0.2 falls just short of 1.5.
    np.testing.assert_allclose(one_channel(np.array([0.1, 0.3, 0.5]), np.ones(3)).depth, [0.0, 0.2, 0.4])


@given(
    arrays(np.float64, 40, elements=st.floats(-5, 30)),
    arrays(np.float64, 40, elements=st.floats(-1e3, 1e3) | st.just(float("nan"))),
    st.permutations(range(40)),
    st.integers(0, 40),
)
def test_neither_order_nor_blocks_matter(depth: Floats, values: Floats, order: list[int], cut: int) -> None:
    whole = one_channel(depth, values)
    pieces = DepthBins(1)
    for part in (order[:cut], order[cut:]):
        pieces.add(depth[part], values[part][:, None], [0])
    np.testing.assert_array_equal(pieces.depth, whole.depth)
    np.testing.assert_array_equal(pieces.count, whole.count)
    np.testing.assert_allclose(pieces.mean(), whole.mean(), rtol=1e-9, atol=1e-9)


def test_a_row_for_every_bin_with_a_sample_and_no_other() -> None:
    bins = DepthBins(2)
    bins.add(np.array([0.0, 0.2, 0.4]), np.array([[1.0], [np.nan], [3.0]]), [0])
    bins.add(np.array([0.41, 0.8]), np.array([[5.0], [6.0]]), [1])
    np.testing.assert_allclose(bins.depth, [0.0, 0.4, 0.8])
    np.testing.assert_array_equal(bins.mean(), [[1, np.nan], [3, 5], [np.nan, 6]])
    np.testing.assert_array_equal(bins.count, [[1, 0], [1, 1], [0, 1]])


def test_samples_without_a_depth_are_left_out_and_counted() -> None:
    bins = one_channel(np.array([0.0, np.nan, np.inf, 1e9, -1e300, 0.2]), np.ones(6))
    assert bins.n_left_out == 4
    np.testing.assert_allclose(bins.depth, [0.0, 0.2])


def test_holes_never_share_a_bin() -> None:
    bins = DepthBins(1)
    depth, values = np.array([-0.4, 1.0, 1.0, -0.4]), np.array([[1.0], [2.0], [4.0], [8.0]])
    bins.add(depth, values, [0], holes=np.array([0, 0, 1, 1]))
    np.testing.assert_array_equal(bins.hole, [0, 0, 1, 1])
    np.testing.assert_allclose(bins.depth, [-0.4, 1.0, -0.4, 1.0])
    np.testing.assert_array_equal(bins.mean()[:, 0], [1, 2, 8, 4])


def test_a_bin_remembers_the_label_of_its_first_labelled_sample() -> None:
    bins = DepthBins(2, n_labels=2)
    bins.add(np.array([0.0, 1.0]), np.ones((2, 1)), [0])
    bins.add(np.array([1.0, 1.01, 2.0]), np.ones((3, 1)), [1], labels=np.array([[7, -1], [8, -1], [9, -1]]))
    bins.add(np.array([1.0, 2.0]), np.ones((2, 1)), [1], labels=np.array([[5, 3], [5, 4]]))
    np.testing.assert_array_equal(bins.label, [[-1, -1], [7, 3], [9, 4]])


def test_memory_is_that_of_the_bins() -> None:
    bins = DepthBins(1)
    for _ in range(50):
        bins.add(np.linspace(0, 10, 10_000), np.ones((10_000, 1)), [0])
    assert len(bins) == 51
    assert bins.count.sum() == 500_000
