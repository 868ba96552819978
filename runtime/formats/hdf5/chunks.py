"""Compressed chunks, inflated by the thread that asks for them: h5py inflates under a lock, one chunk at a time."""

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
"""Columns up to which a 2-D window is taken for a table of columns, not for lines of pixels."""
_DAMAGE: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError, EOFError, zlib.error)
with suppress(ImportError):  # several times as fast; comes with the extra `fast`
    from isal import isal_zlib

    decompressobj = isal_zlib.decompressobj
    _DAMAGE = (*_DAMAGE, isal_zlib.error)  # type: ignore[arg-type]  # its stub has an instance for the class

Order = Literal["C", "F"]
SIZES = range(1 << 12, (1 << 25) + 1)
"""Bytes of a chunk worth the trouble: smaller ones cost more in calls than they save, larger ones cost memory."""


def read_window(dataset: Any, window: Sequence[slice], order: Order | None = None) -> NDArray[Any]:
    """Read part of a dataset; the result is that of ``dataset[window]``, which does all that is not plain deflate.

    A table lies in memory column by column (Fortran order), for so it is used, unless told otherwise; anything else row
    by row.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    window : sequence of slice
        What of it is read, a slice without a step for each dimension.
    order : {"C", "F"}, optional
        How the result lies in memory.

    Raises
    ------
    OSError, RuntimeError, ValueError
        Whatever h5py raises, for a damaged chunk say.
    """
    window = tuple(slice(*part.indices(n)[:2]) for part, n in zip(window, dataset.shape, strict=True))
    if packing := Packing.of(dataset):
        try:
            return packing.read(dataset, window, order or _order(window))
        except ShortChunkError:
            raise
        except _DAMAGE:
            pass  # never written, damaged, or not as it seemed: h5py gives the fill value, or says what is wrong
    return np.asarray(dataset[window], order=order or _order(window))


def _order(window: Sequence[slice]) -> Order:
    """Tell how a window lies in memory: sums along a line of pixels depend on it in their last bits."""
    return "F" if len(window) == 2 and window[1].stop - window[1].start <= TABLE_WIDTH else "C"


class ShortChunkError(OSError):
    """A chunk's compressed stream holds too few bytes. libhdf5 would take what was in memory for the rest."""


@dataclass(frozen=True)
class Packing:
    """How chunks that are deflated, and perhaps shuffled, lie in a file.

    Attributes
    ----------
    shape : tuple of int
        Shape of a chunk.
    dtype : dtype
        Type of the values, the very bytes of the file.
    filters : tuple of int
        HDF5's numbers of the filters, in the order in which they were applied.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    filters: tuple[int, ...]

    @classmethod
    def of(cls, dataset: Any) -> Packing | None:
        """Tell how a dataset is packed; None where h5py had better read it."""
        if not dataset.chunks or dataset.dtype.kind not in "iuf":
            return None
        dtype = np.dtype(dataset.dtype.str)
        if h5py.h5t.py_create(dtype) != dataset.id.get_type():  # an enumeration, or numbers of odd widths
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
        """Bytes of a chunk when inflated."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def read(self, dataset: Any, window: tuple[slice, ...], order: Order) -> NDArray[Any]:
        """Read part of a dataset chunk by chunk.

        Raises
        ------
        ShortChunkError
            If a chunk holds too little.
        OSError, RuntimeError, ValueError, EOFError, zlib.error
            If one was never written, or is not what it should be.
        """
        out = np.empty([part.stop - part.start for part in window], self.dtype, order=order)
        stored = bytearray(self.n_bytes + self.n_bytes // 8 + 1024)  # deflate adds little to what it cannot shrink
        grid = (
            range(part.start - part.start % size, part.stop, size)
            for part, size in zip(window, self.shape, strict=True)
        )
        for place in product(*grid):
            skipped, content = dataset.id.read_direct_chunk(place, out=stored)
            chunk = self._unpack(content, skipped)
            inside = [
                (max(part.start, start), min(part.stop, start + size))
                for part, start, size in zip(window, place, self.shape, strict=True)
            ]
            source = tuple(slice(low - start, high - start) for (low, high), start in zip(inside, place, strict=True))
            target = tuple(
                slice(low - part.start, high - part.start) for (low, high), part in zip(inside, window, strict=True)
            )
            out[target] = chunk[source]
        return out

    def _unpack(self, content: Any, skipped: int) -> NDArray[Any]:
        """Undo a chunk's filters, but for those whose bit is set in ``skipped``."""
        for i in reversed(range(len(self.filters))):
            if skipped >> i & 1:
                continue
            is_deflate = self.filters[i] == h5py.h5z.FILTER_DEFLATE
            content = _inflate(content, self.n_bytes) if is_deflate else _unshuffle(content, self.dtype.itemsize)
        return np.frombuffer(content, self.dtype).reshape(self.shape)


def _inflate(content: Any, n_bytes: int) -> bytes:
    """Inflate a zlib stream that must hold so many bytes: one that holds more is given up before it fills memory."""
    stream = decompressobj()
    inflated: bytes = stream.decompress(content, n_bytes)
    more = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)  # reads the checksum at the end
    if len(inflated) < n_bytes or not (stream.eof or more):
        raise ShortChunkError("a compressed chunk is cut off")
    if more:
        raise ValueError(f"a chunk of {n_bytes} bytes holds more")
    return inflated


def _unshuffle(content: Any, item_bytes: int) -> NDArray[np.uint8]:
    """Bring the bytes of each value together: shuffled, all first bytes come first, then all second ones, ..."""
    planes = np.frombuffer(content, np.uint8).reshape(item_bytes, -1)
    values = np.empty(planes.shape[::-1], np.uint8)
    for i, plane in enumerate(planes):
        values[:, i] = plane  # byte by byte in C; a transposed copy takes three times as long
    return values.reshape(-1)
