"""No file may crash or hang ``lithovae-run``, make it read other files, or cause more than one line of error."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lithovae.runtime.formats.hdf5 import limits
from lithovae.runtime.model.model import LithoModel
from lithovae.runtime.process import heartbeat, memory
from tests.runtime.fuzz import KINDS, Damage, damaged, good_scans, outcome
from tests.runtime.hostile import FAULTS, LIBVERS, RED, as_table, write
from tests.runtime.watched import Done, run


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("unsup_hybrid")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [*good_scans(tmp_path_factory.mktemp("good")).values()]


def require_one_clear_line(done: Done, words: str = "") -> None:
    assert done.status == 1, done
    assert done.err.startswith("error: "), done
    assert done.err.count("\n") == 1, done
    assert len(done.err) < 1100
    assert done.err[:-1].isprintable()
    assert "unexpected" not in done.err, done
    assert words in done.err


@pytest.mark.parametrize("name", FAULTS)
def test_a_hostile_file_is_one_clear_line(
    name: str, model: LithoModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, scan, out = FAULTS[name], tmp_path / "scan.h5", tmp_path / "out"
    if "SIGXCPU" in fault.words:
        monkeypatch.setattr(heartbeat, "CPU_SECONDS", 1)
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


def test_every_fault_is_documented(root: Path) -> None:
    assert as_table() in (root / "docs" / "hostile-files.md").read_text(encoding="utf-8")


def test_limits_are_those_documented(root: Path) -> None:
    page = (root / "docs" / "hostile-files.md").read_text(encoding="utf-8")
    counts = (limits.MAX_OBJECTS, limits.MAX_COLUMNS, limits.MAX_ATTRIBUTES, limits.MAX_CHUNKS, limits.MAX_EXPANSION)
    for number in (*counts, limits.FREE_ROWS):
        assert f"{number:,}" in page
    for number in (
        limits.MAX_ATTRIBUTE_BYTES,
        limits.MAX_CHUNK_BYTES,
        limits.MAX_ROW_BYTES,
        memory.MEMORY_PER_PROCESSOR,
    ):
        assert f"{number >> 20} MiB" in page
    assert (memory.MEMORY, f"may take {heartbeat.CPU_SECONDS} s of processor time" in page) == (1 << 30, True)


@pytest.mark.parametrize("libver", LIBVERS)
def test_a_file_may_be_cut_anywhere(libver: str, model: LithoModel, tmp_path: Path) -> None:
    scan, out = tmp_path / "scan.h5", tmp_path / "out"
    out.mkdir()
    write(scan, libver, R={"data": RED, "chunks": (100,), "compression": "gzip"}, hole=["A"] * 1000)
    content = scan.read_bytes()
    for length in np.linspace(0, len(content) - 1, 10).astype(int):
        scan.write_bytes(content[:length])
        require_one_clear_line(run(scan, "--out", out / "emb.npz", model=model), "scan.h5")
        assert list(out.iterdir()) == []


def test_good_scans_are_embedded(model: LithoModel, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name, content in good_scans(tmp_path).items():
        (tmp_path / "scan.h5").write_bytes(content)
        assert outcome(tmp_path / "scan.h5", tmp_path / "out", model)[0] == "embedded", name


damages = st.builds(Damage, st.sampled_from(KINDS), st.floats(0, 1), st.floats(0, 1), st.integers(1, 1024))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(which=st.integers(0), hits=st.lists(damages, min_size=1, max_size=8), repair=st.booleans())
def test_damage_ends_in_embeddings_or_one_clear_line(
    which: int,
    hits: list[Damage],
    repair: bool,
    scans: list[bytes],
    model: LithoModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "CPU_SECONDS", 1)
    scan, out = tmp_path / "scan.h5", tmp_path / "out"
    out.mkdir(exist_ok=True)
    scan.write_bytes(damaged(scans[which % len(scans)], hits, repair=repair))
    found, done = outcome(scan, out, model)
    assert found != "VIOLATION", done
