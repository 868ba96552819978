from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.runtime import LithoModel, OutputError, ScanError, Settings
from lithovae.runtime.commands.bins import app
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.commands.run import app as run_app
from lithovae.runtime.commands.table import write_table
from lithovae.runtime.features import CATALOGUE, FEATURE_NAMES, LILY, FeatureSet, Quantity, read_features
from lithovae.runtime.outputs.writer import table_format
from lithovae.runtime.process.progress import silent
from lithovae.runtime.result import ResultSchema
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.scan.scan import open_scan

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]
FORMATS = [".csv", ".parquet"]


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=2)


@pytest.fixture
def cli() -> CliRunner:
    return CliRunner()


def write_values(out: Path, features: FeatureSet, values: NDArray[np.float32]) -> None:
    n = len(values)
    schema = ResultSchema.of_values(features, {"hole": np.dtype("U1")}, has_depth=True, is_binned=True)
    with table_format(out)(out, schema, n, fewer=False) as writer:
        blocks = {"hole": np.full(n, "A"), "depth": np.arange(n) / 5, "values": values}
        writer.write(writer.pack(blocks | {"samples": np.full(values.shape, 7)}))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("quantity", CATALOGUE, ids=lambda quantity: str(quantity.name))
def test_readers_find_name_and_unit_again(tmp_path: Path, quantity: Quantity, suffix: str) -> None:
    low, high = quantity.plausible
    values = np.linspace(max(low, 0.25), high, 9)[:-1].astype(np.float32)[:, None]
    write_values(tmp_path / f"t{suffix}", FeatureSet([quantity]), values)
    with open_scan(tmp_path / f"t{suffix}", features=CATALOGUE) as scan:
        assert [CATALOGUE[i] for i in scan.sources] == [quantity]
        ((source,),) = scan.sources.values()
        assert source.unit is not None
        assert quantity.factor(source.unit) == source.factor == 1
        assert scan.sources.keys() == {CATALOGUE.index(quantity)}
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(stretch.features[CATALOGUE.index(quantity)].astype(np.float32), values[:, 0])
        assert scan.unused == [f"samples {quantity.name}"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_all_quantities_side_by_side_are_told_apart(tmp_path: Path, suffix: str) -> None:
    ends = np.array([quantity.plausible for quantity in CATALOGUE])
    values = (ends[:, 0] + np.array([[0.4], [0.5], [0.6]]) * (ends[:, 1] - ends[:, 0])).astype(np.float32)
    write_values(tmp_path / f"t{suffix}", CATALOGUE, values)
    with open_scan(tmp_path / f"t{suffix}", features=CATALOGUE) as scan:
        assert scan.address == {}
        assert {i: source.column.name for i, (source,) in scan.sources.items()} == {
            i: quantity.heading for i, quantity in enumerate(CATALOGUE)
        }
        assert scan.unused == [f"samples {name}" for name in CATALOGUE.names]


def result_of(scan: Path, model: LithoModel, out: Path, **options: Any) -> dict[str, NDArray[Any]]:
    embed_scan(scan, out, model, Settings(**options))
    with np.load(out) as result:
        return {name: result[name] for name in result.files if name not in ("about", "samples", "implausible")}


def require_same_results(scan: Path, table: Path, model: LithoModel, **options: Any) -> None:
    ours, theirs = (result_of(path, model, table.with_suffix(".npz")) for path in (table, scan))
    if options:
        theirs = result_of(scan, model, table.with_suffix(".npz"), **options)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert np.array_equal(ours[name], values, equal_nan=values.dtype.kind == "f"), name


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_over_the_table_is_a_run_over_the_scan(
    root: Path, tmp_path: Path, model: LithoModel, suffix: str
) -> None:
    scan = root / "examples" / "scan.h5"
    summary = write_table(scan, tmp_path / f"t{suffix}")
    assert (summary.n_rows, summary.features, summary.bin_width) == (142, LILY, 0.2)
    require_same_results(scan, tmp_path / f"t{suffix}", model)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", ["iodp-u1482c", "m9907-11pc", "m9907-23pc", "odp-926a", "odp-984a"])
def test_real_scans_survive_the_way_through_a_table(
    shared_scans: Path, tmp_path: Path, model: LithoModel, name: str, suffix: str
) -> None:
    scan = shared_scans / f"{name}.h5"
    with open_scan(scan) as opened:
        features = opened.with_found().feature_set
    write_table(scan, tmp_path / f"t{suffix}", features=features)
    require_same_results(scan, tmp_path / f"t{suffix}", model)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("block_rows", [64, 65_536])
def test_own_rows_are_written_with_their_gaps(
    write_scan: WriteScan,
    features: Floats,
    model: LithoModel,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    block_rows: int,
) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", block_rows)
    features[:5, 1:] = np.nan  # a table may begin with rows that hold little
    features[7:9] = np.nan
    features[100::3, 4] = np.nan
    features[50, 0] = 1e300  # beyond float32
    depth = np.arange(len(features)) / 3
    data = {name: features[:, i] for i, name in enumerate(FEATURE_NAMES)}
    scan = write_scan(data | {"depth": depth}, {"depth": "m"}, {"@hole": "U1482C"})
    table = scan.with_suffix(suffix)
    assert write_table(scan, table).bin_width is None
    read = pd.read_csv(table) if suffix == ".csv" else pd.read_parquet(table)
    assert list(read)[:2] == ["hole", "Depth (m)"]
    assert not any(str(heading).startswith("samples") for heading in read)
    np.testing.assert_array_equal(read["Depth (m)"], depth)
    with np.errstate(over="ignore"):
        values = features.astype(np.float32)
    values[50, 0] = np.nan
    for i, feature in enumerate(LILY):
        np.testing.assert_array_equal(read[feature.heading].astype(np.float32), values[:, i])
    require_same_results(scan, table, model)


@pytest.mark.parametrize("suffix", FORMATS)
def test_means_and_counts_are_those_of_the_bins(shared_scans: Path, tmp_path: Path, suffix: str) -> None:
    scan, out = shared_scans / "m9907-23pc.h5", tmp_path / f"t{suffix}"
    features = read_features("Vp, FP,density")
    summary = write_table(scan, out, Settings(bin_width=0.05), features)
    assert summary.n_implausible_samples.tolist() == [0, 2, 0]
    with open_scan(scan, features=features) as opened:
        rows = rows_of(opened, silent, 0.05)
        blocks = [read() for read in rows.blocks]
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    for i, feature in enumerate(features):
        values = np.concatenate([block.features[:, i] for block in blocks])
        np.testing.assert_array_equal(read[feature.heading].astype(np.float32), values)
        counts = np.concatenate([block.samples[:, i] for block in blocks if block.samples is not None])
        np.testing.assert_array_equal(read[f"samples {feature.name}"], counts)
        assert read[f"samples {feature.name}"].dtype == np.int64
    assert set(read["core"]) == {"M9907-23PC"}


def test_a_csv_holds_the_shortest_numbers_and_blank_gaps(write_scan: WriteScan) -> None:
    data = {
        "a/depth": [0.0, 0.2, 0.6],
        "a/MS": [100.0, np.nan, 0.1],
        "a/hole": [b'B,"1"', b'B,"1"', b"#2"],
        "b/depth": [0.2, 0.6],
        "b/density": [1.5, 9.0],
        "b/hole": [b'B,"1"', b"#2"],
    }
    table = write_scan(data, {"a/depth": "m", "b/depth": "m"}).with_suffix(".csv")
    summary = write_table(table.with_suffix(".h5"), table)
    assert summary.n_implausible_samples.tolist() == [1, 0]
    assert table.read_bytes().decode().splitlines() == [
        "hole,Depth (m),Bulk density (GRA) (g/cm3),Magnetic susceptibility (instr. units),"
        "samples Bulk density (GRA),samples Magnetic susceptibility (instr. units)",
        '"#2",0.6000000000000001,,0.1,0,1',
        '"B,""1""",0,,100,0,1',
        '"B,""1""",0.2,1.5,,1,0',
    ]
    with open_scan(table) as scan:
        (stretch,) = scan.tracks[0].stretches()
    assert stretch.address["hole"].tolist() == ["#2", 'B,"1"', 'B,"1"']


def test_rows_of_which_nothing_is_known_stay_in_their_place(write_scan: WriteScan, model: LithoModel) -> None:
    scan = write_scan({"density": [1.5, np.nan, 1.75, np.nan], "MS": [1.0, np.nan, 2.0, np.nan]})
    write_table(scan, scan.with_suffix(".csv"))
    assert scan.with_suffix(".csv").read_text().splitlines()[1:] == ["1.5,1", ",NaN", "1.75,2", ",NaN"]
    require_same_results(scan, scan.with_suffix(".csv"), model)


def test_a_parquet_states_where_it_comes_from(root: Path, tmp_path: Path) -> None:
    write_table(root / "examples" / "scan.h5", tmp_path / "t.parquet", features=read_features("MS"))
    about = json.loads(pq.read_metadata(tmp_path / "t.parquet").metadata[b"about"])
    assert about["scan"] == "scan.h5"
    assert about["sources"] == {FEATURE_NAMES[1]: "MS/Magnetic susceptibility (instr. units)"}
    assert "bundle" not in about


def test_a_known_scale_of_depth_is_kept(write_scan: WriteScan) -> None:
    for name in ("Depth CSF-A", "Depth CCSF-D", "WMSF depth", "TVD", "Depth CSF-B"):
        scan = write_scan({name: [1.0, 2.0], "MS": [1.0, 3.0]}, {name: "m"})
        if name.startswith("WMSF"):
            scan = write_scan({"depth_WMSF": [1.0, 2.0], "MS": [1.0, 3.0]}, {"depth_WMSF": "m"})
        with open_scan(scan) as opened:
            scale = opened.depth_scale
        assert scale
        write_table(scan, scan.with_suffix(".csv"))
        with open_scan(scan.with_suffix(".csv")) as opened:
            assert opened.depth_scale == scale
            assert opened.tracks[0].depth is not None
            assert opened.tracks[0].depth.unit == "m"


def test_it_prints_what_it_read_left_out_and_wrote(cli: CliRunner, write_scan: WriteScan) -> None:
    scan = write_scan(
        {"a/MS": [1.0, 2.0, 3.0], "a/depth": [0.0, 0.2, np.nan], "b/Vp": [1500.0, 5.0], "b/depth": [0.0, 0.2]},
        {"a/depth": "m", "b/depth": "m", "b/Vp": "m/s"},
    )
    done = cli.invoke(app, [str(scan), "--out", str(scan.with_suffix(".csv"))])
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert "       P-wave velocity                        b/Vp (m/s)" in said
    assert said[-5:] == [
        "rows   2 bins of 0.2 m, from 2 tables, 0.00 to 0.20 m",
        "note   1 sample without a depth left out (Magnetic susceptibility (instr. units) 1)",
        "note   P-wave velocity is missing in 1 of 2 rows: left blank",
        "note   1 sample of P-wave velocity outside 300 to 9000 m/s was left out of the means (1 of 2 rows): is it in "
        "another unit?",
        f"wrote  {scan.with_suffix('.csv')}: 2 rows of 2 features",
    ]


def test_options_of_reading_are_those_of_a_run(cli: CliRunner, write_scan: WriteScan, tmp_path: Path) -> None:
    (tmp_path / "cal.toml").write_text('[MS]\nunit = "SI"\ngain = 10.0\noffset = 1.0\nsource = "a test"\n')
    scan = write_scan({"kappa": [1.0, 2.0], "depth": [0.0, 0.1]}, {"kappa": "SI", "depth": "m"})
    options = ["--map", "MS=kappa", "--bin", "0.4", "--calibration", str(tmp_path / "cal.toml"), "--features", "loopms"]
    done = cli.invoke(app, [str(scan), "--out", str(tmp_path / "t.csv"), *options])
    assert done.exit_code == 0, done.output
    (row,) = pd.read_csv(tmp_path / "t.csv").to_dict("records")
    assert row == {"Depth (m)": 0, FEATURE_NAMES[1]: 16, f"samples {FEATURE_NAMES[1]}": 2}


WRONG = {
    "no quantity is named 'densty'": ["--features", "MS,densty", "--out", "t.csv"],
    "no quantity is named ''": ["--features", "", "--out", "t.csv"],
    "names Magnetic susceptibility (instr. units) twice": ["--features", "MS,loopms", "--out", "t.csv"],
    "the scan has no P-wave velocity: leave it out of --features, or name its column with --map; it has density, MS, "
    "NGR, R, G, B": ["--features", "MS,Vp", "--out", "t.csv"],
    "none of the features is among its columns": ["--features", "Vp", "--out", "t.csv"],
    "t.npz must end in .csv or .parquet": ["--out", "t.npz"],
    "t must end in .csv or .parquet": ["--out", "t"],
    "no depth for": ["--bin", "0.2", "--out", "t.csv"],
    "--bin takes auto, none or a width": ["--bin", "wide", "--out", "t.csv"],
    "no column 'nowhere'": ["--map", "MS=nowhere", "--out", "t.csv"],
    "no such folder": ["--out", "nowhere/t.parquet"],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_uses_are_one_clear_line(
    cli: CliRunner, flat_scan: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.chdir(flat_scan.parent)
    before = sorted(flat_scan.parent.iterdir())
    done = cli.invoke(app, [flat_scan.name, *WRONG[message]])
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert sorted(flat_scan.parent.iterdir()) == before


def test_the_table_never_replaces_the_scan(root: Path, tmp_path: Path) -> None:
    write_table(root / "examples" / "scan.h5", tmp_path / "t.csv")
    before = (tmp_path / "t.csv").read_bytes()
    with pytest.raises(OutputError, match="would replace the scan"):
        write_table(tmp_path / "t.csv", tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_without_a_value_nothing_is_written(write_scan: WriteScan, suffix: str) -> None:
    scan = write_scan({"MS": [np.nan, -999.25], "depth": [0.0, 1.0]}, {"depth": "m"})
    with pytest.raises(ScanError, match="there is nothing to write"):
        write_table(scan, scan.with_suffix(suffix))
    with pytest.raises(ScanError, match="no sample has both a depth and a value"):
        write_table(scan, scan.with_suffix(suffix), Settings(bin_width=0.2))
    assert list(scan.parent.iterdir()) == [scan]


def test_without_pyarrow_the_message_names_the_extra(
    flat_scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match=re.escape("pip install 'lithovae[tables]'")):
        write_table(flat_scan, tmp_path / "t.parquet")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interrupted_table_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "out").mkdir()
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        block = np.random.default_rng(0).uniform(1, 3, (65_536, 6)).round(1).astype("f4")
        data = file.create_dataset("data", data=np.tile(block, (30, 1)), chunks=block.shape, compression="gzip")
        data.attrs["columns"] = list(FEATURE_NAMES)
    command = [str(Path(sys.executable).parent / "lithovae"), "bins", str(tmp_path / "scan.h5")]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out" / f"t{suffix}")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 10_000 for path in (tmp_path / "out").iterdir()):
        assert process.poll() is None, "the command ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "interrupted; nothing was left half-written\n")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("width", [None, 0.05])
def test_a_run_adds_values_on_request(
    cli: CliRunner, write_scan: WriteScan, features: Floats, model: LithoModel, width: float | None
) -> None:
    features[3, 1] = np.nan
    features[4, 0] = 1e300
    data = {name: features[:, i] for i, name in enumerate(FEATURE_NAMES)}
    scan = write_scan(data | {"depth": np.arange(len(features)) / 10}, {"depth": "m"})
    out = scan.with_suffix(".npz")
    options = ["--bin", "none" if width is None else str(width)]
    for more in ([], ["--values"], ["--values", "--missing", "drop"]):
        done = cli.invoke(run_app, [str(scan), "--out", str(out), *options, *more])
        assert done.exit_code == 0, done.output
        with np.load(out) as result:
            assert ("values" in result.files) is bool(more)
            if not more:
                continue
            values, missing = result["values"], result["missing"]
            assert values.dtype == np.float32
            kept = np.ones(len(features), np.bool_)
            kept[3:5] = "drop" not in more
            np.testing.assert_array_equal(np.isnan(values), (missing[:, None] >> np.arange(6)) & 1)
            with np.errstate(over="ignore"):
                wanted = features[kept].astype(np.float32)
            wanted[np.isinf(wanted)] = np.nan
            np.testing.assert_array_equal(values, wanted)
            np.testing.assert_array_equal(result["embeddings"], model.embed(values))


def test_rows_that_fail_on_a_quantity_that_nobody_asked_for_say_how_to_leave_it_out(
    cli: CliRunner, write_scan: WriteScan, tmp_path: Path
) -> None:
    down = [0.0, 0.2, 0.4, 0.6]
    scan = write_scan(
        {"depth_m": down, "density": [1.7] * 4, "pwl/depth_m": [*down[:2], *down[:2]], "pwl/Vp": [1500.0] * 4}
    )
    refused = cli.invoke(app, [str(scan), "--out", str(tmp_path / "t.csv")])
    assert refused.exit_code == 1
    assert "pwl/Vp fall back" in refused.output
    assert "--features chooses the quantities to look for, as in --features density" in refused.output
    assert cli.invoke(app, [str(scan), "--out", str(tmp_path / "t.csv"), "--features", "density"]).exit_code == 0
