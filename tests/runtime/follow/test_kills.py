from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.follow_kills import run


@pytest.mark.parametrize(("suffix", "seed"), [(".jsonl", 1), (".h5", 2)])
def test_what_is_killed_and_started_again_gives_every_bin_once(tmp_path: Path, suffix: str, seed: int) -> None:
    counts = run(tmp_path, suffix, n=5, seed=seed)
    assert counts["batch"] > 20
    assert counts["twice"] == counts["never"] == 0
    assert counts["written"] == counts["equal"] == counts["batch"]
