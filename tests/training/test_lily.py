from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.rows.binning import Binning
from lithovae.runtime.scan import track
from lithovae.runtime.scan.scan import open_scan
from lithovae.training.lily import CHANNELS, FILES, Coverage, read_lily
from lithovae.training.table import TrainingTable

DEPTH = "Depth CSF-A (m)"
Frames = dict[str, pd.DataFrame]
WriteFolder = Callable[[Frames], Path]


def samples(instrument: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Unsorted samples of three holes, many in one bin, some on its edge, some without depth, value or lithology."""
    depth = rng.choice(np.round(np.arange(-1, 6, 0.05), 2), n).astype(object)
    depth[rng.random(n) < 0.03] = None
    depth[rng.random(n) < 0.03] = -999.25
    columns: dict[str, Any] = {
        "Exp": 346,
        "Site": rng.choice(["U1422", "U1423"], n),
        "Hole": rng.choice(["A", "B"], n),
        "Core": 1,
        "Type": "H",
        "Sect": 1,
        DEPTH: depth,
    }
    for i in CHANNELS[instrument]:
        values = np.round(rng.uniform(0.2, 4.1, n), 3)
        values[rng.random(n) < 0.1] = np.nan
        values[rng.random(n) < 0.05] = -999.25
        columns[FEATURE_NAMES[i]] = values
    lithology = rng.choice(["clay", "ooze", "ash"], n).astype(object)
    lithology[rng.random(n) < 0.2] = None
    return pd.DataFrame(columns | {"Principal": lithology})


@pytest.fixture
def messy() -> Frames:
    rng = np.random.default_rng(3)
    return {
        instrument: samples(instrument, n, rng) for instrument, n in zip(CHANNELS, (400, 350, 250, 500), strict=True)
    }


@pytest.fixture
def write_folder(tmp_path: Path) -> WriteFolder:
    def write(frames: Frames) -> Path:
        for instrument, frame in frames.items():
            frame.to_csv(tmp_path / FILES[instrument], index=False)
        return tmp_path

    return write


def _mode(names: pd.Series[str]) -> str | None:
    return names.mode().iloc[0] if names.notna().any() else None


def by_pandas(frames: Frames) -> tuple[pd.DataFrame, list[int]]:
    """Build the table with pandas' own grouping and merging; also return the bins left after each join."""
    table, joined = pd.DataFrame(), []
    for instrument, frame in frames.items():
        values = [FEATURE_NAMES[i] for i in CHANNELS[instrument]]
        clean = frame.replace(-999.25, np.nan).dropna(subset=[DEPTH]).dropna(subset=values, how="all")
        clean["Borehole_ID"] = clean["Exp"].astype(str) + "-" + clean["Site"] + "-" + clean["Hole"]
        clean["Depth_Bin"] = np.round(clean[DEPTH].astype(float) / 0.2) * 0.2
        groups = clean.groupby(["Borehole_ID", "Depth_Bin"])
        binned = groups[values].mean().dropna()
        if instrument == "GRA":
            binned["Principal"] = groups["Principal"].agg(_mode)
        table = binned if instrument == "GRA" else table.join(binned, how="inner")
        joined.append(len(table))
    table = table[table["Bulk density (GRA)"].between(0.3, 4.0)].dropna().reset_index()
    return table.sort_values(["Borehole_ID", "Depth_Bin"], ignore_index=True), joined


def assert_equal(table: TrainingTable, expected: pd.DataFrame) -> None:
    assert table.hole.tolist() == expected["Borehole_ID"].tolist()
    assert table.lithology.tolist() == expected["Principal"].tolist()
    np.testing.assert_allclose(table.depth, expected["Depth_Bin"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.features, expected[list(FEATURE_NAMES)], rtol=1e-12)


@pytest.mark.parametrize("chunk_rows", [3, 20, 100, 10_000])
def test_as_pandas_would_make_it_whatever_the_chunk(messy: Frames, write_folder: WriteFolder, chunk_rows: int) -> None:
    expected, joined = by_pandas(messy)
    reported: list[Coverage] = []
    table = read_lily(write_folder(messy), chunk_rows=chunk_rows, report=reported.append)
    assert_equal(table, expected)
    (coverage,) = reported
    assert list(coverage.joined.values()) == joined
    assert coverage.samples == {"GRA": 400, "MS": 350, "NGR": 250, "RGB": 500}
    assert coverage.outliers + coverage.unnamed == joined[-1] - len(table)
    assert min(coverage.outliers, coverage.unnamed, *coverage.left_out.values()) > 0
    assert coverage.rows == len(table) == len(expected) > 50


@pytest.mark.parametrize("block_rows", [17, 100_000])
def test_the_runtime_bins_as_training_does_to_the_last_bit(
    messy: Frames, write_folder: WriteFolder, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    folder = write_folder(messy)
    table = read_lily(folder, chunk_rows=23)
    with h5py.File(folder / "scan.h5", "w") as file:
        for instrument, frame in messy.items():
            for name, column in frame.drop(columns="Principal").items():
                numbers = name in (DEPTH, *FEATURE_NAMES)
                file[f"{instrument}/{name}"] = column.astype(float) if numbers else column.astype(str).tolist()
    monkeypatch.setattr(track, "BLOCK_ROWS", block_rows)
    with open_scan(folder / "scan.h5") as scan:
        binning = Binning(scan, BIN_WIDTH)
        for stretch in (stretch for part in scan.tracks for stretch in part.stretches()):
            binning.add(stretch)
    block, means = binning.block(), binning.bins.mean()
    holes = ["-".join(parts) for parts in zip(*(block.address[p] for p in ("expedition", "site", "hole")), strict=True)]
    rows = {key: i for i, key in enumerate(zip(holes, binning.bins.depth.tolist(), strict=True))}
    same = np.array([rows[key] for key in zip(table.hole.tolist(), table.depth.tolist(), strict=True)])
    plausible = binning.bins.flags[same] == 0  # the published table has spikes in its means, a scan's bins do not
    same, features = same[plausible], table.features[plausible]
    assert len(same) > 50
    assert means[same].tobytes() == features.tobytes()
    assert block.features[same].tobytes() == features.astype(np.float32).tobytes()


def test_order_of_rows_and_columns_does_not_matter(messy: Frames, write_folder: WriteFolder) -> None:
    expected, _ = by_pandas(messy)
    shuffled = {name: frame.sample(frac=1, random_state=0).sort_index(axis=1) for name, frame in messy.items()}
    assert_equal(read_lily(write_folder(shuffled)), expected)


def rows(
    instrument: str, *depths: float, lithology: tuple[str | None, ...] | str = "clay", **other: Any
) -> pd.DataFrame:
    columns: dict[str, Any] = {"Exp": "346", "Site": "U1422", "Hole": "A", DEPTH: depths}
    columns |= {FEATURE_NAMES[i]: 1.5 + i for i in CHANNELS[instrument]}
    return pd.DataFrame(columns | {"Principal": lithology} | other)


def every(*depths: float, **other: Any) -> Frames:
    return {instrument: rows(instrument, *depths, **other) for instrument in CHANNELS}


@pytest.mark.parametrize(
    ("lithology", "expected"),
    [
        (("ooze", "clay", "ooze"), "ooze"),
        (("ooze", "clay", "ash"), "ash"),  # a tie: the first in alphabetical order
        ((None, " clay ", None), "clay"),
        ((None, None, "clay"), "clay"),
    ],
)
def test_the_most_common_lithology_of_the_density_file(
    write_folder: WriteFolder, lithology: tuple[str | None, ...], expected: str
) -> None:
    frames = every(1.0, 1.01, 1.02, lithology="sand") | {"GRA": rows("GRA", 1.0, 1.01, 1.02, lithology=lithology)}
    for chunk_rows in (1, 10):
        assert read_lily(write_folder(frames), chunk_rows=chunk_rows).lithology.tolist() == [expected]


def test_a_lithology_without_a_density_does_not_count(write_folder: WriteFolder) -> None:
    density = rows("GRA", 1.0, 1.01, 1.02, lithology=("ash", "ash", "clay"))
    density[FEATURE_NAMES[0]] = [np.nan, -999.25, 1.7]
    assert read_lily(write_folder(every(1.0) | {"GRA": density})).lithology.tolist() == ["clay"]


def test_what_cannot_be_measured_is_left_out(write_folder: WriteFolder) -> None:
    frames = every(0.0, 1.0, 2.0, 3.0)
    frames["MS"].loc[1, FEATURE_NAMES[1]] = np.inf
    frames["RGB"].loc[2, "G"] = -1.0  # log1p has no value there
    frames["GRA"].loc[3, "Hole"] = None
    reported: list[Coverage] = []
    table = read_lily(write_folder(frames), report=reported.append)
    assert table.depth.tolist() == [0.0]
    assert reported[0].bins == {"GRA": 3, "MS": 3, "NGR": 4, "RGB": 3}
    assert reported[0].left_out == {"GRA": 1, "MS": 1, "NGR": 0, "RGB": 0}


def test_density_is_kept_to_its_published_range_ends_included(write_folder: WriteFolder) -> None:
    frames = every(0.0, 1.0, 2.0, 3.0)
    frames["GRA"][FEATURE_NAMES[0]] = [0.29, 0.3, 4.0, 4.01]
    np.testing.assert_allclose(read_lily(write_folder(frames)).depth, [1.0, 2.0])


def test_case_of_the_names_blanks_and_a_byte_order_mark(write_folder: WriteFolder) -> None:
    frames = every(0.0)
    folder = write_folder({name: frame.rename(columns=lambda text: f" {text} ") for name, frame in frames.items()})
    for name in FILES.values():
        text = (folder / name).read_text()
        (folder / name).unlink()
        (folder / name.lower()).write_text(text, encoding="utf-8-sig")
    assert read_lily(folder).hole.tolist() == ["346-U1422-A"]


def test_progress_sees_every_byte(messy: Frames, write_folder: WriteFolder) -> None:
    folder = write_folder(messy)
    seen: dict[str, tuple[int, int]] = {}

    def progress(items: Iterable[Any], label: str, total: int, size: Callable[[Any], int]) -> Iterable[Any]:
        passed = 0
        for item in items:
            passed += size(item)
            yield item
        seen[label] = (passed, total)

    read_lily(folder, progress=progress, chunk_rows=50)
    assert list(seen) == [f"reading {name}" for name in FILES.values()]
    assert all(passed == total for passed, total in seen.values())


def test_says_which_files_lack(write_folder: WriteFolder, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such folder"):
        read_lily(tmp_path / "absent")
    frames = every(0.0)
    del frames["NGR"], frames["MS"]
    with pytest.raises(TableError, match=r"lacks MS_DataLITH.csv, NGR_DataLITH.csv: copy these files from the LILY"):
        read_lily(write_folder(frames))


def test_does_not_choose_between_two_files(write_folder: WriteFolder) -> None:
    folder = write_folder(every(0.0))
    text = (folder / "MS_DataLITH.csv").read_text()
    (folder / "ms_datalith.CSV").write_text(text)
    assert len(read_lily(folder)) == 1  # the download's own spelling is preferred
    (folder / "MS_DataLITH.csv").rename(folder / "MS_DATALITH.csv")
    if len(list(folder.iterdir())) < 5:
        pytest.skip("this file system does not tell case apart")
    with pytest.raises(TableError, match=r"holds MS_DATALITH.csv and ms_datalith.CSV: keep one"):
        read_lily(folder)


@pytest.mark.parametrize(
    ("instrument", "column"),
    [("GRA", "Principal"), ("MS", DEPTH), ("NGR", "Exp"), ("RGB", "B"), ("GRA", FEATURE_NAMES[0])],
)
def test_says_which_column_lacks(write_folder: WriteFolder, instrument: str, column: str) -> None:
    frames = every(0.0)
    frames[instrument] = frames[instrument].drop(columns=column)
    with pytest.raises(TableError, match="lacks the column") as caught:
        read_lily(write_folder(frames))
    assert FILES[instrument] in str(caught.value)
    assert repr(column) in str(caught.value)


@pytest.mark.parametrize("column", [DEPTH, "G"])
def test_says_where_text_stands_for_a_number(write_folder: WriteFolder, column: str) -> None:
    frames = every(*np.arange(20) / 5)
    values: list[object] = frames["RGB"][column].tolist()
    values[12], values[14] = "dark", True
    frames["RGB"][column] = pd.Series(values, dtype=object)
    with pytest.raises(TableError) as caught:
        read_lily(write_folder(frames), chunk_rows=5)
    for part in (FILES["RGB"], repr(column), "row 13 below the header (and 1 more by row 15): 'dark' is not a number"):
        assert part in str(caught.value)


def test_other_columns_and_trailing_commas_do_no_harm(write_folder: WriteFolder) -> None:
    folder = write_folder(every(0.0, 0.2, Text="a, b"))
    path = folder / FILES["MS"]
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{line},," for line in lines)]))
    assert len(read_lily(folder)) == 2


def test_says_which_file_is_empty(write_folder: WriteFolder) -> None:
    folder = write_folder(every(0.0))
    path = folder / FILES["NGR"]
    header = path.read_text().splitlines()[0]
    for content, message in ((b"", "is empty"), (header.encode(), "has no rows"), (b"Exp\xff\n1\n", "cannot be read")):
        path.write_bytes(content)
        with pytest.raises(TableError, match=f"NGR_DataLITH.csv {message}"):
            read_lily(folder)


def test_says_when_nothing_is_left(write_folder: WriteFolder) -> None:
    frames = every(0.0)
    with pytest.raises(TableError, match=r"no 20 cm bin was measured by all four instruments .*'NGR': 1, 'RGB': 0"):
        read_lily(write_folder(frames | {"RGB": rows("RGB", 0.2)}))
    with pytest.raises(TableError, match=r"no row is left: 0 of 1 joined bins have .*, 1 no 'Principal'"):
        read_lily(write_folder(frames | {"GRA": rows("GRA", 0.0, lithology=(None,))}))
    dense = rows("GRA", 0.0).assign(**{FEATURE_NAMES[0]: 9.0})
    with pytest.raises(TableError, match=r"1 of 1 joined bins have a density outside \(0.3, 4.0\)"):
        read_lily(write_folder(frames | {"GRA": dense}))
