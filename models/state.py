"""The ``.pt`` of a checkpoint: a bare state dict, and the model that it belongs to."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path

import torch

from lithovae.runtime.errors import CheckpointError

from .scaler import N_FEATURES
from .vae import VAE, SemiSupervisedVAE


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a ``.pt`` that holds a bare state dict, onto the CPU, without running what else it may hold.

    Raises
    ------
    CheckpointError
        If the file is not a torch checkpoint, holds more than names and tensors, or would run code when read.
    """
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
