"""Read a checkpoint file, in torch's format or safetensors, without running code that it may contain."""

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
"""Largest size of a file in bytes, packed or unpacked; a published checkpoint has less than a thousandth of it."""
ZIP = b"PK\x03\x04"
OTHER_FORMATS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself: run git lfs pull in the clone",
    b"\x89HDF\r\n\x1a\n": "is an HDF5 file, as Keras writes: give a torch checkpoint",
    b"\x1f\x8b": "is compressed with gzip: decompress it first",
    b"\x93NUMPY": "is a numpy array: give a torch checkpoint",
}
"""First bytes of files that are often passed instead of a checkpoint, and what the error says of each."""
SAVE_STATE = "save it again where it was made, with torch.save(model.state_dict(), 'weights.pt')"


def read_container(path: Path) -> Any:
    """Return the contents of a checkpoint file, with tensors on the CPU.

    ``.safetensors`` is read by safetensors, any other name by ``torch.load(weights_only=True)``. The metadata of a
    safetensors file is not read.

    Raises
    ------
    CheckpointError
        If the file is absent, of another format, damaged, larger than `LIMIT`, or would run code when read.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: give the checkpoint file in it", path)
    if not path.is_file():
        raise CheckpointError(f"no such checkpoint: {path}", path)
    size = path.stat().st_size
    if size > LIMIT:
        raise CheckpointError(f"{path} is {size / 1e9:.1f} GB: no LithoVAE checkpoint is that large", path)
    data = path.read_bytes()
    is_safetensors = path.suffix == ".safetensors"
    fault = _other_format(data, is_safetensors) or (_zip_fault(data) if data.startswith(ZIP) else None)
    if fault:
        raise CheckpointError(f"{path} {fault}", path)
    if is_safetensors:
        import safetensors.torch

        try:
            return safetensors.torch.load(data)
        except Exception as error:  # a hostile file can raise anything
            fault = f"is not a safetensors file, or is damaged or truncated: {error}"
            raise CheckpointError(f"{path} {fault}", path) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about pickles that are refused below
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can raise anything
        raise CheckpointError(f"{path} {_torch_fault(data, error)}", path) from error


def _other_format(data: bytes, is_safetensors: bool) -> str | None:
    """Return what a file is, if its first bytes are not those of a checkpoint; else None."""
    if not data:
        return "is empty: copy it again"
    for start, fault in OTHER_FORMATS.items():
        if data.startswith(start):
            return fault
    if re.match(rb"\x08[\x03-\x0f][\x12:]", data):  # the fields ir_version and producer_name, or graph
        return "is an ONNX graph: give the torch checkpoint that it was made from"
    if re.match(rb"\s*<(!doctype|html|\?xml)", data[:512], re.IGNORECASE):
        return "is a web page, which a server may send in place of a file: download the file itself"
    if data[257:262] == b"ustar":
        return f"is a tar archive, the oldest format of torch, which cannot be read safely: {SAVE_STATE}"
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data) and not is_safetensors:
        return "is a safetensors file: rename it to end in .safetensors"
    if data.startswith(ZIP) and is_safetensors:
        return "is a zip archive, as torch writes, not a safetensors file: rename it to end in .pt"
    return None


def _zip_fault(data: bytes) -> str | None:
    """Return what is wrong with a zip archive, or None; torch itself does not check the checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            unpacked = sum(member.file_size for member in archive.infolist())
            if any(name.endswith("/constants.pkl") for name in names):
                return (
                    "is a TorchScript archive, which contains code: save only its weights, with "
                    "torch.save(torch.jit.load('script.pt').state_dict(), 'weights.pt')"
                )
            if not any(name.endswith("/data.pkl") for name in names):
                return f"is a zip archive with other contents ({', '.join(names[:4])[:200]}), not a torch checkpoint"
            if unpacked > LIMIT:
                return f"would unpack to {unpacked / 1e9:.1f} GB: no LithoVAE checkpoint is that large"
            damaged = archive.testzip()
    except Exception as error:  # a hostile file can raise anything
        return f"is damaged or truncated: its zip archive cannot be read ({error}); copy it again"
    if damaged:
        return (
            f"is damaged: the checksum of {damaged!r} does not match its content; copy it again (or save it again with "
            "its checksums, if it was saved under torch.serialization.set_crc32_options(False))"
        )
    return None


def _torch_fault(data: bytes, error: Exception) -> str:
    """Return why torch could not read a file."""
    if data.startswith(ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pickled = archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
    else:
        pickled = data
    whole, names = _globals(pickled)
    if not whole and _is_text(data):
        return "is a text file, not a torch checkpoint"
    refused = re.search(r"GLOBAL (\S+)", str(error))  # torch's own answer first: it knows what it accepts
    refused_name = refused[1] if refused else next((name for name in names if not _is_torchs(name)), "")
    if refused_name:
        refused_name = refused_name if "." in refused_name else f"builtins.{refused_name}"
        kind = "holds a whole pickled model" if _holds_modules(names) else "is not a torch checkpoint with only tensors"
        return f"{kind}: it is refused, because reading {refused_name[:100]} could run code; {SAVE_STATE}"
    protocol = int.from_bytes(pickled[1:2]) if pickled.startswith(b"\x80") else 0
    if whole and protocol not in (2, 3) and "Unsupported operand" in str(error):
        return (
            f"is not a torch checkpoint that can be read safely: it uses pickle protocol {protocol}; save it again "
            "with torch.save(state, path), without pickle_protocol"
        )
    fault = "is not a torch checkpoint, or is damaged or truncated"
    # Other errors of the unpickler do not help, and may advise turning weights_only off.
    return f"{fault}: {str(error).splitlines()[0][:200]}" if isinstance(error, RuntimeError) and str(error) else fault


def _globals(pickled: bytes) -> tuple[bool, list[str]]:
    """Return whether one of the consecutive pickles is complete, and the globals they refer to; nothing is loaded."""
    names: list[str] = []
    strings = ["", ""]
    memo: dict[int, str] = {}
    top, whole, stream = "", False, io.BytesIO(pickled)
    try:
        for _ in range(4):  # the format before the zip archive: four pickles, then the tensors
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
