from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.features import LILY, FeatureSet
from lithovae.training.fit import fit
from lithovae.training.inputs import read_inputs
from lithovae.training.recipe import HYBRID
from lithovae.training.table import TrainingTable
from lithovae.training.validate import validate


def test_the_error_is_of_measured_cells_in_scaled_space(
    table: TrainingTable, checkpoints: dict[str, Checkpoint]
) -> None:
    checkpoint = checkpoints["unsup_hybrid"]
    whole = validate(checkpoint, table)
    assert whole.error == pytest.approx(np.mean(list(whole.errors.values())))
    assert (whole.rows, whole.labelled, whole.accuracy) == (len(table), len(table), None)
    gappy = table.features.copy()
    gappy[:, 4] = np.nan
    gappy[::2, 0] = np.nan
    some = validate(checkpoint, replace(table, features=gappy))
    assert some.errors.keys() == whole.errors.keys() - {"G"}
    few = validate(checkpoint, table.select(FeatureSet(LILY[:2])))
    assert list(few.errors) == list(LILY.names[:2])


def test_the_head_is_scored_on_rows_with_a_lithology(table: TrainingTable, checkpoints: dict[str, Checkpoint]) -> None:
    lithology = np.where(np.arange(len(table)) < 100, table.lithology, "")
    found = validate(checkpoints["semisup"], replace(table, lithology=lithology))
    assert found.labelled == 100
    assert found.accuracy == validate(checkpoints["semisup"], table.take(lithology != "")).accuracy
    share = {name: np.mean(lithology[:100] == name) for name in set(lithology[:100].tolist())}
    assert found.commonest_share == share[found.commonest] == max(share.values())
    assert validate(checkpoints["semisup"], replace(table, lithology=np.full(len(table), ""))).commonest == ""


def test_fine_tuning_on_a_real_hole_serves_its_neighbours(root: Path, tmp_path: Path) -> None:
    source = root.parent / "shared" / "holes"
    if not source.is_dir():
        pytest.skip(f"{source} does not exist")
    instruments = dict(zip(("density", "susceptibility", "gamma"), LILY, strict=False))
    tables = {}
    for hole in "ABCD":
        with h5py.File(tmp_path / f"{hole}.h5", "w") as file:
            file.attrs["hole"] = f"984{hole}"
            for name, feature in instruments.items():
                rows = pd.read_csv(source / f"odp-984-{name}.csv").query("hole == @hole")
                file[f"{name}/depth"] = rows["depth_mbsf_m"].to_numpy()
                file[f"{name}/{feature.name}"] = rows["value"].to_numpy()
        tables[hole] = read_inputs([tmp_path / f"{hole}.h5"])
    start = Checkpoint.load(root / "models" / "model_unsup_hybrid.pt")
    tuned = fit(tables["B"], HYBRID, supervised=False, trained_on="", start=start)
    for hole in "ACD":
        assert validate(start, tables[hole]).error > 0.5
        assert validate(tuned, tables[hole]).error < 0.1
