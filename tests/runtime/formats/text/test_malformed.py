"""No table in text crashes or hangs ``lithovae run``, or gives more than one line of error."""

from __future__ import annotations

from pathlib import Path

import pytest

from lithovae.runtime.model.model import LithoModel
from tests.runtime.fuzz import damaged_table, good_tables, outcome
from tests.runtime.text_tables import GOOD, MALFORMED
from tests.runtime.watched import run


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("unsup_hybrid")


@pytest.mark.parametrize("name", GOOD)
def test_good_tables_are_embedded(name: str, model: LithoModel, tmp_path: Path) -> None:
    (tmp_path / "core.txt").write_bytes(GOOD[name])
    done = run(tmp_path / "core.txt", "--out", tmp_path / "emb.npz", model=model)
    assert (done.status, done.err) == (0, "")
    assert "rows   200 " in done.out


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_table_is_one_clear_line(name: str, model: LithoModel, tmp_path: Path) -> None:
    content, words = MALFORMED[name]
    scan, out = tmp_path / "core.csv", tmp_path / "out"
    out.mkdir()
    scan.write_bytes(content)
    done = run(scan, "--out", out / "emb.npz", model=model)
    assert done.status == 1, done
    assert done.err.startswith("error: "), done
    assert done.err.count("\n") == 1, done
    assert done.err[:-1].isprintable()
    assert len(done.err) < 1100
    assert "unexpected" not in done.err, done
    assert str(scan) in done.err, done
    assert words in done.err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("i", range(40))
def test_a_damaged_table_is_embedded_or_refused(i: int, model: LithoModel, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    _, content = damaged_table(i, seed=1, tables=good_tables())
    (tmp_path / "core.csv").write_bytes(content)
    found, done = outcome(tmp_path / "core.csv", tmp_path / "out", model)
    assert found in ("embedded", "refused"), done
