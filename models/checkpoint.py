"""Checkpoints: a bare state dict in a ``.pt``, and beside it a ``.json`` with all that a state dict cannot hold."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lithovae.runtime.errors import CheckpointError, OutputError

from .scaler import N_FEATURES, DistributionAwareScaler
from .vae import VAE, SemiSupervisedVAE


@dataclass
class Checkpoint:
    """A trained model with what is needed to use it.

    Attributes
    ----------
    model : VAE
        The model, in eval mode, on the CPU.
    scaler : DistributionAwareScaler
        The scaler that its training table was fitted with.
    classes : tuple of str
        Lithologies in the order of the classifier's outputs; empty for a model without one.
    recipe : dict
        The recipe it was trained by, as plain data.
    trained_on : str
        What it was trained on, in a sentence.
    data_digest : str
        SHA-256 of the training table's content.
    history : list of dict
        Mean loss, its parts and the learning rate of each epoch.
    sha256 : str
        SHA-256 of the ``.pt`` file; empty before it is written.
    """

    model: VAE
    scaler: DistributionAwareScaler
    classes: tuple[str, ...]
    recipe: dict[str, Any]
    trained_on: str
    data_digest: str
    history: list[dict[str, float]] = field(default_factory=list)
    sha256: str = ""

    def save(self, path: str | Path) -> None:
        """Write ``path`` and its sidecar; neither appears under its name before both are whole."""
        path = Path(path)
        require_place(path)
        partials = [path.with_name(f".{path.name}.partial"), path.with_name(f".{path.stem}.json.partial")]
        try:
            torch.save(self.model.state_dict(), partials[0])
            self.sha256 = hashlib.sha256(partials[0].read_bytes()).hexdigest()
            partials[1].write_text(json.dumps(self._sidecar(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(partials[1], path.with_suffix(".json"))
            os.replace(partials[0], path)
        except (OSError, RuntimeError) as error:
            raise OutputError(f"cannot write {path}: {error}", path) from error
        finally:
            for partial in partials:
                partial.unlink(missing_ok=True)

    def _sidecar(self) -> dict[str, Any]:
        return {
            "checkpoint_sha256": self.sha256,
            "trained_on": self.trained_on,
            "scaler": {"mean": self.scaler.mean_.tolist(), "scale": self.scaler.scale_.tolist()},
            "classes": list(self.classes),
            "recipe": self.recipe,
            "data_digest": self.data_digest,
            "history": self.history,
        }

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read a checkpoint and its sidecar.

        Raises
        ------
        CheckpointError
            If the file is absent, is not a state dict of `VAE` or `SemiSupervisedVAE`, would run code when read, or
            has no sidecar that fits it.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"no such checkpoint: {path}", path)
        model = build_model(_read_state_dict(path), path)
        sidecar_path = path.with_suffix(".json")
        if not sidecar_path.is_file():
            raise CheckpointError(
                f"{path} has no {sidecar_path.name} beside it, so its scaler is unknown: put there the JSON that "
                "lithovae-train wrote with it (a scaler refitted on other data would give other embeddings)",
                path,
            )
        try:
            sidecar = json.loads(sidecar_path.read_text(encoding="utf-8"))
            scaler = DistributionAwareScaler.from_parameters(sidecar["scaler"]["mean"], sidecar["scaler"]["scale"])
            checkpoint = cls(
                model=model,
                scaler=scaler,
                classes=tuple(sidecar["classes"]),
                recipe=dict(sidecar["recipe"]),
                trained_on=str(sidecar["trained_on"]),
                data_digest=str(sidecar["data_digest"]),
                history=list(sidecar["history"]),
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
        except KeyError as error:
            raise CheckpointError(f"{sidecar_path} lacks the key {error}", sidecar_path) from error
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise CheckpointError(f"{sidecar_path} is not a checkpoint's sidecar: {error}", sidecar_path) from error
        if sidecar.get("checkpoint_sha256", checkpoint.sha256) != checkpoint.sha256:
            raise CheckpointError(f"{sidecar_path} belongs to another checkpoint than {path.name}", sidecar_path)
        if not all(isinstance(name, str) for name in checkpoint.classes) or isinstance(sidecar["classes"], str):
            raise CheckpointError(f"{sidecar_path}: classes must be a list of names", sidecar_path)
        if len(set(checkpoint.classes)) < len(checkpoint.classes):
            raise CheckpointError(f"{sidecar_path} names a class twice", sidecar_path)
        n_classes = model.classifier[3].out_features if isinstance(model, SemiSupervisedVAE) else 0
        if len(checkpoint.classes) != n_classes:
            raise CheckpointError(
                f"{sidecar_path} names {len(checkpoint.classes)} classes, but {path.name} has {n_classes}", path
            )
        return checkpoint


def build_model(state: dict[str, torch.Tensor], path: Path) -> VAE:
    """Make the model that a state dict belongs to, in eval mode, its widths read off the tensors' shapes.

    Raises
    ------
    CheckpointError
        If the tensors are not those of a `VAE` or `SemiSupervisedVAE`.
    """
    try:
        hidden: list[int] = []
        while f"encoder.{3 * len(hidden)}.weight" in state:
            hidden.append(state[f"encoder.{3 * len(hidden)}.weight"].shape[0])
        dims = (state["encoder.0.weight"].shape[1], state["fc_mu.weight"].shape[0], hidden)
        if "classifier.3.weight" in state:
            model: VAE = SemiSupervisedVAE(*dims, n_classes=state["classifier.3.weight"].shape[0])
        else:
            model = VAE(*dims)
        model.load_state_dict(state)
        if dims[0] != N_FEATURES:
            raise CheckpointError(f"{path} takes {dims[0]} features, not {N_FEATURES}", path)
    except KeyError as error:
        raise CheckpointError(f"{path} is not a LithoVAE checkpoint: it has no tensor {error}", path) from error
    except (RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} is not a LithoVAE checkpoint: {reason[:300]}", path) from error
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all() or (name.endswith("running_var") and (tensor < 0).any()):
            raise CheckpointError(f"{path} is spoilt: {name} holds NaN, infinity or a negative variance", path)
    return model.eval()


def require_place(path: Path) -> None:
    """Make sure that a checkpoint can be put somewhere, before hours are spent on it.

    Raises
    ------
    OutputError
        If the name does not end in ``.pt``, is a folder's, or is in a folder that is not there.
    """
    if path.suffix != ".pt":
        raise OutputError(f"{path}: a checkpoint's name ends in .pt", path)
    if path.is_dir() or path.with_suffix(".json").is_dir():
        raise OutputError(f"{path} or its .json is a folder: choose another name", path)
    if not path.absolute().parent.is_dir():
        raise OutputError(f"no such folder: {path.absolute().parent}", path)


def _read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f" ({named[1]})" if named else ""
        raise CheckpointError(
            f"{path} is not a torch checkpoint of tensors alone: it is refused, because reading what else it holds"
            f"{what} could run code",
            path,
        ) from error
    except Exception as error:  # damaged pickles fail in any way
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is not a torch checkpoint: {reason}", path) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise CheckpointError(f"{path} does not hold a bare state dict (names to tensors)", path)
    return state
