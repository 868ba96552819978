from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lithovae.training.facts import Facts
from lithovae.training.fidelity import compare
from lithovae.training.simulate import simulate_table
from lithovae.training.stratigraphy import succession
from lithovae.training.table import TrainingTable


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts.load()


def test_every_published_figure_holds(full_table: TrainingTable) -> None:
    figures = compare(full_table)
    assert len(full_table) == 238_506
    assert len(figures) == 2 + 12 + 6 + 15 + 36 + 6
    assert [figure.what for figure in figures if not figure.holds] == []


def test_a_figure_that_does_not_hold_is_found(full_table: TrainingTable) -> None:
    features = full_table.features.copy()
    features[:, 2] *= 1.2
    order = np.random.default_rng(0).permutation(len(full_table))
    features[:, 0] = features[order, 0]
    lithology = np.where(full_table.lithology == "sand", "clay", full_table.lithology)
    wrong = {
        f.what for f in compare(TrainingTable(full_table.hole, full_table.depth, features, lithology)) if not f.holds
    }
    assert {
        "NGR total counts (cps): transformed mean",
        "NGR total counts (cps): Kolmogorov-Smirnov distance",
        "silty clay: median of NGR total counts (cps)",
        "correlation of Bulk density (GRA) and NGR total counts (cps)",
        "Bulk density (GRA): correlation of neighbouring bins",
        "rows per lithology: total difference",
    } <= wrong
    assert "R: transformed mean" not in wrong


def test_depths_are_bins_that_increase_within_the_published_range(full_table: TrainingTable, facts: Facts) -> None:
    np.testing.assert_allclose(full_table.depth / 0.2, np.rint(full_table.depth / 0.2), atol=1e-6)
    for name, rows, shallowest, deepest in facts.holes:
        depth = full_table.depth[full_table.hole == name]
        assert (np.diff(depth) > 0).all()
        assert depth[0] >= shallowest - 0.11
        assert depth[-1] <= max(deepest, shallowest + 0.2 * rows) + 0.11


def test_intervals_are_as_thick_as_published(facts: Facts) -> None:
    # One long hole, so that no interval is cut; a run of one lithology may be several described intervals.
    names = succession(facts, np.full(238_506, "A"), 1.0, np.random.default_rng(0))
    for lithology in ("sand", "clayey silt", "diatom ooze"):
        is_it = np.concatenate([[False], names == lithology, [False]]).astype(int)
        runs = np.flatnonzero(np.diff(is_it) == -1) - np.flatnonzero(np.diff(is_it) == 1)
        median, mean = facts.thickness[lithology]
        assert runs.mean() * 0.2 > 0.8 * mean
        assert runs.min() * 0.2 <= max(median, 0.2)


def test_successions_follow_the_published_ones(full_table: TrainingTable) -> None:
    changes = full_table.lithology[:-1] != full_table.lithology[1:]
    above, below = full_table.lithology[:-1][changes], full_table.lithology[1:][changes]
    after_sand = below[above == "sand"]
    names, counts = np.unique(after_sand, return_counts=True)
    assert names[np.argmax(counts)] == "clay"  # 1,513 of the published successions, far more than any other
    assert (below[above == "packstone"] == "basalt").mean() < 0.02


def test_sediments_are_denser_down_hole(full_table: TrainingTable) -> None:
    clay = full_table.lithology == "clay"
    shallow, deep = clay & (full_table.depth < 50), clay & (full_table.depth > 300)
    assert np.median(full_table.features[deep, 0]) > np.median(full_table.features[shallow, 0]) + 0.05


def test_physical_sense(full_table: TrainingTable) -> None:
    basalt, ooze = (
        np.median(full_table.features[full_table.lithology == name], axis=0) for name in ("basalt", "nannofossil ooze")
    )
    assert basalt[1] > 50 * ooze[1]  # magnetic
    assert basalt[3] < 0.7 * ooze[3]  # dark


def test_seed_and_share() -> None:
    a, b, c = (simulate_table(seed, share=0.01) for seed in (5, 5, 6))
    assert a.digest() == b.digest() != c.digest()
    assert len(a.classes) == 139
    assert 2385 <= len(a) <= 2385 + 139
    with pytest.raises(ValueError, match="share"):
        simulate_table(share=10.5)


def test_the_figures_that_ship_are_the_published_ones(root: Path, shared_scans: Path) -> None:
    published = shared_scans.parent / "facts"
    ours = [path for path in (root / "training" / "published").glob("*.csv") if (published / path.name).exists()]
    assert len(ours) >= 10
    for path in ours:
        assert path.read_bytes() == (published / path.name).read_bytes()
