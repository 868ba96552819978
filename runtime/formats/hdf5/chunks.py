"""Decompression of chunks in the calling thread, because h5py decompresses under a lock, one chunk at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

decompressobj: Callable[[], Any] = zlib.decompressobj
TABLE_WIDTH = 64
"""Largest width at which a 2-D window is treated as a table of columns rather than as lines of pixels."""
_DAMAGE: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError, EOFError, zlib.error)
with suppress(ImportError):  # several times faster; installed by the extra `fast`
    from isal import isal_zlib

    decompressobj = isal_zlib.decompressobj
    _DAMAGE = (*_DAMAGE, isal_zlib.error)  # type: ignore[arg-type]  # its stub declares an instance, not a class

Order = Literal["C", "F"]
SIZES = range(1 << 12, (1 << 25) + 1)
"""Uncompressed chunk sizes, in bytes, that are read here: smaller ones cost more in calls than they save, larger ones
cost too much memory."""


def read_window(dataset: Any, window: Sequence[slice], order: Order | None = None) -> NDArray[Any]:
    """Read part of a dataset. The result equals ``dataset[window]``, which also reads all that is not plain deflate.

    By default, a table is returned in Fortran order, because it is used column by column; anything else in C order.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    window : sequence of slice
        The part to read: for each dimension a slice without a step.
    order : {"C", "F"}, optional
        Memory order of the result.

    Raises
    ------
    OSError, RuntimeError, ValueError
        As raised by h5py, for example for a damaged chunk.
    """
    window = tuple(slice(*part.indices(n)[:2]) for part, n in zip(window, dataset.shape, strict=True))
    if packing := Packing.of(dataset):
        try:
            return packing.read(dataset, window, order or _order(window))
        except ShortChunkError:
            raise
        except _DAMAGE:
            pass  # never written or damaged: h5py returns the fill value or raises a clear error
    return np.asarray(dataset[window], order=order or _order(window))


def _order(window: Sequence[slice]) -> Order:
    """Return the default memory order of a window; sums along a line of pixels depend on it in their last bits."""
    return "F" if len(window) == 2 and window[1].stop - window[1].start <= TABLE_WIDTH else "C"


class ShortChunkError(OSError):
    """The compressed stream of a chunk is too short. libhdf5 would return uninitialised memory for the rest."""


@dataclass(frozen=True)
class Packing:
    """How deflated, and possibly shuffled, chunks are stored in a file.

    Attributes
    ----------
    shape : tuple of int
        Shape of a chunk.
    dtype : dtype
        Type of the values as stored, including the byte order.
    filters : tuple of int
        HDF5 filter codes, in the order in which they were applied.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    filters: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Any) -> Packing | None:
        """Return how a dataset is packed; None if h5py has to read it."""
        if not dataset.chunks or dataset.dtype.kind not in "iuf":
            return None
        dtype = np.dtype(dataset.dtype.str)
        if h5py.h5t.py_create(dtype) != dataset.id.get_type():  # an enumeration, or numbers of unusual width
            return None
        properties = dataset.id.get_create_plist()
        filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
        codes = tuple(code for code, *_ in filters)
        if codes not in ((h5py.h5z.FILTER_DEFLATE,), (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)):
            return None
        if len(codes) == 2 and filters[0][2] != (dtype.itemsize,):
            return None
        packing = cls(dataset.chunks, dtype, codes)
        return packing if packing.n_bytes in SIZES else None

    @property
    def n_bytes(self) -> int:
        """Size of an uncompressed chunk in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def read(self, dataset: Any, window: tuple[slice, ...], order: Order) -> NDArray[Any]:
        """Read part of a dataset chunk by chunk.

        Raises
        ------
        ShortChunkError
            If the compressed stream of a chunk is too short.
        OSError, RuntimeError, ValueError, EOFError, zlib.error
            If a chunk was never written or is damaged.
        """
        shape = tuple(part.stop - part.start for part in window)
        out: NDArray[Any] | None = None
        stored = bytearray(self.n_bytes + self.n_bytes // 8 + 1024)  # deflate adds little to incompressible data
        grid = (
            range(part.start - part.start % size, part.stop, size)
            for part, size in zip(window, self.shape, strict=True)
        )
        for origin in product(*grid):
            skipped, content = dataset.id.read_direct_chunk(origin, out=stored)
            chunk = self._unpack(content, skipped)
            inside = [
                (max(part.start, start), min(part.stop, start + size))
                for part, start, size in zip(window, origin, self.shape, strict=True)
            ]
            source = tuple(slice(low - start, high - start) for (low, high), start in zip(inside, origin, strict=True))
            found = chunk[source]
            if found.shape == shape and found.flags.writeable:  # a window in one chunk, as most are
                return np.asarray(found, order=order)
            if out is None:
                out = np.empty(shape, self.dtype, order=order)
            target = tuple(
                slice(low - part.start, high - part.start) for (low, high), part in zip(inside, window, strict=True)
            )
            out[target] = found
        return np.empty(shape, self.dtype) if out is None else out

    def _unpack(self, content: Any, skipped: int) -> NDArray[Any]:
        """Undo the filters of a chunk, except those whose bit is set in ``skipped``."""
        for i in reversed(range(len(self.filters))):
            if skipped >> i & 1:
                continue
            is_deflate = self.filters[i] == h5py.h5z.FILTER_DEFLATE
            content = _inflate(content, self.n_bytes) if is_deflate else _unshuffle(content, self.dtype.itemsize)
        return np.frombuffer(content, self.dtype).reshape(self.shape)


def _inflate(content: Any, n_bytes: int) -> bytes:
    """Inflate a zlib stream of exactly ``n_bytes``; stop at a longer one before it fills memory."""
    stream = decompressobj()
    inflated: bytes = stream.decompress(content, n_bytes)
    more = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)  # reads the checksum at the end
    if len(inflated) < n_bytes or not (stream.eof or more):
        raise ShortChunkError("a compressed chunk is truncated")
    if more:
        raise ValueError(f"a compressed chunk holds more than {n_bytes} bytes")
    return inflated


def _unshuffle(content: Any, item_bytes: int) -> NDArray[np.uint8]:
    """Undo the shuffle filter, which stores the first bytes of all values, then the second bytes, and so on."""
    planes = np.frombuffer(content, np.uint8).reshape(item_bytes, -1)
    values = np.empty(planes.shape[::-1], np.uint8)
    for i, plane in enumerate(planes):
        values[:, i] = plane  # three times faster than copying the transposed array
    return values.reshape(-1)
