"""Find the state dict in a checkpoint file, and build the model that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lithovae.runtime.errors import CheckpointError
from lithovae.runtime.features import MAX_FEATURES

from .container import LIMIT, SAVE_STATE, read_container
from .vae import VAE, SemiSupervisedVAE

FIRST = "encoder.0.weight"
"""The tensor that identifies a state dict of a `VAE`."""
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTER = "num_batches_tracked"
PARTS = ("encoder", "fc_mu", "fc_logvar", "decoder", "fc_out", "classifier")
"""Modules of a `VAE` and of a `SemiSupervisedVAE`."""


def read_state_dict(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Read the LithoVAE state dict of a file: float32, on the CPU, under the names of `VAE`.

    It may be the content of the file, or an entry of a dict (``model_state_dict``, ``state_dict``, ...) with other
    entries. Its names may share one prefix, such as that of DataParallel (``module.``) or torch.compile
    (``_orig_mod.``).

    Returns
    -------
    dict of str to Tensor
        The tensors.
    list of str
        Notes for the user on how it was read.

    Raises
    ------
    CheckpointError
        If the file cannot be read safely, holds no such state dict or more than one, or has tensors that are not
        weights.
    """
    content = read_container(path)
    try:
        place, prefix, tensors = _find_state_dict(content, path)
        beside = [name for name in tensors if _is_beside(name, tensors[name], prefix)]
        tensors = {name: value for name, value in tensors.items() if name not in beside}
        state = _weights(prefix, tensors, path)
        notes = [f"{path.name}: read only the state dict in {_quoted(place)}; ignored the rest"] if place else []
        if beside:
            names = ", ".join(map(_quoted, beside[:4])) + (f" and {len(beside) - 4} more" if len(beside) > 4 else "")
            notes.append(f"{path.name}: ignored {names}: not of the model (single numbers beside its tensors)")
        double = [tensor for tensor in tensors.values() if tensor.dtype == torch.float64]
        if any(not torch.equal(tensor, tensor.float().double()) for tensor in double):
            notes.append(f"{path.name}: rounded {len(double)} of {len(tensors)} tensors from float64 to float32")
    except CheckpointError:
        raise
    except Exception as error:  # objects that a pickle has built can raise anything
        raise CheckpointError(f"{path} is not a torch checkpoint: {str(error)[:200]}", path) from error
    return state, notes


def _find_state_dict(content: Any, path: Path) -> tuple[str, str, dict[str, Any]]:
    """Return where in the file the state dict is, the prefix of its names, and the state dict itself."""
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not a state dict (names to tensors): {SAVE_STATE}", path
        )
    found, seen, todo = [], {id(content)}, [("", content)]
    while todo:
        place, folder = todo.pop()
        prefixes = {_plain(name)[: -len(FIRST)] for name in folder if _is_first(name)}
        found += [(place, prefix, folder) for prefix in sorted(prefixes)]
        for name, value in folder.items():
            if isinstance(value, dict) and id(value) not in seen:
                seen.add(id(value))
                todo.append((f"{place}.{name}"[:100] if place else str(name)[:100], value))
    if not found:
        names = ", ".join(_quoted(name) for name in list(content)[:4]) or "nothing"
        raise CheckpointError(
            f"{path} is not a LithoVAE checkpoint: it has no tensor {FIRST!r}; it holds {names}", path
        )
    if len(found) > 1:
        places = sorted(
            _quoted(f"{place} {prefix}*".strip() if prefix else place or "top level") for place, prefix, _ in found
        )
        raise CheckpointError(
            f"{path} holds {len(found)} state dicts ({', '.join(places[:6])}): save the one you want to a file of "
            "its own, with torch.save(torch.load(path)[name], 'weights.pt')",
            path,
        )
    return found[0]


def _is_beside(name: object, value: object, prefix: str) -> bool:
    """Return whether an entry is a single number beside the model: a metric, or the counter of torch's AveragedModel.

    A larger tensor may be a layer of another architecture, which must not be left out.
    """
    if not isinstance(name, str) or not isinstance(value, Tensor) or value.numel() != 1:
        return False
    return not _plain(name).startswith(prefix) or _plain(name).removeprefix(prefix).split(".")[0] not in PARTS


def _is_first(name: object) -> bool:
    return isinstance(name, str) and (_plain(name) == FIRST or _plain(name).endswith(f".{FIRST}"))


def _plain(name: str) -> str:
    """Remove what torch.compile adds to a name, whether the whole model or a part of it was compiled."""
    return name.replace("_orig_mod.", "")


def _weights(prefix: str, tensors: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return the tensors as float32 under their plain names."""
    state: dict[str, Tensor] = {}
    numbers = 0
    for key, value in tensors.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or not _plain(key).startswith(prefix):
            what = f"{_quoted(key)} ({type(value).__name__})"
            raise CheckpointError(f"{path} has {what} among the tensors of the model: it is not one of them", path)
        name = _plain(key).removeprefix(prefix)
        if name in state:
            raise CheckpointError(f"{path} holds the tensor {_quoted(name)} twice, with _orig_mod. and without", path)
        numbers += value.numel()
        fault = _tensor_fault(name, value)
        if numbers > LIMIT // 4:  # a tensor of stride 0 can claim any size with a single stored number
            fault = f"claims to hold {value.numel()} numbers: no LithoVAE is that large"
        if fault:
            raise CheckpointError(f"{path}: {_quoted(name)} {fault}", path)
        dtype = torch.int64 if name.endswith(COUNTER) else torch.float32
        state[name] = value.detach().to(dtype, copy=True).contiguous()
        if not torch.isfinite(state[name]).all():
            raise CheckpointError(f"{path} is corrupt: {_quoted(name)} holds NaN or infinity (in float32)", path)
        if name.endswith("running_var") and (state[name] < 0).any():
            raise CheckpointError(f"{path} is corrupt: {_quoted(name)} holds a negative variance", path)
    return state


def _tensor_fault(name: str, tensor: Tensor) -> str | None:
    """Return why a tensor cannot be weights, or None, without reading its numbers."""
    if tensor.is_quantized:
        return "is quantised: save the model before quantising it"
    if tensor.layout != torch.strided or tensor.is_nested:
        return "is sparse or nested: save it as a dense tensor"
    if tensor.is_meta:
        return "has no numbers (it was saved on the device 'meta')"
    wanted = (torch.int64,) if name.endswith(COUNTER) else FLOATS
    if tensor.dtype not in wanted:
        names = [str(dtype).removeprefix("torch.") for dtype in (tensor.dtype, *wanted)]
        return f"is of type {names[0]}, not {', '.join(names[1:])}"
    if 0 in tensor.shape:
        return f"has the shape {tuple(tensor.shape)}: a layer without units"
    return None


def build_model(state: dict[str, Tensor], path: Path) -> VAE:
    """Build the model that a state dict belongs to, in eval mode, with its widths taken from the tensors' shapes.

    The counters of BatchNorm, which old versions of torch did not save, may be absent: nothing depends on them here.

    Raises
    ------
    CheckpointError
        If the tensors are not those of a `VAE` or `SemiSupervisedVAE`.
    """

    def width(name: str, axis: int = 0) -> int:
        if name not in state:
            raise CheckpointError(f"{path} is not a LithoVAE checkpoint: it has no tensor {name!r}", path)
        if state[name].ndim != 2:
            raise CheckpointError(f"{path}: {name!r} has the shape {tuple(state[name].shape)}, not two axes", path)
        return int(state[name].shape[axis])

    n_features = width(FIRST, 1)
    if n_features > MAX_FEATURES:
        raise CheckpointError(f"{path} takes {n_features} features, more than {MAX_FEATURES}", path)
    hidden = [width(FIRST)]
    while f"encoder.{3 * len(hidden)}.weight" in state:
        hidden.append(width(f"encoder.{3 * len(hidden)}.weight"))
    with torch.device("meta"):  # only shapes: a model of the claimed size may not fit in memory
        if any(name.startswith("classifier.") for name in state):
            n_classes, classifier_dim = width("classifier.3.weight"), width("classifier.0.weight")
            model: VAE = SemiSupervisedVAE(n_features, width("fc_mu.weight"), hidden, n_classes, classifier_dim)
        else:
            model = VAE(n_features, width("fc_mu.weight"), hidden)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state |= {name: torch.tensor(0) for name in expected if name.endswith(COUNTER) and name not in state}
    fault = _misfit(expected, {name: tuple(tensor.shape) for name, tensor in state.items()})
    if fault:
        raise CheckpointError(f"{path} is not a LithoVAE checkpoint: {fault}", path)
    model.load_state_dict(state, assign=True)
    return model.eval()


def _misfit(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return the first difference between the tensors and those of a model, or None."""
    lacking = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    other = [name for name in expected if name in found and found[name] != expected[name]]
    first = next(iter([*lacking, *extra, *other]), None)
    if first is None:
        return None
    mirror = "its decoder does not mirror its encoder: " if first.startswith(("decoder.", "fc_out.")) else ""
    if lacking:
        return f"{mirror}it has no tensor {first!r}" + (f", but {_quoted(extra[0])}" if extra else "")
    if extra:
        return f"{mirror}it has an extra tensor {_quoted(first)}"
    return f"{mirror}{first!r} has the shape {found[first]}, not {expected[first]}"


def _quoted(name: object) -> str:
    """Quote a name from a file, shortened: it may be of any length."""
    return repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:100]}…"
