"""The faults of a checkpoint or its sidecar: each is refused in one clear line; nothing is run or written.

A fault is a function that runs in an empty folder: it writes ``theirs.pt`` there, or another file that it names.
Next to it is a part of the expected message.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import posix
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE
from lithovae.runtime.model.bundle import Bundle

Refused = Callable[..., str]
THEIRS = Path("theirs.pt")
TRILLION = b"\x8a\x06" + (10**12).to_bytes(6, "little")
"""10**12, pickled."""


class Exploit:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, run: Callable[..., Any] = os.system, argument: object = "touch evidence") -> None:
        self.what = run, (argument,)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.what


class Infected(Tensor):
    """A tensor whose subclass is rebuilt by code of its own."""

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return (
            torch._tensor._rebuild_from_type_v2,
            (exec, Infected, ("open('evidence', 'w')",), {}),
        )


def save(content: object, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the kinds of tensors that are refused
        torch.save(content, THEIRS, **options)


def state(**changed: Any) -> dict[str, Any]:
    """A valid state dict, except for the tensors that are given; double underscores stand for dots in their names."""
    return VAE().state_dict() | {name.replace("__", "."): value for name, value in changed.items()}


def without(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state().items() if key != name}


def pickled(protocol: int, content: object) -> Callable[[], object]:
    return lambda: THEIRS.write_bytes(pickle.dumps(content, protocol))


def written(content: bytes | str) -> Callable[[], object]:
    return lambda: THEIRS.write_bytes(content if isinstance(content, bytes) else content.encode())


def repacked(change: Callable[[bytes], bytes], content: object = None, compression: int = zipfile.ZIP_STORED) -> None:
    """Save a state dict with a changed pickle in an intact archive."""
    save(content or {"encoder.0.weight": torch.zeros(4)})
    with zipfile.ZipFile(io.BytesIO(THEIRS.read_bytes())) as old, zipfile.ZipFile(THEIRS, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith("data.pkl") else old.read(name))


def huge_legacy_storage() -> None:
    save({"encoder.0.weight": torch.zeros(4)}, **LEGACY)
    THEIRS.write_bytes(huge_storage(THEIRS.read_bytes()))


def huge_storage(data: bytes) -> bytes:
    declared = data.index(b"K\x04", data.index(b"cpu"))
    return data[:declared] + TRILLION + data[declared + 2 :]


def huge_tensor(data: bytes) -> bytes:
    """A tensor of a trillion numbers, all of them the first number of the storage."""
    return data.replace(b"K\x04\x85", TRILLION + b"\x85").replace(b"K\x01\x85", b"K\x00\x85")


def zip_bomb() -> None:
    save(state())
    with zipfile.ZipFile(THEIRS, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("theirs/data/bomb", "w") as bomb:
            for _ in range(17):
                bomb.write(bytes(2**24))


def flipped_bit() -> None:
    save(state())
    data = bytearray(THEIRS.read_bytes())
    data[len(data) // 3] ^= 1
    THEIRS.write_bytes(data)


def cut(share: float, **options: Any) -> Callable[[], object]:
    def write() -> None:
        save(state(), **options)
        data = THEIRS.read_bytes()
        THEIRS.write_bytes(data[: int(len(data) * share)])

    return write


def torchscript() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(VAE().eval().encoder, torch.zeros(1, 6)), THEIRS)  # type: ignore[no-untyped-call]


def large() -> None:
    with THEIRS.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no space on the disk


def numpy_array() -> None:
    with THEIRS.open("wb") as file:
        np.save(file, np.zeros(3))


def zipped(*names: str) -> Callable[[], object]:
    def write() -> None:
        with zipfile.ZipFile(THEIRS, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")

    return write


def tar() -> None:
    with tarfile.open(THEIRS, "w") as archive:
        archive.add("/dev/null", "storages")


def several() -> None:
    save({"model_state_dict": state(), "ema_state_dict": state(), "epoch": 3})


class Lying:
    """A dict of weights whose ``items`` the pickle replaces by a number."""

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (), {"items": 3}, None, iter(state().items())


def quantised() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.zeros(64, 6), 0.1, 0, torch.qint8)


def named(suffix: str, write: Callable[[], object]) -> Callable[[], str]:
    """Write what another fault writes, under another suffix."""

    def renamed() -> str:
        write()
        return THEIRS.rename(THEIRS.with_suffix(suffix)).name

    return renamed


LEGACY: dict[str, Any] = {"_use_new_zipfile_serialization": False}

CHECKPOINTS: dict[str, tuple[Callable[[], object], str]] = {
    # other kinds of files
    "absent": (lambda: None, "no such checkpoint: theirs.pt"),
    "folder": (THEIRS.mkdir, "is a folder: give the checkpoint file in it"),
    "empty file": (written(b""), "is empty: copy it again"),
    "text": (written("clay\nchalk\n"), "is a text file"),
    "JSON text": (written('{"state": 1}'), "is a text file"),
    "web page": (written("\n<!DOCTYPE html><html>404</html>"), "is a web page"),
    "XML error of an object store": (written('<?xml version="1.0"?><Error/>'), "is a web page"),
    "Git LFS pointer": (
        written("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        "is a Git LFS pointer",
    ),
    "HDF5 file of Keras": (written(b"\x89HDF\r\n\x1a\n" + bytes(99)), "is an HDF5 file, as Keras writes"),
    "Keras archive": (
        zipped("metadata.json", "model.weights.h5"),
        "is a zip archive with other contents (metadata.json, mo",
    ),
    "ONNX graph": (lambda: THEIRS.write_bytes(Bundle.read("unsup").graphs["encoder"]), "is an ONNX graph"),
    "gzip": (written(b"\x1f\x8b\x08" + bytes(99)), "is compressed with gzip"),
    "numpy array": (numpy_array, "is a numpy array"),
    "tar archive": (tar, "is a tar archive"),
    "binary noise": (written(bytes(range(128, 256))), "is not a torch checkpoint, or is damaged or truncated"),
    "TorchScript": (torchscript, "is a TorchScript archive"),
    "safetensors named .pt": (lambda: safetensors.torch.save_file(state(), THEIRS), "rename it to end in .safetensors"),
    "torch named .safetensors": (named(".safetensors", lambda: save(state())), "rename it to end in .pt"),
    "noise named .safetensors": (
        named(".safetensors", written(b"\xff" * 99)),
        "is not a safetensors file, or is damaged or truncated",
    ),
    # damage
    "cut in its first bytes": (cut(0.001), "is damaged or truncated: its zip archive cannot be read"),
    "cut in the middle": (cut(0.5), "is damaged or truncated: its zip archive cannot be read"),
    "cut near its end": (cut(0.999), "is damaged or truncated: its zip archive cannot be read"),
    "legacy format, cut after a byte": (written(b"\x80"), "is not a torch checkpoint, or is damaged or truncated"),
    "legacy format, cut in its pickle": (cut(0.02, **LEGACY), "or is damaged or truncated"),
    "legacy format, cut in its tensors": (cut(0.7, **LEGACY), "truncated: unexpected EOF"),
    "safetensors, cut": (
        named(".safetensors", lambda: THEIRS.write_bytes(safetensors.torch.save(state())[:-99])),
        "is not a safetensors file, or is damaged or truncated",
    ),
    "a flipped bit": (flipped_bit, "is damaged: the checksum of 'theirs/data"),
    # pickles that would run code
    **{
        f"os.system, protocol {protocol}": (pickled(protocol, Exploit()), f"reading {posix.__name__}.system could run")
        for protocol in range(6)
    },
    **{
        f"eval, protocol {protocol}": (
            pickled(protocol, {"model_state_dict": Exploit(eval, "open('evidence', 'w')")}),
            "reading builtins.eval could run code",
        )
        for protocol in range(6)
    },
    "code in an archive": (lambda: save(state(x=Exploit())), "reading posix.system could run code"),
    "code in the legacy format": (lambda: save(state(x=Exploit()), **LEGACY), "reading posix.system could run code"),
    "code in a wrapper": (
        lambda: save({"state_dict": state(), "optimizer": {"state": [Exploit(exec, "open('evidence', 'w')")]}}),
        "reading builtins.exec could run code",
    ),
    "code in a method of pathlib": (
        lambda: save([Exploit(Path.touch, Path("evidence"))]),
        "reading builtins.getattr could run",
    ),
    "code in a tensor subclass": (
        lambda: save(state(fc_mu__bias=torch.zeros(10).as_subclass(Infected))),
        "reading builtins.exec could run code",
    ),
    "whole pickled model": (lambda: save(VAE()), "holds a whole pickled model: it is refused, because reading litho"),
    "whole pickled model, legacy": (lambda: save(VAE(), **LEGACY), "holds a whole pickled model"),
    "numpy scalar beside the state": (
        lambda: save({"state_dict": state(), "loss": np.float64(1)}),
        "multiarray.scalar could run code; save it again where it was made, with "
        "torch.save(model.state_dict(), 'weights.pt')",
    ),
    "pickle protocol that torch does not read": (
        lambda: save(state(), pickle_protocol=4),
        "it uses pickle protocol 4; save it again",
    ),
    "methods overwritten by the pickle": (
        lambda: save(Lying()),
        "is not a torch checkpoint: 'int' object is not callable",
    ),
    # sizes
    "zip bomb": (zip_bomb, "would unpack to 0.3 GB"),
    "storage of 10^12 numbers": (lambda: repacked(huge_storage), "4000000000000"),
    "storage of 10^12 numbers, legacy": (huge_legacy_storage, "is not a torch checkpoint, or is damaged"),
    "tensor of 10^12 numbers": (lambda: repacked(huge_tensor), "claims to hold 1000000000000 numbers"),
    "layers that would need 10^12 numbers": (
        lambda: save(
            {"fc_mu.weight": torch.zeros(10, 1)}
            | {f"encoder.{i}.weight": torch.zeros(10**6, width) for i, width in ((0, 6), (3, 1))}
        ),
        "it has no tensor 'encoder.0.bias'",
    ),
    "large file": (large, "is 1099.5 GB"),
    # contents of the file
    "list": (lambda: save([1, 2]), "holds a list, not a state dict (names to tensors)"),
    "empty dict": (lambda: save({}), "no tensor 'encoder.0.weight'; it holds nothing"),
    "another network": (
        lambda: save(nn.Linear(2, 2).state_dict()),
        "no tensor 'encoder.0.weight'; it holds 'weight', 'bi",
    ),
    "several state dicts": (several, "holds 2 state dicts ('ema_state_dict', 'model_state_dict')"),
    "several prefixes": (
        lambda: save({f"{prefix}.{name}": value for prefix in ("model", "ema") for name, value in state().items()}),
        "holds 2 state dicts ('ema.*', 'model.*')",
    ),
    "compiled and not": (
        lambda: save(state() | {f"_orig_mod.{name}": value for name, value in state().items()}),
        "holds the tensor 'encoder.0.weight' twice, with _orig_mod. and without",
    ),
    "tensor outside the prefix": (
        lambda: save({f"model.{name}": value for name, value in state().items()} | {"other.weight": torch.zeros(3)}),
        "has 'other.weight' (Tensor) among the tensors of the model",
    ),
    "number among the tensors": (lambda: save(state(epoch=3)), "has 'epoch' (int) among the tensors"),
    # tensors that are not weights
    "integer weights": (lambda: save(state(fc_mu__bias=torch.zeros(10, dtype=torch.int32))), "is of type int32"),
    "complex weights": (lambda: save(state(fc_mu__bias=torch.zeros(10) * 1j)), "is of type complex64"),
    "quantised weights": (lambda: save(state(encoder__0__weight=quantised())), "'encoder.0.weight' is quantised"),
    "sparse weights": (
        lambda: save(state(encoder__0__weight=torch.eye(64, 6).to_sparse())),
        "'encoder.0.weight' is sparse",
    ),
    "weights without numbers": (lambda: save(VAE().to("meta").state_dict()), "has no numbers"),
    "NaN weight": (lambda: save(state(fc_mu__bias=torch.full((10,), torch.nan))), "'fc_mu.bias' holds NaN or infinity"),
    "infinite weight": (
        lambda: save(state(fc_out__bias=torch.full((6,), -torch.inf))),
        "'fc_out.bias' holds NaN or inf",
    ),
    "weight beyond float32": (
        lambda: save(state(fc_mu__bias=torch.full((10,), 1e300, dtype=torch.float64))),
        "holds NaN or infinity (in float32)",
    ),
    "negative variance": (
        lambda: save(state(encoder__2__running_var=torch.full((64,), -1e-9))),
        "'encoder.2.running_var' holds a negative variance",
    ),
    # tensors that do not fit each other
    "tensor missing": (lambda: save(without("fc_logvar.bias")), "it has no tensor 'fc_logvar.bias'"),
    "tensor more": (lambda: save(state(encoder__1__weight=torch.ones(8))), "it has an extra tensor 'encoder.1.weight'"),
    "tensor of another name": (
        lambda: save(without("fc_mu.bias") | {"fc_mean.bias": torch.zeros(10)}),
        "it has no tensor 'fc_mu.bias', but 'fc_mean.bias'",
    ),
    "mismatched shapes": (lambda: save(state(fc_mu__bias=torch.ones(9))), "'fc_mu.bias' has the shape (9,), not (10,)"),
    "weight of one axis": (lambda: save(state(fc_mu__weight=torch.ones(10))), "has the shape (10,), not two axes"),
    "layer without units": (lambda: save(state(fc_mu__weight=torch.ones(0, 32))), "(0, 32): a layer without units"),
    "five features": (lambda: save(VAE(5).state_dict()), "takes 5 features, not the 6 Bulk density"),
    "decoder of other widths": (
        lambda: save(state(decoder__0__weight=torch.zeros(48, 10))),
        "its decoder does not mirror its encoder: 'decoder.0.weight' has the shape (48, 10), not (32, 10)",
    ),
    "decoder of another depth": (
        lambda: save({name: value for name, value in state().items() if not name.startswith("decoder.3")}),
        "its decoder does not mirror its encoder: it has no tensor 'decoder.3.weight'",
    ),
    "half a classifier": (
        lambda: save(state(classifier__0__weight=torch.zeros(64, 10))),
        "it has no tensor 'classifier.3.weight'",
    ),
}


@pytest.mark.parametrize("fault", CHECKPOINTS)
def test_a_faulty_checkpoint_is_refused(fault: str, refused: Refused) -> None:
    write, message = CHECKPOINTS[fault]
    name = write()
    name = name if isinstance(name, str) else THEIRS.name
    assert name in refused(message, name, "--scaler", "lily")


@pytest.mark.parametrize("protocol", range(6))
def test_the_exploits_are_live(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Exploit(), protocol))
    assert Path("evidence").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "theirs.json is not a checkpoint's sidecar"),
        ("[]", "theirs.json is not a checkpoint's sidecar"),
        (b"\xff\xfe", "theirs.json is not a checkpoint's sidecar"),
        ("[" * 100_000, "theirs.json is not a checkpoint's sidecar"),
        ({"checkpoint_sha256": "0" * 64}, "theirs.json does not belong to theirs.pt: its checkpoint_sha256 differs"),
        ({"scaler": {"mean": [1] * 6}}, "theirs.json lacks the key 'scale'"),
        ({"scaler": {"mean": [1] * 6, "scale": [0] * 6}}, "the scaler's scale must be positive"),
        ({"classes": "clay"}, "theirs.json: classes must be a list of names"),
        ({"classes": [1, 2]}, "theirs.json: classes must be a list of names"),
        ({"classes": ["clay"]}, "theirs.json names 1 classes, but theirs.pt has none"),
        ({"recipe": 3}, "theirs.json is not a checkpoint's sidecar"),
    ],
)
def test_a_faulty_sidecar_is_refused(
    checkpoints: dict[str, Checkpoint], refused: Refused, change: bytes | str | dict[str, Any], message: str
) -> None:
    checkpoints["unsup"].save(THEIRS)
    sidecar = THEIRS.with_suffix(".json")
    if isinstance(change, dict):
        change = json.dumps(json.loads(sidecar.read_text()) | change)
    sidecar.write_bytes(change if isinstance(change, bytes) else change.encode())
    refused(message, THEIRS.name)


@pytest.mark.parametrize("option", ["--scaler lily", "--fit-scaler t.csv", "--classes names.txt", "--missing impute"])
def test_a_sidecar_is_never_overruled(checkpoints: dict[str, Checkpoint], refused: Refused, option: str) -> None:
    checkpoints["unsup"].save(THEIRS)
    Path("names.txt").write_text("clay\n")
    refused(f"leave out {option.split()[0]}", THEIRS.name, *option.split())
