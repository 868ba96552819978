"""Checkpoints as others save them: each holds the weights of the same model."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE

NAMES = [f"lithology {i}" for i in range(7)]
State = dict[str, Any]


@pytest.fixture
def model() -> SemiSupervisedVAE:
    torch.manual_seed(0)
    model = SemiSupervisedVAE(6, 4, [16, 12], n_classes=7, classifier_dim=20)
    model(torch.randn(50, 6))  # moves the statistics of BatchNorm
    return model.eval()


def load(path: Path) -> Checkpoint:
    return Checkpoint.load(path, scaler="lily", classes=NAMES)


def assert_same(loaded: VAE, model: VAE) -> None:
    found = loaded.state_dict()
    assert list(found) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    x = torch.randn(9, 6)
    torch.testing.assert_close(loaded.get_embeddings(x), model.get_embeddings(x), rtol=0, atol=0)


def test_saved_on_a_gpu(model: SemiSupervisedVAE, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "cpu.pt")
    path = tmp_path / "gpu.pt"
    with zipfile.ZipFile(tmp_path / "cpu.pt") as cpu, zipfile.ZipFile(path, "w") as gpu:
        for name in cpu.namelist():
            gpu.writestr(name, cpu.read(name).replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="deserialize object on a CUDA device"):
            torch.load(path, weights_only=True)
    assert_same(load(path).model, model)


OPTIMIZER = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}
WRAPPERS: dict[str, Callable[[State], State]] = {
    "model_state_dict": lambda state: {"epoch": 3, "model_state_dict": state, "optimizer": OPTIMIZER, "loss": 0.5},
    "state_dict": lambda state: {"state_dict": state, "by": "us", "args": {"widths": [1, 2], "seed": None}},
    "other names, deeper": lambda state: {"checkpoint": {"net": state}, "discriminator": {"0.weight": torch.ones(3)}},
    "the same one twice": lambda state: {"best": state, "last": state},
    "DataParallel": lambda state: renamed(state, "", "module."),
    "torch.compile": lambda state: renamed(state, "", "_orig_mod."),
    "torch.compile in DataParallel": lambda state: renamed(state, "", "module._orig_mod."),
    "DataParallel in torch.compile": lambda state: renamed(state, "", "_orig_mod.module."),
    "torch.compile of the encoder": lambda state: renamed(state, "encoder.", "encoder._orig_mod."),
    "Lightning": lambda state: {"state_dict": renamed(state, "", "model."), "loops": {}, "global_step": 7},
    "parameters": lambda state: state | {"fc_mu.bias": torch.nn.Parameter(state["fc_mu.bias"])},
}


def renamed(state: State, start: str, new_start: str) -> State:
    return {
        new_start + name.removeprefix(start) if name.startswith(start) else name: tensor
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("zipped", [True, False])
def test_wrapped_and_prefixed(model: SemiSupervisedVAE, tmp_path: Path, wrapper: str, zipped: bool) -> None:
    path = tmp_path / "theirs.pth"
    torch.save(WRAPPERS[wrapper](dict(model.state_dict())), path, _use_new_zipfile_serialization=zipped)
    assert_same(load(path).model, model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(model: SemiSupervisedVAE, tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "theirs.pt"
    torch.save(model.to(dtype).state_dict(), path)
    loaded = load(path)
    assert_same(loaded.model, model.float())
    assert loaded.notes == []  # none of these lost precision


def test_what_float32_loses_is_said(model: SemiSupervisedVAE, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pt"
    torch.save(model.state_dict() | {"fc_mu.bias": torch.full((4,), 1 / 3, dtype=torch.float64)}, path)
    loaded = load(path)
    assert loaded.model.fc_mu.bias.dtype == torch.float32
    assert loaded.notes == ["theirs.pt: rounded 1 of 38 tensors from float64 to float32"]


def test_counters_that_old_versions_of_torch_did_not_save(model: SemiSupervisedVAE, tmp_path: Path) -> None:
    path = tmp_path / "theirs.pt"
    state = {name: tensor for name, tensor in model.state_dict().items() if "num_batches" not in name}
    torch.save(state, path)
    x = torch.randn(9, 6)
    torch.testing.assert_close(load(path).model.get_embeddings(x), model.get_embeddings(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("hidden", "latent", "n_classes", "classifier_dim"),
    [([8], 1, 1, 1), ([9, 8, 7], 3, 2, 64), ([9, 8, 7, 65, 5], 10, 139, 7)],
)
def test_every_width_is_read_off_the_shapes(
    tmp_path: Path, hidden: list[int], latent: int, n_classes: int, classifier_dim: int
) -> None:
    path = tmp_path / "theirs.pt"
    model = SemiSupervisedVAE(6, latent, hidden, n_classes, classifier_dim).eval()
    torch.save(model.state_dict(), path)
    loaded = Checkpoint.load(path, scaler="lily", classes=[str(i) for i in range(n_classes)])
    assert_same(loaded.model, model)


def test_safetensors(model: SemiSupervisedVAE, tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    safetensors.torch.save_file(
        model.state_dict(), path, metadata={"classes": "clay", "scaler": "lily", "format": "tf"}
    )
    assert_same(load(path).model, model)


def test_safetensors_with_a_sidecar(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    safetensors.torch.save_file(checkpoints["semisup"].model.state_dict(), path)
    checkpoints["semisup"].annotate(path)
    sidecar = path.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace("checkpoint_sha256", "sha256_of_the_pt"))
    assert Checkpoint.load(path).classes == checkpoints["semisup"].classes


def test_a_tensor_shares_no_memory_with_another(tmp_path: Path) -> None:
    """Rows that share memory in the file do not share it in the model."""
    path = tmp_path / "theirs.pt"
    state: dict[str, Tensor] = VAE().state_dict()
    state["fc_out.weight"] = torch.ones(1, 64).expand(6, 64)
    torch.save(state, path)
    model = Checkpoint.load(path, scaler="lily").model
    model.fc_out.weight.data[0] = 2
    assert model.fc_out.weight[1].tolist() == [1.0] * 64
