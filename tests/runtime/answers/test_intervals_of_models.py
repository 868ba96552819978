"""Intervals by the shipped models."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.answers.intervals import IntervalBuilder
from lithovae.runtime.log import Interval
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan

CLAY = (1.6, 30.0, 40.0, 80.0, 78.0, 70.0)
"""A clay: density, susceptibility, gamma, R, G, B."""
SPREAD = (0.03, 2.0, 1.5, 4.0, 4.0, 4.0)
GAMMA = 2


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


def intervals_of(model: LithoModel, features: Any) -> list[Interval]:
    features = features.astype(np.float32)
    builder, n = IntervalBuilder(model, bin_width=0.2), len(features)
    hole = np.broadcast_to(np.array("A"), n)
    builder.add(np.arange(n, dtype=np.float64) * 0.2, hole, model.graphs.embed(features), model.missing(features))
    return builder.finish()


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("channel", [1, GAMMA, 4])
def test_a_core_of_one_clay_has_no_boundary_where_a_channel_ends(model: LithoModel, noise: float, channel: int) -> None:
    drawn = np.random.default_rng(channel).normal(size=(500, 6))
    for i in range(1, 500):
        drawn[i] = 0.8 * drawn[i - 1] + 0.6 * drawn[i]
    features = np.array(CLAY) + noise * np.array(SPREAD) * drawn
    features[250:, channel] = np.nan
    row_by_row = model.classify(features[[249, 250]]).argmax(axis=1)
    intervals = intervals_of(model, features)
    assert not [each for each in intervals if abs(each.top - 49.9) < 0.3]
    if noise == 0:
        assert len(intervals) == 1
        assert bool(intervals[0].note) == bool(row_by_row[0] != row_by_row[1])


@pytest.mark.parametrize("name", ["odp-926a", "odp-984a", "iodp-u1482c", "m9907-23pc"])
def test_intervals_of_real_cores_cover_their_rows(model: LithoModel, shared_scans: Path, name: str) -> None:
    embedder, builder = Embedder(model, "impute"), IntervalBuilder(model, bin_width=0.2)
    depths = []
    with open_scan(shared_scans / f"{name}.h5", {}, {}, model.bundle.features) as scan:
        for read in rows_of(scan, silent, 0.2).blocks:
            done = embedder.embed(read())
            depth = done.rows.columns["depth"]
            builder.add(depth, np.broadcast_to(np.array(""), len(depth)), done.embeddings, done.rows.missing)
            depths.append(depth)
    depth, intervals = np.concatenate(depths), builder.finish()
    assert sum(each.n_rows for each in intervals) == len(depth)
    for each in intervals:
        assert each.n_rows == np.count_nonzero((depth > each.top) & (depth < each.base)) or each.top == 0
        assert 0 < each.probability <= 1
    for one, other in pairwise(intervals):
        assert one.base <= other.top + 1e-9
    if name == "odp-926a":  # where channels end, a boundary is noted
        assert any(" end" in each.note for each in intervals)
