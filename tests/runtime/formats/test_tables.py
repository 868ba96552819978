from __future__ import annotations

import builtins
import datetime
import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from lithovae.runtime import LithoModel, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.process.progress import silent
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan

NAMES = ["Hole", "Core", "Depth", "Bulk density", "MS"]
UNITS = ["", "", "cm", "kg/m3", "instr. units"]
ROWS: list[list[Any]] = [
    ["A", 3, 10.0, 1512.5, 17.25],
    ["A", 3, 12.5, None, -2],
    ["A", 4, 31.0, 1799.1, None],
    ["A", 4, 33.3, -999.25, 0.1],
]
LAS = """~Version
VERS. 2.0 : LAS
WRAP. NO :
~Well
STRT.F 1.0 :
STOP.F 3.0 :
STEP.F 1.0 :
NULL. -111 :
WELL. 926B : name
~Curve
DEPT.F : depth
RHOB.G/C3 : density
KAPPA.IU : susceptibility
~ASCII
1.0 1.5 -111
2.0 -111 7.25
3.0 1.7 8
"""
Write = Callable[[Path], None]


def write_csv(path: Path) -> None:
    lines = [NAMES, UNITS, *ROWS]
    path.write_text("\n".join(",".join("" if cell is None else str(cell) for cell in line) for line in lines) + "\n")


def write_xlsx(path: Path, *, sheets: tuple[str, ...] = ("MSCL",)) -> None:
    with xlsxwriter.Workbook(path) as book:
        for name in sheets:
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["Instrument:", 'MSCL "S"'])
            sheet.write_datetime(0, 2, datetime.datetime(2020, 2, 24))
            sheet.write_row(2, 0, NAMES)
            sheet.write_row(3, 0, UNITS)
            for i, row in enumerate(ROWS):
                sheet.write_row(4 + i, 0, row)
        book.add_worksheet("Remarks").write_row(0, 0, ["nothing", "here"])


def write_las(path: Path) -> None:
    path.write_text("# from a repository\n" + LAS)


def write_parquet(path: Path) -> None:
    fields = [
        pa.field("Hole", pa.dictionary(pa.int8(), pa.string())),
        pa.field("Core", pa.int32()),
        *(
            pa.field(name, pa.float64(), metadata={"units": unit})
            for name, unit in zip(NAMES[2:], UNITS[2:], strict=True)
        ),
        pa.field("When", pa.timestamp("s")),
    ]
    columns = [list(column) for column in zip(*ROWS, strict=True)]
    table = pa.Table.from_arrays(
        [
            pa.array(values, field.type)
            for values, field in zip([*columns, [datetime.datetime(2020, 2, 24)] * 4], fields, strict=True)
        ],
        schema=pa.schema(fields),
    )
    pq.write_table(table, path, row_group_size=3)


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=2)


@pytest.mark.parametrize("write", [write_xlsx, write_parquet])
def test_it_gives_the_bits_of_the_csv(tmp_path: Path, model: LithoModel, write: Write) -> None:
    write(tmp_path / "any name")
    write_csv(tmp_path / "core.csv")
    results = []
    for name in ("any name", "core.csv"):
        embed_scan(tmp_path / name, tmp_path / "emb.npz", model)
        with np.load(tmp_path / "emb.npz") as result:
            results.append({key: result[key] for key in result.files if key != "about"})
    assert results[0].keys() == results[1].keys()
    for key, values in results[1].items():
        assert np.array_equal(results[0][key], values, equal_nan=values.dtype.kind == "f"), key
    assert results[0]["core"].tolist() == ["3", "3", "4", "4"]
    assert results[0]["depth"].tolist() == pytest.approx([0.1, 0.125, 0.31, 0.333])
    assert (results[0]["missing"] & 3).tolist() == [0, 1, 2, 1]


def test_las_curves_have_units_null_values_and_a_well(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_las(path)
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert scan.address == {"hole": "926B"}
        assert stretch.depth is not None
        assert stretch.depth.tolist() == pytest.approx([0.3048, 0.6096, 0.9144])
        assert np.array_equal(stretch.features[0], [1.5, np.nan, 1.7], equal_nan=True)
        assert np.array_equal(stretch.features[1], [np.nan, 7.25, 8], equal_nan=True)


def wrapped(text: str) -> str:
    head, data = text.replace("WRAP. NO", "WRAP. YES").split("~ASCII\n")
    return head + "~ASCII\n" + data.replace(" ", "\n  ", 1).replace("3.0 1.7 8", "3.0\n1.7 8")


def delimited(text: str, mark: str, delimiter: str) -> str:
    head, data = text.replace("WRAP. NO :", f"WRAP. NO :\nDLM. {mark} :").split("~ASCII\n")
    return head + "~ASCII\n" + data.replace(" ", delimiter)


@pytest.mark.parametrize(
    "text",
    [
        wrapped(LAS),
        delimited(LAS, "COMMA", ","),
        delimited(LAS, "TAB", "\t"),
        delimited(LAS, "SPACE", "   "),
        LAS.partition("~ASCII")[0] + "~ASCII" + LAS.partition("~ASCII")[2].replace(" ", ","),
        LAS.partition("~ASCII")[0] + "~ASCII" + LAS.partition("~ASCII")[2].replace(".", ","),
        LAS.replace("\n", "\r\n"),
        LAS.replace("2.0 -111", "# a comment\n2.0 -"),
        LAS.replace("DEPT.F :", "DEPT. :"),
        LAS.replace(": name", ": der Name, Süd"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_las_is_read_however_it_is_written(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "log").write_bytes(text.encode(encoding))
    with open_scan(tmp_path / "log") as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        assert stretch.depth.tolist() == pytest.approx([0.3048, 0.6096, 0.9144])
        assert np.array_equal(stretch.features[0], [1.5, np.nan, 1.7], equal_nan=True)
        assert np.array_equal(stretch.features[1], [np.nan, 7.25, 8], equal_nan=True)


def test_a_parquet_column_that_cannot_be_read_is_still_known(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"Depth (m)": [0.1, 0.1], "MS": [1.0, 2.0], "Hole": [b"A", b"B"], "density": [None, None]}
    pq.write_table(pa.table(columns), tmp_path / "core.parquet")
    with open_scan(tmp_path / "core.parquet") as scan:
        assert any("Hole holds binary, which cannot be read as labels" in note for note in scan.notes)
        assert np.isnan(scan.tracks[0].read((0, 2)).features[0]).all()
        with pytest.raises(ScanError, match="Hole holds binary"):
            rows_of(scan, silent, 0.2, 1)


def test_each_sheet_is_a_table(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "core.xlsx", sheets=("A", "B"))
    with open_scan(tmp_path / "core.xlsx", {"MS": "B/MS", "density": "A/Bulk density"}) as scan:
        assert [track.depth_text for track in scan.tracks] == ["A/Depth (cm)", "B/Depth (cm)"]
        assert any(note.startswith("sheet Remarks: ") and note.endswith("left out") for note in scan.notes)


def test_row_groups_are_read_across_their_ends(tmp_path: Path, features: Any) -> None:
    columns = {"depth": np.arange(1000) / 100, "MS": features[:, 1], "density": features[:, 0].astype(np.float32)}
    pq.write_table(pa.table(columns), tmp_path / "core.parquet", row_group_size=77)
    with open_scan(tmp_path / "core.parquet") as scan:
        track = scan.tracks[0]
        stretch = track.read((70, 400))
        assert np.array_equal(stretch.features[1], features[70:400, 1])
        assert stretch.features[0].dtype == np.float32
        assert track.block_rows % 77 == 0


@pytest.mark.parametrize("library", ["lasio", "python_calamine", "pyarrow"])
def test_without_its_library_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    path = tmp_path / "core"
    writers: dict[str, Write] = {
        "lasio": write_las,
        "python_calamine": write_xlsx,
        "pyarrow": write_parquet,
    }
    writers[library](path)
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    message = rf"which needs {library.replace('_', '-')}: pip install 'lithovae\[tables\]'"
    with pytest.raises(ScanError, match=message), open_scan(path):
        pass


def damaged() -> dict[str, tuple[Callable[[Path], object], str]]:
    def cut(write: Write) -> Callable[[Path], object]:
        def write_cut(path: Path) -> None:
            write(path)
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

        return write_cut

    def empty_book(path: Path) -> None:
        xlsxwriter.Workbook(path).close()

    def broken_book(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("xl/workbook.xml", "<not xml")

    return {
        "a cut Parquet file": (cut(write_parquet), "the Parquet file cannot be read"),
        "a Parquet file of one mark": (lambda path: path.write_bytes(b"PAR1"), "the Parquet file cannot be read"),
        "a cut workbook": (cut(write_xlsx), "is not an HDF5 file"),
        "a workbook without a table": (empty_book, "not a table|no table|no lines|empty"),
        "a broken workbook": (broken_book, "the spreadsheet cannot be read"),
        "an old workbook of nothing": (
            lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
            "the spreadsheet cannot be read",
        ),
        "a LAS file without curves": (lambda path: path.write_text("~V\nVERS. 2.0 :\n"), "LAS file"),
        "a LAS file without names": (
            lambda path: path.write_text("~V\nVERS. 2.0 :\n~A\n1 2\n3 4\n"),
            "does not name its curves: it needs a section ~Curve",
        ),
        "a LAS file with a word among its numbers": (
            lambda path: path.write_text(LAS.replace("7.25", "seven")),
            "KAPPA holds text|KAPPA .*not numbers|holds text",
        ),
        "a LAS file with a short line": (
            lambda path: path.write_text(LAS.replace(" 7.25", "")),
            "line 16 has 2 values, but the LAS file names 3 curves",
        ),
        "a LAS file whose short lines make up whole rows": (
            lambda path: path.write_text(LAS.replace(" 7.25", "").replace(" -111\n", "\n").replace(" 8\n", "\n")),
            "line 15 has 2 values, but",
        ),
        "a LAS file with a column too many": (
            lambda path: path.write_text(LAS.replace("7.25", "7.25 7").replace("7 8", "7 8 9")),
            "line 16 has 4 values",
        ),
        "a LAS file of two sections of data": (
            lambda path: path.write_text(LAS + "~ASCII\n9.0 1.5 3\n"),
            "has 2 sections of data",
        ),
        "a LAS file in metres and feet": (
            lambda path: path.write_text(LAS.replace("STRT.F", "STRT.M")),
            "the index DEPT is in ft by its curve, but in M by STRT",
        ),
        "a LAS file in gzip": (lambda path: path.write_bytes(gzip.compress(LAS.encode())), "a LAS file that gzip"),
    }


@pytest.mark.parametrize("fault", damaged())
def test_a_damaged_file_is_one_line(tmp_path: Path, fault: str) -> None:
    write, message = damaged()[fault]
    write(tmp_path / "core")
    with pytest.raises(ScanError, match=message) as caught, open_scan(tmp_path / "core") as scan:
        pytest.fail(str(scan.notes))
    assert "\n" not in str(caught.value)
