from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime.console import progress
from lithovae.runtime.errors import LithoError, TableError
from lithovae.runtime.features import CATALOGUE, LILY, FeatureSet
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan.scan import open_scan
from lithovae.training.download import simulate_download
from lithovae.training.fit import fit
from lithovae.training.inputs import read_inputs
from lithovae.training.lily import FILES, read_lily
from lithovae.training.logger import simulate_scan
from lithovae.training.recipe import STANDARD
from lithovae.training.reference import reference_of
from lithovae.training.table import TrainingTable

LAKE = FeatureSet.named(["density", "MS", "Vp", "Res"])


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A core of a lake, logged every cm: density, susceptibility, velocity with gaps, resistivity."""
    return lake_core(tmp_path / "HVT-2A.csv")


def lake_core(path: Path, seed: int = 0, n: int = 400) -> Path:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "Depth (m)": np.round(np.arange(n) * 0.01, 2),
            "Density (g/cm3)": rng.normal(1.4, 0.1, n).round(3),
            "MS (instr. units)": rng.normal(20, 5, n).round(1),
            "P-wave velocity (m/s)": np.where(np.arange(n) < n // 2, np.nan, rng.normal(1500, 20, n).round(0)),
            "Resistivity (ohm m)": rng.normal(1.5, 0.2, n).round(3),
            "Lithology": np.where(np.arange(n) < 150, "gyttja", np.where(np.arange(n) < 300, "clay", "")),
        }
    )
    frame.to_csv(path, index=False)
    return path


def binned(path: Path, features: FeatureSet) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Read a scan as `lithovae run --bin 0.2` does."""
    with open_scan(path, features=features) as scan:
        blocks = [read() for read in rows_of(scan, progress, 0.2).blocks]
    assert all(block.depth is not None for block in blocks)
    depths = [block.depth for block in blocks if block.depth is not None]
    return np.concatenate([block.features for block in blocks]), np.concatenate(depths)


def test_the_rows_are_those_that_the_runtime_embeds(core: Path) -> None:
    table = read_inputs([core])
    features, depth = binned(core, LAKE)
    assert table.feature_set == LAKE
    np.testing.assert_array_equal(table.features, features)
    np.testing.assert_array_equal(table.depth, depth)
    assert set(table.hole.tolist()) == {"HVT-2A"}
    assert table.lithology[[0, 5, 7, 9, -2, -1]].tolist() == ["gyttja", "gyttja", "gyttja", "clay", "", ""]


def test_rows_of_zeros_among_measured_ones_are_not_trained_on(core: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(core)
    numbers = [name for name in frame if name != "Lithology"]
    frame.loc[200:209, numbers] = 0
    with h5py.File(tmp_path / "zeros.h5", "w") as file:
        for name in numbers:
            file[str(name)] = frame[name].to_numpy()
    table = read_inputs([tmp_path / "zeros.h5"], features=LAKE)
    features, depth = binned(tmp_path / "zeros.h5", LAKE)
    np.testing.assert_array_equal(table.depth, depth)
    np.testing.assert_array_equal(table.features, features)


@pytest.mark.parametrize("layout", ["delimiters", "gzip", "parquet", "excel", "hdf5"])
def test_every_format_gives_the_same_rows(core: Path, tmp_path: Path, layout: str) -> None:
    frame, out = pd.read_csv(core), tmp_path / "other" / "HVT-2A"
    out.parent.mkdir()
    if layout == "delimiters":
        frame.to_csv(out, sep=";", decimal=",", index=False, encoding="latin-1")
    elif layout == "gzip":
        out.write_bytes(gzip.compress(core.read_bytes()))
    elif layout == "parquet":
        frame.to_parquet(out)
    elif layout == "excel":
        with out.open("wb") as file:
            frame.to_excel(file, index=False, engine="xlsxwriter")
    else:
        with h5py.File(out, "w") as file:
            for name in frame:
                values = frame[name]
                file[str(name)] = values.fillna("").tolist() if name == "Lithology" else values.to_numpy()
    assert read_inputs([out]).digest() == read_inputs([core]).digest()


def test_holes_of_several_scans_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "cores").mkdir()
    for i, name in enumerate(("first", "second")):
        lake_core(tmp_path / "cores" / f"{name}.csv", i)
    (tmp_path / "cores" / "README.md").write_text("# Cores\n\nTwo of them.\n")
    notes: list[str] = []
    table = read_inputs([tmp_path / "cores"], warn=notes.append)
    assert list(dict.fromkeys(table.hole.tolist())) == ["first", "second"]
    assert len(table) == 2 * len(read_inputs([tmp_path / "cores" / "first.csv"]))
    assert next(note for note in notes if "README.md" in note).startswith("skipped ")
    one, other = (read_inputs([tmp_path / "cores" / f"{name}.csv"]) for name in ("first", "second"))
    np.testing.assert_array_equal(table.features, np.concatenate([one.features, other.features]))


def test_files_of_the_same_name_are_different_holes(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        lake_core(tmp_path / folder / "core.csv")
    table = read_inputs([tmp_path / "first", tmp_path / "second"])
    assert len(set(table.hole.tolist())) == 2


def test_a_file_is_not_taken_twice(core: Path) -> None:
    with pytest.raises(TableError, match="is given twice"):
        read_inputs([core, core.parent])


def test_other_features_of_a_table_with_the_published_columns(table: TrainingTable, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    table.write(path)
    frame = pd.read_csv(path)
    frame.assign(Vp=1500.0).to_csv(path, index=False)
    read = read_inputs([path], features=FeatureSet.named(["density", "Vp"]))
    assert read.measured.all()
    assert len(read) == len(table)
    assert set(read.hole.tolist()) == set(table.hole.tolist())
    assert set(read.classes) == set(table.classes)


def test_holes_are_named_by_their_address(tmp_path: Path) -> None:
    frame = pd.read_csv(lake_core(tmp_path / "a.csv"))
    frame.insert(0, "Hole", np.where(np.arange(len(frame)) < 200, "A", "B"))
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert set(read_inputs([tmp_path / "a.csv"]).hole.tolist()) == {"a-A", "a-B"}
    frame.insert(0, "Site", "U1482")
    frame.insert(0, "Exp", 363)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert set(read_inputs([tmp_path / "a.csv"]).hole.tolist()) == {"363-U1482-A", "363-U1482-B"}


def test_files_of_one_hole_with_different_features_are_noted(core: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(core)
    for name, columns in (("one", ["Density (g/cm3)"]), ("two", ["MS (instr. units)"])):
        frame[["Depth (m)", *columns]].assign(hole="U1482A").to_csv(tmp_path / f"{name}.csv", index=False)
    notes: list[str] = []
    table = read_inputs([tmp_path / "one.csv", tmp_path / "two.csv"], warn=notes.append)
    assert any("one.csv, two.csv, which have different features: `lithovae pack`" in note for note in notes)
    assert not table.measured.all(axis=1).any()


def test_features_are_those_that_some_file_has(core: Path, tmp_path: Path) -> None:
    only = pd.read_csv(core)[["Depth (m)", "MS (instr. units)"]]
    only.to_csv(tmp_path / "only.csv", index=False)
    assert read_inputs([tmp_path / "only.csv"]).feature_set == FeatureSet.named(["MS"])
    table = read_inputs([tmp_path / "only.csv", core])
    assert table.feature_set == LAKE
    assert not table.measured[: len(only) // 20, [0, 2, 3]].any()
    chosen = read_inputs([core], features=FeatureSet.named(["resistivity", "den"]))
    assert chosen.feature_set.names == ("Electrical resistivity", "Bulk density (GRA)")
    np.testing.assert_array_equal(chosen.features, table.features[-len(chosen) :, [3, 0]])


def test_with_the_published_six_it_is_exactly_these(core: Path) -> None:
    frame = pd.read_csv(core).assign(**{"NGR": 20.0, "red": 40.0, "green": 41.0, "blue": 42.0, "K (XRF)": 1000.0})
    frame.to_csv(core, index=False)
    notes: list[str] = []
    assert read_inputs([core], warn=notes.append).feature_set == LILY
    assert any("--features would also take Vp, Res, K (XRF)" in note for note in notes)


def test_the_published_table_is_taken_as_it_is(table: TrainingTable, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    table.write(path)
    assert read_inputs([path]).digest() == table.digest()
    pd.read_csv(path).drop(columns="Principal").to_csv(path, index=False)
    assert read_inputs([path]).classes == ()
    assert read_inputs([path], features=FeatureSet(LILY[:2])).features.shape == (len(table), 2)


@pytest.mark.parametrize("name", ["{} ({})", "{}"])
def test_written_bins_are_read_back(tmp_path: Path, name: str) -> None:
    """The layout that `lithovae bins` writes: the address, depth, a column and its sample count for each feature."""
    rng, n = np.random.default_rng(0), 40
    frame = pd.DataFrame({"site": "U1482", "hole": np.repeat(["A", "B"], n // 2), "core": "1", "type": "H"})
    frame["depth"] = np.tile(np.arange(n // 2), 2) * 0.2
    features = FeatureSet.named(["density", "MS", "NGR", "Vp", "L*", "a*", "b*", "Res", "K", "U"])
    for feature in features:
        low, high = feature.plausible
        frame[name.format(feature.name, feature.unit)] = rng.uniform(
            max(low, 0), min(high, low + 90 + abs(low)), n
        ).astype(np.float32)
    for feature in features:
        frame[f"samples {feature.name}"] = rng.integers(1, 20, n)
    frame.to_csv(tmp_path / "bins.csv", index=False)
    table = read_inputs([tmp_path / "bins.csv"])
    assert table.feature_set == FeatureSet([feature for feature in CATALOGUE if feature.name in features.names])
    read = table.select(features)
    np.testing.assert_array_equal(read.features, frame.iloc[:, 5 : 5 + len(features)].to_numpy(np.float32))
    np.testing.assert_array_equal(read.depth, frame["depth"])
    assert list(dict.fromkeys(read.hole.tolist())) == ["U1482-A", "U1482-B"]


def test_simulated_files_of_every_kind_are_known(table: TrainingTable, tmp_path: Path) -> None:
    simulate_scan(tmp_path / "scan.h5", table, seed=7)
    simulate_download(tmp_path / "download", seed=7, share=0.002)
    assert read_inputs([tmp_path / "scan.h5"]).simulated == "seed 7"
    assert read_inputs([tmp_path / "download"]).simulated == "seed 7"
    assert read_inputs([tmp_path / "download" / FILES["MS"]]).simulated == "seed 7"


def test_a_download_is_read_compressed_too(tmp_path: Path) -> None:
    simulate_download(tmp_path, seed=3, share=0.002)
    expected = read_lily(tmp_path).digest()
    for name in FILES.values():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    assert read_inputs([tmp_path]).digest() == expected


def test_real_cores(shared_scans: Path) -> None:
    table = read_inputs([shared_scans])
    assert table.feature_set == LILY
    assert set(table.hole.tolist()) == {"154-926-A", "162-984-A", "U1482-C", "m9907-11pc", "m9907-23pc"}
    assert 0.2 < table.measured.mean() < 0.8


def test_real_text_of_a_lake(shared_tables: Path) -> None:
    table = read_inputs([shared_tables / "KITE_GEOTEK_MSCL_0.5cm.csv"])
    assert {"Bulk density (GRA)", "P-wave velocity", "Electrical resistivity"} <= set(table.feature_set.names)
    site = read_inputs(sorted(shared_tables.glob("883?_*.csv")))
    assert set(site.hole.tolist()) == {f"145-883-{hole}" for hole in "ABCD"}


def frame_with(**columns: object) -> pd.DataFrame:
    n = 60
    frame = pd.DataFrame(
        {"depth (m)": np.arange(n) * 0.1, "density": np.linspace(1.2, 1.8, n), "MS": np.arange(n) * 1.0}
    )
    return frame.assign(**columns).dropna(axis=1, how="all")  # type: ignore[arg-type]


def lines_of(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def zip_of(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, lines_of(frame_with()))
    return packed.getvalue()


def tar_of() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as file:
        content = lines_of(frame_with())
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(content)
        file.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


INTERVALS = b"top_m,base_m,name\n0,3,clay\n3,6,sand\n"
WRONG: dict[str, tuple[bytes, dict[str, object], str]] = {
    "absent": (b"", {}, "no such training table"),
    "two files in a zip": (zip_of("a.csv", "b.csv"), {}, "is a zip file: unpack it"),
    "a damaged zip": (zip_of("a.csv")[:-40], {}, "is a zip file: unpack it"),
    "xz": (lzma.compress(lines_of(frame_with())), {}, "is a xz file: unpack it"),
    "zst": (b"\x28\xb5\x2f\xfd" + bytes(99), {}, "is a zst file: unpack it"),
    "tar": (tar_of(), {}, "is a tar file: unpack it"),
    "damaged gzip": (gzip.compress(lines_of(frame_with()))[:-20], {}, "cannot be unpacked"),
    "no table": (b"Dear colleague,\n\nhere are our data.\n", {}, "not a table of numbers"),
    "no feature": (lines_of(frame_with()[["depth (m)"]].assign(weight=1.0)), {}, "none of the features"),
    "no depth": (lines_of(frame_with().drop(columns="depth (m)")), {}, "no depth"),
    "no row": (b"depth,density\n", {}, "not a table of numbers"),
    "one row": (lines_of(frame_with()[:1]), {}, "at least two rows with a value; 1 of 1"),
    "all gaps": (lines_of(frame_with(density=-999.25)[["depth (m)", "density"]]), {}, "no sample|no file has a value"),
    "density in kg/m3": (lines_of(frame_with(density=1650.0)), {}, r"are outside 0\.3 to 4 g/cm3 \(1650 to 1650\)"),
    "a unit that does not fit": (
        lines_of(frame_with().rename(columns={"density": "density (ohm m)"})[["depth (m)", "density (ohm m)"]]),
        {},
        "none of the features|density",
    ),
    "susceptibility in SI": (lines_of(frame_with(MS=np.linspace(1e-5, 9e-5, 60))), {}, "instrument units"),
    "colours to 1": (
        lines_of(frame_with(**{colour: np.linspace(0.1, 0.9, 60) for colour in "RGB"})),
        {"features": "density,R"},
        "no file has a value of R",
    ),
    "velocity in parsecs": (
        lines_of(frame_with(Vp=9e9)),
        {"features": "Vp"},
        "P-wave velocity are outside 300 to 9000",
    ),
    "a colour below log1p": (
        lines_of(frame_with(R=-5.0, G=-5.0, B=-5.0)),
        {"features": "R"},
        "no sample has both a depth and a value",
    ),
    "a feature that no file has": (lines_of(frame_with()), {"features": "MS,Vp"}, "no file has a value of P-wave"),
    "text in a column": (lines_of(frame_with()).replace(b"\n0.1,", b"\n0.1,wet "), {}, "density"),
    "two simulated kinds": (lines_of(frame_with()), {"beside": "simulated"}, "is simulated and wrong.csv is not"),
    "intervals overlap": (
        lines_of(frame_with()),
        {"intervals": INTERVALS + b"0,2,silt\n4,6,clay\n"},
        "20 of 30 rows lie in overlapping intervals of different lithologies .*0 to 3 m is 'clay', 0 to 2 m is 'silt'",
    ),
    "intervals for no row": (
        lines_of(frame_with()),
        {"intervals": b"top,base,name\n100,300,clay\n"},
        "no row lies in any",
    ),
    "intervals without names": (lines_of(frame_with()), {"intervals": b"top,base,x\n1,2,3\n"}, "has no column name"),
    "intervals in a wrong unit": (
        lines_of(frame_with()),
        {"intervals": b"top (kg),base (kg),name\n0,3,clay\n"},
        "'kg', which is no unit of depth",
    ),
    "an interval upside down": (
        lines_of(frame_with()),
        {"intervals": b"top,base,name\n3,1,clay\n"},
        "ends above its top",
    ),
    "intervals without a name": (
        lines_of(frame_with()),
        {"intervals": b"top,base,name\n0,3,\n3,3,clay\n"},
        "no interval has both a name and a thickness",
    ),
    "offsets within sections": (
        lines_of(frame_with()),
        {"intervals": b"section,top (cm),base (cm),name\n1,0,150,clay\n2,0,70,sand\n"},
        "no interval is deeper than 1.5 m, .* offsets within a section",
    ),
    "intervals of another hole": (
        lines_of(frame_with()),
        {"intervals": b"hole,top,base,name\nB,0,3,clay\n"},
        "hole 'B' has no row; the rows are from wrong",
    ),
    "intervals for several holes": (
        lines_of(frame_with(hole=["U1482A"] * 30 + ["U1482B"] * 30)),
        {"intervals": INTERVALS},
        "has no column hole, but the rows come from 2 holes",
    ),
    "no lithology": (lines_of(frame_with()), {"supervised": True}, "no row has a lithology"),
    "a lithology of numbers": (lines_of(frame_with(lithology=7)), {"supervised": True}, "no row has a lithology"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(table: TrainingTable, tmp_path: Path, name: str) -> None:
    content, given, message = WRONG[name]
    path = tmp_path / "wrong.csv"
    if content:
        path.write_bytes(content)
    intervals = given.get("intervals")
    if isinstance(intervals, bytes):
        (tmp_path / "intervals.csv").write_bytes(intervals)
    paths = [path]
    if given.get("beside"):
        paths.append(tmp_path / "simulated.csv")
        table.write(paths[-1])
    features = given.get("features")
    chosen = FeatureSet.named(str(features).split(",")) if features else None

    def train() -> None:
        rows = read_inputs(paths, features=chosen, intervals=tmp_path / "intervals.csv" if intervals else None)
        fit(rows, replace(STANDARD, epochs=1), supervised=bool(given.get("supervised")), trained_on="")

    with pytest.raises(LithoError, match=message) as caught:
        train()
    assert "\n" not in str(caught.value)


def read_with(tmp_path: Path, intervals: str) -> tuple[TrainingTable, list[str]]:
    (tmp_path / "core.csv").write_bytes(lines_of(frame_with()))
    (tmp_path / "beds.csv").write_text(intervals, encoding="utf-8")
    notes: list[str] = []
    return read_inputs([tmp_path / "core.csv"], intervals=tmp_path / "beds.csv", warn=notes.append), notes


def test_rows_in_intervals_that_disagree_have_no_lithology(tmp_path: Path) -> None:
    alone, _ = read_with(tmp_path, INTERVALS.decode())
    rows, notes = read_with(tmp_path, INTERVALS.decode() + "2,4,silt\n1,2,clay\n2.4,3.6,clay\n")
    torn = (rows.depth > 1.9) & (rows.depth < 3.9)
    assert set(rows.lithology[torn]) == {""}
    np.testing.assert_array_equal(rows.lithology[~torn], alone.lithology[~torn])
    assert any("overlapping intervals of different lithologies (0 to 3 m is 'clay', 2 to 4 m" in note for note in notes)


def test_intervals_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    alone, _ = read_with(tmp_path, INTERVALS.decode())
    rows, notes = read_with(tmp_path, INTERVALS.decode() + "1,2,\n2,2,silt\n")
    np.testing.assert_array_equal(rows.lithology, alone.lithology)
    assert any("1 of 4 intervals have no name (first interval 3, 1 to 2 m): left out" in note for note in notes)
    assert any("1 of 4 intervals have no thickness (first interval 4, 2 to 2 m): left out" in note for note in notes)


def test_spellings_of_one_lithology_are_one(tmp_path: Path) -> None:
    rows, notes = read_with(tmp_path, "top,base,name\n0,2,silty clay\n2,4,Silty  Clay\n4,5,silty clay\n5,6,sand\n")
    assert rows.classes == ("sand", "silty clay")
    assert any("'Silty  Clay' as 'silty clay'" in note for note in notes)


def test_a_real_hole_is_read_with_its_description(shared_scans: Path) -> None:
    notes: list[str] = []
    described = shared_scans.parent / "holes" / "iodp-u1482c-lithology.csv"
    rows = read_inputs([shared_scans / "iodp-u1482c.h5"], intervals=described, warn=notes.append)
    assert (len(rows), rows.classes) == (2554, ("chalk", "nannofossil ooze"))
    assert np.count_nonzero(rows.lithology == "") == 2
    assert not any("overlapping" in note for note in notes)  # those that overlap have one name
    found = reference_of(rows, DistributionAwareScaler(rows.feature_set.transforms).fit(rows.features), rows.classes)
    assert found is not None
    assert found.groups is not None
    assert found.groups.names == ("Carbonate",)
    assert found.succession is not None
    assert found.succession.transitions.tolist() == [[1, 0, 1]]  # ooze above chalk, across a gap of 2.6 m
    assert found.mixture is not None


def test_depths_are_preferred_to_offsets_in_a_section(tmp_path: Path) -> None:
    heading = "Sect,Top [cm],Bottom [cm],Top Depth [m],Bottom Depth [m],Principal lithology"
    rows, _ = read_with(tmp_path, f"{heading}\n1,0,150,0,1.5,clay\n2,0,150,1.5,3,sand\n3,0,150,3,4.5,clay\n")
    assert rows.lithology[rows.depth == 2].tolist() == ["sand"]
    assert set(rows.lithology[rows.depth > 4.5]) == {""}


Damage = Callable[[TrainingTable], TrainingTable]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: replace(table, features=table.features * np.nan), "at least two rows with a value; 0 of"),
        (lambda table: replace(table, features=table.features * [1e3, 1, 1, 1, 1, 1]), "median of Bulk density"),
        (lambda table: replace(table, features=table.features * [1, 1, 1, np.inf, 1, 1]), "no row has a value of R"),
        (lambda table: replace(table, features=table.features * [1, 1, 1, -1, 1, 1] - 1), "no row has a value of R"),
        (lambda table: table.take(np.arange(len(table)) < 1), "at least two rows"),
    ],
)
def test_wrong_tables(table: TrainingTable, damage: Damage, message: str) -> None:
    with pytest.raises(LithoError, match=message):
        fit(damage(table), replace(STANDARD, epochs=1), supervised=False, trained_on="")
