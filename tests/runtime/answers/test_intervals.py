"""Intervals from rows whose lithologies are known, with a model of three lithologies in place of a trained one."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lithovae.runtime.answers.intervals import IntervalBuilder
from lithovae.runtime.answers.sequence import Jumps
from lithovae.runtime.errors import BundleError, InputError, ScanError
from lithovae.runtime.log import Interval
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.model.reference import Groups, Succession

CLAY, OOZE, SAND = range(3)
NAMES = ("clay", "ooze", "sand")
CENTRES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]], np.float32)
FEATURES = ("density", "gamma")


def make_model(**reference: Any) -> LithoModel:
    """Return a model whose embedding is its two features, with a lithology around each of `CENTRES`.

    A missing feature is imputed as 0. Parts of a reference are given by name.
    """

    def classify(z: Any) -> Any:
        odds = np.exp(-np.square(z[:, None] - CENTRES).sum(axis=2) / 2)
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    known = SimpleNamespace(groups=None, succession=None) if reference else None
    for name, part in reference.items():
        setattr(known, name, part)
    bundle = SimpleNamespace(name="test", path=None, classes=NAMES, fill=[0.0, 0.0], reference=known)
    graphs = SimpleNamespace(classify=classify, decode=np.copy, embed=np.copy)
    return cast(
        LithoModel,
        SimpleNamespace(bundle=bundle, graphs=graphs, classes=NAMES, features=FEATURES, imputes=False),
    )


def embed(lithologies: Any, noise: float = 0.3, seed: int = 0) -> Any:
    """Return embeddings around the centres of lithologies."""
    rng = np.random.default_rng(seed)
    return (CENTRES[lithologies] + rng.normal(0, noise, (len(lithologies), 2))).astype(np.float32)


def beds(*thickness: tuple[int, float], step: float = 0.2) -> tuple[Any, Any]:
    """Return depths, and the lithology at each, of beds of some thickness from the top down."""
    lithologies = np.concatenate([np.full(round(metres / step), lithology) for lithology, metres in thickness])
    return np.arange(len(lithologies)) * step, lithologies


def build(
    depth: Any,
    embeddings: Any,
    *,
    hole: Any = "",
    missing: Any = None,
    cuts: Any = (),
    model: LithoModel | None = None,
    bin_width: float | None = 0.2,
    **options: Any,
) -> list[Interval]:
    builder = IntervalBuilder(model or make_model(), bin_width=bin_width, **options)
    hole = np.broadcast_to(np.array(hole), len(depth))
    missing = np.zeros(len(depth), np.uint8) if missing is None else missing
    for part in np.split(np.arange(len(depth)), list(cuts)):
        builder.add(depth[part], hole[part], embeddings[part], missing[part])
    return builder.finish()


def described(intervals: list[Interval]) -> list[tuple[str, float, float]]:
    return [(each.lithology, round(each.top, 3), round(each.base, 3)) for each in intervals]


def test_boundaries_are_where_the_lithology_changes() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 3), (CLAY, 1), (SAND, 4))
    intervals = build(depth, embed(lithologies))
    assert described(intervals) == [("clay", 0, 3.9), ("ooze", 3.9, 6.9), ("clay", 6.9, 7.9), ("sand", 7.9, 11.9)]
    assert [each.n_rows for each in intervals] == [20, 15, 5, 20]
    assert all(0.9 < each.probability <= 1 for each in intervals)
    assert not any(each.note or each.group or each.hole for each in intervals)


@pytest.mark.parametrize("seed", range(3))
def test_lithologies_of_intervals_are_steadier_and_better_than_row_by_row(seed: int) -> None:
    depth, lithologies = beds((CLAY, 20), (OOZE, 20))
    embeddings, model = embed(lithologies, 1.3, seed), make_model()
    row_by_row = cast(Any, model.graphs).classify(embeddings).argmax(axis=1)
    intervals = build(depth, embeddings, model=model)
    smoothed = np.repeat([NAMES.index(each.lithology) for each in intervals], [each.n_rows for each in intervals])
    assert len(intervals) < np.count_nonzero(np.diff(row_by_row)) / 2
    assert np.mean(smoothed == lithologies) > np.mean(row_by_row == lithologies)


def test_the_probability_is_the_mean_over_the_rows() -> None:
    depth, lithologies = beds((CLAY, 4))
    model, embeddings = make_model(), embed(lithologies, 0.9)
    (interval,) = build(depth, embeddings, model=model)
    expected = cast(Any, model.graphs).classify(embeddings)[:, CLAY].mean()
    assert interval.probability == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("step", [0.01, 0.2, 0.5])
def test_rows_of_any_spacing_give_the_same_beds(step: float) -> None:
    depth, lithologies = beds((CLAY, 10), (OOZE, 8), (SAND, 12), step=step)
    intervals = build(depth, embed(lithologies), bin_width=None)
    assert [each.lithology for each in intervals] == ["clay", "ooze", "sand"]
    assert [each.base for each in intervals[:-1]] == pytest.approx([10, 18], abs=max(0.1, step / 2) + 1e-9)
    assert intervals[0].top == 0
    assert intervals[-1].base == pytest.approx(30 - step / 2)
    assert sum(each.n_rows for each in intervals) == len(depth)


def test_how_rows_are_cut_into_blocks_does_not_matter() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 3), (CLAY, 1), (SAND, 4), step=0.013)
    hole = np.where(np.arange(len(depth)) < 500, "A", "B")
    embeddings, rng = embed(lithologies, 1.0), np.random.default_rng(1)
    whole = build(depth, embeddings, hole=hole, bin_width=None)
    assert len(whole) > 3
    for n in (1, 7, 300):
        cuts = np.sort(rng.choice(len(depth), n, replace=False))
        assert build(depth, embeddings, hole=hole, cuts=cuts, bin_width=None) == whole
    assert build(depth, embeddings, hole=hole, cuts=np.arange(1, len(depth)), bin_width=None) == whole


@pytest.mark.parametrize("step", [0.02, 0.2])
def test_a_gap_in_depth_ends_an_interval(step: float) -> None:
    depth, lithologies = beds((CLAY, 8), step=step)
    depth[depth > 3.99] += 1
    intervals = build(depth, embed(lithologies), bin_width=step)
    edges = [edge for each in intervals for edge in (each.top, each.base)]
    assert edges == pytest.approx([0, 4 - step / 2, 5 - step / 2, 9 - step / 2])


def test_rows_without_an_embedding_are_a_gap() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 1), (CLAY, 4))
    embeddings = embed(lithologies)
    embeddings[lithologies == OOZE] = np.nan
    assert described(build(depth, embeddings)) == [("clay", 0, 3.9), ("clay", 4.9, 8.9)]


def test_rows_without_a_depth_are_left_out() -> None:
    depth, lithologies = beds((CLAY, 4))
    depth[5] = np.nan
    assert sum(each.n_rows for each in build(depth, embed(lithologies), bin_width=None)) == 19


def test_intervals_end_with_their_hole() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 4))
    hole = np.repeat(["U1-A", "U1-B"], len(depth))
    intervals = build(np.tile(depth, 2), embed(np.concatenate([lithologies, lithologies[::-1]])), hole=hole)
    assert [(each.hole, *found) for each, found in zip(intervals, described(intervals), strict=True)] == [
        ("U1-A", "clay", 0, 3.9),
        ("U1-A", "ooze", 3.9, 7.9),
        ("U1-B", "ooze", 0, 3.9),
        ("U1-B", "clay", 3.9, 7.9),
    ]


@pytest.mark.parametrize("n_in_turn", [1, 3, 100])
@pytest.mark.parametrize("bin_width", [None, 0.2])
def test_rows_of_several_holes_by_turns_give_the_intervals_of_each(n_in_turn: int, bin_width: float | None) -> None:
    _, lithologies = beds((CLAY, 8), (OOZE, 12))
    depth = np.tile((bin_width or 0.05) * np.arange(len(lithologies)), 2)
    embeddings = embed(np.concatenate([lithologies, lithologies[::-1]]))
    hole = np.repeat(["A", "B"], len(lithologies))
    turns = np.lexsort((hole, np.tile(np.arange(len(lithologies)) // n_in_turn, 2)))
    expected = build(depth, embeddings, hole=hole, bin_width=bin_width)
    assert {each.hole for each in expected} == {"A", "B"}
    found = build(depth[turns], embeddings[turns], hole=hole[turns], bin_width=bin_width)
    assert [each._replace(probability=0) for each in found] == [each._replace(probability=0) for each in expected]
    assert [each.probability for each in found] == pytest.approx([each.probability for each in expected])


def test_a_core_that_overlaps_with_the_one_above_begins_an_interval() -> None:
    depth, lithologies = beds((CLAY, 8))
    depth[20:] -= 0.6
    assert described(build(depth, embed(lithologies))) == [("clay", 0, 3.9), ("clay", 3.3, 7.3)]


@pytest.mark.parametrize("order", ["upwards", "none"])
def test_rows_in_another_order_give_the_same_intervals(order: str) -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 3), (SAND, 4), step=0.05)
    embeddings = embed(lithologies)
    rows = np.arange(len(depth))[::-1] if order == "upwards" else np.random.default_rng(2).permutation(len(depth))
    expected = build(depth, embeddings, bin_width=None)
    found = build(depth[rows], embeddings[rows], bin_width=None)
    assert [each.lithology for each in found] == ["clay", "ooze", "sand"]
    for one, other in zip(found, expected, strict=True):
        assert one[1:3] == pytest.approx(other[1:3], abs=0.1)
        assert one.n_rows == other.n_rows


def test_rows_of_one_depth_are_averaged() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 4))
    intervals = build(np.repeat(depth, 3), embed(np.repeat(lithologies, 3)))
    assert described(intervals) == [("clay", 0, 3.9), ("ooze", 3.9, 7.9)]
    assert [each.n_rows for each in intervals] == [60, 60]


def test_negative_depths_keep_their_edges() -> None:
    depth, lithologies = beds((CLAY, 4))
    assert described(build(depth - 2, embed(lithologies))) == [("clay", -2.1, 1.9)]


def test_a_thin_interval_joins_the_likelier_neighbour() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 0.8), (SAND, 4))
    embeddings = embed(lithologies, 0.1)
    embeddings[20:24] = [1.5, 1.4]  # ooze, and sand rather than clay
    assert [each.lithology for each in build(depth, embeddings)] == ["clay", "ooze", "sand"]
    assert described(build(depth, embeddings, min_thickness=0.8)) == described(build(depth, embeddings))
    assert described(build(depth, embeddings, min_thickness=0.9)) == [("clay", 0, 3.9), ("sand", 3.9, 8.7)]


def test_a_thin_interval_between_two_of_one_lithology_joins_both() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 0.8), (CLAY, 4))
    assert len(build(depth, embed(lithologies))) == 3
    assert described(build(depth, embed(lithologies), min_thickness=1)) == [("clay", 0, 8.7)]


def test_a_thin_interval_without_neighbours_stays() -> None:
    depth, lithologies = beds((CLAY, 0.4))
    assert described(build(depth, embed(lithologies), min_thickness=5)) == [("clay", 0, 0.3)]


def test_no_boundary_is_made_where_only_a_channel_ends() -> None:
    depth = np.arange(200) * 0.2
    embeddings = (np.array([1.2, 3.0]) + np.random.default_rng(3).normal(0, 0.2, (200, 2))).astype(np.float32)
    missing = np.zeros(200, np.uint8)
    missing[100:] = 1 << FEATURES.index("gamma")
    embeddings[100:, 1] = 0  # imputed: ooze
    (interval,) = build(depth, embeddings, missing=missing)
    assert interval.note == "gamma ends at 20.00 m: without it, there is no boundary"
    upside_down = build(depth, embeddings[::-1], missing=missing[::-1])
    assert [each.note for each in upside_down] == ["gamma begins at 20.00 m: without it, there is no boundary"]
    assert len(build(depth, embeddings)) == 2  # were it measured, there would be a boundary


def test_a_boundary_where_a_channel_ends_is_kept_if_another_channel_shows_it() -> None:
    depth, lithologies = beds((CLAY, 20), (OOZE, 20))
    embeddings, missing = embed(lithologies), np.zeros(200, np.uint8)
    missing[100:] = 1 << FEATURES.index("gamma")
    embeddings[100:, 1] = 0
    intervals = build(depth, embeddings, missing=missing)
    assert described(intervals) == [("clay", 0, 19.9), ("ooze", 19.9, 39.9)]
    assert [each.note for each in intervals] == ["its base is where gamma ends", "its top is where gamma ends"]


def test_a_channel_that_lacks_a_few_rows_has_not_ended() -> None:
    depth, lithologies = beds((CLAY, 20), (OOZE, 20))
    missing = np.zeros(200, np.uint8)
    missing[100:102] = 1 << FEATURES.index("gamma")
    intervals = build(depth, embed(lithologies), missing=missing)
    assert described(intervals) == [("clay", 0, 19.9), ("ooze", 19.9, 39.9)]
    assert not any(each.note for each in intervals)


def test_an_extreme_embedding_is_far_and_gives_no_warning() -> None:
    embeddings = embed(np.zeros(40, int))
    embeddings[20] = -1e25
    gains = Jumps.of([embeddings]).gains(embeddings)
    assert np.isfinite(gains[20:22]).all()
    assert (gains[20:22] > 0).all()


def test_the_group_is_named() -> None:
    model = make_model(groups=Groups(("mud", "other"), np.array([0, 1, 1])))
    depth, lithologies = beds((CLAY, 4), (OOZE, 4))
    assert [each.group for each in build(depth, embed(lithologies), model=model)] == ["mud", "other"]


def test_a_lithology_of_thick_beds_is_left_less_easily() -> None:
    depth, lithologies = beds((CLAY, 4), (OOZE, 0.4), (CLAY, 4))
    embeddings = embed(lithologies, 0.3)
    embeddings[lithologies == OOZE] = [0.35, 0]
    n = {}
    for metres in (0.3, 3000.0):
        thickness = np.full(3, metres)
        succession = Succession(thickness, thickness, np.full(3, 100.0), np.array([[0, 1, 9], [1, 0, 9]]))
        n[metres] = len(build(depth, embeddings, model=make_model(succession=succession)))
    assert n == {0.3: 3, 3000.0: 1}


def test_refuses_what_cannot_give_intervals() -> None:
    embeddings, model = embed(np.full(20, CLAY)), make_model()
    with pytest.raises(ScanError, match="need depths"):
        IntervalBuilder(model).add(None, np.full(20, ""), embeddings, np.zeros(20, np.uint8))
    with pytest.raises(ScanError, match="no row has both"):
        build(np.full(20, np.nan), embeddings)
    with pytest.raises(InputError, match="0 m or more"):
        IntervalBuilder(model, min_thickness=-1)
    cast(Any, model.bundle).classes = ()
    with pytest.raises(BundleError, match="unsupervised"):
        IntervalBuilder(model)


def test_no_rows_give_no_intervals() -> None:
    assert build(np.empty(0), np.empty((0, 2), np.float32)) == []
