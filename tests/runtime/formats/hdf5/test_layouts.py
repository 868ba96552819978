"""Every layout of docs/scan-format.md, end to end: right values in right units, with depth and address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import tables
from numpy.typing import NDArray

from lithovae.runtime import ScanError
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.settings import BinWidth

os.environ.pop("HDF5_PLUGIN_PATH", None)  # netCDF4 sets it to its own filters, which h5py cannot use
Floats = NDArray[np.float64]
N = 50
RNG = np.random.default_rng(3)
DENSITY = RNG.uniform(1.2, 2.4, N).round(3)
MS = RNG.uniform(1, 90, N).round(2)
NGR = RNG.uniform(5, 60, N).round(2)
RED = RNG.integers(20, 250, N)
DEPTH = np.round(np.arange(N) * 0.05, 6)


def read(path: Path, mapping: dict[str, str] | None = None) -> tuple[Block, Scan]:
    """Return all rows of a scan as the pipeline produces them, and the scan."""
    with open_scan(path, mapping) as scan:
        bin_width: BinWidth = 0.2 if len(scan.tracks) > 1 else "auto"
        rows = rows_of(scan, lambda items, label, total, size: items, bin_width)
        blocks = [read() for read in rows.blocks]
        assert len(blocks) == 1
        return blocks[0], scan


def bins(path: Path) -> Block:
    """Return the bins of 0.2 m of a scan."""
    with open_scan(path) as scan:
        (read,) = rows_of(scan, lambda items, label, total, size: items, 0.2).blocks
        return read()


def layouts(scan: Scan) -> set[str]:
    return {source.column.layout for sources in scan.sources.values() for source in sources}


def binned(depth: Floats, values: Floats) -> dict[float, float]:
    """Return means in bins of 0.2 m by depth, by the published definition."""
    cells: dict[int, list[float]] = {}
    for at, value in zip(depth, values, strict=True):
        cells.setdefault(round(at / 0.2), []).append(float(value))
    return {round(cell * 0.2, 6): float(np.mean(found)) for cell, found in sorted(cells.items())}


def of_block(block: Block, feature: int, **address: str) -> dict[float, float]:
    """Return means of a feature in bins by depth, for the rows of one address (rows that are bins are unchanged)."""
    assert block.depth is not None
    here = np.ones(len(block.features), np.bool_)
    for part, text in address.items():
        here &= block.address[part] == text
    here &= ~np.isnan(block.features[:, feature])
    return binned(block.depth[here], block.features[here, feature].astype(np.float64))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan.h5"


def test_flat_datasets(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["density_kg_m3"], file["depth_cm"], file["NGR [cps]"] = DENSITY * 1000, DEPTH * 100, NGR
        file["hole"] = "U1482A"
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, 0], DENSITY, rtol=1e-6)
    np.testing.assert_allclose(block.features[:, 2], NGR, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert set(block.address["hole"]) == {"U1482A"}
    assert layouts(scan) == {"1-D datasets"}


@pytest.mark.parametrize(
    ("groups", "address"),
    [
        (("U1482A", "U1482B"), [{"hole": "U1482A"}, {"hole": "U1482B"}]),
        (("U1482A/core_3/Section 2", "U1482A/core_3/Section CC"), [{"section": "2"}, {"section": "CC"}]),
        (("363-U1482A-3H-2-A", "363-U1482A-3H-3-A"), [{"core": "3", "section": "2"}, {"core": "3", "section": "3"}]),
        (("cores/3/MST", "cores/12/MST"), [{"core": "3"}, {"core": "12"}]),
        (("3H", "12X"), [{"core": "3", "type": "H"}, {"core": "12", "type": "X"}]),
        (("hole_A/GRA", "hole_B/GRA"), [{"hole": "A"}, {"hole": "B"}]),
        (("GRA_926A", "GRA_926B"), [{"hole": "926A"}, {"hole": "926B"}]),
    ],
)
def test_a_group_per_hole_core_or_section(path: Path, groups: tuple[str, str], address: list[dict[str, str]]) -> None:
    with h5py.File(path, "w") as file:
        for i, group in enumerate(groups):
            file[f"{group}/Bulk density (GRA)"], file[f"{group}/depth"] = DENSITY + i, DEPTH + 10 * i
            file[f"{group}/MS"] = MS
    block, scan = read(path)
    assert [len(sources) for sources in scan.sources.values()] == [2, 2]
    for i, parts in enumerate(address):
        assert of_block(block, 0, **parts) == pytest.approx(binned(DEPTH + 10 * i, DENSITY + i), rel=1e-6)


def test_groups_are_distinguished_by_their_attributes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for i, hole in enumerate("AB"):
            file[f"g{i}/MS"], file[f"g{i}/depth"] = MS + i, DEPTH
            file[f"g{i}"].attrs["hole"] = hole
        file.attrs["site"] = "U1482"
    block, scan = read(path)
    assert scan.address == {"site": "U1482"}
    for i, hole in enumerate("AB"):  # the depths are equal, but the holes share no bin
        assert of_block(block, 1, hole=hole, site="U1482") == pytest.approx(binned(DEPTH, MS + i), rel=1e-6)


@pytest.mark.parametrize("names", [("raw", "processed"), ("run1", "run2"), ("exp1", "exp2"), ("1D", "2D")])
def test_siblings_that_are_not_addresses_are_ambiguous(path: Path, names: tuple[str, str]) -> None:
    with h5py.File(path, "w") as file:
        for hole in ("U1482A", "U1482B"):
            for i, name in enumerate(names):
                file[f"{hole}/{name}/MS"], file[f"{hole}/{name}/depth"] = MS + i, DEPTH
    with pytest.raises(ScanError, match=r"could be any of U1482A/.*choose one, as with --map"):
        read(path)
    block, scan = read(path, {"MS": f"*/{names[1]}/MS"})
    assert len(scan.sources[1]) == 2
    assert of_block(block, 1, hole="U1482B") == pytest.approx(binned(DEPTH, MS + 1), rel=1e-6)


def test_each_hole_may_have_names_of_its_own(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["U1482A/Bulk density (GRA)"], file["U1482A/depth"] = DENSITY, DEPTH
        file["U1482B/rhob"], file["U1482B/depth"] = DENSITY + 1, DEPTH
    block, _ = read(path)
    assert of_block(block, 0, hole="U1482B") == pytest.approx(binned(DEPTH, DENSITY + 1), rel=1e-6)


def test_a_group_per_instrument_with_its_own_depth(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["GRA/den"], file["GRA/depth"] = DENSITY, DEPTH * 1000
        file["GRA/depth"].attrs["units"] = "mm"
        file["NGR/total counts"], file["NGR/Depth (ft)"] = NGR[::5], DEPTH[::5] / 0.3048
    block, scan = read(path)
    assert of_block(block, 0) == pytest.approx(binned(DEPTH, DENSITY), rel=1e-6)
    assert of_block(block, 2) == pytest.approx(binned(DEPTH[::5], NGR[::5]), rel=1e-6)
    assert len(scan.tracks) == 2


def test_a_compound_table_with_nested_and_array_fields(path: Path) -> None:
    dtype = np.dtype(
        [
            ("id", [("core", "i2"), ("section", "S2")]),
            ("Depth (m)", "f8"),
            ("gra", [("den", ">f4")]),
            ("RGB", "u1", 3),
        ]
    )
    rows = np.zeros(N, dtype)
    rows["id"]["core"], rows["id"]["section"], rows["Depth (m)"] = 4, b"1", DEPTH
    rows["gra"]["den"], rows["RGB"][:, 0], rows["RGB"][:, 2] = DENSITY, RED, 9
    with h5py.File(path, "w") as file:
        file["U1482A/table"] = rows
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, 0], DENSITY, rtol=1e-6)
    np.testing.assert_array_equal(block.features[:, 3:], np.column_stack([RED, np.zeros(N), np.full(N, 9)]))
    assert {part: set(texts.tolist()) for part, texts in block.address.items()} == {
        "hole": {"U1482A"},
        "core": {"4"},
        "section": {"1"},
    }
    assert scan.sources[0][0].column.path == "U1482A/table:gra.den"
    assert layouts(scan) == {"compound tables"}


MATRIX_NAMES = ["Depth CSF-A (m)", "Bulk density (GRA)", "MS", "NGR"]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("named_by", ["attribute", "dataset"])
@pytest.mark.parametrize("storage", [{}, {"chunks": (2, 3), "compression": "lzf", "shuffle": True}])
def test_a_matrix_in_either_orientation(
    path: Path, *, transposed: bool, named_by: str, storage: dict[str, Any]
) -> None:
    matrix = np.column_stack([DEPTH, DENSITY * 1000, MS, NGR])
    with h5py.File(path, "w") as file:
        data = file.create_dataset("core/data", data=matrix.T if transposed else matrix, **storage)
        if named_by == "attribute":
            data.attrs["columns"], data.attrs["units"] = MATRIX_NAMES, ["m", "kg/m3", "iu", "cps"]
        else:
            file["core/columns"], file["core/units"] = MATRIX_NAMES, ["m", "kg/m3", "iu", "cps"]
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, :3], np.column_stack([DENSITY, MS, NGR]), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert layouts(scan) == {"a matrix with named rows" if transposed else "a matrix with named columns"}


def test_a_square_matrix_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((4, 4))
        file["data"].attrs["columns"] = MATRIX_NAMES
    with pytest.raises(ScanError, match="as many rows as columns, so its names could be those of either"):
        read(path)
    assert list(read(path, {"MS": "data:2"})[1].sources) == [1]


def frame(**more: Any) -> pd.DataFrame:
    columns = {"Bulk density (GRA)": DENSITY, "R": RED.astype("f4"), "core": RED // 100, "section": ["CC"] * N}
    return pd.DataFrame(columns | more, index=pd.Index(DEPTH * 100, name="depth_cm"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"complevel": 4, "complib": "zlib"}], ids=str)
def test_a_pandas_fixed_store(path: Path, options: dict[str, Any]) -> None:
    frame().to_hdf(path, key="U1482A/mst", mode="w", **options)
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, 0], DENSITY, rtol=1e-6)
    np.testing.assert_array_equal(block.features[:, 3], RED)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert block.address["core"].tolist() == (RED // 100).astype(str).tolist()
    assert set(block.address["hole"]) == {"U1482A"}
    assert set(block.address["section"]) == {"CC"}  # pickled
    assert layouts(scan) == {"pandas fixed store"}


def test_a_pandas_store_in_blosc(path: Path) -> None:
    pytest.importorskip("hdf5plugin", reason="hdf5plugin (the extra filters) is not installed")
    script = (
        "import pandas, sys\n"
        "frame = pandas.DataFrame({'MS': range(50), 'depth': range(50)}, dtype='f8')\n"
        "frame.to_hdf(sys.argv[1], key='mst', mode='w', complevel=4, complib='blosc')"
    )  # in a separate process: the Blosc of PyTables and that of hdf5plugin conflict
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(path)], check=True)
    block, _ = read(path)
    np.testing.assert_array_equal(block.features[:, 1], np.arange(50))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data_columns", [None, ["R"], True], ids=str)
def test_a_pandas_table_store(path: Path, data_columns: Any) -> None:
    data = frame(NGR=NGR)
    data.to_hdf(path, key="mst", mode="w", format="table", data_columns=data_columns)
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, [0, 2, 3]], np.column_stack([DENSITY, NGR, RED]), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert set(block.address["section"]) == {"CC"}
    assert layouts(scan) == {"pandas table store"}


@pytest.mark.filterwarnings("ignore")
def test_pandas_stores_of_each_instrument(path: Path) -> None:
    depth = pd.Index(DEPTH, name="Depth CSF-A (m)")
    pd.Series(MS, index=depth, name="MS").to_hdf(path, key="loop", mode="w")
    pd.Series(NGR, index=depth, name="NGR").to_hdf(path, key="gamma", format="table")
    pd.DataFrame({"R": pd.Series([], dtype="f8")}).to_hdf(path, key="empty")  # stored as a placeholder of one number
    block, scan = read(path)
    assert of_block(block, 1) == pytest.approx(binned(DEPTH, MS), rel=1e-6)
    assert of_block(block, 2) == pytest.approx(binned(DEPTH, NGR), rel=1e-6)
    assert list(scan.sources) == [1, 2]


@pytest.mark.filterwarnings("ignore")
def test_the_levels_of_a_pandas_index_are_columns(path: Path) -> None:
    frame().reset_index().set_index(["core", "depth_cm"])[["R"]].to_hdf(path, key="x", mode="w")
    block, _ = read(path)
    np.testing.assert_array_equal(block.features[:, 3], RED)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert block.address["core"].tolist() == (RED // 100).astype(str).tolist()


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/lithovae-unpickled"),))


def test_a_pickle_in_a_pandas_table_is_not_run(path: Path) -> None:
    import pickle

    rows = np.zeros(N, [("index", "i8"), ("values_block_0", "f8", (1,))])
    with h5py.File(path, "w") as file:
        file["mst/table"] = rows
        file["mst"].attrs["pandas_type"] = np.bytes_("frame_table")
        file["mst/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(["R", Bomb()], 0).rstrip())
        file["mst"].attrs["info"] = np.bytes_(pickle.dumps(Bomb(), 0))
    with pytest.raises(ScanError, match="the column names of values_block_0 in mst cannot be read"):
        read(path)
    assert not Path("/tmp/lithovae-unpickled").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_pickle_in_a_pandas_fixed_store_is_not_run(path: Path) -> None:
    bombs = np.array([["A", Bomb()] * 25], object)
    pd.DataFrame({"hole": ["A", "B"] * 25, "MS": MS, "depth": DEPTH}).to_hdf(path, key="x", mode="w")
    with tables.open_file(path, "a") as file:
        (name,) = (node.name for node in file.root.x if isinstance(node, tables.VLArray))
        file.remove_node(f"/x/{name}")
        file.create_vlarray("/x", name, tables.ObjectAtom()).append(bombs)
    Path("/tmp/lithovae-unpickled").unlink(missing_ok=True)
    with pytest.raises(ScanError, match="hole holds pickled Python objects, which cannot be read as labels"):
        bins(path)
    assert not Path("/tmp/lithovae-unpickled").exists()


def test_pytables_arrays(path: Path) -> None:
    with tables.open_file(path, "w") as file:
        file.create_carray("/", "R", obj=RED * 1.0 * (RED > 100), filters=tables.Filters(1, "zlib", fletcher32=True))
        file.create_earray("/", "depth", obj=DEPTH)
    block, _ = read(path)
    np.testing.assert_array_equal(block.features[:, 3], RED * (RED > 100))  # 0 is a valid colour, not a fill value


@pytest.fixture
def dataset(path: Path) -> Any:
    with netCDF4.Dataset(path, "w") as file:
        yield file


def test_netcdf_with_packing_fills_and_a_coordinate(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("depth", N)
        file.createDimension("other", N)  # another dimension of the same length
        for name in ("depth", "other"):
            variable = file.createVariable(name, "f8", (name,))
            variable.units, variable[:] = "cm", DEPTH * 100 + (7000 if name == "other" else 0)
        variable = file.createVariable("density", "i2", ("depth",), fill_value=-32768)
        variable.scale_factor, variable.add_offset, variable.units = 0.5, 1000.0, "kg m-3"
        variable.valid_range = np.array([-1000, 3000], "i2")
        variable.set_auto_maskandscale(False)
        variable[:] = np.arange(N)
        variable[:3] = -32768, 3001, -1001
        variable = file.createGroup("gamma").createVariable("NGR", "f4", ("depth",))
        variable[:10], variable.valid_max = np.arange(10), np.float32(8)
        variable = file.createVariable("R", "u1", ("depth",))
        variable[:] = 255
        variable = file.createVariable("G", "i1", ("depth",), fill_value=-1)
        variable.set_auto_maskandscale(False)
        variable.setncattr("_Unsigned", "true")
        variable[:] = np.arange(N).astype("u1").view("i1") - np.int8(10)
    block, scan = read(path)
    assert layouts(scan) == {"netCDF-4 (CF)"}
    assert of_block(block, 0) == pytest.approx(binned(DEPTH[3:], 1 + np.arange(3.0, N) * 0.0005), rel=1e-6)
    assert of_block(block, 2) == pytest.approx(binned(DEPTH[:9], np.arange(9.0)), rel=1e-6)
    assert set(of_block(block, 3).values()) == {255}  # netCDF's default fill is not applied to bytes
    unsigned = (np.arange(N) - 10) % 256
    assert of_block(block, 4) == pytest.approx(binned(DEPTH[unsigned != 255], unsigned[unsigned != 255]), rel=1e-6)


def test_an_unlimited_dimension_may_be_written_further_for_one_variable(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", None)
        for name, n in (("depth", 10), ("core", 10), ("MS", 5)):
            file.createVariable(name, "f8", ("obs",))[:] = np.arange(n)
    block, _ = read(path)
    assert block.depth is not None
    np.testing.assert_array_equal(block.depth, np.arange(5.0))
    assert block.address["core"].tolist() == list("01234")


@pytest.mark.parametrize("attribute", ["sample_dimension", "instance_dimension"])
def test_a_ragged_netcdf_is_refused(path: Path, attribute: str) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", N)
        file.createDimension("profile", 2)
        along = "profile" if attribute == "sample_dimension" else "obs"
        division = file.createVariable("division", "i4", (along,))
        division.setncattr(attribute, "obs" if along == "profile" else "profile")
        division[:] = np.full(len(division), N // 2 if along == "profile" else 1)
        for name, values in {"MS": MS, "z": DEPTH}.items():
            file.createVariable(name, "f8", ("obs",))[:] = values
    with pytest.raises(ScanError, match=r"division divides a ragged array \(CF\), which is not supported: write"):
        read(path, {"depth": "z"})


def test_older_netcdf_files_do_not_number_their_dimensions(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for name in ("depth", "mbsf"):
            file.createDimension(name, N)
            file.createVariable(name, "f8", (name,))[:] = DEPTH
        file.createVariable("MS", "f8", ("depth",))[:] = MS
    with h5py.File(path, "a") as changed:
        del changed["MS"].attrs["_Netcdf4Coordinates"]
    with pytest.raises(ScanError, match="mbsf and depth are coordinates of dimensions of the same length"):
        read(path)
    block, scan = read(path, {"depth": "depth"})
    np.testing.assert_allclose(block.features[:, 1], MS, rtol=1e-6)
    assert layouts(scan) == {"netCDF-4 (CF)"}


def test_a_height_is_converted_to_a_depth(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("n", N)
        file.createVariable("MS", "f8", ("n",))[:] = MS
        variable = file.createVariable("depth", "f8", ("n",))
        variable[:], variable.units, variable.positive = -DEPTH, "m", "up"
    block, _ = read(path)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)


def xtgeo_well(path: Path, unit: str, **storage: Any) -> None:
    """Write a well as xtgeo 4.27 does (io/_welldata/_fformats/_hdf5_xtgeo.py); its default is lzf or Blosc."""
    logs = {"X_UTME": DEPTH, "Z_TVDSS": DEPTH * 0.5, "MD": DEPTH, "RHOB": np.where(RED > 240, 1e33, DENSITY), "GR": NGR}
    with h5py.File(path, "w") as file:
        group = file.create_group("Well")
        for name, values in logs.items():
            group.create_dataset(f"column/{name}", data=values, **storage)
        group.create_dataset("index", data=np.arange(N), **storage)
        group.attrs["columns"] = np.array(list(logs), "S")
        units = {"RHOB": ["CONT", [unit, "lin"]], "GR": ["CONT", ["gAPI", "lin"]], "MD": ["CONT", ["", ""]]}
        required = {"rkb": 0, "name": "34/10-A-1", "wlogs": units, "mdlogname": "MD"}
        group.attrs["metadata"] = json.dumps({"_class_": "Well", "_required_": required})
        group.attrs["provider"], group.attrs["format_idcode"] = "xtgeo", 1401


@pytest.mark.parametrize(("unit", "factor"), [("", 1), ("K/M3", 1e-3), ("UNK", 1)])
def test_an_xtgeo_well(path: Path, unit: str, factor: float) -> None:
    xtgeo_well(path, unit, compression="lzf")
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, 0], np.where(RED > 240, np.nan, DENSITY * factor), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert set(block.address["hole"]) == {"34/10-A-1"}
    assert any("GR looks like NGR" in note and "gAPI" in note for note in scan.notes)
    assert layouts(scan) == {"xtgeo well"}


def save_v73(path: Path, variables: dict[str, Any]) -> None:
    """Write as MATLAB's ``save -v7.3`` does: header in the user block, reversed dimensions, texts as UTF-16 codes."""
    classes = {"f8": "double", "f4": "single", "u1": "uint8", "i4": "int32", "b1": "logical"}
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, str):
                codes = np.array([[ord(letter)] for letter in value], "u2")
                file.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
                file[name].attrs["MATLAB_int_decode"] = np.int32(2)
            elif isinstance(value, list):  # a char matrix with a text in each row
                codes = np.array([[ord(letter) for letter in text] for text in value], "u2").T
                file.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
            elif value is None:  # []
                file.create_dataset(name, data=np.zeros(2, "u8")).attrs["MATLAB_class"] = np.bytes_("double")
                file[name].attrs["MATLAB_empty"] = np.uint8(1)
            else:
                array = np.atleast_2d(value)
                file.create_dataset(name, data=array.T).attrs["MATLAB_class"] = np.bytes_(classes[array.dtype.str[1:]])
            group = file[name].parent
            if group.name != "/":
                group.attrs["MATLAB_class"] = np.bytes_("struct")
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Nov 23 2026 HDF5 schema 1.00 .".ljust(116)
    with path.open("r+b") as raw:
        raw.write(header + bytes(8) + b"\x00\x02IM")


def test_matlab_structs_vectors_and_texts(path: Path) -> None:
    save_v73(
        path,
        {
            "core/hole": "U1482A",
            "core/core": 12.0,
            "core/section": ["1 "] * 20 + ["CC"] * (N - 20),
            "core/MS": MS,  # 1 x n
            "core/Den": DENSITY[:, None].astype("f4"),  # n x 1
            "core/depth_cm": DEPTH[:, None] * 100,
            "core/R": None,
        },
    )
    block, scan = read(path)
    np.testing.assert_allclose(block.features[:, :2], np.column_stack([DENSITY, MS]), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)
    assert set(block.address["hole"]) == {"U1482A"}
    assert set(block.address["core"]) == {"12"}
    assert block.address["section"].tolist() == ["1"] * 20 + ["CC"] * (N - 20)
    assert list(scan.sources) == [0, 1]
    assert layouts(scan) == {"MATLAB v7.3"}


def test_a_matlab_matrix_is_mapped_by_its_own_columns(path: Path) -> None:
    save_v73(path, {"data": np.column_stack([DEPTH, MS, NGR])})
    block, _ = read(path, {"MS": "data:1", "NGR": "data:2", "depth": "data:0"})
    np.testing.assert_allclose(block.features[:, 1:3], np.column_stack([MS, NGR]), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(block.depth), DEPTH)


def test_matlab_tables_and_cells_are_named(path: Path) -> None:
    save_v73(path, {"MS": MS})
    with h5py.File(path, "a") as file:
        file["T"] = np.zeros((1, 6), "u4")
        file["T"].attrs["MATLAB_class"] = np.bytes_("table")
        file["#refs#/a"] = np.zeros((1, 6))
        file["section"] = np.array([[file["#refs#/a"].ref]], h5py.ref_dtype)
        file["section"].attrs["MATLAB_class"] = np.bytes_("cell")
    _, scan = read(path)
    assert any("T is a MATLAB table, which only MATLAB can read" in note for note in scan.notes)
    assert any("section is a MATLAB cell array of references: not read" in note for note in scan.notes)


PIXELS = RNG.integers(0, 256, (N, 7, 3), np.uint8)
MEANS = PIXELS.mean(axis=1)


@pytest.mark.parametrize("layout", ["pixels", "alpha", "planes", "bgr", "matlab", "float", "side"])
def test_a_line_scan_image(path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    monkeypatch.setattr("lithovae.runtime.scan.track.MAX_BLOCK_BYTES", 7 * 3 * 8 * 20)  # a few rows at a time
    image: NDArray[Any] = PIXELS
    expected = MEANS
    if layout == "alpha":
        image = np.concatenate([PIXELS, np.full((N, 7, 1), 255, "u1")], axis=2)
    elif layout == "planes":
        image = np.moveaxis(PIXELS, 2, 0)
    elif layout == "side":  # recognised by the length of the depth
        image = np.swapaxes(PIXELS, 0, 1)
    elif layout == "bgr":
        image = PIXELS[..., ::-1]
    elif layout == "float":
        image = PIXELS.astype(">f4")
        image[3, 2:, 0], image[4, :, 1], image[5, 0] = -999.25, np.nan, 1e33
        bad = (image < -1) | np.isnan(image) | (image > 1e30)
        expected = np.ma.masked_array(image.astype("f8"), bad).mean(axis=1).filled(np.nan)
    if layout == "matlab":
        save_v73(path, {"camera/depth": DEPTH})
        with h5py.File(path, "a") as file:
            file.create_dataset("camera/image", data=PIXELS.T).attrs["MATLAB_class"] = np.bytes_("uint8")
    else:
        with h5py.File(path, "w") as file:
            name = "camera/bgr" if layout == "bgr" else "camera/image"
            chunks = (3, 4, 2) if layout != "planes" else None
            file.create_dataset(name, data=image, chunks=chunks)
            file["camera/depth"] = DEPTH
    with open_scan(path) as scan:
        stretches = list(scan.tracks[0].stretches())
        assert len(stretches) > 1
        found = np.column_stack([np.concatenate([stretch.features[i] for stretch in stretches]) for i in (3, 4, 5)])
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_array_equal(np.concatenate([np.asarray(stretch.depth) for stretch in stretches]), DEPTH)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.ones((N, 7, 3), "u2"), "its pixels are uint16, whose range is not known to be 0 to 255: left out"),
        (np.full((N, 7, 3), 0.5), "its values range from 0 to 1, not from 0 to 255: left out"),
        (np.ones((3, 7, 3), "u1"), "could have its channels along the first or the last dimension: not used"),
    ],
)
def test_an_image_that_could_be_read_in_two_ways_is_left_out(path: Path, image: NDArray[Any], message: str) -> None:
    with h5py.File(path, "w") as file:
        file["image"] = image
    with pytest.raises(ScanError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: file.create_group("GEOSCIENCE").attrs.update({"Version": 2.1}), "is a GEOH5 workspace.*export"),
        (lambda file: file.create_group("RESQML/6a1b"), "is the HDF5 part of a RESQML model.*export"),
    ],
)
def test_unsupported_hdf5_formats_are_named(path: Path, write: Callable[[Any], None], message: str) -> None:
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(ScanError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [(b"CDF\x01", "nccopy -4"), (b"MATLAB 5.0 MAT-file", "'-v7.3'")],
)
def test_files_that_are_not_hdf5_are_named(path: Path, start: bytes, message: str) -> None:
    path.write_bytes(start.ljust(600))
    with pytest.raises(ScanError, match=f"is not an HDF5 file: .*{message}"):
        read(path)


@pytest.mark.parametrize(
    "values",
    [
        np.ones(3, np.bool_),
        np.ones(3, np.complex128),
        np.ones(3, h5py.enum_dtype({"low": 1, "high": 2}, "i1")),
        np.ones(3, h5py.opaque_dtype(np.dtype("M8[s]"))),
    ],
    ids=["bool", "complex", "enum", "opaque"],
)
def test_values_that_are_not_numbers_are_not_used(path: Path, values: NDArray[Any]) -> None:
    with h5py.File(path, "w") as file:
        file["R"] = values
    with pytest.raises(
        ScanError, match=r"column R matches feature R by name but holds .*, not numbers|no data columns"
    ):
        read(path)
