from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithovae.runtime.errors import OutputError
from lithovae.runtime.outputs import npz as output
from lithovae.runtime.outputs.checksum import combine, crc32
from lithovae.runtime.outputs.npz import NpzWriter
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.process import guard


@contextmanager
def npz_stream(
    path: Path, n_rows: int, members: Mapping[str, tuple[Any, int | None]], *, fewer: bool = False
) -> Iterator[NpzWriter]:
    """Open an ``.npz`` with members of any name and type."""
    with whole_file(path) as file:
        writer = NpzWriter(file, n_rows, members)
        yield writer
        writer.finish(fewer=fewer)


def test_blocks_make_an_archive_that_numpy_and_zip_tools_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix, names = rng.normal(size=(1000, 3)).astype(np.float32), rng.choice(["a", "βγ", ""], 1000)
    members = {"matrix": (np.float32, 3), "names": (names.dtype, None)}
    with npz_stream(tmp_path / "out.npz", 1000, members) as stream:
        for start in range(0, 1000, 300):
            stream.write(stream.pack({"matrix": matrix[start : start + 300], "names": names[start : start + 300]}))
        stream.add("note", np.array("one"))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["matrix"], matrix)
        np.testing.assert_array_equal(arrays["names"], names)
        assert arrays["note"] == "one"
    assert zipfile.ZipFile(tmp_path / "out.npz").testzip() is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_no_rows_at_all(tmp_path: Path) -> None:
    with npz_stream(tmp_path / "out.npz", 0, {"x": (np.float32, 10)}) as stream:
        stream.write(stream.pack({"x": np.empty((0, 10))}))
    assert np.load(tmp_path / "out.npz")["x"].shape == (0, 10)


@pytest.mark.parametrize("at_most", [7, 8, 1_000_000])
def test_rows_whose_number_shows_at_the_end(tmp_path: Path, at_most: int) -> None:
    members = {"x": (np.float32, 2), "y": (np.dtype("<U3"), None)}
    with npz_stream(tmp_path / "out.npz", at_most, members, fewer=True) as stream:
        for n in (3, 0, 4):
            stream.write(stream.pack({"x": np.full((n, 2), n), "y": np.full(n, str(n))}))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert arrays["x"].tolist() == [[3, 3]] * 3 + [[4, 4]] * 4
        assert arrays["y"].tolist() == ["3"] * 3 + ["4"] * 4
    assert zipfile.ZipFile(tmp_path / "out.npz").testzip() is None
    assert (tmp_path / "out.npz").stat().st_size < 2000


def test_a_member_of_more_than_four_gibibytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_reserve", lambda file, n_bytes: None)  # so that the file has a hole
    n = (1 << 32) + 5
    with npz_stream(tmp_path / "out.npz", n, {"x": (np.uint8, None), "y": (np.uint8, None)}) as stream:
        for member in stream._members.values():
            member.n_rows = n - 5
        stream.write(stream.pack({"x": np.arange(5), "y": np.arange(5)}))
        stream.add("z", np.arange(3))
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["z"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        for name, start in (("x.npy", 0), ("y.npy", 1 << 32)):
            info = archive.getinfo(name)
            assert info.file_size == n + 128
            assert info.header_offset >= start
            with archive.open(name) as content:
                assert f"({n},)".encode() in content.read(128)


def test_a_disk_too_small_is_found_out_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*out\.npz: (No space left|File too large)"):
        with npz_stream(tmp_path / "out.npz", 1 << 56, {"x": (np.float32, None)}):
            pytest.skip("this file system does not set space aside")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_checksums_of_pieces_make_that_of_the_whole(pieces: list[bytes]) -> None:
    found = 0
    for piece in pieces:
        found = combine(found, crc32(piece), len(piece))
    assert found == zlib.crc32(b"".join(pieces))


def test_an_archive_with_a_member_that_lacks_rows_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="x"):
        with npz_stream(tmp_path / "out.npz", 5, {"x": (np.float32, None)}) as stream:
            stream.write(stream.pack({"x": np.zeros(4)}))
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with whole_file(tmp_path / "ours") as file:
        file.write(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"), whole_file(tmp_path / "out"):
        pass


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="No space left"), whole_file(tmp_path / "out"):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_at_any_moment_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    for module, name in ((guard, "writing"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupted)
            with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "out") as file:
                file.write(b"half")
        assert list(tmp_path.iterdir()) == [], name


def test_what_a_power_cut_leaves_is_not_read_as_numbers(tmp_path: Path) -> None:
    with npz_stream(tmp_path / "out.npz", 1000, {"x": (np.float32, 10)}) as stream:
        stream.write(stream.pack({"x": np.ones((1000, 10))}))
    with open(tmp_path / "out.npz", "r+b") as file:  # blocks that never reached the disk read as zeros
        file.seek(20_000)
        file.write(bytes(4096))
    with np.load(tmp_path / "out.npz") as arrays, pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        arrays["x"]


def test_rows_that_move_up_are_steps_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(output, "advanced", lambda: steps.append(1))
    with npz_stream(tmp_path / "out.npz", 1 << 20, {"x": (np.uint8, None), "y": (np.int64, None)}, fewer=True) as out:
        out.write(out.pack({"x": np.zeros(1 << 19), "y": np.zeros(1 << 19)}))
    assert len(steps) == 4


@pytest.mark.parametrize("libc", ["its own", "without what only Linux has"])
def test_a_result_is_the_same_whatever_the_c_library_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libc: str
) -> None:
    if libc != "its own":
        monkeypatch.setattr(output, "_libc_function", lambda name: None)
    with npz_stream(tmp_path / "out.npz", 90, {"x": (np.float64, 2)}) as stream:
        for start in range(0, 90, 30):
            stream.write(stream.pack({"x": np.arange(2.0 * start, 2.0 * start + 60).reshape(30, 2)}))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["x"].ravel(), np.arange(180.0))
