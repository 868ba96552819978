from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime import InputError, LithoModel, OutputError, ScanError
from lithovae.runtime.commands import packing
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.commands.pack import app
from lithovae.runtime.commands.packing import Packed, pack_scans
from lithovae.runtime.features import CATALOGUE
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]
Result = dict[str, Any]
GRA = ("Hole,Core,Section,Depth CSF-A (m),Density (kg/m3)", "A,1,1,0.1,1712.3", "A,1,1,0.3,1699.1", "A,1,2,1.7,1801.7")
MS = ("Hole,Core,Sect,Depth CSF-A (m),MS", "A,1,1,0.11,17", "A,1,2,1.69,-2.5")
RGB = ("Hole,depth_cm,R,G,B", "A,10,101.1,99,98", "A,11,102,99.3,97", "A,170,80,81,82")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_table(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    return write_table


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


@pytest.fixture
def embed(tmp_path: Path, model: LithoModel) -> Callable[[Path], Result]:
    def run(scan: Path) -> Result:
        embed_scan(scan, tmp_path / "emb.npz", model)
        with np.load(tmp_path / "emb.npz") as result:
            return {name: result[name] for name in result.files if name != "about"}

    return run


def moved(line: str, hole: str) -> str:
    return line.replace("A,", f"{hole},", 1)


def pack(tmp_path: Path, *files: Path) -> tuple[Path, Packed]:
    return tmp_path / "packed.h5", pack_scans(files, tmp_path / "packed.h5")


def test_the_files_of_a_hole_give_the_bits_of_one_scan(
    write: Callable[..., Path], write_scan: WriteScan, embed: Callable[[Path], Result], tmp_path: Path
) -> None:
    packed, _ = pack(tmp_path, write("GRA.csv", *GRA), write("MS.csv", *MS), write("RGB.csv", *RGB))
    hole = {f"{group}/hole": [b"A"] * n for group, n in (("GRA", 3), ("MS", 2), ("RGB", 3))}
    sections = {"GRA/core": [1, 1, 1], "GRA/section": [1, 1, 2], "MS/core": [1, 1], "MS/section": [1, 2]}
    one = write_scan(
        {
            "GRA/Depth CSF-A (m)": [0.1, 0.3, 1.7],
            "GRA/density": [1712.3, 1699.1, 1801.7],
            "MS/Depth CSF-A (m)": [0.11, 1.69],
            "MS/MS": [17.0, -2.5],
            "RGB/depth_cm": [10.0, 11.0, 170.0],
            "RGB/R": [101.1, 102, 80],
            "RGB/G": [99, 99.3, 81],
            "RGB/B": [98.0, 97, 82],
            **hole,
            **sections,
        },
        units={"GRA/density": "kg/m3"},
    )
    found, expected = embed(packed), embed(one)
    assert len(found["depth"]) == 3
    for name, values in expected.items():
        assert np.array_equal(found[name], values, equal_nan=values.dtype.kind == "f"), name


def test_one_table_keeps_its_rows(
    write: Callable[..., Path], embed: Callable[[Path], Result], tmp_path: Path, features: Any
) -> None:
    lines = [",".join(map(repr, [i / 100, *row])) for i, row in enumerate(features[:200].tolist())]
    table = write("all.csv", "Depth (m),density,MS,NGR,R,G,B", *lines)
    found, expected = embed(pack(tmp_path, table)[0]), embed(table)
    assert len(found["embeddings"]) == 200
    assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_columns_name_their_source_and_unit(write: Callable[..., Path], tmp_path: Path) -> None:
    packed, said = pack(tmp_path, write("GRA.csv", GRA[0] + ",Remark", *(f"{row},x" for row in GRA[1:])))
    with h5py.File(packed) as file:
        columns = {name: (column.attrs["source"], column.attrs.get("units")) for name, column in file["GRA"].items()}
        about = json.loads(file.attrs["about"])
    assert columns == {
        "Bulk density (GRA)": ("GRA.csv: Density (kg/m3)", "g/cm3"),
        "Depth CSF-A (m)": ("GRA.csv: Depth CSF-A (m)", "m"),
        "hole": ("GRA.csv: Hole", None),
        "core": ("GRA.csv: Core", None),
        "section": ("GRA.csv: Section", None),
    }
    assert about["packed_from"] == ["GRA.csv"]
    assert said.notes == ["GRA.csv: left out: Remark"]


def test_sections_in_another_file_give_the_depths(
    write: Callable[..., Path], embed: Callable[[Path], Result], tmp_path: Path
) -> None:
    gra = write("GRA.csv", "Hole,Core,Section,Offset (cm),density", "A,1,1,10,1.5", "A,1,2,20,1.7", "B,1,1,30,1.9")
    sections = write(
        "sections.csv",
        "Hole,Core,Section,Top depth CSF-A (m),Curated length (m)",
        "A,1,1,0,1.5",
        "A,1,2,1.5,1.5",
        "B,1,1,4,1.5",
    )
    packed, _ = pack(tmp_path, gra, sections)
    found = embed(packed)
    assert found["depth"].tolist() == pytest.approx([0.1, 1.7, 4.3])
    assert found["hole"].tolist() == ["A", "A", "B"]


def test_the_same_instrument_of_two_holes_is_one_table(
    write: Callable[..., Path], embed: Callable[[Path], Result], tmp_path: Path
) -> None:
    b = write("B.csv", MS[0].replace("Sect", "Section"), *(moved(row, "B") for row in MS[1:]))
    files = [write("A.csv", *MS), b, write("GRA.csv", *GRA), write("GRA_B.csv", GRA[0], moved(GRA[1], "B"))]
    packed, said = pack(tmp_path, *files)
    assert [(name, n, sources) for name, _, n, sources in said.groups] == [
        ("GRA", 4, ["GRA.csv", "GRA_B.csv"]),
        ("MS", 4, ["A.csv", "B.csv"]),
    ]
    found = embed(packed)
    assert found["hole"].tolist().count("B") == 3
    with h5py.File(packed) as file:
        assert file["MS/section"].asstr()[:].tolist() == ["1", "2", "1", "2"]
        assert list(file["MS/section"].attrs["source"]) == ["A.csv: Sect", "B.csv: Section"]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([MS, MS], "both hold Magnetic susceptibility .instr. units. of hole A: leave one out"),
        ([MS, ("Depth CSF-A (m),MS", "0.1,5")], "^[^:]*0.csv and [^:]* only one of them has a column core and section"),
        ([("Depth (m),MS", "0.1,5"), ("Depth (m),MS", "0.2,6")], "of a hole that neither names: leave one out"),
        (
            [MS, (MS[0], moved(MS[1], "B")), ("Depth (m),density", "0.1,1.5")],
            "2.csv does not say which hole its rows are from, and the files are of several .A, B.",
        ),
        (
            [MS, ("Hole,Core,Sect,Offset (cm),MS", "B,1,1,20,5")],
            "located by Depth CSF-A .m., those of the other by Offset: pack them separately",
        ),
        (
            [MS, ("Hole,Core,Sect,Depth CCSF (m),MS", "B,1,1,20,5")],
            "located by Depth CSF-A .m., those of the other by Depth CCSF .m.",
        ),
        (
            [("Core,Sect,Offset (cm),MS", "1,1,5,5"), ("Depth (m),density", "0.1,1.5")],
            "packed.h5: .*has no depth",
        ),
        ([("Hole,Core,Section,Top depth (m)", "A,1,1,0.5")], "packed.h5: none of the features"),
        ([MS, ("Depth (m),Remark", "0.1,7")], "1.csv: none of the features"),
    ],
)
def test_what_is_no_scan_together_is_refused_and_nothing_written(
    write: Callable[..., Path], tmp_path: Path, tables: list[tuple[str, ...]], message: str
) -> None:
    files = [write(f"{i}.csv", *lines) for i, lines in enumerate(tables)]
    (tmp_path / "packed.h5").write_text("an earlier one")
    with pytest.raises(ScanError, match=message):
        pack(tmp_path, *files)
    assert (tmp_path / "packed.h5").read_text() == "an earlier one"
    assert len(list(tmp_path.iterdir())) == len(files) + 1


def test_u1482a_is_hole_a_of_site_u1482(write: Callable[..., Path], tmp_path: Path) -> None:
    site = write("site.csv", "Site,Hole,Depth (m),MS", "U1482,A,0.1,5")
    whole = write("whole.csv", "Hole,Depth (m),MS", "U1482A,0.1,5")
    with pytest.raises(ScanError, match="both hold"):
        pack(tmp_path, site, whole)


def test_names_of_files(write: Callable[..., Path], tmp_path: Path) -> None:
    table = write("MS.csv", *MS)
    with pytest.raises(InputError, match="given twice"):
        pack_scans([table, table], tmp_path / "scan.h5")
    with pytest.raises(OutputError, match=r"must end in \.h5 or \.hdf5"):
        pack_scans([table], tmp_path / "scan.npz")
    packed, _ = pack(tmp_path, table)
    with pytest.raises(OutputError, match="would replace"):
        pack_scans([packed, write("GRA.csv", *GRA)], packed)
    assert pack_scans([packed, tmp_path / "GRA.csv"], tmp_path / "both.h5").groups[0][0] == "GRA"


GEOTEK_MS = ("Hole,Depth (m),MS1", ",,SI x 10^-5", "A,0.11,17", "A,1.69,-2.5")


@pytest.mark.parametrize(
    "mapping",
    [[("MS", "MS1")], [("MS", "MS.csv:MS1")], [("MS", "MS.csv:2")], [("MS", "*S1")]],
)
def test_a_column_is_mapped_and_named_as_source(
    write: Callable[..., Path], tmp_path: Path, mapping: list[tuple[str, str]]
) -> None:
    files = [write("MS.csv", *GEOTEK_MS), write("GRA.csv", *GRA)]
    said = pack_scans(files, tmp_path / "scan.h5", None, mapping)
    assert [name for name, *_ in said.groups] == ["GRA", "MS"]
    with h5py.File(tmp_path / "scan.h5") as file:
        column = file["MS/Magnetic susceptibility (instr. units)"]
        assert column[:].tolist() == [17, -2.5]
        assert column.attrs["source"] == "MS.csv: MS1 (SI x 10^-5), as mapped"
    assert any("as mapped, although its unit is 'SI x 10^-5'" in note for note in said.notes)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("2", r"--map: MS=2 needs a file, as in --map MS=GRA.csv:2"),
        ("MS9", "--map: no file has the column 'MS9', mapped to MS"),
        ("other.csv:MS1", "--map: no file has the column 'other.csv:MS1'"),
    ],
)
def test_a_mapped_column_is_that_of_a_file(
    write: Callable[..., Path], tmp_path: Path, entry: str, message: str
) -> None:
    files = [write("GRA.csv", *GRA), write("MS.csv", *MS)]
    with pytest.raises(InputError, match=message):
        pack_scans(files, tmp_path / "scan.h5", None, [("MS", entry)])
    assert not (tmp_path / "scan.h5").exists()


def test_a_table_without_headings_is_mapped_by_numbers(write: Callable[..., Path], tmp_path: Path) -> None:
    files = [write("GRA.csv", *GRA), write("ngr.dat", "1 0.1 30", "1 0.2 31", "1 1.7 33")]
    arguments = ["--map", "NGR=ngr.dat:2", "--map", "depth=ngr.dat:1", "--out", str(tmp_path / "scan.h5")]
    done = CliRunner().invoke(app, [*map(str, files), *arguments])
    assert done.exit_code == 0, done.output
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["NGR/NGR total counts (cps)"][:].tolist() == [30, 31, 33]
        assert file["NGR/depth"][:].tolist() == [0.1, 0.2, 1.7]


def test_a_file_that_changes_while_it_is_packed_is_noticed(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, real = write("MS.csv", *MS), packing._write

    def write_and_change(*arguments: Any) -> None:
        real(*arguments)
        write("MS.csv", *MS, "A,1,2,1.75,9")

    monkeypatch.setattr(packing, "_write", write_and_change)
    with pytest.raises(ScanError, match=r"MS\.csv changed from \d+ to \d+ bytes while it was read"):
        pack(tmp_path, table)
    assert not (tmp_path / "packed.h5").exists()


def test_eight_files_of_a_real_site(
    shared_scans: Path, write: Callable[..., Path], embed: Callable[[Path], Result], tmp_path: Path
) -> None:
    tables = shared_scans.parent / "tables"
    names = {"H": "Hole", "Cor": "Core", "T": "Type", "Sc": "Section", "Sec": "Section"}
    names["Magnetic Suscept."] = "Magnetic susceptibility"
    files = []
    for path in sorted(tables.glob("883*.csv")):
        head, *lines = path.read_text(encoding="utf-8-sig").splitlines()
        files.append(write(path.name, ",".join(names.get(name, name) for name in head.split(",")), *lines))
    done = CliRunner().invoke(app, [*map(str, files), "--out", str(tmp_path / "883.h5")])
    assert done.exit_code == 0, done.output
    assert "packed cores      158 rows from 883_summary.csv: Top depth CSF-A (m)" in done.stdout
    found = embed(tmp_path / "883.h5")
    assert len(found["depth"]) == 638
    assert sorted(set(found["hole"].tolist())) == ["A", "B", "C", "D"]


WITH_VELOCITY = {
    "GRA.csv": ("Depth (m),Density,Vp", "0.1,1.7,1500", "0.3,1.8,1510"),
    "MS.csv": ("Depth (m),MS,Vp", "0.1,17,1600", "0.3,18,1610"),
}


def test_a_quantity_that_nobody_asked_for_does_not_keep_files_apart(
    write: Callable[..., Path], embed: Callable[[Path], Result], tmp_path: Path
) -> None:
    files = [write(name, *lines) for name, lines in WITH_VELOCITY.items()]
    packed, done = pack(tmp_path, *files)
    assert [group[:2] for group in done.groups] == [
        ("GRA", ["Bulk density (GRA)", "depth"]),
        ("MS", ["Magnetic susceptibility (instr. units)", "depth"]),
    ]
    assert (
        "P-wave velocity is in GRA.csv:Vp, MS.csv:Vp, which cannot be one column: left out unless mapped, "
        "as with --map 'Vp=GRA.csv:Vp'"
    ) in done.notes
    assert len(embed(packed)["embeddings"]) == 2
    mapped = pack_scans(files, tmp_path / "mapped.h5", mapping=[("Vp", "MS.csv:Vp")])
    assert [group[0] for group in mapped.groups] == ["GRA", "MS_Vp"]
    with h5py.File(tmp_path / "mapped.h5") as file:
        assert file["MS_Vp/P-wave velocity"][:].tolist() == [1600, 1610]


def test_files_of_which_nothing_can_be_packed_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    files = [write(name, "Depth (m),Fe area", "0.1,17", "0.3,18") for name in ("10kV.csv", "30kV.csv")]
    with pytest.raises(
        ScanError, match=r"nothing is left to pack: Fe \(XRF\) is in 10kV.csv:Fe area, 30kV.csv:Fe area"
    ):
        pack(tmp_path, *files)


def test_symbols_and_tables_without_depth_do_not_disturb(
    write: Callable[..., Path], write_scan: WriteScan, tmp_path: Path
) -> None:
    flags = write("flags.csv", "Depth (m),Density (g/cc),Y,S,K (wt%),V (a)", "0.1,1.7,3,a,0.2,1", "0.3,1.8,4,b,0.3,2")
    _, done = pack(tmp_path, flags)
    assert done.notes == ["flags.csv: left out: Y, S, V (a)"]
    path = write_scan({"depth_m": [0.1, 0.3], "density": [1.7, 1.8], "disc/Vp": [1500.0, 1510, 1520]})
    packed, _ = pack(tmp_path, path)
    with open_scan(packed, features=CATALOGUE) as scan:
        assert scan.with_found().feature_set.names == ("Bulk density (GRA)",)
        assert "Vp/P-wave velocity (3 samples) has no depth in or above its group: left out" in scan.notes
    with (
        pytest.raises(ScanError, match="has no depth"),
        open_scan(packed, {"Vp": "Vp/P-wave velocity"}, features=CATALOGUE),
    ):
        pass
