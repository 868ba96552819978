"""Checkpoints from elsewhere: a bare state dict, without the sidecar that lithovae-train writes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from lithovae.export.cli import app
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import LILY_MEAN, LILY_SCALE, DistributionAwareScaler
from lithovae.models.vae import SemiSupervisedVAE
from lithovae.runtime import LithoModel
from lithovae.training.table import TrainingTable

from .worn import worn

Floats = NDArray[np.float64]
NAMES = [f"lithology {i:03}" for i in range(139)]


@pytest.fixture
def bare(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> Path:
    """A semi-supervised checkpoint with 139 outputs and no sidecar."""
    path = tmp_path / "theirs.pt"
    torch.manual_seed(0)
    model = SemiSupervisedVAE()
    model.load_state_dict(checkpoints["semisup"].model.state_dict())
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*NAMES, "", ""]).encode())  # as written on Windows
    return path


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_published_checkpoint_becomes_a_bundle(bare: Path, names: Path, tmp_path: Path, features: Floats) -> None:
    done = export(bare, "--scaler", "lily", "--classes", names, "--out", tmp_path / "bundle")
    assert done.exit_code == 0, done.output
    assert "parity passed" in done.output
    model = LithoModel.load(tmp_path / "bundle")
    assert list(model.classes) == NAMES
    assert not model.imputes
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["trained_on"] == "unknown: a checkpoint from elsewhere, scaler lily"
    assert manifest["recipe"] == {"name": "unknown"}
    assert manifest["scaler"] == {"mean": list(LILY_MEAN), "scale": list(LILY_SCALE)}
    logged = np.sign(features[:, 1:3]) * np.log1p(np.abs(features[:, 1:3]))
    by_hand = np.column_stack([features[:, 0], logged, np.log1p(features[:, 3:])])
    network = SemiSupervisedVAE().double().eval()
    network.load_state_dict(torch.load(bare, weights_only=True))
    expected = network.get_embeddings(torch.tensor((by_hand - LILY_MEAN) / LILY_SCALE)).numpy()
    np.testing.assert_allclose(model.embed(features), expected, rtol=1e-4, atol=1e-4)
    features[3, 2] = np.nan
    assert np.flatnonzero(np.isnan(model.embed(features)).any(axis=1)).tolist() == [3]


def test_what_a_missing_feature_does_is_for_its_user_to_say(bare: Path, names: Path, tmp_path: Path) -> None:
    arguments = (bare, "--scaler", "lily", "--classes", names, "--out", tmp_path / "bundle", "--missing")
    assert export(*arguments, "impute").exit_code == 0
    assert LithoModel.load(tmp_path / "bundle").imputes
    assert export(*arguments, "nan").exit_code == 0
    assert not LithoModel.load(tmp_path / "bundle").imputes
    assert Checkpoint.load(bare, scaler="lily", classes=NAMES).missing == "nan"
    assert Checkpoint.load(bare, scaler="lily", classes=NAMES, missing="impute").missing == "impute"


def test_an_unsupervised_one_needs_no_names(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    torch.save(checkpoints["unsup"].model.state_dict(), tmp_path / "theirs.pt")
    assert export(tmp_path / "theirs.pt", "--scaler", "lily", "--out", tmp_path / "bundle").exit_code == 0
    assert LithoModel.load(tmp_path / "bundle").classes == ()


def test_a_file_named_as_a_published_scaler_is_not_passed_off_as_it(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "lily").write_text(json.dumps({"mean": [1] * 6, "scale": [1] * 6}))
    checkpoint = Checkpoint.load(bare, scaler=tmp_path / "lily", classes=NAMES)
    assert checkpoint.trained_on.endswith("scaler from lily")


def test_from_a_gpu_in_a_wrapper_of_other_widths_and_a_scaler_fitted_again(
    table: TrainingTable, tmp_path: Path, features: Floats
) -> None:
    torch.manual_seed(0)
    model = worn(SemiSupervisedVAE(6, 7, [24, 16, 12], n_classes=3, classifier_dim=20))
    optimizer = torch.optim.Adam(model.parameters()).state_dict()
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 100, "model_state_dict": state, "optimizer": optimizer, "loss": 0.5, "by": "us"}, path)
    (tmp_path / "names.txt").write_text("clay\nchalk\nbasalt\n")
    table.write(tmp_path / "theirs.csv")
    done = export(
        path, "--fit-scaler", tmp_path / "theirs.csv", "--classes", tmp_path / "names.txt", "--out", tmp_path / "bundle"
    )
    assert done.exit_code == 0, done.output
    digest = hashlib.sha256((tmp_path / "theirs.csv").read_bytes()).hexdigest()
    origin = f"fitted on theirs.csv ({len(table)} rows, SHA-256 {digest})"
    assert done.stderr.splitlines() == [
        "note: last.ckpt: read only the state dict in 'model_state_dict'; ignored the rest",
        f"note: scaler {origin}",
    ]
    bundle = LithoModel.load(tmp_path / "bundle")
    assert list(bundle.classes) == ["clay", "chalk", "basalt"]
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["trained_on"] == f"unknown: a checkpoint from elsewhere, scaler {origin}"
    scaled = torch.tensor(DistributionAwareScaler().fit(table.features).transform(features))
    z = model.double().get_embeddings(scaled)
    np.testing.assert_allclose(bundle.embed(features), z.numpy(), rtol=1e-3, atol=1e-2)
    probabilities = torch.softmax(model.classify(z), dim=1).detach().numpy()
    np.testing.assert_allclose(bundle.classify(features), probabilities, atol=1e-2)
