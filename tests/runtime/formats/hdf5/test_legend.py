"""Stored codes are resolved to what they stand for, or refused; they are never taken for a value or a label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import tables

from lithovae.runtime import ScanError
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import BinWidth

pytestmark = pytest.mark.filterwarnings("ignore")
N = 40
DEPTH = np.tile(np.arange(N // 2) * 0.1, 2)
MS = np.arange(N) + 1.0
HOLE = np.repeat(["A", "B"], N // 2)


def rows(path: Path, bin_width: BinWidth = 0.2) -> Block:
    with open_scan(path) as scan:
        (read,) = rows_of(scan, lambda items, label, total, size: items, bin_width).blocks
        return read()


def h5_enum(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["MS"], file["depth"] = MS, DEPTH
        dtype = h5py.enum_dtype({"A": 7, "B": 2}, "u1")
        file.create_dataset("hole", data=np.where(HOLE == "A", 7, 2), dtype=dtype, chunks=(16,), compression="gzip")


def enum_field(path: Path) -> None:
    table = np.zeros(N, [("MS", "f8"), ("depth", "f8"), ("hole", h5py.enum_dtype({"A": 7, "B": 2}, "i4"))])
    table["MS"], table["depth"], table["hole"] = MS, DEPTH, np.where(HOLE == "A", 7, 2)
    with h5py.File(path, "w") as file:
        file["table"] = table


def pytables_enum(path: Path) -> None:
    holes = tables.Enum(["A", "B"])
    with tables.open_file(path, "w") as file:
        description = {
            "hole": tables.EnumCol(holes, "A", base="uint8"), "MS": tables.Float64Col(), "depth": tables.Float64Col(),
        }  # fmt: skip
        table = file.create_table("/", "mst", description)
        for hole, ms, depth in zip(HOLE.tolist(), MS, DEPTH, strict=True):
            table.row["hole"], table.row["MS"], table.row["depth"] = holes[hole], ms, depth
            table.row.append()


def netcdf_enum(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        holes = file.createEnumType("u1", "holes", {"A": 0, "B": 1, "unknown": 255})
        file.createDimension("sample", N)
        file.createVariable("hole", holes, ("sample",), fill_value=255)[:] = np.where(HOLE == "A", 0, 1)
        for name, values in {"MS": MS, "depth": DEPTH}.items():
            file.createVariable(name, "f8", ("sample",))[:] = values


def cf_flags(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("sample", N)
        for name, values in {"MS": MS, "depth": DEPTH, "hole": np.where(HOLE == "A", 0, 1)}.items():
            file.createVariable(name, values.dtype, ("sample",))[:] = values
        file["hole"].flag_values, file["hole"].flag_meanings = np.array([0, 1]), "A B"


def frame(ordered: bool = False) -> pd.DataFrame:
    hole = pd.Categorical(HOLE, categories=["B", "A"], ordered=ordered)
    return pd.DataFrame({"hole": hole, "depth": DEPTH, "MS": MS})


WRITERS: dict[str, Callable[[Path], Any]] = {
    "HDF5 enumeration": h5_enum,
    "enumeration in a compound table": enum_field,
    "PyTables enumeration": pytables_enum,
    "netCDF enumeration": netcdf_enum,
    "CF flags": cf_flags,
    "pandas table": lambda path: frame().to_hdf(path, key="x", format="table"),
    "ordered": lambda path: frame(ordered=True).to_hdf(path, key="x", format="table"),
    "data columns": lambda path: frame().to_hdf(path, key="x", format="table", data_columns=True),
    "index of a table": lambda path: frame().set_index("hole").to_hdf(path, key="x", format="table"),
    "index of a fixed store": lambda path: frame().set_index("hole").to_hdf(path, key="x"),
    "levels of an index": lambda path: (
        frame().astype({"hole": object}).set_index(["hole", "depth"]).to_hdf(path, key="x")
    ),
    "pickled": lambda path: frame().astype({"hole": object}).to_hdf(path, key="x"),
    "pickled with another column": lambda path: (
        frame().astype({"hole": object}).assign(Comment="none").to_hdf(path, key="x")
    ),
    "pickled as one array with another column": lambda path: (
        frame().assign(section=np.where(HOLE == "A", "1", "CC")).astype({"hole": object, "section": object})
    ).to_hdf(path, key="x"),
    "pickled beside levels of an index": lambda path: (
        frame().astype({"hole": object}).set_index(["depth", "MS"]).to_hdf(path, key="x")
    ),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_codes_of_holes_are_resolved(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    write(tmp_path / "scan.h5")
    block = rows(tmp_path / "scan.h5")
    assert block.depth is not None
    assert {
        (str(hole), round(depth / 0.2)) for hole, depth in zip(block.address["hole"], block.depth, strict=True)
    } == {(hole, int(number)) for hole in "AB" for number in np.unique(np.rint(DEPTH / 0.2))}
    in_a = block.address["hole"] == "A"
    assert block.features[in_a, 1].max() <= N // 2 < block.features[~in_a, 1].min()


def test_categories_of_numbers_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    values = np.array([30.5, 10.25, 20.0, np.nan] * 10)
    data = pd.DataFrame({"MS": pd.Categorical(values), "depth": DEPTH, "core": pd.Categorical(np.repeat([12, 3], 20))})
    data.to_hdf(path, key="x", format="table")
    block = rows(path, None)
    np.testing.assert_array_equal(block.features[:, 1], values.astype(np.float32))
    assert block.address["core"].tolist() == ["12"] * 20 + ["3"] * 20


def test_categories_of_texts_are_no_feature(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    pd.DataFrame({"MS": pd.Categorical(HOLE), "depth": DEPTH}).to_hdf(path, key="x", format="table")
    with pytest.raises(ScanError, match=r"column x/table:MS matches feature .* but holds labels, not numbers"):
        rows(path)


def test_categories_that_are_not_in_the_store_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    frame().to_hdf(path, key="x", format="table")
    with h5py.File(path, "a") as file:
        del file["x/meta"]
    with pytest.raises(ScanError, match=r"x/table:hole holds codes of categories .*, which cannot be read as labels"):
        rows(path)
    assert rows(path, None).features[:, 1].tolist() == MS.tolist()


def test_a_code_without_a_name_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    h5_enum(path)
    with h5py.File(path, "a") as file:
        del file["hole"]
        file.create_dataset("hole", data=np.repeat([7, 9], N // 2), dtype=h5py.enum_dtype({"A": 7, "B": 2}, "u1"))
    assert set(rows(path).address["hole"].tolist()) == {"A", ""}


def test_a_hole_stated_by_an_enumeration_is_its_label(tmp_path: Path) -> None:
    path, dtype = tmp_path / "scan.h5", h5py.enum_dtype({"A": 1, "B": 2}, "u1")
    with h5py.File(path, "w") as file:
        for i, name in enumerate(("one", "two"), 1):
            file[f"{name}/MS"], file[f"{name}/depth"] = MS[:20], DEPTH[:20]
            file[name].attrs.create("hole", i, dtype=dtype)
            file[name].create_dataset("core", data=i, dtype=h5py.enum_dtype({"7": 1, "8": 2}, "u1"))
    block = rows(path)
    assert set(zip(block.address["hole"].tolist(), block.address["core"].tolist(), strict=True)) == {
        ("A", "7"), ("B", "8"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [np.array([b"A" * 300] * 20 + [b"B" * 300] * 20), np.zeros(N, [("x", "f8")])["x"] > 0, np.ones(N, "c16")],
    ids=["too long", "booleans", "complex"],
)
def test_an_address_that_cannot_be_read_stops_the_binning(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["MS"], file["depth"], file["hole"] = MS, DEPTH, values
    with pytest.raises(
        ScanError, match=r"hole holds .*, which cannot be read as labels: samples from different places"
    ):
        rows(path)
    with open_scan(path) as scan:
        assert any("hole holds" in note for note in scan.notes)


@pytest.mark.parametrize("kind", ["references", "an array in each row", "letters in each row"])
def test_an_address_of_no_plain_type_stops_the_binning(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        if kind == "references":  # a cell array of MATLAB
            file["x/MS"], file["x/depth"], file["one"] = MS, DEPTH, 1
            file["x/hole"] = np.array([file["one"].ref] * N, h5py.ref_dtype)
        else:
            dtype = ("i4", (3,)) if kind == "an array in each row" else ("S1", (4,))
            table = np.zeros(N, [("MS", "f8"), ("depth", "f8"), ("hole", *dtype)])
            table["MS"], table["depth"] = MS, DEPTH
            file["x"] = table
    with pytest.raises(ScanError, match=r"hole holds .*, which cannot be read as labels"):
        rows(path)
