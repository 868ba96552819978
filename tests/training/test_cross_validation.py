from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FeatureSet
from lithovae.training.cross_validation import cross_validate
from lithovae.training.recipe import HYBRID
from lithovae.training.table import TrainingTable

RECIPE = replace(HYBRID, epochs=12, batch_size=32)


def hole_of(names: list[str], n: int = 1000) -> TrainingTable:
    """A hole whose lithology, in beds of 8 m, shows in its density."""
    label = np.arange(n) // 40 % len(names)
    values = np.random.default_rng(0).normal(1.4 + 0.2 * label, 0.05)[:, None]
    depth = np.linspace(0, 0.2 * (n - 1), n)
    return TrainingTable(np.full(n, "A"), depth, values, np.array(names)[label], FeatureSet.named(["density"]))


def test_every_row_is_scored_by_a_model_that_has_not_seen_it() -> None:
    table = hole_of(["clay", "sand"])
    found = cross_validate(table, RECIPE, 5)
    assert (found.kind, found.n_parts, found.n_rows) == ("blocks of depth", 10, 1000)
    assert found.accuracy > 0.9
    assert (found.commonest, found.commonest_share) == ("clay", 0.52)
    assert found.calibrated is not None
    assert found.calibrated.calibration.error_after <= found.calibrated.calibration.error_before
    noise = np.random.default_rng(1).permutation(table.lithology)  # could only be known by heart
    assert cross_validate(replace(table, lithology=noise), RECIPE, 5).accuracy < 0.6


def test_a_lithology_of_one_part_alone_counts_as_wrong() -> None:
    table = hole_of(["clay"])
    lithology = np.where(table.depth < 20, "sand", "clay")
    found = cross_validate(replace(table, lithology=lithology), RECIPE, 10)
    assert found.accuracy <= 0.9
    assert found.n_rows == 1000


def test_rows_without_a_lithology_are_not_scored() -> None:
    table = hole_of(["clay", "sand"])
    some = replace(table, lithology=np.where(table.depth < 100, table.lithology, ""))
    found = cross_validate(some, RECIPE, 3)
    assert (found.n_parts, found.n_rows) == (5, 500)
    with pytest.raises(TableError, match="all 50 rows with a lithology are in one of the blocks of depth"):
        cross_validate(replace(table, lithology=np.where(table.depth < 9.9, table.lithology, "")), RECIPE, 3)


def test_holes_are_whole_and_of_unequal_size() -> None:
    table = hole_of(["clay", "sand"])
    found = cross_validate(replace(table, hole=np.where(table.depth < 190, "1-U1-A", "1-U1-B")), RECIPE, 5)
    assert (found.kind, found.n_parts, found.n_rows) == ("holes", 2, 1000)
