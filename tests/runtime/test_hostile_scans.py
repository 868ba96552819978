"""What no file may do to ``lithovae-run``: crash it, hang it, make it read elsewhere, or make it say more than a line."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lithovae.runtime.model import LithoModel

from .hostile import FAULTS, RED, write
from .watched import Done, run


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("unsup_hybrid")


def require_one_clear_line(done: Done, words: str = "") -> None:
    assert done.status == 1, done
    assert done.err.startswith("error: "), done
    assert done.err.count("\n") == 1, done
    assert len(done.err) < 1100
    assert done.err[:-1].isprintable()
    assert "unexpected" not in done.err, done
    assert words in done.err


@pytest.mark.parametrize("name", FAULTS)
def test_a_hostile_file_is_one_clear_line(name: str, model: LithoModel, tmp_path: Path) -> None:
    fault, scan, out = FAULTS[name], tmp_path / "scan.h5", tmp_path / "out"
    if name == "unreadable" and os.geteuid() == 0:
        pytest.skip("root may read anything")
    out.mkdir()
    fault.make(scan)
    done = run(scan, "--out", out / "emb.npz", model=model)
    if fault.reads:
        assert (done.status, done.err) == (0, "")
        assert fault.words in done.out
        with np.load(out / "emb.npz") as result:
            rows = np.full((len(RED), 6), np.nan, np.float32)
            rows[:, 3] = RED
            np.testing.assert_array_equal(result["embeddings"], model.embed(rows))
    else:
        require_one_clear_line(done, fault.words)
        assert list(out.iterdir()) == []
    assert done.memory < 1.2e9
