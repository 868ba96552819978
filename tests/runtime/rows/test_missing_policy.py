from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime import InputError, LithoModel, ScanError
from lithovae.runtime.answers.embedding import Embedded, Embedder
from lithovae.runtime.commands.run import app
from lithovae.runtime.features import FEATURE_NAMES, LILY
from lithovae.runtime.missing import implausible_bits
from lithovae.runtime.rows.block import Block
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.settings import Missing, Settings

Floats = NDArray[np.float64]

DEPTH = np.asarray(np.arange(10) * 0.2, np.float64)


@pytest.fixture
def rows(features: Floats) -> NDArray[np.float32]:
    """Ten rows: the second lacks gamma, the third all features, the fourth two."""
    some = features[:10].astype(np.float32)
    some[1, 2] = some[2] = some[3, [0, 5]] = np.nan
    return some


def apply(rows: NDArray[np.float32], bundle: str, choice: Missing) -> Embedded:
    block = Block(rows, DEPTH, {"core": np.arange(len(rows)).astype(np.str_)})
    return Embedder(LithoModel.load(bundle), choice).embed(block)


@pytest.mark.parametrize("bundle", ["unsup", "unsup_hybrid"])
def test_auto_is_the_bundles_policy(rows: NDArray[np.float32], bundle: str) -> None:
    done = apply(rows, bundle, "auto")
    np.testing.assert_array_equal(done.embeddings, LithoModel.load(bundle).embed(rows))
    assert done.rows.missing.tolist() == [0, 4, 63, 33, *[0] * 6]
    assert len(done.rows.dropped) == 0


def test_nan_gives_no_embedding_even_where_the_model_imputes(rows: NDArray[np.float32]) -> None:
    done = apply(rows, "unsup_hybrid", "nan")
    assert np.isnan(done.embeddings).any(axis=1).tolist() == [False, True, True, True, *[False] * 6]


def test_impute_puts_the_scalers_mean_where_the_model_has_none(rows: NDArray[np.float32]) -> None:
    model = LithoModel.load("unsup")
    numbers = model.bundle.description["scaler"]
    scaler = DistributionAwareScaler.from_parameters(numbers["mean"], numbers["scale"])
    filled = np.where(np.isnan(rows), scaler.inverse_transform(np.zeros((1, 6))), rows)
    filled[2] = np.nan  # a row without any value is not imputed
    done = apply(rows, "unsup", "impute")
    np.testing.assert_allclose(done.embeddings, model.embed(filled), rtol=1e-4, atol=1e-5)
    assert np.isnan(done.embeddings).any(axis=1).tolist() == [False, False, True, *[False] * 7]
    assert done.rows.missing.tolist() == [0, 4, 63, 33, *[0] * 6]
    assert "not trained with missing features" in Embedder(model, "impute").policy.note
    assert Embedder(LithoModel.load("unsup_hybrid"), "impute").policy.note == ""


def test_drop_leaves_whole_rows(rows: NDArray[np.float32]) -> None:
    done = apply(rows, "unsup_hybrid", "drop")
    whole = [0, *range(4, 10)]
    np.testing.assert_array_equal(done.embeddings, LithoModel.load("unsup_hybrid").embed(rows[whole]))
    np.testing.assert_array_equal(done.rows.block.features, rows[whole])
    assert done.rows.block.address["core"].tolist() == [str(i) for i in whole]
    assert done.rows.dropped.tolist() == [4, 63, 33]
    assert not done.rows.missing.any()


def test_error_names_the_first_row(rows: NDArray[np.float32]) -> None:
    embedder = Embedder(LithoModel.load("unsup"), "error")
    assert len(embedder.embed(Block(rows[4:], None, {})).embeddings) == 6
    expected = r"^row 7 \(0\.20 m\) lacks NGR total counts \(cps\): --missing error stops the run there"
    with pytest.raises(ScanError, match=expected):
        embedder.embed(Block(rows, DEPTH, {}, first=6))


def test_other_policies_are_refused() -> None:
    with pytest.raises(InputError, match="takes auto, nan, impute, drop, error, not 'guess'"):
        Settings(missing="guess")  # type: ignore[arg-type]


def test_implausible_is_what_is_there_and_out_of_range(rows: NDArray[np.float32]) -> None:
    rows[0, 0], rows[1, 1], rows[4, 3], rows[5, 4] = 1700, -2000, np.inf, -1
    assert implausible_bits(rows, LILY).tolist() == [1, 2, *[0] * 8]  # infinity and a colour of -1 are missing


def run(scan: Path, choice: str, *more: str) -> tuple[str, dict[str, Any]]:
    out = scan.with_suffix(".npz")
    done = CliRunner().invoke(app, [str(scan), "--out", str(out), "--missing", choice, *more])
    assert done.exit_code == 0, done.output
    with np.load(out, allow_pickle=False) as arrays:
        return done.stdout, dict(arrays)


@pytest.fixture
def gaps(flat_scan: Path) -> Path:
    """A thousand rows: ten lack R, five of these and five others lack G; one has the density of lead."""
    with h5py.File(flat_scan, "a") as file:
        file["R"][:10] = np.nan
        file["G"][5:15] = -999
        file[FEATURE_NAMES[0]][20] = 11.3
    return flat_scan


def test_rows_dropped_are_not_written_and_counted(gaps: Path) -> None:
    said, arrays = run(gaps, "drop")
    assert {name: len(values) for name, values in arrays.items() if values.ndim and name != "features"} == {
        "embeddings": 985,
        "missing": 985,
        "implausible": 985,
    }
    assert "15 rows with a missing feature left out because of --missing drop (R 10, G 10)" in said
    assert "rows   985 " in said
    assert np.flatnonzero(arrays["implausible"]).tolist() == [5]
    assert np.isfinite(arrays["embeddings"]).all()


@pytest.mark.parametrize(
    ("choice", "bundle", "effect", "n_nan"),
    [
        ("auto", "unsup_hybrid", "imputed", 0),
        ("auto", "unsup", "embedding is NaN", 15),
        ("nan", "unsup_hybrid", "embedding is NaN", 15),
        ("impute", "unsup", "imputed", 0),
    ],
)
def test_what_was_done_is_printed_and_stored_in_the_output(
    gaps: Path, choice: str, bundle: str, effect: str, n_nan: int
) -> None:
    said, arrays = run(gaps, choice, "--model", bundle)
    about = json.loads(str(arrays["about"]))
    assert f"note   R, G are each missing in 10 of 1,000 rows: {effect}" in said
    assert np.isnan(arrays["embeddings"]).any(axis=1).sum() == n_nan
    assert about["missing"] == ("impute" if effect == "imputed" else "nan")
    assert ("was not trained with missing features" in said) == (choice == "impute")
    assert any("not trained with missing" in note for note in about["notes"]) == (choice == "impute")
    assert arrays["missing"][:16].tolist() == [8] * 5 + [24] * 5 + [16] * 5 + [0]


def test_advice_to_impute_is_for_models_that_do_not(gaps: Path) -> None:
    advice = "the hybrid models impute missing features"
    assert advice in run(gaps, "nan", "--model", "unsup")[0]
    assert advice not in run(gaps, "nan", "--model", "unsup_hybrid")[0]


def test_error_is_one_line_and_writes_nothing(gaps: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(gaps), "--out", str(tmp_path / "emb.npz"), "--missing", "error"])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"error: {gaps}: row 0 lacks R: --missing error stops the run there" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [gaps.name]
    assert CliRunner().invoke(app, [str(gaps), "--out", "x.npz", "--missing", "guess"]).exit_code == 1


def test_all_rows_may_be_dropped(write_scan: Callable[..., Path]) -> None:
    features = {name: np.full(3, np.nan if name == "R" else 2.0) for name in FEATURE_NAMES}
    scan = write_scan(features | {"depth": np.arange(3.0), "core": [1, 1, 2], "section": [b"1", b"2", b"1"]})
    said, arrays = run(scan, "drop")
    assert "3 rows with a missing feature left out" in said
    assert arrays["embeddings"].shape == (0, 10)
    assert arrays["section"].shape == arrays["depth"].shape == (0,)


def test_a_block_may_lose_all_its_rows(write_scan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", 4)
    features = {name: np.full(12, 2.0) for name in FEATURE_NAMES}
    features["R"] = np.repeat([2.0, np.nan, 2.0], 4)
    said, arrays = run(write_scan(features | {"depth": np.arange(12.0)}), "drop")
    assert "4 rows with a missing feature left out" in said
    assert arrays["depth"].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
