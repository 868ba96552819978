from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.model.reference import Reference, Succession
from lithovae.training.facts import Facts
from lithovae.training.reference import reference_of, surprise_of
from lithovae.training.table import TrainingTable


def scaler_of(table: TrainingTable) -> DistributionAwareScaler:
    return DistributionAwareScaler(table.feature_set.transforms).fit(table.features)


def known(table: TrainingTable) -> Reference:
    found = reference_of(table, scaler_of(table), table.classes)
    assert found is not None
    return found


def described(*runs: tuple[str, float, float, str]) -> TrainingTable:
    """Rows of density every 20 cm: hole, top, bottom and lithology of each stretch."""
    rows = [
        (hole, 0.2 * i, lithology)
        for hole, top, bottom, lithology in runs
        for i in range(round(top / 0.2), round(bottom / 0.2))
    ]
    hole, depth, lithology = (np.array(each) for each in zip(*rows, strict=True))
    values = np.random.default_rng(0).normal(1.7, 0.1, (len(rows), 1))
    return TrainingTable(hole, depth, values, lithology, FeatureSet.named(["density"]))


def succession_of(table: TrainingTable) -> Succession:
    found = known(table).succession
    assert found is not None
    return found


def test_ranges_are_those_of_the_measured_values(table: TrainingTable) -> None:
    features = table.features.copy()
    features[::3, 2] = np.nan
    ranges = known(replace(table, features=features)).ranges
    np.testing.assert_allclose(ranges.values[:, 0], np.nanmin(features, axis=0), rtol=1e-5)
    np.testing.assert_allclose(ranges.values[:, -1], np.nanmax(features, axis=0), rtol=1e-5)
    np.testing.assert_allclose(ranges.values[:, ranges.at == 0.5][:, 0], np.nanmedian(features, axis=0), rtol=1e-5)
    assert {0.0005, 0.9995} <= set(ranges.at.tolist())


def test_the_surprise_of_the_training_rows_is_calibrated(table: TrainingTable) -> None:
    found, scaled = known(table), scaler_of(table).transform(table.features)
    assert found.mixture is not None
    assert found.surprise is not None
    surprise = surprise_of(found.mixture, scaled)
    p = 1 - np.interp(surprise, found.surprise.values, found.surprise.at)
    for level in (0.01, 0.1, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.01)
    odd = surprise_of(found.mixture, np.full((1, 6), 8.0))
    assert odd > found.surprise.values[-1]


def test_the_density_is_that_of_scipy_and_repeats(table: TrainingTable) -> None:
    found, scaled = known(table), scaler_of(table).transform(table.features)
    mixture = found.mixture
    assert mixture is not None
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    density = sum(weight * multivariate_normal(mean, sd).pdf(scaled) for weight, mean, sd in parts)
    np.testing.assert_allclose(surprise_of(mixture, scaled), -np.log(density), rtol=1e-9, atol=1e-9)
    assert known(table).to_json() == found.to_json()


def test_it_is_small_and_reads_back(table: TrainingTable) -> None:
    text = json.dumps(known(table).to_json())
    assert len(text) < 40_000
    read = Reference.of_json(json.loads(text), 6, len(table.classes))
    assert read.to_json() == json.loads(text)


def test_a_single_value_is_no_trouble() -> None:
    """Features that are constant, or equal to each other, have no inverse covariance of their own."""
    rng = np.random.default_rng(0)
    features = np.empty((3000, 6))
    features[:, 0] = rng.normal(1.7, 0.1, 3000)
    features[:, 1:3] = 20, 30
    features[:, 3:] = 100 * features[:, :1]
    table = TrainingTable(np.full(3000, "A"), np.linspace(0, 599.8, 3000), features, np.full(3000, ""))
    found = reference_of(table, scaler_of(table), ())
    assert found is not None
    Reference.of_json(found.to_json(), 6, 0)


def test_few_complete_rows_give_no_density(table: TrainingTable) -> None:
    features = table.features.copy()
    features[199:, 1] = np.nan
    found = known(replace(table, features=features))
    assert (found.mixture, found.surprise) == (None, None)
    features[199:, 1] = table.features[199:, 1]
    features[600:, 1] = np.nan
    assert known(replace(table, features=features)).mixture is not None
    features[:, 1] = np.nan
    assert reference_of(replace(table, features=features), scaler_of(table), table.classes) is None


def test_a_model_without_a_head_has_neither_groups_nor_succession(table: TrainingTable) -> None:
    found = reference_of(table, scaler_of(table), ())
    assert found is not None
    assert (found.groups, found.succession) == (None, None)


def test_groups_are_the_published_ones(table: TrainingTable) -> None:
    groups = known(table).groups
    assert groups is not None
    assert len(groups.names) == 14
    assert groups.names[groups.of_class[table.classes.index("chalk")]] == "Carbonate"
    own = described(("A", 0, 10, "Nannofossil ooze"), ("A", 10, 15, "greenish stuff"))
    groups = known(own).groups
    assert groups is not None
    assert groups.names == ("Carbonate", "Other")
    assert groups.of_class.tolist() == [0, 1]
    assert known(described(("A", 0, 10, "gyttja"), ("A", 10, 15, "clay"))).groups is None


def test_the_succession_of_a_simulated_table_is_the_published_one(table: TrainingTable) -> None:
    facts, found = Facts.load(), succession_of(table)
    clay, ooze = table.classes.index("clay"), table.classes.index("nannofossil ooze")
    assert (found.median_thickness[clay], found.mean_thickness[clay]) == (0.39, 0.59888)
    assert [ooze, ooze, 14248] in found.transitions.tolist()
    assert found.counts[clay] == np.count_nonzero(table.lithology == "clay")
    without = [i for i, name in enumerate(table.classes) if name not in facts.thickness]
    assert without
    np.testing.assert_allclose(found.mean_thickness[without], facts.typical_thickness[1], rtol=1e-5)


def test_the_succession_of_measured_rows_is_their_own() -> None:
    beds = [[("A", 4.0 * i, 4.0 * i + 3, "clay"), ("A", 4.0 * i + 3, 4.0 * i + 4, "sand")] for i in range(50)]
    found = succession_of(described(*chain(*beds)))
    assert found.transitions.tolist() == [[0, 1, 50], [1, 0, 49]]
    np.testing.assert_allclose(found.mean_thickness, [3.0, 1.0], rtol=0.06)
    assert (found.median_thickness <= found.mean_thickness).all()
    assert found.counts.tolist() == [750, 250]


def test_a_gap_ends_a_run_and_may_hide_a_change() -> None:
    whole = succession_of(described(("A", 0, 30, "clay"), ("A", 30, 60, "sand"), ("B", 0, 30, "clay")))
    holed = succession_of(
        described(("A", 0, 10, "clay"), ("A", 12, 30, "clay"), ("A", 30, 58, "sand"), ("B", 0, 30, "clay"))
    )
    short = succession_of(described(("A", 0, 30, "clay"), ("A", 32, 60, "sand"), ("B", 0, 30, "clay")))
    wide = succession_of(described(("A", 0, 30, "clay"), ("A", 45, 60, "sand"), ("B", 0, 30, "clay")))
    assert whole.transitions.tolist() == holed.transitions.tolist() == short.transitions.tolist() == [[0, 1, 1]]
    assert wide.transitions.tolist() == []
    # What ends at a gap or with its hole may go on: its metres count, its end does not.
    assert holed.mean_thickness[0] == pytest.approx((58 + 2 * 86) / 3, rel=1e-5)
    assert short.mean_thickness[0] == pytest.approx((60 + 2 * 88) / 3, rel=1e-5)
    assert wide.mean_thickness[0] == pytest.approx((60 + 2 * 75) / 2, rel=1e-5)


def test_rows_without_a_lithology_are_a_gap() -> None:
    blank = succession_of(described(("A", 0, 10, "clay"), ("A", 10, 11, ""), ("A", 11, 20, "sand")))
    gap = succession_of(described(("A", 0, 10, "clay"), ("A", 11, 20, "sand")))
    assert blank.transitions.tolist() == gap.transitions.tolist() == [[0, 1, 1]]
    assert blank.counts.tolist() == gap.counts.tolist() == [50, 45]
    np.testing.assert_array_equal(blank.mean_thickness, gap.mean_thickness)


def test_the_order_of_the_rows_and_bins_given_twice_change_nothing() -> None:
    table = described(("A", 0, 10, "clay"), ("A", 10, 20, "sand"), ("A", 20, 26, "clay"))
    mixed = np.random.default_rng(1).permutation(np.tile(np.arange(len(table)), 2))
    other = TrainingTable(
        table.hole[mixed], table.depth[mixed], table.features[mixed], table.lithology[mixed], table.feature_set
    )
    one, two = succession_of(table), succession_of(other)
    np.testing.assert_array_equal(one.transitions, two.transitions)
    np.testing.assert_array_equal(one.mean_thickness, two.mean_thickness)
