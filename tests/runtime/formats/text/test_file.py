from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lithovae.runtime import LithoModel, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.formats.text import file as text_file
from lithovae.runtime.scan import track
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.settings import Settings

WriteScan = Callable[..., Path]
DEPTH, DENSITY, MS = [0.1, 0.2, 0.3], [1.5, 1.625, 1.75], [10.0, -2.0, 33.0]
ROWS = [f"{depth},{density},{ms}" for depth, density, ms in zip(DEPTH, DENSITY, MS, strict=True)]
HEAD = "Depth (m),Bulk density (g/cm3),MS"
TABLE = "\n".join([HEAD, *ROWS, ""])
SEMICOLONS = TABLE.replace(",", ";").replace(".", ",")


def read(path: Path) -> tuple[Scan, list[float], list[float], list[float]]:
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        return scan, stretch.depth.tolist(), stretch.features[0].tolist(), stretch.features[1].tolist()


@pytest.mark.parametrize(
    "content",
    [
        TABLE.encode(),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.rstrip("\n").encode(),
        TABLE.encode("utf-8-sig"),
        SEMICOLONS.encode(),
        TABLE.replace(",", "\t").encode(),
        TABLE.replace(",", "|").encode(),
        TABLE.replace("Depth (m)", "Depth").replace("Bulk density (g/cm3)", "density").replace(",", "   ").encode(),
        TABLE.replace("Depth (m)", "Depth").replace("Bulk density (g/cm3)", "density").replace(",", "\t  ").encode(),
        SEMICOLONS.replace(";", "\t").encode(),
        TABLE.replace("Depth (m)", '"Depth (m)"').replace("MS", '"MS"').encode(),
        TABLE.replace("\n", ",\n").encode(),
        TABLE.replace("\n", "\n\n").encode(),
        "\n".join([HEAD, ROWS[0], HEAD, *ROWS[1:]]).encode(),
        ("Instrument: MSCL-S\n# operator = Jürgen\n\n" + TABLE).encode("latin-1"),
        ("Instrument: MSCL-S\n# operator = Jürgen\n\n" + TABLE).encode(),
        gzip.compress(TABLE.encode(), mtime=0),
        TABLE.replace("Depth (m),Bulk density (g/cm3),MS", "Depth,Density,MS\nm,g/cm3,").encode(),
        TABLE.replace("Depth (m),Bulk density (g/cm3),MS", "Depth,Density,MS\ncm,kg/m3,\n,,")
        .replace("0.1,1.5", "10,1500").replace("0.2,1.625", "20,1625").replace("0.3,1.75", "30,1750").encode(),
    ],
)  # fmt: skip
def test_however_it_is_written_the_numbers_are_the_same(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "core.txt"
    path.write_bytes(content)
    _, depth, density, ms = read(path)
    assert (depth, density, ms) == (DEPTH, DENSITY, MS)


BLANKS = TABLE.replace(",", " ").replace("Bulk density", "Density")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (BLANKS, ""),
        ("# " + BLANKS, ""),
        ("% Depth Density MS\n% (cm) (kg/m3) iu\n10 1500 10\n20 1625 -2\n30 1750 33\n", ""),
        ("m,g/cm3,iu\n" + TABLE.replace("Depth (m)", "Depth").replace("density (g/cm3)", "density"), ""),
        (TABLE.replace("(m)", "").replace("\n0.1", "\nm,,\n0.1"), ""),
        ("Depth,Density,MS\n,kg/m3,\n0.1,1500,10\n0.2,1625,-2\n0.3,1750,33\n", ""),
        (TABLE.replace("\n", "\nfloat,float,float\n", 1), ""),
        (TABLE.replace("\n", "\nwhere,how dense,how magnetic\n", 1), ""),
        ("cm,kg/m3,iu\nDepth,Density,MS\n10,1500,10\n20,1625,-2\n30,1750,33\n", ""),
        ("Depth,Density,MS,RGB,\ncm,kg/m3,,R,G\n10,1500,10,1,2\n20,1625,-2,3,4\n30,1750,33,5,6\n", ""),
        ("Depth,Density,MS\n(cm),[kg/m3],(iu)\n10,1500,10\n20,1625,-2\n30,1750,33\n", ""),
        (
            '"Depth" "Density" "MS"\n"1" 0.1 1.5 10\n"2" 0.2 1.625 -2\n"3" 0.3 1.75 33\n',
            "the first cell of each row is quoted and has no heading: taken as the name of the row, as R writes it",
        ),
        (
            '"Depth","Density","MS"\n"a",0.1,1.5,10\n"b",0.2,1.625,-2\n"c",0.3,1.75,33\n',
            "the first cell of each row is quoted and has no heading: taken as the name of the row, as R writes it",
        ),
        (TABLE.replace("-2.0", "-2.0\n# pause"), "1 line of the table begins with #: left out as a comment"),
        (TABLE + "Exported from LORE\n", "the last line ('Exported from LORE') holds no numbers: left out"),
        (TABLE + "END,,\n,,\nby me", "the last 2 lines ('END,,') hold no numbers: left out"),
        (TABLE + "0.4,1.", "the last line has 2 cells, fewer than any other, and no line end"),
        (TABLE.replace("\n", "\r") + "\n", ""),
        (HEAD + ",Remark\n" + "\n".join(f'{row},{i}" clast' for i, row in enumerate(ROWS)), ""),
        (HEAD + ",Remark\n" + f'{ROWS[0]},3" clast\n{ROWS[1]},\n{ROWS[2]},a "soft" one', ""),
    ],
)  # fmt: skip
def test_what_stands_around_the_numbers_neither_moves_nor_loses_them(tmp_path: Path, content: str, note: str) -> None:
    path = tmp_path / "core.txt"
    path.write_bytes(content.encode())
    scan, depth, density, ms = read(path)
    assert (depth, density, ms) == (DEPTH, DENSITY, MS)
    assert any(note in said for said in scan.notes) or not note, scan.notes


def test_a_unit_that_is_not_known_leaves_its_column_out_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    rows = "".join(f"{row}\n" for row in ROWS)
    path.write_text(f"Depth,Density,MS\n(m),(g/cm3),(10⁻⁵ SI)\n{rows}", encoding="utf-8")
    with open_scan(path) as scan:
        assert list(scan.sources) == [0]
        assert any("MS looks like" in note and "its unit '10⁻⁵ SI' is not instr. units" in note for note in scan.notes)


def test_a_table_may_begin_with_sparse_rows(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    whole = [f"A,{i},1.5,20,3,4,5" for i in range(4, 20)]
    path.write_text(
        "\n".join(["hole,depth (m),density,MS,Vp (m/s),Res,FP", "A,1,1.25,,,,", "A,2,,,,,", "A,3,,7,,,", *whole])
    )
    _, depth, density, ms = read(path)
    assert depth[:4] == [1, 2, 3, 4]
    np.testing.assert_array_equal(density[:4], [1.25, np.nan, np.nan, 1.5])
    np.testing.assert_array_equal(ms[:4], [np.nan, np.nan, 7, 20])


def test_a_table_in_text_has_the_bits_of_one_in_hdf5(tmp_path: Path, write_scan: WriteScan) -> None:
    rng = np.random.default_rng(5)
    data: dict[str, Any] = {
        name: np.asarray(rng.uniform(0, 200, 3000).round(i), np.float64) for i, name in enumerate(("R", "G", "B", "MS"))
    }
    data |= {"density": rng.uniform(1, 3, 3000), "depth": np.arange(3000) * 0.013}
    data["MS"][::7] = np.nan
    lines = [
        ",".join("" if value != value else repr(value) for value in row)
        for row in zip(*map(np.ndarray.tolist, data.values()), strict=True)
    ]
    path = tmp_path / "scan.csv"
    path.write_text("\n".join([",".join(data), *lines]), encoding="utf-8")
    model = LithoModel.load("semisup_hybrid")
    found = []
    for scan in (path, write_scan(data)):
        embed_scan(scan, tmp_path / "out.npz", model)
        with np.load(tmp_path / "out.npz") as arrays:
            found.append({name: arrays[name].tobytes() for name in ("embeddings", "depth", "missing", "implausible")})
    assert found[0] == found[1]


def test_blocks_are_cut_at_rows_whatever_stands_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, lines = "depth,MS,comment", [f'{i * 0.01:.2f},{i},"a ""quoted"", comment\nof two lines"' for i in range(500)]
    lines.insert(100, "")
    lines.insert(200, head)
    lines.insert(300, ",,")
    path = tmp_path / "core.csv"
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    for piece, rows in ((64, 7), (1 << 20, 64), (997, 500)):
        monkeypatch.setattr(text_file, "PIECE", piece)
        monkeypatch.setattr(text_file, "BLOCK_ROWS", rows)
        with open_scan(path) as scan:
            stretches = list(scan.tracks[0].stretches())
        assert np.concatenate([stretch.features[1] for stretch in stretches]).tolist() == list(range(500))


def test_a_cell_that_is_no_number_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    path.write_text(TABLE.replace("1.625", "1.6 25") * 1 + "0.4,1.5,2\n" * 10, encoding="utf-8")
    with pytest.raises(
        ScanError, match=r"core\.csv: line 3: column Bulk density .* holds '1\.6 25', not a number: corr"
    ):
        read(path)
    path.write_text(TABLE.replace("1.625", "n.d.").replace("-2.0", " NaN "), encoding="utf-8")
    _, _, density, ms = read(path)
    np.testing.assert_array_equal([density, ms], [[1.5, np.nan, 1.75], [10, np.nan, 33]])


def test_an_address_stands_in_columns_or_above_the_table(tmp_path: Path) -> None:
    path = tmp_path / "core.csv"
    path.write_text("Hole: U1482A\nCore: 3\n" + TABLE, encoding="utf-8")
    with open_scan(path) as scan:
        assert scan.address == {"hole": "U1482A", "core": "3"}
    path.write_text("Hole," + TABLE.replace("\n0", "\nA,0"), encoding="utf-8")
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.address["hole"].tolist() == ["A"] * 3


def test_a_file_that_becomes_shorter_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "core.csv"
    path.write_text("depth,MS\n" + "".join(f"{i},{i}\n" for i in range(1000)), encoding="utf-8")
    monkeypatch.setattr(text_file, "BLOCK_ROWS", 100)
    monkeypatch.setattr(track, "BLOCK_ROWS", 100)
    with open_scan(path) as scan:
        stretches = scan.tracks[0].stretches()
        next(stretches)
        path.write_text("depth,MS\n0,0\n", encoding="utf-8")
        with pytest.raises(ScanError, match="became shorter while it was read"):
            list(stretches)


def test_what_stands_for_no_reading_is_missing_before_anything_is_averaged(
    tmp_path: Path, write_scan: WriteScan
) -> None:
    data = {
        "depth": np.arange(40) * 0.05,
        "MS": np.where(np.arange(40) % 4, 10.0, -999.25),
        "density": np.full(40, 1e30),
    }
    data["density"][::2], data["depth"][-1] = 1.7, -999.25
    path = tmp_path / "core.csv"
    rows = zip(*map(np.ndarray.tolist, data.values()), strict=True)
    path.write_text("\n".join([",".join(data), *(",".join(map(repr, row)) for row in rows)]), encoding="utf-8")
    found = []
    for scan in (path, write_scan(data)):
        embed_scan(scan, tmp_path / "out.npz", LithoModel.load("semisup_hybrid"), Settings(bin_width=0.2))
        with np.load(tmp_path / "out.npz") as arrays:
            found.append({name: arrays[name].tobytes() for name in ("embeddings", "depth", "missing", "samples")})
            assert arrays["samples"][1, :2].tolist() == [1, 2]
    assert found[0] == found[1]


def test_a_table_that_may_end_in_half_a_row_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "core.csv").write_text(TABLE, encoding="utf-8")
    with pytest.raises(
        ScanError, match=r"core\.csv: a table in text cannot be followed: its last line may be half a row"
    ):
        with open_scan(tmp_path / "core.csv", locking=False):
            pass


def test_rows_of_words_after_one_of_numbers_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "core.csv").write_text("a,b\n1,2\nx,y\nx,y\n1,2\nx,y\nx,y\n" * 3, encoding="utf-8")
    with pytest.raises(ScanError, match=r"core\.csv: "):
        with open_scan(tmp_path / "core.csv"):
            pass
