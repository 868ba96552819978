from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FEATURE_NAMES, LILY, FeatureSet
from lithovae.training.simulate import simulate_table
from lithovae.training.table import COLUMNS, TrainingTable


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
def test_round_trip_to_the_last_bit(table: TrainingTable, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    table.write(path)
    again = TrainingTable.read(path)
    assert again.digest() == table.digest()
    assert again.classes == table.classes
    np.testing.assert_array_equal(again.labels, table.labels)


def test_csv_has_the_published_columns_in_order(table: TrainingTable, tmp_path: Path) -> None:
    replace(table, simulated="").write(tmp_path / "table.csv")
    assert tuple(pd.read_csv(tmp_path / "table.csv", nrows=1)) == COLUMNS


@pytest.mark.parametrize("suffix", [".csv", ".h5"])
def test_simulated_rows_are_marked_in_the_file(tmp_path: Path, suffix: str) -> None:
    simulate_table(seed=0, share=0.001).write(tmp_path / f"table{suffix}")
    assert TrainingTable.read(tmp_path / f"table{suffix}").simulated == "seed 0"


def test_the_mark_stays_with_the_rows_in_other_programs(table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "table.csv")
    frame = pd.read_csv(tmp_path / "table.csv")
    frame.assign(Simulated=frame["Simulated"].where(frame.index == 7)).sample(frac=1, random_state=0).to_csv(
        tmp_path / "other.csv", index=False
    )
    assert TrainingTable.read(tmp_path / "other.csv").simulated == "seed 1"
    frame.assign(Simulated=0).to_csv(tmp_path / "measured.csv", index=False)
    assert TrainingTable.read(tmp_path / "measured.csv").simulated == ""


def test_the_published_table_is_read_to_the_last_bit_as_pandas_reads_it(table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "table.csv")
    frame = pd.read_csv(tmp_path / "table.csv")
    read = TrainingTable.read(tmp_path / "table.csv")
    np.testing.assert_array_equal(read.features, frame[list(FEATURE_NAMES)].to_numpy())
    np.testing.assert_array_equal(read.depth, frame["Depth_Bin"].to_numpy())


@pytest.mark.parametrize(("encoding", "delimiter"), [("latin-1", ","), ("utf-8", ";"), ("utf-8-sig", "\t")])
def test_text_as_spreadsheets_write_it(table: TrainingTable, tmp_path: Path, encoding: str, delimiter: str) -> None:
    table.write(tmp_path / "table.csv")
    frame = pd.read_csv(tmp_path / "table.csv").replace("clay", "Ton mit Körnern")
    frame.to_csv(tmp_path / "other.csv", index=False, encoding=encoding, sep=delimiter)
    read = TrainingTable.read(tmp_path / "other.csv")
    assert "Ton mit Körnern" in read.classes
    np.testing.assert_array_equal(read.features, table.features)


def test_rows_without_a_lithology_are_in_no_class(table: TrainingTable) -> None:
    lithology = np.where(np.arange(len(table)) % 2, table.lithology, "")
    some = replace(table, lithology=lithology)
    assert "" not in some.classes
    assert (some.labels[::2] == -1).all()
    assert [some.classes[i] for i in some.labels[1::2]] == lithology[1::2].tolist()


def test_the_digest_sees_other_features(table: TrainingTable) -> None:
    other = FeatureSet([*LILY[:5], FeatureSet.named(["Vp"])[0]])
    assert replace(table, feature_set=other).digest() != table.digest()


def test_other_suffixes_are_refused(table: TrainingTable, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"must end in \.csv, "):
        table.write(tmp_path / "table.csv.gz")


def test_columns_are_found_by_name_not_by_place(table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "table.csv")
    frame = pd.read_csv(tmp_path / "table.csv")
    frame[sorted(map(str, frame))].assign(Extra=1).to_csv(tmp_path / "other.csv", index=False)
    assert TrainingTable.read(tmp_path / "other.csv").digest() == table.digest()


def test_labels_index_the_sorted_classes(table: TrainingTable) -> None:
    assert list(table.classes) == sorted(set(table.lithology.tolist()))
    assert [table.classes[i] for i in table.labels[:50]] == table.lithology[:50].tolist()


def test_digest_sees_a_change(table: TrainingTable) -> None:
    changed = table.features.copy()
    changed[3, 2] = np.nextafter(changed[3, 2], 1e9)
    assert TrainingTable(table.hole, table.depth, changed, table.lithology).digest() != table.digest()


def frame(**columns: list[object]) -> pd.DataFrame:
    row: dict[str, list[object]] = {"Borehole_ID": ["A"], "Depth_Bin": [0.2], "Principal": ["clay"]}
    return pd.DataFrame(row | {name: [1.0] for name in COLUMNS if name not in row} | columns)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (frame().drop(columns=["R", "Principal"]), "lacks the column 'Principal', 'R'"),
        (frame(R=["bright"]), "column 'R' does not hold numbers"),
        (frame(Principal=[None]), "1 rows have no 'Principal'"),
        (frame(Borehole_ID=[None]), "1 rows have no 'Borehole_ID', 0 no 'Depth_Bin'"),
        (frame(Depth_Bin=[None]), "0 rows have no 'Borehole_ID', 1 no 'Depth_Bin'"),
        (frame().iloc[:0], "has no rows|not a table of numbers"),
    ],
)
def test_says_what_a_table_lacks(tmp_path: Path, bad: pd.DataFrame, message: str) -> None:
    bad.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(TableError, match=message):
        TrainingTable.read(tmp_path / "bad.csv")


def test_says_what_a_file_is_not(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such training table"):
        TrainingTable.read(tmp_path / "absent.csv")
    for name in ("empty.csv", "text.h5"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(TableError, match="cannot be read as a table"):
            TrainingTable.read(tmp_path / name)


@pytest.mark.parametrize("odd", [np.ones((5, 2)), 3.0, None, np.ones(5, complex)])
def test_hdf5_columns_that_are_none(table: TrainingTable, tmp_path: Path, odd: object) -> None:
    table.write(tmp_path / "table.h5")
    with h5py.File(tmp_path / "table.h5", "a") as file:
        del file["R"]
        if odd is None:
            file.create_group("R")
        else:
            file["R"] = odd
    with pytest.raises(TableError, match=r"lacks the column 'R'|differ in length"):
        TrainingTable.read(tmp_path / "table.h5")


def test_hdf5_columns_of_different_length(table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "table.h5")
    with h5py.File(tmp_path / "table.h5", "a") as file:
        short = file["R"][:-1]
        del file["R"]
        file["R"] = short
    with pytest.raises(TableError, match="differ in length"):
        TrainingTable.read(tmp_path / "table.h5")
