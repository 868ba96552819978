"""Where the embeddings of a growing scan go: JSON lines, or an HDF5 file that can be read while it grows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.process import guard
from lithovae.runtime.rows.policy import Embedded

from .npz import require_writable

TEXT_BYTES = 64
"""Bytes (UTF-8) that a part of an address has in a growing file: HDF5 takes no text of any length in SWMR mode."""
CHUNK_ROWS = 1024
_BROKEN: list[Any] = []
"""Files that could not be written. libhdf5 crashes as it closes them, or a dataset in them: they are left open."""


class Sink(Protocol):
    """Takes rows as they are finished."""

    def begin(self, about: Mapping[str, Any], latent_dim: int, parts: list[str], is_binned: bool) -> None:
        """Say what the rows to come are made from; again when the scan has become another."""

    def write(self, done: Embedded, complete: bool) -> None:
        """Take some rows; not ``complete`` are those that might have got more samples."""

    def close(self, complete: bool) -> None:
        """End; ``complete`` if the run came to its end."""


class JsonLines:
    """A JSON object a line, each written at once: ``{"about": …}`` first, then one for each row."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def begin(self, about: Mapping[str, Any], latent_dim: int, parts: list[str], is_binned: bool) -> None:
        """Write the line that says what the rows are made from."""
        self._stream.write(json.dumps({"about": {**about, "features": FEATURE_NAMES}}) + "\n")
        self._stream.flush()

    def write(self, done: Embedded, complete: bool) -> None:
        """Write a line for each row."""
        block = done.block
        texts = {part: values.tolist() for part, values in block.address.items()}
        for i in range(len(block)):
            row: dict[str, Any] = {} if block.depth is None else {"depth": _number(block.depth[i])}
            row |= {part: values[i] for part, values in texts.items()}
            row["embedding"] = _shortest(done.embeddings[i])
            row |= {"missing": int(done.missing[i]), "implausible": int(done.implausible[i])}
            if block.samples is not None:
                row["samples"] = block.samples[i].tolist()
            self._stream.write(json.dumps(row | {"complete": complete}, allow_nan=False) + "\n")
        self._stream.flush()

    def close(self, complete: bool) -> None:
        """Leave the stream as it is."""


class GrowingFile:
    """An HDF5 file with a dataset for each member of the ``.npz`` of a batch run; SWMR readers see it grow.

    It grows under its own name: its attribute ``complete`` is 0 until it has all that there was to come.

    Raises
    ------
    OutputError
        If there is a file of that name already, or none can be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_writable(path)
        if self.path.suffix not in (".h5", ".hdf5"):
            raise OutputError(f"{self.path} would be an HDF5 file that grows: call it .h5", self.path)
        if self.path.exists():
            raise OutputError(f"{self.path} is there already, and is not overwritten: name another file", self.path)
        self._file: Any = None
        self._members: dict[str, Any] = {}
        self._parts: list[str] = []

    def begin(self, about: Mapping[str, Any], latent_dim: int, parts: list[str], is_binned: bool) -> None:
        """Make the file, the first time; later, what it is made of stays."""
        if self._file is not None:
            return
        self._parts = parts
        guard.keeping(self.path)
        try:
            self._file = h5py.File(self.path, "x", libver=("v110", "v110"))
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error
        members: dict[str, tuple[Any, tuple[int, ...]]] = {
            "embeddings": (np.float32, (latent_dim,)),
            "missing": (np.uint8, ()),
            "implausible": (np.uint8, ()),
            "depth": (np.float64, ()),
            "complete": (np.uint8, ()),
        }
        members |= {"samples": (np.int64, (len(FEATURE_NAMES),))} if is_binned else {}
        members |= {part: (h5py.string_dtype("utf-8", TEXT_BYTES), ()) for part in parts}
        with self._told():
            for name, (dtype, width) in members.items():
                self._members[name] = self._file.create_dataset(
                    name, (0, *width), dtype, maxshape=(None, *width), chunks=(CHUNK_ROWS, *width), track_times=False
                )
            self._members["depth"].attrs["units"] = "m"
            self._file.attrs["features"] = list(FEATURE_NAMES)
            self._file.attrs["about"] = json.dumps(about, ensure_ascii=False)
            self._file.attrs["complete"] = np.uint8(0)
            self._file.swmr_mode = True

    def write(self, done: Embedded, complete: bool) -> None:
        """Append rows, and let readers see them."""
        block, n = done.block, len(done.block)
        blank = np.full(n, "")
        members: dict[str, NDArray[Any]] = {
            "embeddings": done.embeddings,
            "missing": done.missing,
            "implausible": done.implausible,
            "depth": np.full(n, np.nan) if block.depth is None else block.depth,
            "complete": np.full(n, complete, np.uint8),
        }
        members |= {} if block.samples is None or "samples" not in self._members else {"samples": block.samples}
        members |= {part: _utf8(block.address.get(part, blank)) for part in self._parts}
        with self._told():
            for name, values in members.items():
                dataset = self._members[name]
                start = len(dataset)
                dataset.resize(start + n, axis=0)
                dataset[start:] = values
            self._file.flush()

    def close(self, complete: bool) -> None:
        """Close the file; a reader need not be in SWMR mode any more."""
        if self._file:  # not where nothing came, and not twice
            with self._told():
                self._file.attrs.modify("complete", np.uint8(complete))
                self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:  # h5py raises either for a full disk
            _BROKEN.append((self._file, self._members))
            self._file = None
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error


def _shortest(values: NDArray[np.float32]) -> list[float] | None:
    """Give numbers that print with as few digits as tell a float32 from its neighbours; None where there is none."""
    return None if np.isnan(values).any() else [float(str(value)) for value in values]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _utf8(texts: NDArray[np.str_]) -> NDArray[np.bytes_]:
    cut = [text.encode()[:TEXT_BYTES].decode(errors="ignore").encode() for text in texts.tolist()]
    return np.array(cut, h5py.string_dtype("utf-8", TEXT_BYTES))
