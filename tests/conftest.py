"""Fixtures that all tests share: paths, and small test data."""

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
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_scans() -> Path:
    """Folder of five real cores, which are not part of the project; skips the test if it is absent."""
    if not (SHARED / "scans").is_dir():
        pytest.skip(f"{SHARED / 'scans'} does not exist")
    return SHARED / "scans"


@pytest.fixture(scope="session")
def shared_field() -> Path:
    """Folder of small inputs from the field, which are not part of the project; skips the test if it is absent."""
    if not (SHARED / "field").is_dir():
        pytest.skip(f"{SHARED / 'field'} does not exist")
    return SHARED / "field"


@pytest.fixture(scope="session")
def shared_tables() -> Path:
    """Folder of real text files, which are not part of the project; skips the test if it is absent."""
    if not (SHARED / "tables").is_dir():
        pytest.skip(f"{SHARED / 'tables'} does not exist")
    return SHARED / "tables"


@pytest.fixture(scope="session")
def table() -> TrainingTable:
    """A small simulated training table."""
    return simulate_table(seed=1, share=0.01)


@pytest.fixture(scope="session")
def full_table() -> TrainingTable:
    """The whole simulated training table."""
    return simulate_table()


@pytest.fixture(scope="session")
def checkpoints(table: TrainingTable) -> dict[str, Checkpoint]:
    """The four models, each trained for one epoch."""
    return {
        name: fit(table, replace(plan.recipe, epochs=1), supervised=plan.supervised, trained_on="a test")
        for name, plan in MODELS.items()
    }


@pytest.fixture
def features() -> NDArray[np.float64]:
    """A thousand plausible rows of raw features, shape (1000, 6)."""
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
    """Write an HDF5 file from ``{"path": array}``, ``units={"path": "cm"}`` and ``attrs={"path@name": value}``."""

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
                owner, _, attribute = name.rpartition("@")
                file[owner or "/"].attrs[attribute] = value
        return path

    return write


@pytest.fixture
def flat_scan(write_scan: WriteScan, features: NDArray[np.float64]) -> Path:
    """A scan with one dataset for each feature and no depth."""
    return write_scan({name: features[:, i] for i, name in enumerate(FEATURE_NAMES)})
