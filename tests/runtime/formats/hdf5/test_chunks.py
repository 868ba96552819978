from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lithovae.runtime.formats.hdf5 import chunks
from lithovae.runtime.formats.hdf5.chunks import Packing, read_window


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(chunks, "decompressobj", zlib.decompressobj)


@pytest.fixture(autouse=True)
def chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "SIZES", range(1, 1 << 20))


whole = zlib.compress(np.random.default_rng(0).bytes(1600))
DTYPES = ["<f4", ">f4", "<f8", ">f8", "<f2", "i1", "<i2", ">u2", "<i4", ">i8", "<u8"]


@st.composite
def datasets(draw: st.DrawFn) -> tuple[NDArray[Any], dict[str, Any], list[slice]]:
    shape = draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    chunk = [draw(st.integers(1, size)) for size in shape]
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8) if draw(st.booleans()) else None
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype) if values is None else values.view(dtype)[..., 0]
    options = {
        "chunks": tuple(chunk),
        "compression": draw(st.sampled_from(["gzip", "gzip", "lzf", None])),
        "shuffle": draw(st.booleans()),
        "fletcher32": draw(st.integers(0, 3)) == 0,
    }
    bounds = [sorted((draw(st.integers(0, size - 1)), draw(st.integers(0, size)))) for size in shape]
    return data, options, [slice(low, high) for low, high in bounds]


@settings(deadline=None, max_examples=150)
@given(datasets())
def test_windows_are_as_h5py_reads_them(made: tuple[NDArray[Any], dict[str, Any], list[slice]]) -> None:
    data, options, window = made
    with h5py.File("scan.h5", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset("x", data=data, **options)
        found, expected = read_window(dataset, window), dataset[tuple(window)]
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
        with h5py.File("plain.h5", "w", driver="core", backing_store=False) as plain:
            as_plain = read_window(plain.create_dataset("x", data=data), window)
            assert (found.flags.c_contiguous, found.flags.f_contiguous) == (
                as_plain.flags.c_contiguous,
                as_plain.flags.f_contiguous,
            )


def gzipped(path: Path, **options: Any) -> Any:
    file = h5py.File(path, "w")
    return file.create_dataset("x", (1000, 2), "f8", chunks=(100, 2), compression="gzip", shuffle=True, **options)


def reopened(dataset: Any) -> Any:
    """Close the file of a dataset, and open it again for reading."""
    path = dataset.file.filename
    dataset.file.close()
    return h5py.File(path)["x"]


def test_deflated_chunks_are_read_without_h5py(tmp_path: Path) -> None:
    dataset = gzipped(tmp_path / "scan.h5")
    dataset[:] = expected = np.random.default_rng(0).normal(size=(1000, 2))
    packing = Packing.of(dataset)
    assert packing is not None
    np.testing.assert_array_equal(packing.read(dataset, (slice(50, 950), slice(1, 2)), "C"), expected[50:950, 1:2])


def test_a_slice_may_exceed_a_dimension(tmp_path: Path) -> None:
    dataset = gzipped(tmp_path / "scan.h5")
    dataset[:] = np.random.default_rng(0).normal(size=(1000, 2))
    np.testing.assert_array_equal(read_window(dataset, (slice(950, 2000), slice(None))), dataset[950:])


def test_a_chunk_that_was_never_written_reads_as_h5py_gives_it(tmp_path: Path) -> None:
    dataset = gzipped(tmp_path / "scan.h5", fillvalue=-999.0)
    dataset[:100] = 1
    found = read_window(dataset, (slice(0, 1000), slice(0, 2)))
    assert (found[:100] == 1).all()
    assert (found[100:] == -999).all()


@pytest.mark.parametrize("skipped", [0, 1, 2, 3])
def test_filters_that_a_chunk_skipped_are_not_undone(tmp_path: Path, skipped: int) -> None:
    dataset = gzipped(tmp_path / "scan.h5")
    values = np.random.default_rng(0).normal(size=(100, 2))
    content = values.tobytes()
    if not skipped & 1:
        content = np.frombuffer(content, np.uint8).reshape(-1, 8).T.tobytes()
    dataset.id.write_direct_chunk((0, 0), content if skipped & 2 else zlib.compress(content), skipped)
    dataset = reopened(dataset)
    packing = Packing.of(dataset)
    assert packing is not None
    np.testing.assert_array_equal(packing.read(dataset, (slice(0, 100), slice(0, 2)), "F"), values)


@pytest.mark.parametrize(
    "content",
    [
        zlib.compress(bytes(1600))[:-1] + b"?",
        zlib.compress(bytes(1601)),
        b"not a zlib stream",
    ],
)
def test_a_damaged_chunk_is_read_by_h5py(tmp_path: Path, content: bytes) -> None:
    dataset = gzipped(tmp_path / "scan.h5")
    dataset.id.write_direct_chunk((0, 0), content)
    dataset = reopened(dataset)
    try:
        expected = dataset[:100]
    except OSError as error:
        with pytest.raises(OSError, match=str(error).partition("(")[0]):
            read_window(dataset, (slice(0, 100), slice(0, 2)))
    else:
        np.testing.assert_array_equal(read_window(dataset, (slice(0, 100), slice(0, 2))), expected)


@pytest.mark.parametrize("content", [whole[:-3], whole[:-5], whole[:-10], zlib.compress(bytes(1599))])
def test_a_truncated_chunk_is_not_filled_with_uninitialised_memory(tmp_path: Path, content: bytes) -> None:
    dataset = gzipped(tmp_path / "scan.h5")
    dataset.id.write_direct_chunk((0, 0), content)
    with pytest.raises(OSError, match="a compressed chunk is truncated"):
        read_window(reopened(dataset), (slice(0, 100), slice(0, 2)))


def test_a_decompression_bomb_is_stopped_before_it_fills_memory() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    with pytest.raises(ValueError, match="holds more than 1600 bytes"):
        chunks._inflate(bomb, 1600)


@pytest.mark.parametrize("kind", ["text", "compound", "enumeration", "contiguous", "fletcher32", "odd width"])
def test_what_is_not_plain_deflate_is_left_to_h5py(tmp_path: Path, kind: str) -> None:
    packed: dict[str, Any] = {"chunks": (100,), "compression": "gzip"}
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        if kind == "contiguous":
            dataset = file.create_dataset("x", data=np.ones(1000))
        elif kind == "fletcher32":
            dataset = file.create_dataset("x", data=np.ones(1000), fletcher32=True, **packed)
        elif kind == "odd width":
            odd = h5py.h5t.STD_I32LE.copy()
            odd.set_precision(24)
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_chunk((100,))
            properties.set_deflate(4)
            h5py.h5d.create(file.id, b"x", odd, h5py.h5s.create_simple((1000,)), properties)
            dataset = file["x"]
        else:
            dtype: Any = {
                "text": "S4",
                "compound": [("a", "f8")],
                "enumeration": h5py.enum_dtype({"no": 0, "yes": 1}),
            }[kind]
            dataset = file.create_dataset("x", (1000,), dtype, **packed)
        assert Packing.of(dataset) is None
        np.testing.assert_array_equal(read_window(dataset, (slice(10, 20),)), dataset[10:20])
