"""What the tests share: where things are, and small data to work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.training.fit import fit
from lithovae.training.recipe import MODELS
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_scans() -> Path:
    """Five real cores, which do not ship with the project."""
    if not (SHARED / "scans").is_dir():
        pytest.skip(f"{SHARED / 'scans'} is not at hand")
    return SHARED / "scans"


@pytest.fixture(scope="session")
def table() -> TrainingTable:
    """A small simulated training table."""
    return simulate_table(seed=1, share=0.01)


@pytest.fixture(scope="session")
def full_table() -> TrainingTable:
    """The simulated training table, all of it."""
    return simulate_table()


@pytest.fixture(scope="session")
def checkpoints(table: TrainingTable) -> dict[str, Checkpoint]:
    """Each of the four models, trained for an epoch."""
    return {
        name: fit(table, replace(plan.recipe, epochs=1), supervised=plan.supervised, trained_on="a test")
        for name, plan in MODELS.items()
    }


@pytest.fixture
def features() -> NDArray[np.float64]:
    """A thousand plausible raw rows (1000, 6)."""
    rng = np.random.default_rng(7)
    n = 1000
    return np.column_stack(
        [
            rng.normal(1.7, 0.25, n),
            rng.normal(0, 3, n) ** 3,
            rng.gamma(2, 14, n),
            *(rng.gamma(3, 24, n).clip(0, 255) for _ in range(3)),
        ]
    )


WriteScan = Callable[..., Path]


@pytest.fixture
def write_scan(tmp_path: Path) -> WriteScan:
    """Write an HDF5 file from ``{"path": array}``; ``units={"path": "cm"}`` sets unit attributes."""

    def write(
        datasets: dict[str, Any], units: dict[str, str] | None = None, attrs: dict[str, Any] | None = None
    ) -> Path:
        path = tmp_path / "scan.h5"
        with h5py.File(path, "w") as file:
            for name, values in datasets.items():
                file[name] = values
            for name, unit in (units or {}).items():
                file[name].attrs["units"] = unit
            for name, value in (attrs or {}).items():
                place, _, attribute = name.rpartition("@")
                file[place or "/"].attrs[attribute] = value
        return path

    return write


@pytest.fixture
def flat_scan(write_scan: WriteScan, features: NDArray[np.float64]) -> Path:
    """A scan with a dataset per feature, without depth."""
    return write_scan({name: features[:, i] for i, name in enumerate(FEATURE_NAMES)})
