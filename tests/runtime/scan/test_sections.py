from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.runtime import ScanError
from lithovae.runtime.commands.run import app
from lithovae.runtime.features import LILY
from lithovae.runtime.rows.inspection import inspect_scan
from lithovae.runtime.rows.missing_policy import MissingPolicy
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.scan.section_depths import NOTHING_LOST, Lost
from lithovae.runtime.settings import Settings

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]

SECTIONS: dict[str, Any] = {
    "sections/core": np.array([1, 1, 2, 2], "i4"),
    "sections/section": np.array([b"1", b"CC", b"1", b"2"]),
    "sections/Top depth CSF-A (m)": np.array([0.0, 1.5, 9.5, 11.0]),
}
SAMPLES: dict[str, Any] = {
    "MST/MS": np.arange(5.0),
    "MST/core": np.array([2, 1, 1, 2, 2]),
    "MST/section": np.array([b"2", b"1", b"CC", b"01", b"1"]),
    "MST/Offset (cm)": np.array([15.0, 0.0, 5.0, 149.0, -999.0]),
}
PLACED = [11.15, 0.0, 1.55, 10.99, np.nan]


def depths(path: Path) -> Floats:
    with open_scan(path) as scan:
        return np.concatenate([s.depth for t in scan.tracks for s in t.stretches() if s.depth is not None])


@pytest.mark.parametrize("block_rows", [2, 65_536])
def test_samples_get_depths_by_section_and_offset(
    write_scan: WriteScan, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", block_rows)
    path = write_scan(SECTIONS | SAMPLES)
    np.testing.assert_allclose(depths(path), PLACED)
    with open_scan(path) as scan:
        (track,) = scan.tracks
        assert track.depth_text == "MST/Offset (cm), added to sections/Top depth CSF-A (m)"
        assert scan.unused == []


def test_a_table_of_sections_may_be_compound_and_in_other_units(write_scan: WriteScan) -> None:
    table = np.zeros(4, [("Core", "i4"), ("Sect", "S2"), ("top (cm)", "f4")])
    table["Core"], table["Sect"] = SECTIONS["sections/core"], SECTIONS["sections/section"]
    table["top (cm)"] = SECTIONS["sections/Top depth CSF-A (m)"] * 100
    np.testing.assert_allclose(depths(write_scan(SAMPLES | {"tables/summary": table})), PLACED)


def test_a_depth_that_starts_again_is_an_offset_if_there_is_a_table(write_scan: WriteScan) -> None:
    depth = np.tile(np.arange(0, 150, 10.0), 3)
    data = {"MS": np.ones(45), "depth": depth, "core": np.ones(45, int), "section": np.repeat([1, 2, 3], 15)}
    table = {"s/core": [1, 1, 1], "s/section": [1, 2, 3], "s/top": [100.0, 101.5, 103.0]}
    path = write_scan(data | table, {"depth": "cm", "s/top": "m"})
    np.testing.assert_allclose(depths(path), np.arange(45) * 0.1 + 100)
    with open_scan(path) as scan:
        assert (
            "depth: depths start again near 0 with each section (3 of 3): taken as offsets in the section" in scan.notes
        )
    data["depth"] = np.arange(45) * 0.1  # continues from section to section: below sea floor
    np.testing.assert_allclose(depths(write_scan(data | table)), data["depth"])


@pytest.mark.parametrize("name", ["depth", "offset"])
def test_a_group_per_section_gets_depths_too(write_scan: WriteScan, name: str) -> None:
    groups = [f"core_2/section_{i}" for i in (1, 2, 3)]
    data = {f"{group}/{column}": values for group in groups for column, values in (
        ("MS", np.ones(15)), (name, np.arange(0, 150, 10.0)))}  # fmt: skip
    table = {"s/core": [2, 2, 2], "s/section": [1, 2, 3], "s/top": [100.0, 101.5, 103.0]}
    path = write_scan(data | table, {f"{group}/{name}": "cm" for group in groups} | {"s/top": "m"})
    np.testing.assert_allclose(depths(path), np.arange(45) * 0.1 + 100)


def test_holes_are_looked_up_by_column_or_attribute(write_scan: WriteScan) -> None:
    holes = {name: np.tile(values, 2) for name, values in SECTIONS.items()}
    holes["sections/hole"] = np.repeat([b"A", b"B"], 4)
    holes["sections/Top depth CSF-A (m)"][4:] += 100
    by_attribute = write_scan(holes | SAMPLES, attrs={"MST@hole": "B"})
    np.testing.assert_allclose(depths(by_attribute), np.array(PLACED) + 100)
    by_column = write_scan(holes | SAMPLES | {"MST/hole": np.array([b"A", b"B", b"a", b"B", b"B"])})
    np.testing.assert_allclose(depths(by_column), [11.15, 100, 1.55, 110.99, np.nan])
    with pytest.raises(ScanError, match=r"gives core 1 section 1 two top depths, 0 m and 100 m"):
        depths(write_scan(holes | SAMPLES))


def test_samples_of_several_holes_need_a_table_that_distinguishes_them(write_scan: WriteScan) -> None:
    data = SECTIONS | SAMPLES | {"MST/hole": np.array([b"A", b"A", b"B", b"B", b"B"])}
    with pytest.raises(ScanError, match=r"from several holes \(A, B\), but .* has no hole column beside it"):
        depths(write_scan(data))


def test_rows_of_the_table_may_repeat_but_not_disagree(write_scan: WriteScan) -> None:
    twice = {name: np.append(values, values[:1]) for name, values in SECTIONS.items()}
    np.testing.assert_allclose(depths(write_scan(twice | SAMPLES)), PLACED)
    twice["sections/Top depth CSF-A (m)"][-1] = 0.5
    with pytest.raises(ScanError, match=r"the table of sections gives core 1 section 1 two top depths, 0 m and 0\.5 m"):
        depths(write_scan(twice | SAMPLES))


def test_unknown_sections_and_offsets_beyond_the_end_are_left_out_with_a_note(
    write_scan: WriteScan, tmp_path: Path
) -> None:
    data = SECTIONS | SAMPLES | {"sections/Curated length (m)": np.array([1.5, 0.2, 1.4, 1.5])}
    data["MST/section"] = np.array([b"7", b"1", b"CC", b"1", b"1"])
    path = write_scan(data)
    np.testing.assert_allclose(depths(path), [np.nan, 0.0, 1.55, np.nan, np.nan])
    done = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "emb.npz"), "--bin", "0.2"])
    assert done.exit_code == 0, done.output
    assert "3 samples without a depth left out (Magnetic susceptibility (instr. units) 3)" in done.stdout
    assert (
        "no depth for 1 sample of sections that are not in sections/Top depth CSF-A (m) (core 2 section 7)"
        in done.stdout
    )
    assert "no depth for 1 sample beyond the ends of their sections" in done.stdout


def test_bottoms_of_sections_give_their_lengths_too(write_scan: WriteScan) -> None:
    data = SECTIONS | SAMPLES | {"sections/Bottom depth CSF-A (m)": np.array([1.5, 1.7, 10.9, 12.5])}
    np.testing.assert_allclose(depths(write_scan(data)), [11.15, 0.0, 1.55, np.nan, np.nan])


def test_ambiguous_sections_are_refused(write_scan: WriteScan) -> None:
    other = {"track/R": np.ones(2), "track/depth": np.arange(2.0)}
    no_unit = {name.replace(" (cm)", ""): values for name, values in SAMPLES.items()}
    with pytest.raises(ScanError, match=r"MST/MS \(5 samples\) has no depth"):
        depths(write_scan(SECTIONS | no_unit | other))
    with pytest.raises(ScanError, match=r"and offset if there is a table of sections"):
        depths(write_scan(SAMPLES | other))
    no_section = {name: values for name, values in SAMPLES.items() if name != "MST/section"}
    with pytest.raises(ScanError, match=r"but no section to look up in sections/Top depth"):
        depths(write_scan(SECTIONS | no_section))
    two = {name.replace("sections", "again"): values for name, values in SECTIONS.items()}
    with pytest.raises(ScanError, match="could all be the top depths of sections"):
        depths(write_scan(SECTIONS | SAMPLES | two))


def test_instruments_are_combined_by_their_sections(write_scan: WriteScan, tmp_path: Path) -> None:
    camera = {"camera/R": np.ones(3), "camera/core": [2, 2, 2], "camera/section": [2, 2, 2]}
    path = write_scan(SECTIONS | SAMPLES | camera | {"camera/offset": [0.05, 0.15, 0.45]}, {"camera/offset": "m"})
    out = tmp_path / "emb.npz"
    done = CliRunner().invoke(app, [str(path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    with np.load(out) as arrays:
        np.testing.assert_allclose(arrays["depth"], [0.0, 1.6, 11.0, 11.2, 11.4])
        assert arrays["samples"][:, [1, 3]].tolist() == [[1, 0], [1, 0], [1, 1], [1, 1], [0, 1]]


def test_threads_may_share_section_depths(write_scan: WriteScan) -> None:
    rng, n = np.random.default_rng(0), 20_000
    core, offset = rng.integers(1, 60, n), rng.uniform(0, 1.4, n)
    table = {"s/core": np.arange(1, 50), "s/section": np.ones(49, int), "s/top": np.arange(1, 50) * 10.0}
    data = {"MS": np.ones(1), "core": [1], "section": [1], "offset": [0.0]}
    with open_scan(write_scan(table | data, {"offset": "m", "s/top": "m"})) as scan:
        section_depths = scan.tracks[0].section_depths
    assert section_depths is not None
    parts = {"core": core.astype(np.str_), "section": np.full(n, "1")}

    def depths_from(start: int) -> tuple[Floats, Lost]:
        some = slice(start, start + 50)
        return section_depths.of({part: texts[some] for part, texts in parts.items()}, offset[some])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(depths_from, range(0, n, 50)))
    depth, lost = np.concatenate([depth for depth, _ in found]), NOTHING_LOST
    for _, some in found:
        lost = lost.plus(some)
    np.testing.assert_allclose(depth, np.where(core < 50, core * 10 + offset, np.nan))
    assert lost.n_unknown == np.count_nonzero(core >= 50)
    assert len(lost.sections) == len(lost.names) == 10


@pytest.mark.parametrize("home", ["sections", "U1482A/sections"])
def test_groups_of_several_holes_need_a_table_that_distinguishes_them(write_scan: WriteScan, home: str) -> None:
    data = {name.replace("sections", home): values for name, values in SECTIONS.items()}
    data |= {name.replace("MST", "U1482B"): values for name, values in SAMPLES.items()}
    if home == "sections":
        np.testing.assert_allclose(depths(write_scan(data)), PLACED)
        data |= {name.replace("MST", "U1482A"): values for name, values in SAMPLES.items()}
    with pytest.raises(ScanError, match=r"from several holes \(U1482A, U1482B\), but .* has no hole column beside it"):
        depths(write_scan(data))


def test_a_table_of_discrete_samples_is_not_a_table_of_sections(write_scan: WriteScan) -> None:
    data = {"MST/MS": np.ones(3), "MST/depth": np.arange(3.0), "MST/core": np.ones(3, int)}
    mad = {"MAD/core": [1, 1], "MAD/section": [1, 1], "MAD/Offset (cm)": [10.0, 20.0], "MAD/Top depth (m)": [1, 2]}
    np.testing.assert_array_equal(depths(write_scan(data | mad)), np.arange(3.0))


def test_an_inspection_says_which_samples_have_no_depth(write_scan: WriteScan) -> None:
    path = write_scan(SECTIONS | SAMPLES | {"MST/section": np.array([b"7", b"1", b"CC", b"1", b"1"])})
    notes = inspect_scan(path, Settings(), MissingPolicy("nan", LILY))["notes"]
    assert "no depth for 1 sample of sections that are not in sections/Top depth CSF-A (m) (core 2 section 7)" in notes


def test_a_holes_full_name_finds_its_letter_in_the_table(write_scan: WriteScan) -> None:
    table = {name: np.tile(values, 2) for name, values in SECTIONS.items()}
    table["sections/hole"], table["sections/Top depth CSF-A (m)"][4:] = (
        np.repeat([b"A", b"B"], 4),
        [100, 101.5, 109, 111],
    )
    sites = {"sections/site": np.full(8, b"U1482")}
    for name, depth in (("U1482A", PLACED[1]), ("363-U1482B", 100.0)):
        data = table | {key.replace("MST", name): values for key, values in SAMPLES.items()}
        assert depths(write_scan(data))[1] == depth
        assert depths(write_scan(data | sites))[1] == depth
    other = {key.replace("MST", "U1483A"): values for key, values in SAMPLES.items()}
    assert np.isnan(depths(write_scan(table | sites | other))).all()
    with pytest.raises(ScanError, match=r"several sites \(U1482, U1483\), but .* has no site column beside it"):
        depths(write_scan(data | other))


def test_samples_without_a_section_are_counted_even_if_rows_are_dropped(write_scan: WriteScan, tmp_path: Path) -> None:
    n = 20
    data: dict[str, Any] = {name: np.full(n, 50.0) for name in ("density", "NGR", "R", "G", "B")}
    data |= {"MS": np.where(np.arange(n) == 3, np.nan, 5.0), "core": np.ones(n, int), "section": np.repeat([1, 9], 10)}
    data |= {"offset": np.tile(np.arange(10) * 0.1, 2), "s/core": [1], "s/section": [1], "s/top": [10.0]}
    path = write_scan(data, {"offset": "m", "s/top": "m"})
    done = CliRunner().invoke(app, [str(path), "--out", str(tmp_path / "emb.npz"), "--missing", "drop"])
    assert "note   no depth for 10 samples of sections that are not in s/top (core 1 section 9)" in done.stdout


def test_two_lengths_of_a_section_are_no_reason_for_a_note(write_scan: WriteScan) -> None:
    more = {"sections/Recovered length (m)": np.ones(4), "sections/Curated length (m)": np.ones(4)}
    with open_scan(write_scan(SECTIONS | SAMPLES | more)) as scan:
        assert not any("length" in note for note in scan.notes)


SITES = [b"U1482", b"U1482", b"U1483"]


@pytest.mark.parametrize(
    ("sections", "samples"),
    [
        ({"core": [b"1H", b"2H", b"2X"]}, {"core": [1, 2, 2], "type": [b"H", b"H", b"X"]}),
        ({"core": [1, 2, 2], "type": [b"H", b"H", b"X"]}, {"core": [b"1H", b"02h", b"2X"]}),
        ({"core": [b"1.0", b"b'2'", b"03"]}, {"core": [1.0, 2.0, 3.0]}),
        ({"hole": [b"U1482A", b"U1482B", b"U1483A"]}, {"hole": [b"A", b"B", b"A"], "site": SITES}),
        ({"hole": [b"A", b"B", b"A"], "site": SITES}, {"hole": [b"363-U1482A", b"U1482-B", b"U1483A"]}),
        ({"hole": [b"363-U1482A", b"U1482B", b"U1483A"]}, {"hole": [b"U1482A", b"U1482B", b"363-U1483A"]}),
    ],
    ids=str,
)  # fmt: skip
def test_labels_have_one_form_in_the_table_and_the_samples(
    write_scan: WriteScan, sections: dict[str, Any], samples: dict[str, Any]
) -> None:
    data: dict[str, Any] = {"s/section": [1] * 3, "s/top": [10.0, 20.0, 30.0]}
    data |= {"MST/MS": np.ones(3), "MST/section": [b"1", b"01", b"1.0"], "MST/offset": [0.1, 0.2, 0.3]}
    data |= {f"s/{part}": np.array(labels) for part, labels in sections.items()}
    data |= {f"MST/{part}": np.array(labels) for part, labels in samples.items()}
    path = write_scan(data, {"s/top": "m", "MST/offset": "m"})
    np.testing.assert_allclose(depths(path), [10.1, 20.2, 30.3])
