from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import performance, report
from benchmarks.__main__ import merged
from benchmarks.targets import targets


@pytest.fixture(scope="module")
def results(root: Path) -> dict[str, Any]:
    """The results that are shown."""
    return dict(json.loads((root / "benchmarks" / "results.json").read_text(encoding="utf-8")))


def test_page_and_table_hold_the_measured_figures(root: Path, results: dict[str, Any]) -> None:
    page = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    assert performance.refreshed(page, results) == page
    assert set(re.findall(r"<!-- measured: (\w+) -->", page)) == set(performance.PARTS)
    assert (root / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8") == report.markdown(results)


def test_rates_and_ratios_in_a_row() -> None:
    case = {"rows": 8_000_000, "measured": {"lithovae": [1.0, 2.0, 4.0], "eager": [4.0, 8.0, 24.0]}, "failed": {}}
    rows = list(report.rate_table(case))
    assert rows[2] == "| **LithoVAE** | 4.00 | 2.00 (1.00 to 4.00) |  |"
    assert rows[3] == "| torch eager | 1.00 | 8.00 (4.00 to 24.0) | 4.00× (4.00 to 6.00) |"


def test_a_peer_that_did_not_run_says_why() -> None:
    case = {"rows": 1, "measured": {"lithovae": [1.0]}, "failed": {"openvino": "No module named 'openvino'"}}
    assert "| OpenVINO | | No module named 'openvino' | |" in list(report.rate_table(case))


def test_a_target_that_is_missed_is_said(results: dict[str, Any]) -> None:
    slow = {"encode": {"rows": 1, "measured": {"lithovae": [1.0], "compiled": [1.2]}, "failed": {}}}
    row = next(row for row in report.target_table(targets(slow, 2)) if "torch.compile" in row)
    assert row.endswith("| ≥ 1.5× | 1.20× | **no** |")


def test_a_case_measured_later_takes_the_place_of_the_old_one() -> None:
    old = {"machine": {"date": "a"}, "cases": {"encode": {"rows": 1}, "live": {"rows": 2}}, "choices": {"eager": 1}}
    new = {"machine": {"date": "b"}, "cases": {"live": {"rows": 3}}, "choices": {"eager": 2}}
    found = merged(old, new)
    assert found["cases"] == {"encode": {"rows": 1}, "live": {"rows": 3, "date": "b"}}
    assert found["machine"] == {"date": "a"}


def test_parts_are_written_between_their_marks_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        performance, "PARTS", {"a": lambda results: ["one", "two"], "b": lambda results: [results["x"]]}
    )
    page = "<!-- measured: a -->\n<!-- end -->\ntext\n<!-- measured: b -->\nold\n<!-- end -->\n"
    filled = "<!-- measured: a -->\none\ntwo\n<!-- end -->\ntext\n<!-- measured: b -->\nold\n<!-- end -->\n"
    assert performance.refreshed(page, {}) == filled  # b was not measured, and stays
    assert performance.refreshed(filled, {"x": "new"}) == filled.replace("old", "new")
