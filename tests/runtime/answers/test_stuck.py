from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime.answers.stuck import StuckSensors
from lithovae.runtime.features import DENSITY, GAMMA, RED, SUSCEPTIBILITY, FeatureSet

NO_STARTS = np.empty(0, np.intp)


def noise(n: int = 300, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(1.7, 0.1, n).astype(np.float32)


def flags_of(
    values: NDArray[np.float32], feature: object = DENSITY, blocks: int = 1, starts: NDArray[np.intp] = NO_STARTS
) -> tuple[NDArray[np.bool_], StuckSensors]:
    """Return the flags of a single channel with readings every 2.5 cm, taken in so many blocks."""
    stuck = StuckSensors(FeatureSet([feature]))  # type: ignore[list-item]
    edges = np.linspace(0, len(values), blocks + 1).astype(int)
    depth = 0.025 * np.arange(float(len(values)))
    found = []
    for a, b in pairwise(edges):
        here = starts[(starts >= a) & (starts < b)] - a
        found.append(stuck.take(values[a:b, None], depth[a:b], here))
    return np.concatenate(found), stuck


def test_a_repeated_reading_is_flagged_once_it_has_become_too_long() -> None:
    values = noise()
    values[100:150] = values[100]
    flags, stuck = flags_of(values)
    first = int(np.flatnonzero(flags)[0])
    assert 103 < first < 110
    assert flags[first:150].all()
    assert not flags[150:].any()
    (run,) = stuck.runs[0]
    assert [run.n, run.top, run.base] == pytest.approx([50, 2.5, 3.725])
    assert run.value == values[100]


@pytest.mark.parametrize("blocks", [2, 7, 60, 300])
def test_flags_do_not_depend_on_the_blocks(blocks: int) -> None:
    values = np.concatenate([noise(150), np.round(noise(150, 1), 1)])
    values[0:9] = values[0]
    values[60:90] = values[60]
    values[200:280] = values[200]
    whole, known = flags_of(values)
    parts, stuck = flags_of(values, blocks=blocks)
    np.testing.assert_array_equal(parts, whole)
    assert stuck.runs == known.runs
    assert stuck.n_runs == known.n_runs
    assert whole.any()


def test_lost_readings_neither_end_a_run_nor_belong_to_it() -> None:
    values = noise()
    values[100:140] = values[100]
    values[105:135:3] = np.nan
    flags, stuck = flags_of(values, blocks=50)
    assert flags[136:140].all()
    assert not flags[np.isnan(values)].any()
    assert stuck.runs[0][0].n == 30


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        (np.round(noise(3000) * 3), SUSCEPTIBILITY),  # whole numbers, of which there are few
        (np.round(noise(3000), 1), DENSITY),
        (np.repeat(noise(300), 40), GAMMA),  # copied onto a grid that is finer
        (np.concatenate([noise(200), np.zeros(500), noise(200)]), SUSCEPTIBILITY),  # a carbonate
        (np.concatenate([noise(200) + 90, np.full(500, 255), np.zeros(500)]), RED),  # a scale, and a gap
        (np.zeros(500), SUSCEPTIBILITY),
        (noise(2), DENSITY),
    ],
    ids=["whole numbers", "one decimal", "a finer grid", "no susceptibility", "white and black", "only 0", "two rows"],
)
def test_what_repeats_by_nature_is_not_flagged(values: NDArray[np.float64], feature: object) -> None:
    flags, stuck = flags_of(values.astype(np.float32), feature)
    assert not flags.any()
    assert stuck.runs == [[]]
    assert stuck.constant == [None]


def test_gamma_radiation_is_never_nothing() -> None:
    values = noise() * 10
    values[100:150] = 0
    assert flags_of(values, GAMMA)[0].any()


def test_whole_numbers_that_are_stuck_take_longer() -> None:
    values = np.round(noise(3000) * 10).astype(np.float32)
    values[1000:1400] = 17
    flags, _ = flags_of(values, SUSCEPTIBILITY)
    assert 1015 < np.flatnonzero(flags)[0] < 1200
    assert flags[1200:1400].all()
    assert not flags[1400:].any()


def test_a_sensor_that_is_stuck_from_the_start_is_found_when_it_moves() -> None:
    values = noise()
    values[:25] = values[0]
    flags, stuck = flags_of(values, blocks=100)
    assert not flags.any()  # when these rows came, all channels could have been like this
    assert [(run.n, run.top) for run in stuck.runs[0]] == [(25, 0.0)]
    assert stuck.n_runs == [1]


def test_a_channel_with_a_single_value_is_known() -> None:
    _, stuck = flags_of(np.full(50, 1.5, np.float32), blocks=9)
    (run,) = stuck.constant
    assert run
    assert (run.value, run.n) == (1.5, 50)


def test_no_run_goes_on_in_another_hole() -> None:
    values = noise()
    values[97:103] = values[97]
    starts = np.array([0, 100])
    assert flags_of(values)[0].any()
    for blocks in (1, 3, 100):
        assert not flags_of(values, blocks=blocks, starts=starts)[0].any()
