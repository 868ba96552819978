"""A model that knows what its training rows were like, and a core like them."""

from __future__ import annotations

import numpy as np
import pytest

from lithovae.runtime import LithoModel
from lithovae.runtime.answers.quality import Scaling, drawn
from lithovae.training.table import TrainingTable
from tests.runtime.answers.known_rows import Float32s, reference_of, with_reference


@pytest.fixture(scope="session")
def training_rows(table: TrainingTable) -> Float32s:
    """Raw rows of the small simulated table."""
    return table.features.astype(np.float32)


@pytest.fixture(scope="session")
def model(training_rows: Float32s) -> LithoModel:
    """The default model, with a reference from every other row of the small simulated table."""
    model = LithoModel.load("semisup_hybrid", threads=1)
    with_reference(model.bundle, reference_of(training_rows[::2], Scaling.of(model.bundle)))
    return model


@pytest.fixture
def core(model: LithoModel) -> Float32s:
    """A core of 400 raw rows that are like the training rows."""
    reference = model.bundle.reference
    assert reference
    assert reference.mixture
    rows = Scaling.of(model.bundle).raw(drawn(reference.mixture, 400))
    rows[:, 3:] = rows[:, 3:].clip(0, 255)
    return rows
