from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.training.facts import Facts
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable


@pytest.fixture(scope="module")
def full() -> TrainingTable:
    return simulate_table()


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts.load()


def test_rows_holes_and_classes_are_the_published_ones(full: TrainingTable, facts: Facts) -> None:
    assert len(full) == 238_506
    assert Counter(full.lithology.tolist()) == facts.class_counts
    assert Counter(full.hole.tolist()) == {name: rows for name, rows, _, _ in facts.holes}


def test_depths_are_bins_that_increase_within_the_published_range(full: TrainingTable, facts: Facts) -> None:
    np.testing.assert_allclose(full.depth / 0.2, np.rint(full.depth / 0.2), atol=1e-6)
    for name, rows, shallowest, deepest in facts.holes:
        depth = full.depth[full.hole == name]
        assert (np.diff(depth) > 0).all()
        assert depth[0] >= shallowest - 0.11
        assert depth[-1] <= max(deepest, shallowest + 0.2 * rows) + 0.11


def test_transformed_moments(full: TrainingTable, facts: Facts) -> None:
    scaler = DistributionAwareScaler().fit(full.features)
    np.testing.assert_array_less(np.abs(scaler.mean_ - facts.transformed_mean) / facts.transformed_sd, 0.02)
    np.testing.assert_allclose(scaler.scale_, facts.transformed_sd, rtol=0.02)


def test_marginals_follow_the_published_histograms(full: TrainingTable, facts: Facts) -> None:
    for i, (edges, counts) in enumerate(facts.histograms):
        ours, _ = np.histogram(full.features[:, i], edges)
        distance = np.abs(np.cumsum(ours) / len(full) - np.cumsum(counts) / counts.sum()).max()
        assert distance < 0.03, facts.histograms[i]


def test_correlations(full: TrainingTable, facts: Facts) -> None:
    np.testing.assert_allclose(np.corrcoef(full.features, rowvar=False), facts.correlation, atol=0.05)


def test_neighbouring_bins_resemble_each_other(full: TrainingTable) -> None:
    scaled = DistributionAwareScaler().fit_transform(full.features)
    same = full.hole[1:] == full.hole[:-1]
    lag_1 = [np.corrcoef(scaled[1:][same, i], scaled[:-1][same, i])[0, 1] for i in range(6)]
    assert min(lag_1) > 0.6


def test_lithologies_differ_as_published(full: TrainingTable) -> None:
    medians = {
        name: np.median(full.features[full.lithology == name], axis=0) for name in ("basalt", "nannofossil ooze")
    }
    basalt, ooze = medians["basalt"], medians["nannofossil ooze"]
    assert basalt[1] > 50 * ooze[1]  # magnetic susceptibility
    assert basalt[3] < 0.7 * ooze[3]  # brightness


def test_seed_and_share() -> None:
    a, b, c = (simulate_table(seed, share=0.01) for seed in (5, 5, 6))
    assert a.digest() == b.digest() != c.digest()
    assert len(a.classes) == 139
    assert 2385 <= len(a) <= 2385 + 139
    with pytest.raises(ValueError, match="share"):
        simulate_table(share=1.5)


def test_the_figures_that_ship_are_the_published_ones(root: Path, shared_scans: Path) -> None:
    published = shared_scans.parent / "facts"
    ours = sorted((root / "training" / "published").glob("*.csv"))
    assert len(ours) == 7
    for path in ours:
        assert path.read_bytes() == (published / path.name).read_bytes()
