"""Rows by hole and depth, the scales of tracks, and the colours that they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lithovae.runtime.features import CATALOGUE, LILY, SUSCEPTIBILITY, FeatureSet
from lithovae.runtime.report.tracks import (
    Axis,
    colours_of,
    novelty,
    ordered,
    project,
    shown_lithologies,
    tracks_of,
)

from .material import log_of, many_features, simulated_log


def test_rows_are_ordered_by_hole_and_depth() -> None:
    log = simulated_log(4, n_holes=2, intervals=())
    order = [6, 4, 7, 5, 0, 3, 2, 1]
    names = ("depth", "hole", "values", "embeddings", "lithologies", "probabilities", "novelty_p", "flags", "missing")
    shuffled = replace(log, **{name: getattr(log, name)[order] for name in names})
    found, holes = ordered(shuffled)
    assert [hole.name for hole in holes] == ["U1401A", "U1400A"]  # in the order of the scan
    back = [4, 5, 6, 7, 0, 1, 2, 3]
    for name in names:
        np.testing.assert_array_equal(getattr(found, name), getattr(log, name)[back], err_msg=name)


def test_gap_is_more_than_a_bin_or_three_steps() -> None:
    depth = np.array([0, 0.1, 0.2, 0.3, 0.45, 5.0, 5.1])
    log = log_of("core", LILY, np.ones((7, 6), np.float32), depth)
    (hole,) = ordered(log)[1]
    assert [hole.step, hole.gap] == pytest.approx([0.1, 0.3])
    (hole,) = ordered(replace(log, bin_width=0.2))[1]
    assert [hole.step, hole.gap] == pytest.approx([0.2, 0.3])
    (hole,) = ordered(replace(log, bin_width=0.1, n_rows=28))[1]  # one bin in four is kept
    assert [hole.step, hole.gap] == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize(
    ("values", "scale"), [((2.0, 30.0, 500.0), "log"), ((-5.0, 0.0, 900.0), "symlog"), ((0.0, 0.0, 0.0), "symlog")]
)
def test_susceptibility_is_on_a_log_axis(values: tuple[float, ...], scale: str) -> None:
    log = log_of("core", FeatureSet([SUSCEPTIBILITY]), np.array(values, np.float32)[:, None], None)
    (track,) = tracks_of(log)
    assert track.axis
    assert track.axis.scale == scale
    at = track.axis.position(np.array(values))
    assert ((at >= 0) & (at <= 1)).all()
    assert (np.diff(at) >= 0).all()


def test_density_and_gamma_are_linear_and_colour_is_a_strip() -> None:
    tracks = tracks_of(simulated_log(50))
    scales = [track.axis.scale for track in tracks if track.kind == "curve" and track.axis]
    assert scales == ["linear", "log", "linear"]
    assert [track.features for track in tracks if track.kind == "colour"] == [(3, 4, 5)]
    tracks = tracks_of(log_of("core", FeatureSet(LILY[:5]), np.ones((3, 5), np.float32), None))
    assert [track.features for track in tracks] == [(0,), (1,), (2,), (3,), (4,)]  # two of three are no colour


def test_values_that_are_not_plausible_do_not_stretch_the_scale() -> None:
    values = np.full((50, 6), 1.7, np.float32)
    values[:, 0] += np.linspace(0, 0.5, 50)
    values[7, 0] = 1700
    track = tracks_of(log_of("core", LILY, values, None))[0]
    assert track.axis
    assert track.axis.high < 2.5
    assert track.axis.position(values[7:8, 0]) == 1


@pytest.mark.parametrize(
    "axis",
    [
        Axis("linear", 1.2, 2.1),
        Axis("linear", -0.0001, 0.0001),
        Axis("linear", 0, 123456),
        Axis("log", 0.4, 1.1),
        Axis("log", 1, 1e6),
        Axis("symlog", -471, 6775),
        Axis("symlog", -0.02, 0.5, 0.001),
        Axis("symlog", -1e8, 1e8),
    ],
)
def test_ticks_are_few_ascending_and_inside(axis: Axis) -> None:
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 7
    assert all(0 <= tick.at <= 1 for tick in ticks)
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert len({tick.label for tick in ticks}) == len(ticks)


def test_answers_stand_before_many_features() -> None:
    assert tracks_of(simulated_log(30))[0].kind == "curve"
    assert tracks_of(simulated_log(30, many_features(20)))[0].kind == "lithology"


def test_lab_is_shown_as_the_colour_that_it_is() -> None:
    lab = FeatureSet([CATALOGUE[CATALOGUE.names.index(name)] for name in ("L*", "a*", "b*")])
    values = np.array([[53.2408, 80.0925, 67.2032], [100, 0, 0], [np.nan, 0, 0]], np.float32)
    colours = colours_of(log_of("core", lab, values, None))
    assert colours is not None
    np.testing.assert_allclose(colours[:2].astype(int), [[255, 0, 0, 255], [255, 255, 255, 255]], atol=1)
    assert colours[2, 3] == 0


def test_lithologies_of_intervals_come_first_also_ones_that_the_model_does_not_know() -> None:
    log = simulated_log(100)
    thick = log.intervals[0]._replace(lithology="sill", group="Own", top=0, base=500)
    shown = shown_lithologies(replace(log, intervals=[*log.intervals, thick]))
    assert shown[0] == ("sill", "Own", -1)
    assert {one.code for one in shown[1:]} <= set(range(len(log.classes)))
    assert next(one.group for one in shown if one.name == "basalt") == "Mafic Igneous"


def test_projection_has_most_of_the_variance_and_the_same_signs_each_time() -> None:
    rng = np.random.default_rng(0)
    embeddings = (rng.normal(0, [5, 3, 0.1, 0.1], (200, 4))).astype(np.float32)
    embeddings[7] = np.nan
    points, shares = project(embeddings)
    assert sum(shares) > 0.99
    assert np.isnan(points[7]).all()
    used = np.delete(embeddings, 7, axis=0)
    for i in (0, 1):
        assert np.corrcoef(used[:, i], np.delete(points, 7, axis=0)[:, i])[0, 1] > 0.98


def test_novelty_ends_at_six() -> None:
    np.testing.assert_allclose(novelty(np.array([1, 0.01, 0, np.nan], np.float32)), [0, 2, 6, np.nan], atol=1e-6)
