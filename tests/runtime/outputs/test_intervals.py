from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import Interval
from lithovae.runtime.outputs.intervals import write_intervals

INTERVALS = [
    Interval("A", 0.1, 1.2, "nannofossil ooze", "calcareous", 0.81234, 6, ""),
    Interval("A", 1.2, 3.4564, 'clay, "silty"', "siliciclastic", 0.5, 9, "its top is where a channel begins"),
    Interval("A", 5.0, 5.2004, "µ-ooze", "", 1.0, 1, ""),
]


def written(path: Path, *, has_hole: bool = False, warning: str = "") -> list[dict[str, str]]:
    write_intervals(path, INTERVALS, has_hole=has_hole, warning=warning)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_intervals_are_lines_of_a_csv(tmp_path: Path) -> None:
    first, second, third = written(tmp_path / "i.csv", has_hole=True, warning="simulated")
    assert first == {
        "hole": "A", "top": "0.100", "base": "1.200", "component lithology": "nannofossil ooze",
        "component group": "calcareous", "thickness": "1.100", "probability": "0.8123", "rows": "6", "note": "",
        "warning": "simulated",
    }  # fmt: skip
    assert (second["component lithology"], second["note"]) == (INTERVALS[1].lithology, INTERVALS[1].note)
    assert (third["component lithology"], third["thickness"]) == ("µ-ooze", "0.200")


def test_a_file_of_one_hole_from_measured_data_has_neither_column(tmp_path: Path) -> None:
    assert not {"hole", "warning"} & written(tmp_path / "i.csv")[0].keys()


@pytest.mark.filterwarnings("ignore:No lexicon provided")
def test_striplog_reads_them(tmp_path: Path) -> None:
    striplog = pytest.importorskip("striplog")
    write_intervals(tmp_path / "i.csv", INTERVALS, has_hole=True, warning="simulated")
    log = striplog.Striplog.from_csv(filename=str(tmp_path / "i.csv"))
    assert [(each.top.z, each.base.z) for each in log] == [(0.1, 1.2), (1.2, 3.456), (5.0, 5.2)]
    assert [each.primary["lithology"] for each in log] == [each.lithology for each in INTERVALS]
    assert [each.data["probability"] for each in log] == [0.8123, 0.5, 1.0]
    assert log[0].data["warning"] == "simulated"
    assert log.find_gaps()[0].thickness == pytest.approx(5.0 - 3.456)


def test_no_intervals_are_a_file_with_headings(tmp_path: Path) -> None:
    write_intervals(tmp_path / "i.csv", [], has_hole=False, warning="")
    assert (tmp_path / "i.csv").read_text().startswith("top,base,component lithology")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    bad = INTERVALS[0]._replace(top=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write_intervals(tmp_path / "i.csv", [*INTERVALS, bad], has_hole=False, warning="")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no such folder"):
        write_intervals(tmp_path / "nowhere" / "i.csv", INTERVALS, has_hole=False, warning="")
