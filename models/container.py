"""The file of a checkpoint, torch's or safetensors', opened without running what else it may hold."""

from __future__ import annotations

import codecs
import io
import pickletools
import re
import warnings
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from lithovae.runtime.errors import CheckpointError

LIMIT = 2**28
"""Bytes that a file may have, packed or unpacked; a checkpoint of the published size has less than a thousandth."""
ZIP = b"PK\x03\x04"
STRANGERS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file that it stands for: run git lfs pull in its clone",
    b"\x89HDF\r\n\x1a\n": "is an HDF5 file, as Keras writes: a checkpoint of torch is wanted",
    b"\x1f\x8b": "is compressed by gzip: unpack it first",
    b"\x93NUMPY": "is a numpy array: a checkpoint of torch is wanted",
}
"""How files begin that are often given for checkpoints."""
SAVE_STATE = "where it was made, torch.save(model.state_dict(), 'weights.pt') makes a file that is read here"


def read_container(path: Path) -> Any:
    """Give what a checkpoint's file holds, its tensors on the CPU.

    ``.safetensors`` is read by safetensors, any other name by ``torch.load(weights_only=True)``. The metadata of a
    safetensors file is left unread.

    Raises
    ------
    CheckpointError
        If the file is absent, is something else, is damaged, is larger than `LIMIT`, or would run code when read.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: name the checkpoint's file in it", path)
    if not path.is_file():
        raise CheckpointError(f"no such checkpoint: {path}", path)
    size = path.stat().st_size
    if size > LIMIT:
        raise CheckpointError(f"{path} has {size / 1e9:.1f} GB: no LithoVAE checkpoint is as large", path)
    data = path.read_bytes()
    is_safetensors = path.suffix == ".safetensors"
    fault = _stranger(data, is_safetensors) or (_zip_fault(data) if data.startswith(ZIP) else None)
    if fault:
        raise CheckpointError(f"{path} {fault}", path)
    if is_safetensors:
        import safetensors.torch

        try:
            return safetensors.torch.load(data)
        except Exception as error:  # hostile files fail in any way
            raise CheckpointError(f"{path} is no safetensors file, or damaged or cut short: {error}", path) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are refused below
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # hostile files fail in any way
        raise CheckpointError(f"{path} {_torch_fault(data, error)}", path) from error


def _stranger(data: bytes, is_safetensors: bool) -> str | None:
    """Say what a file is that does not begin as a checkpoint does."""
    if not data:
        return "is empty: copy it again"
    for start, fault in STRANGERS.items():
        if data.startswith(start):
            return fault
    if re.match(rb"\x08[\x03-\x0f][\x12:]", data):  # the fields ir_version and producer_name, or graph
        return "is an ONNX graph: give the torch checkpoint that it was made of"
    if re.match(rb"\s*<(!doctype|html|\?xml)", data[:512], re.IGNORECASE):
        return "is a web page, which a server may send in place of a file: download the file itself"
    if data[257:262] == b"ustar":
        return f"is a tar archive, the first format of torch, which cannot be read safely: {SAVE_STATE}"
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data) and not is_safetensors:
        return "is a safetensors file: let its name end in .safetensors"
    if data.startswith(ZIP) and is_safetensors:
        return "is a zip archive, as torch writes, not a safetensors file: let its name end in .pt"
    return None


def _zip_fault(data: bytes) -> str | None:
    """Say what is wrong with a zip archive, before torch unpacks it: torch itself checks no checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            unpacked = sum(member.file_size for member in archive.infolist())
            if any(name.endswith("/constants.pkl") for name in names):
                return (
                    "is a TorchScript archive, which holds code: save its weights alone, with "
                    "torch.save(torch.jit.load('script.pt').state_dict(), 'weights.pt')"
                )
            if not any(name.endswith("/data.pkl") for name in names):
                return f"is a zip archive of other things ({', '.join(names[:4])[:200]}), not a torch checkpoint"
            if unpacked > LIMIT:
                return f"would unpack to {unpacked / 1e9:.1f} GB: no LithoVAE checkpoint is as large"
            damaged = archive.testzip()
    except Exception as error:  # hostile files fail in any way
        return f"is damaged or cut short, its zip archive cannot be read ({error}): copy it again"
    if damaged:
        return (
            f"is damaged: the checksum of {damaged!r} does not fit its content; copy it again (or save it again with "
            "its checksums, if it was saved under torch.serialization.set_crc32_options(False))"
        )
    return None


def _torch_fault(data: bytes, error: Exception) -> str:
    """Say why torch could not read a file."""
    if data.startswith(ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pickled = archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
    else:
        pickled = data
    whole, names = _globals(pickled)
    if not whole and _is_text(data):
        return "is a text file, not a torch checkpoint"
    refused = re.search(r"GLOBAL (\S+)", str(error))  # torch's word goes first: it knows what it takes
    refused_name = refused[1] if refused else next((name for name in names if not _is_torchs(name)), "")
    if refused_name:
        refused_name = refused_name if "." in refused_name else f"builtins.{refused_name}"
        kind = "holds a whole pickled model" if _holds_modules(names) else "is not a torch checkpoint of tensors alone"
        return f"{kind}: it is refused, because reading {refused_name[:100]} could run code; {SAVE_STATE}"
    protocol = int.from_bytes(pickled[1:2]) if pickled.startswith(b"\x80") else 0
    if whole and protocol not in (2, 3) and "Unsupported operand" in str(error):
        return (
            f"is not a torch checkpoint that can be read safely: it is pickled by protocol {protocol}; save it again "
            "with torch.save(state, path), without pickle_protocol"
        )
    fault = "is not a torch checkpoint, or is damaged or cut short"
    # What a pickle's fault says helps nobody, and may advise to read it without care.
    return f"{fault}: {str(error).splitlines()[0][:200]}" if isinstance(error, RuntimeError) and str(error) else fault


def _globals(pickled: bytes) -> tuple[bool, list[str]]:
    """Tell whether one of the pickles on end is whole, and name the globals they refer to; nothing is loaded."""
    names: list[str] = []
    strings = ["", ""]
    memo: dict[int, str] = {}
    top, whole, stream = "", False, io.BytesIO(pickled)
    try:
        for _ in range(4):  # the format before the zip archive is four pickles, then the tensors
            argument: Any
            for opcode, argument, _ in islice(pickletools.genops(stream), 1_000_000):
                if opcode.name == "MEMOIZE":
                    memo[len(memo)] = top
                elif opcode.name.endswith("PUT"):
                    memo[argument] = top
                elif opcode.name in ("GLOBAL", "INST"):
                    names.append(argument.replace(" ", "."))
                    top = ""
                else:
                    if opcode.name == "STACK_GLOBAL":
                        names.append(".".join(strings[-2:]))
                    pushed = memo.get(argument) if opcode.name.endswith("GET") else argument
                    top = pushed if isinstance(pushed, str) else ""
                    if top:
                        strings.append(top)
            whole = True
    except Exception:  # not a pickle, or its end
        pass
    return whole, [name.replace("__builtin__.", "builtins.") for name in names]


def _is_torchs(name: str) -> bool:
    return name.startswith("torch.") or name == "collections.OrderedDict"


def _holds_modules(names: list[str]) -> bool:
    return any(name.startswith("torch.nn.modules.") for name in names)


def _is_text(data: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data[:4096])
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
