from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime.errors import CheckpointError, OutputError
from lithovae.training.recipe import MODELS


@pytest.fixture
def saved(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    checkpoints["semisup"].save(path)
    return path


def test_round_trip(checkpoints: dict[str, Checkpoint], saved: Path) -> None:
    before, after = checkpoints["semisup"], Checkpoint.load(saved)
    x = torch.randn(9, 6)
    torch.testing.assert_close(after.model.get_embeddings(x), before.model.get_embeddings(x), rtol=0, atol=0)
    assert after.classes == before.classes
    assert after.recipe == before.recipe
    assert after.history == before.history
    assert after.sha256 == before.sha256
    np.testing.assert_array_equal(after.scaler.mean_, before.scaler.mean_)
    np.testing.assert_array_equal(after.scaler.scale_, before.scaler.scale_)


def test_is_a_bare_state_dict_with_plain_json_beside_it(saved: Path) -> None:
    state = torch.load(saved, map_location="cpu", weights_only=True)
    assert isinstance(state, OrderedDict)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model.json", "model.pt"]
    sidecar = json.loads(saved.with_suffix(".json").read_text())
    assert {"scaler", "classes", "recipe", "history", "data_digest", "trained_on"} <= set(sidecar)


def test_other_widths_are_read_off_the_tensors(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    checkpoint = checkpoints["unsup"]
    other = Checkpoint(VAE(6, 4, [16, 12, 8]), checkpoint.scaler, (), {}, "a test", "")
    other.save(tmp_path / "other.pt")
    assert Checkpoint.load(tmp_path / "other.pt").model.fc_mu.weight.shape == (4, 8)


@pytest.mark.parametrize("name", MODELS)
def test_shipped_checkpoints_say_what_they_are(root: Path, name: str) -> None:
    checkpoint = Checkpoint.load(root / "models" / MODELS[name].checkpoint)
    assert checkpoint.trained_on.startswith("Simulated data: 238506 rows")
    assert checkpoint.recipe["name"] == MODELS[name].recipe.name
    assert len(checkpoint.history) == 100
    assert len(checkpoint.classes) == (139 if MODELS[name].supervised else 0)
    assert list(checkpoint.classes) == sorted(checkpoint.classes)
    reference = checkpoint.reference
    assert reference is not None
    assert reference.n_rows == 238_506
    assert reference.mixture is not None
    assert reference.surprise is not None
    assert 1 - reference.surprise.at[-2] == pytest.approx(1e-4)  # p-values go down to here
    assert len(json.dumps(reference.to_json())) < 40_000
    if not MODELS[name].supervised:
        assert (reference.calibration, reference.groups, reference.succession) == (None, None, None)
        return
    assert reference.groups is not None
    assert len(reference.groups.names) == 14
    assert reference.succession is not None
    assert len(reference.succession.transitions) > 300
    assert reference.calibration is not None
    assert reference.calibration.error_after <= 0.03 < reference.calibration.error_before
    before, after = reference.calibration.error_before, reference.calibration.error_after
    assert f"{before:.3f} before and {after:.3f} after" in checkpoint.card


def test_an_error_carries_the_file_it_speaks_of(saved: Path) -> None:
    sidecar = saved.with_suffix(".json")
    for path, spoil in ((sidecar, "{}"), (saved, "neither a zip nor a pickle")):
        path.write_text(spoil)
        with pytest.raises(CheckpointError) as caught:
            Checkpoint.load(saved)
        assert caught.value.path == path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": []}, "names 0 classes, but model.pt has 139"),
        ({"classes": ["clay"]}, "names 1 classes, but model.pt has 139"),
        ({"classes": ["clay"] * 139}, "names a class twice"),
    ],
)
def test_refuses_classes_that_do_not_fit(saved: Path, change: dict[str, Any], message: str) -> None:
    sidecar = saved.with_suffix(".json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.load(saved)


def test_the_reference_is_kept(checkpoints: dict[str, Checkpoint], saved: Path) -> None:
    before, after = checkpoints["semisup"].reference, Checkpoint.load(saved).reference
    assert before is not None
    assert after is not None
    assert after.to_json() == before.to_json()
    assert saved.with_suffix(".json").stat().st_size < 60_000


def test_a_sidecar_without_a_reference_is_read(saved: Path) -> None:
    sidecar = saved.with_suffix(".json")
    stated = json.loads(sidecar.read_text(encoding="utf-8"))
    del stated["reference"]
    sidecar.write_text(json.dumps(stated), encoding="utf-8")
    assert Checkpoint.load(saved).reference is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": None}, "NoneType"),
        ({"ranges": {"at": [0, 1]}}, "lacks 'values'"),
        ({"n_rows": float("inf")}, "n_rows is not a number of rows"),
        ({"mixture": {"weights": [1], "means": [[0] * 6], "covariances": [[[0] * 6] * 6]}}, "not positive definite"),
        ({"calibration": {"temperature": 0, "error_before": 0, "error_after": 0, "n_rows": 1}}, "must be above 0"),
        ({"groups": {"names": ["Sand"], "of_class": [0] * 9}}, "of_class has the shape"),
    ],
)
def test_a_malformed_reference_is_refused(saved: Path, change: dict[str, Any], message: str) -> None:
    sidecar = saved.with_suffix(".json")
    stated = json.loads(sidecar.read_text(encoding="utf-8"))
    stated["reference"] |= change
    sidecar.write_text(json.dumps(stated), encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"key reference cannot be used.*{message}") as caught:
        Checkpoint.load(saved)
    assert caught.value.path == sidecar


def test_a_folder_that_is_not_there_is_said(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        checkpoints["unsup"].save(tmp_path / "absent" / "model.pt")
    (tmp_path / "taken.pt").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        checkpoints["unsup"].save(tmp_path / "taken.pt")
    with pytest.raises(OutputError, match=r"must end in \.pt"):
        checkpoints["unsup"].save(tmp_path / "model.json")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.pt"]


def test_semi_supervised_model_is_recognised(saved: Path) -> None:
    assert isinstance(Checkpoint.load(saved).model, SemiSupervisedVAE)
