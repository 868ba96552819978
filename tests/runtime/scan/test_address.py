from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.address import distinct_holes, normal_label
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import BinWidth

WriteScan = Callable[..., Path]


def addresses(path: Path, bin_width: BinWidth = "auto") -> dict[str, list[str]]:
    def quiet(items: Iterable[Any], label: str, total: int, size: Any) -> Iterable[Any]:
        return items

    with open_scan(path) as scan:
        blocks = [read() for read in rows_of(scan, quiet, bin_width).blocks]
        return {part: [text for block in blocks for text in block.address[part].tolist()] for part in blocks[0].address}


def test_a_type_that_is_not_a_core_type_distinguishes_nothing(write_scan: WriteScan) -> None:
    data = {f"{group}/MS": np.ones(5) for group in ("raw", "processed")}
    path = write_scan(data, attrs={"raw@type": "raw", "processed@type": "processed"})
    with pytest.raises(ScanError, match="could be any of processed/MS, raw/MS"):
        addresses(path)


def test_a_type_of_instrument_is_not_part_of_an_address(write_scan: WriteScan) -> None:
    data = {"GRA/density": np.ones(5), "loop/MS": np.ones(6)} | {
        f"{group}/depth": np.arange(n) * 1.0 for group, n in (("GRA", 5), ("loop", 6))
    }
    assert addresses(write_scan(data, attrs={"GRA@type": "gamma", "loop@type": "coil"})) == {}
    assert addresses(write_scan(data, attrs={"GRA@core": 3, "GRA@type": "H"}))["type"][0] == "H"


def test_missing_values_in_an_address_are_blank(write_scan: WriteScan) -> None:
    data = {"MS": np.ones(3), "core": np.array([1, np.nan, 2]), "section": np.array([1, -999, 2])}
    data["hole"] = np.array([b"A", b"nan", b"A"])
    data["site"] = np.array([1482, 0, 1482])
    assert addresses(write_scan(data, attrs={"site@_FillValue": 0})) == {
        "site": ["1482", "", "1482"],
        "hole": ["A", "", "A"],
        "core": ["1", "", "2"],
        "section": ["1", "", "2"],
    }


def test_large_numbers_keep_their_last_digit(write_scan: WriteScan) -> None:
    assert addresses(write_scan({"MS": np.ones(1), "core": np.array([2**53 + 1])}))["core"] == [str(2**53 + 1)]


def test_a_holes_letter_and_its_full_name_are_the_same_hole(write_scan: WriteScan) -> None:
    data = {"U1482A/GRA/density": np.ones(5), "U1482A/GRA/depth": np.arange(5.0), "U1482A/GRA/Hole": np.full(5, b"A")}
    data |= {"U1482A/RGB/R": np.ones(6, "u1"), "U1482A/RGB/depth": np.arange(6.0)}
    assert set(addresses(write_scan(data))["hole"]) == {"U1482A"}
    data["U1482A/GRA/Hole"] = np.full(5, b"B")
    with pytest.raises(ScanError, match="several holes"):
        addresses(write_scan(data))


@pytest.mark.parametrize(
    ("names", "distinct"),
    [
        ({"A", "U1482A", ""}, {"U1482A"}),
        ({"A", "U1482B"}, {"A", "U1482B"}),
        ({"U1482A", "363-U1482A", "A"}, {"363-U1482A"}),
        ({"2", "12"}, {"2", "12"}),
        ({"A", "MA"}, {"A", "MA"}),
    ],
)
def test_distinct_holes(names: set[str], distinct: set[str]) -> None:
    assert distinct_holes(names) == distinct


@pytest.mark.parametrize(
    ("part", "label", "normal"),
    [("core", "Core 3H", "3H"), ("core", "3 h", "3H"), ("core", "site 3", "site 3"), ("section", "Sect. 02", "2"),
     ("section", "C/C", "CC"), ("hole", "well X-12", "X-12"), ("expedition", "Exp. 363", "363")],
)  # fmt: skip
def test_labels_have_one_form(part: str, label: str, normal: str) -> None:
    assert normal_label(part, label) == normal


@pytest.mark.parametrize("name", ["hole", "core", "section", "site"])
def test_an_address_of_many_letters_is_refused_not_repeated_in_every_row(write_scan: WriteScan, name: str) -> None:
    path = write_scan({"a/MS": np.ones(3), "b/MS": np.ones(3)}, attrs={f"a@{name}": "h" * 60_000, f"b@{name}": "B"})
    with pytest.raises(ScanError, match=rf"scan\.h5: the {name} that /a states has 60,000 characters, more than 256"):
        addresses(path)
    short = write_scan({"MS": np.ones(3)}, attrs={f"@{name}": "h" * 256})
    assert addresses(short)[name] == ["h" * 256] * 3
