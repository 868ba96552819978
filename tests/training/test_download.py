from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lithovae.runtime.errors import OutputError
from lithovae.training import download
from lithovae.training.download import EXTRAS, SAMPLES, simulate_download
from lithovae.training.facts import Facts
from lithovae.training.lily import FILES, PUBLISHED_COVERAGE, Coverage, read_lily
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable

SEED, SHARE = 5, 0.004


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download") / "lily"
    simulate_download(folder, SEED, SHARE)
    return folder


@pytest.fixture(scope="module")
def simulated() -> TrainingTable:
    return simulate_table(SEED, SHARE)


def test_the_table_comes_back(folder: Path, simulated: TrainingTable) -> None:
    table = read_lily(folder)
    kept = (simulated.features[:, 0] >= 0.3) & (simulated.features[:, 0] <= 4.0)
    order = np.lexsort((simulated.depth, simulated.hole))
    order = order[kept[order]]
    assert len(order) >= len(simulated) - 1
    np.testing.assert_array_equal(table.hole, simulated.hole[order])
    np.testing.assert_array_equal(table.lithology, simulated.lithology[order])
    np.testing.assert_allclose(table.depth, simulated.depth[order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.features, simulated.features[order], rtol=1e-6)


def test_coverage_is_the_published_one_on_a_smaller_scale(folder: Path, simulated: TrainingTable) -> None:
    reported: list[Coverage] = []
    read_lily(folder, report=reported.append)
    (coverage,) = reported
    scale = len(simulated) / PUBLISHED_COVERAGE.rows
    for name in FILES:
        assert coverage.bins[name] == pytest.approx(PUBLISHED_COVERAGE.bins[name] * scale, abs=4)
        assert coverage.joined[name] == pytest.approx(PUBLISHED_COVERAGE.joined[name] * scale, abs=4)
        assert coverage.samples[name] == pytest.approx(PUBLISHED_COVERAGE.samples[name] * scale, rel=0.05)
    assert coverage.outliers >= 1
    assert sum(coverage.left_out.values()) >= 1  # sentinels


def test_the_extra_bins_add_up_to_the_published_coverage() -> None:
    for name, published in PUBLISHED_COVERAGE.bins.items():
        assert PUBLISHED_COVERAGE.rows + sum(n for by, n in EXTRAS if name in by) == published
    before: set[str] = set()
    for name, published in PUBLISHED_COVERAGE.joined.items():
        before |= {name}
        assert PUBLISHED_COVERAGE.rows + sum(n for by, n in EXTRAS if before <= set(by)) == published


def test_the_form_of_the_download(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES.values())
    for name, file in FILES.items():
        frame = pd.read_csv(folder / file)
        assert list(frame)[:6] == ["Exp", "Site", "Hole", "Core", "Type", "Sect"]
        assert {"Depth CSF-A (m)", "Principal"} <= set(frame)
        assert frame.notna().all(axis=None)
        depth = frame["Depth CSF-A (m)"] / 0.2
        assert (depth >= 0).all()
        assert (np.abs(depth - np.rint(depth)) < 0.5 - 0.4 / SAMPLES[name]).all()  # clear of the edges
        assert (frame["Sect"] <= 7).all()
        if name == "RGB":
            assert frame[["R", "G", "B"]].to_numpy().max() <= 255


def test_holes_without_colour_are_no_published_ones(folder: Path) -> None:
    holes = {}
    for name in ("GRA", "RGB"):
        parts = pd.read_csv(folder / FILES[name], dtype=str, usecols=["Exp", "Site", "Hole"]).drop_duplicates()
        holes[name] = {"-".join(row) for row in parts.itertuples(index=False)}
    published = {name for name, _, _, _ in Facts.load().holes}
    assert holes["RGB"] <= published
    assert holes["GRA"] - holes["RGB"]
    assert not (holes["GRA"] - holes["RGB"]) & published


def test_the_same_seed_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    simulate_download(tmp_path, SEED, SHARE)
    for file in FILES.values():
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_all_four_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_samples", fail)
    with pytest.raises(KeyboardInterrupt):
        simulate_download(tmp_path, SEED, SHARE)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "absent" / "lily"):
        with pytest.raises(OutputError, match="cannot create the folder"):
            simulate_download(folder, SEED, SHARE)
