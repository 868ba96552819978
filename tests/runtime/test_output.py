from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime.errors import OutputError
from lithovae.runtime.output import npz_stream, whole_file


def test_blocks_make_an_archive_that_numpy_and_zip_tools_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix, names = rng.normal(size=(1000, 3)).astype(np.float32), rng.choice(["a", "βγ", ""], 1000)
    members = {"matrix": (np.float32, 3), "names": (names.dtype, None)}
    with npz_stream(tmp_path / "out.npz", 1000, members) as stream:
        for start in range(0, 1000, 300):
            stream.write(matrix=matrix[start : start + 300], names=names[start : start + 300])
        stream.add("note", np.array("one"))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["matrix"], matrix)
        np.testing.assert_array_equal(arrays["names"], names)
        assert arrays["note"] == "one"
    assert zipfile.ZipFile(tmp_path / "out.npz").testzip() is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_no_rows_at_all(tmp_path: Path) -> None:
    with npz_stream(tmp_path / "out.npz", 0, {"x": (np.float32, 10)}) as stream:
        stream.write(x=np.empty((0, 10)))
    assert np.load(tmp_path / "out.npz")["x"].shape == (0, 10)


def test_rows_whose_number_shows_at_the_end(tmp_path: Path) -> None:
    members = {"x": (np.float32, 2), "y": (np.dtype("<U3"), None)}
    with npz_stream(tmp_path / "out.npz", None, members) as stream:
        for n in (3, 0, 4):
            stream.write(x=np.full((n, 2), n), y=np.full(n, str(n)))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert arrays["x"].tolist() == [[3, 3]] * 3 + [[4, 4]] * 4
        assert arrays["y"].tolist() == ["3"] * 3 + ["4"] * 4


def test_a_member_that_lacks_rows_is_never_given_a_name(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="x"):
        with npz_stream(tmp_path / "out.npz", 5, {"x": (np.float32, None)}) as stream:
            stream.write(x=np.zeros(4))
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
