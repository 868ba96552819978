"""Checkpoints from elsewhere: a bare state dict, without the sidecar that lithovae-train writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from lithovae.export.cli import app
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import LILY_MEAN, LILY_SCALE
from lithovae.models.vae import SemiSupervisedVAE
from lithovae.runtime import LithoModel
from lithovae.runtime.errors import CheckpointError

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
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*NAMES, "", ""]).encode())  # as Windows may leave it
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


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_scaler_of_ones_own(bare: Path, tmp_path: Path, wrapped: bool) -> None:
    parameters: dict[str, Any] = {"mean": [0, 1, 2, 3, 4, 5], "scale": [1, 2, 3, 4, 5, 6]}
    path = tmp_path / "ours.json"
    path.write_text(json.dumps({"scaler": parameters} if wrapped else parameters))
    checkpoint = Checkpoint.load(bare, scaler=path, classes=NAMES)
    assert checkpoint.scaler.mean_.tolist() == parameters["mean"]
    assert checkpoint.scaler.scale_.tolist() == parameters["scale"]
    assert checkpoint.trained_on == "unknown: a checkpoint from elsewhere, scaler from ours.json"


def test_a_file_named_as_a_published_scaler_is_not_passed_off_as_it(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "lily").write_text(json.dumps({"mean": [0] * 6, "scale": [1] * 6}))
    checkpoint = Checkpoint.load(bare, scaler=tmp_path / "lily", classes=NAMES)
    assert checkpoint.trained_on.endswith("scaler from lily")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "so its scaler is unknown"),
        (["--classes", "names.txt"], "so its scaler is unknown"),
        (["--scaler", "lily"], "names 0 classes, but theirs.pt has 139"),
        (["--scaler", "lily", "--classes", "few.txt"], "(--classes) names 2 classes, but theirs.pt has 139"),
        (["--scaler", "lily", "--classes", "twice.txt"], "names a class twice"),
        (["--scaler", "lily", "--classes", "latin.txt"], "not a list of names in UTF-8"),
        (["--scaler", "lily", "--classes", "absent.txt"], "absent.txt"),
        (["--scaler", "lilly", "--classes", "names.txt"], "lilly is no scaler"),
        (["--scaler", "names.txt", "--classes", "names.txt"], "names.txt is no scaler"),
        (["--scaler", "half.json", "--classes", "names.txt"], "it lacks the key 'scale'"),
        (["--scaler", "zero.json", "--classes", "names.txt"], "must be positive"),
        (["--scaler", "list.json", "--classes", "names.txt"], "list.json is no scaler"),
        (["--scaler", "lily", "--classes", "names.txt", "--missing", "zero"], "not 'zero'"),
    ],
)
def test_mistakes_are_said_in_one_line(
    bare: Path, names: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few.txt").write_text("clay\nchalk\n")
    Path("twice.txt").write_text("clay\n" * 139)
    Path("latin.txt").write_bytes("Löss\n".encode("latin-1"))
    Path("half.json").write_text('{"mean": [0, 0, 0, 0, 0, 0]}')
    Path("zero.json").write_text(json.dumps({"mean": [0] * 6, "scale": [0] * 6}))
    Path("list.json").write_text("[1, 2]")
    failed = export(bare.name, "--out", "bundle", *arguments)
    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert message in failed.stderr
    assert not Path("bundle").exists()


@pytest.mark.parametrize("given", [{"scaler": "lily"}, {"classes": NAMES}, {"missing": "impute"}])
def test_a_sidecar_is_never_overruled(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, given: dict[str, Any]
) -> None:
    path = tmp_path / "ours.pt"
    checkpoints["semisup"].save(path)
    with pytest.raises(CheckpointError, match=f"leave --{next(iter(given))} out") as caught:
        Checkpoint.load(path, **given)
    assert caught.value.path == path.with_suffix(".json")
