"""Samples of different places are never averaged: small real cases, and headings that say where a sample is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import BinWidth

WriteScan = Callable[..., Path]


@pytest.fixture(scope="session")
def shared(root: Path) -> Path:
    """Folder of real and reported cases, which are not part of the project; skips the test if it is absent."""
    folder = root.parent / "shared"
    if not (folder / "field").is_dir():
        pytest.skip(f"{folder / 'field'} does not exist")
    return folder


def rows(path: Path, bin_width: BinWidth = 0.2, mapping: Mapping[str, str] | None = None) -> Block:
    with open_scan(path, mapping) as scan:
        (read,) = rows_of(scan, lambda items, label, total, size: items, bin_width).blocks
        return read()


def test_janus_headings_keep_four_holes_apart(shared: Path) -> None:
    block = rows(shared / "field/H1_janus_four_holes.h5")
    assert len(block) == 322
    assert set(block.address["hole"]) == set("ABCD")
    assert set(block.address["expedition"]) == {"145"}
    assert set(block.address["site"]) == {"883"}
    assert set(block.address["type"]) == {"H"}
    assert {"1", "2"} <= set(block.address["core"])
    assert {"1", "2"} <= set(block.address["section"])


@pytest.mark.parametrize("hole", "ABCD")
@pytest.mark.parametrize("name", ["GRAPE_WBD", "magsus"])
def test_janus_tables_in_text_have_their_addresses(shared: Path, hole: str, name: str) -> None:
    mapping = {"MS": "Magnetic Suscept."} if name == "magsus" else None
    block = rows(shared / f"tables/883{hole}_{name}.csv", None, mapping)
    assert set(block.address["hole"]) == {hole}
    assert set(block.address["type"]) == {"H"}
    assert all(text.isdecimal() for text in block.address["core"])
    assert set(block.address["section"]) <= {*"12345678", "CC"}


def test_pickled_texts_of_a_fixed_store_name_the_holes(shared: Path) -> None:
    assert Counter(rows(shared / "field/H2_pandas_fixed_hole_text.h5").address["hole"].tolist()) == {"A": 16, "B": 16}


def test_colours_stored_as_categories_are_their_values(shared: Path) -> None:
    right = np.loadtxt(shared / "field/H3a_right_rows.csv", delimiter=",")
    block = rows(shared / "field/H3a_pandas_table_rgb_category.h5", None)
    np.testing.assert_array_equal(block.features, right.astype(np.float32))


def test_categories_with_other_codes_in_each_table_are_the_same_holes(shared: Path) -> None:
    block = rows(shared / "field/H3b_pandas_table_hole_category.h5")
    assert block.samples is not None
    found = Counter(zip(block.address["hole"].tolist(), *(block.samples[:, :2] > 0).T.tolist(), strict=True))
    assert found == {("A", True, False): 16, ("B", True, True): 16}


def test_an_enumeration_names_the_holes(shared: Path) -> None:
    assert Counter(rows(shared / "field/H4_enum_hole.h5").address["hole"].tolist()) == {"A": 16, "B": 16}


def table(**columns: Any) -> dict[str, Any]:
    return {"MS": np.ones(4), "depth": [0.0, 1.0, 0.0, 1.0]} | {name: np.array(text) for name, text in columns.items()}


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"Leg": [1] * 4, "Site": [2] * 4, "H": [b"A"] * 2 + [b"B"] * 2, "Cor": [1] * 4, "T": [b"H"] * 4},
         {"expedition", "site", "hole", "core", "type"}),
        ({"Cor": [1] * 4, "Sc": [b"1"] * 4}, {"core", "section"}),
        ({"Core": [1] * 4, "Sec": [b"1"] * 4, "T": [4.5] * 4}, {"core", "section"}),
        ({"Core_number": [1] * 4, "Core_type": [b"H"] * 4, "Section_number": [1] * 4}, {"core", "type", "section"}),
        ({"Exp": [1] * 4, "Site": [b"U1"] * 4, "Hole": [b"A"] * 4, "Core": [1] * 4, "Type": [b"H"] * 4,
          "Sect": [b"1"] * 4}, {"expedition", "site", "hole", "core", "type", "section"}),
        ({"Leg": [1] * 4, "Site": [2] * 4, "Hol": [b"A"] * 4}, {"expedition", "site", "hole"}),
        ({"H": [b"A"] * 4}, set()),
        ({"T": [b"A"] * 4, "Sec": [1.0] * 4}, set()),
        ({"H": [1.0] * 4, "T": [20.0] * 4, "Core": [1] * 4, "Site": [1] * 4}, {"core", "site"}),
        ({"H": [1] * 4, "Core": [1] * 4, "Site": [1] * 4}, {"core", "site"}),
        ({"H": [1, 1, 2, 2], "Core": [1] * 4, "Site": [1] * 4, "Leg": [1] * 4},
         {"expedition", "core", "site", "hole"}),
    ],
)  # fmt: skip
def test_short_headings_are_addresses_only_in_company(
    write_scan: WriteScan, columns: dict[str, Any], parts: set[str]
) -> None:
    assert set(rows(write_scan(table(**columns)), None).address) == parts


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ({"hole": [b"A", b"B"], "site": [b"U1482"] * 2}, {"hole": [b"U1482A", b"U1482B"]}, "U1482A"),
        ({"hole": [b"U1482A", b"U1482B"]}, {"hole": [b"363-U1482A", b"363-U1482B"]}, "363-U1482A"),
        ({"hole": [b"A", b"B"]}, {"hole": [b"U1482-A", b"U1482-B"]}, "U1482-A"),
        ({"hole": [b"a", b"b"]}, {"hole": [b"b'A'", b"b'B'"]}, "A"),
        ({"hole": [3.0, 4.0]}, {"hole": [b"03", b"4"]}, "3"),
        ({"hole": [b"Hole A", b"hole_b"]}, {"hole": [b'"A"', b"B"]}, "A"),
        ({"hole": [b"U1482_A", b"u1482 b"]}, {"hole": [b"A", b"B"]}, "U1482-A"),
        ({"hole": [b"A", b"B"], "site": [b"u1482"] * 2}, {"hole": [b"A", b"B"], "site": [b"U1482"] * 2}, "A"),
        ({"site": [b"U1482"] * 2, "hole": [b"U1482A", b"U1482B"]}, {"hole": [b"A", b"B"]}, "U1482A"),
    ],
    ids=str,
)
def test_a_hole_has_one_name_in_all_instruments(
    write_scan: WriteScan, one: dict[str, Any], other: dict[str, Any], name: str
) -> None:
    data: dict[str, Any] = {"a/MS": [1.0, 2.0], "a/depth": [0.0, 0.0], "b/NGR": [3.0, 4.0], "b/depth": [0.0, 0.0]}
    data |= {f"a/{part}": np.array(labels) for part, labels in one.items()}
    data |= {f"b/{part}": np.array(labels) for part, labels in other.items()}
    for order in (("a", "b"), ("b", "a")):
        path = write_scan({key.replace(key[0], order["ab".index(key[0])], 1): value for key, value in data.items()})
        block = rows(path)
        np.testing.assert_array_equal(block.features[:, 1:3], [[1, 3], [2, 4]])
        assert block.address["hole"][0] == name


def test_a_letter_of_two_sites_is_ambiguous(write_scan: WriteScan) -> None:
    data = {"a/MS": [1.0, 2.0], "a/depth": [0.0, 0.0], "a/hole": np.array([b"U1482A", b"U1483A"])}
    data |= {"b/NGR": [3.0], "b/depth": [0.0], "b/hole": np.array([b"A"])}
    with pytest.raises(ScanError, match=r"several holes \(site U1482, U1483\)"):
        rows(write_scan(data))


def test_core_and_type_are_divided_where_one_instrument_divides_them(write_scan: WriteScan) -> None:
    data = {"a/MS": [1.0, 2.0], "a/depth": [0.0, 9.0], "a/core": np.array([b"1H", b"02x"])}
    data |= {"b/NGR": [3.0, 4.0], "b/depth": [1.0, 10.0], "b/core": [1, 2], "b/type": np.array([b"H", b"X"])}
    block = rows(write_scan(data))
    assert block.address["core"].tolist() == ["1", "1", "2", "2"]
    assert block.address["type"].tolist() == ["H", "H", "X", "X"]


def groups(*names: str, first: float = 0.0) -> dict[str, Any]:
    """The same columns in each of some groups, each 1.5 m below the one before."""
    return {
        f"{name}/{column}": values
        for i, name in enumerate(names)
        for column, values in (("MS", np.full(15, i)), ("depth", first + i * 1.5 + np.arange(15) * 0.1))
    }


@pytest.mark.parametrize(
    ("names", "address"),
    [
        (("1H/1", "1H/2"), {"core": "1", "type": "H", "section": "1"}),
        (("1H-1", "1H-CC"), {"core": "1", "type": "H", "section": "1"}),
        (("01H_1_A", "01H_2_A"), {"core": "1", "type": "H", "section": "1"}),
        (("C001/S01", "C001/S02"), {"core": "1", "section": "1"}),
        (("C001-S01", "C002-S01"), {"core": "1", "section": "1"}),
        (("999/U9999/A", "999/U9999/B"), {"site": "U9999", "hole": "A"}),
        (("883/A/1H/1", "883/B/1H/1"), {"site": "883", "hole": "A", "core": "1", "type": "H", "section": "1"}),
        (("A/1H", "B/1H"), {"hole": "A", "core": "1", "type": "H"}),
        (("hole_a", "hole_b"), {"hole": "A"}),
        (("162_984_A", "162_984_B"), {"hole": "162-984-A"}),
        (("3H_1A", "3H_2A"), {"core": "3", "type": "H", "section": "1"}),
        (("c001/s01", "c001/s02"), {"core": "1", "section": "1"}),
        (("Section_1H-1", "Section_1H-2"), {"core": "1", "type": "H", "section": "1"}),
    ],
    ids=str,
)
def test_groups_are_places_of_their_own(write_scan: WriteScan, names: tuple[str, ...], address: dict[str, str]) -> None:
    block = rows(write_scan(groups(*names)))
    assert {part: texts[0] for part, texts in block.address.items()} == address
    data: dict[str, Any] = {
        name: values % 1.5 if name.endswith("depth") else values for name, values in groups(*names).items()
    }
    if "hole" in address:
        assert set(rows(write_scan(data)).features[:, 1].tolist()) == {0.0, 1.0}  # no mean of both
    else:
        with pytest.raises(ScanError, match=r"depths start again near 0 with each (section|core)"):
            rows(write_scan(data))


@pytest.mark.parametrize("names", [("A/GRA", "B/MS"), ("logs/A", "logs/B"), ("hole_a/GRA", "hole_b/MS")], ids=str)
def test_instruments_of_holes_that_have_only_a_letter_are_not_mixed(
    write_scan: WriteScan, names: tuple[str, str]
) -> None:
    data: dict[str, Any] = {f"{names[0]}/density": np.ones(15), f"{names[1]}/MS": np.ones(15)}
    data |= {f"{name}/depth": np.arange(15) * 0.1 for name in names}
    block = rows(write_scan(data))
    assert np.isnan(block.features[:, :2]).sum(axis=1).tolist() == [1] * len(block)
    assert set(block.address["hole"]) == {"A", "B"}
    shared = data | {"rgb/R": np.ones(9, "u1"), "rgb/depth": np.arange(9) * 0.1}
    with pytest.raises(ScanError, match=r"several holes \(hole A, B\), but not every instrument says"):
        rows(write_scan(shared))


@pytest.mark.parametrize("names", [("S1", "S2"), ("C1", "C2"), ("x/A", "x/B"), ("H1", "H2")], ids=str)
def test_groups_whose_names_say_nothing_are_refused(write_scan: WriteScan, names: tuple[str, ...]) -> None:
    path = write_scan(groups(*names))
    with pytest.raises(ScanError, match="could be any of"):
        rows(path)
    mapped = {"MS": "*/MS" if "/" not in names[0] else "x/*/MS"}
    if "/" in names[0]:  # letters are holes once it is known that both are wanted
        assert set(rows(path, mapping=mapped).address["hole"]) == {"A", "B"}
        return
    assert len(rows(path, mapping=mapped)) == 16  # one below the other
    again = {name: np.arange(15) * 0.1 if name.endswith("depth") else v for name, v in groups(*names).items()}
    with pytest.raises(ScanError, match="fall back to near 0 and rise again 2 times"):
        rows(write_scan(again), mapping=mapped)


def test_a_column_that_is_mapped_serves_no_other_feature(shared: Path) -> None:
    path = shared / "field/H7_one_column_two_features.h5"
    with pytest.raises(ScanError, match="a column serves once"):
        open_scan(path, {"MS": "R", "NGR": "log/b"}).__enter__()
    with open_scan(path) as scan:
        assert list(scan.sources) == [0]
