from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import LithoModel
from lithovae.runtime.errors import OutputError
from lithovae.runtime.features import LILY, FeatureSet
from lithovae.training.cli import app
from lithovae.training.recipe import MODELS
from lithovae.training.scores import Scores
from lithovae.training.simulate import simulate_table
from lithovae.training.table import TrainingTable


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_from_nothing_to_a_checkpoint(run: CliRunner, tmp_path: Path) -> None:
    table, checkpoint = tmp_path / "lily.csv", tmp_path / "mine.pt"
    made = run.invoke(app, ["simulate", "--out", str(table), "--share", "0.005", "--seed", "3"])
    assert made.exit_code == 0, made.output
    arguments = ["fit", str(table), "--out", str(checkpoint), "--model", "semisup", "--epochs", "1"]
    trained = run.invoke(app, [*arguments, "--simulated-seed", "3"])
    assert trained.exit_code == 0, trained.output
    loaded = Checkpoint.load(checkpoint)
    rows = TrainingTable.read(table)
    assert loaded.data_digest == rows.digest()
    assert loaded.classes == rows.classes
    assert loaded.trained_on == (
        f"Simulated data: {len(rows)} rows drawn from the published statistics of the LILY table (IODP), seed 3; "
        "no measured core."
    )


def test_from_the_download_to_a_bundle_in_one_command(run: CliRunner, tmp_path: Path) -> None:
    download, checkpoint, bundle = tmp_path / "LILY", tmp_path / "mine.pt", tmp_path / "bundle"
    made = run.invoke(app, ["simulate", "--out", str(download), "--share", "0.005", "--seed", "3"])
    assert made.exit_code == 0, made.output
    assert sorted(path.name for path in download.iterdir()) == [
        "GRA_DataLITH.csv",
        "MS_DataLITH.csv",
        "NGR_DataLITH.csv",
        "RGB_DataLITH.csv",
        "SIMULATED.txt",
    ]
    arguments = ["fit", str(download), "--out", str(checkpoint), "--epochs", "1", "--bundle", str(bundle)]
    trained = run.invoke(app, arguments)
    assert trained.exit_code == 0, trained.output
    table = simulate_table(seed=3, share=0.005)
    assert f"{len(table):,} rows left" in trained.stdout
    assert "classes have a single row" in trained.stderr
    model = LithoModel.load(bundle)
    assert (bundle / "model_card.md").read_text().startswith("Simulated data: ")
    assert model.classes == table.classes
    assert np.isfinite(model.embed(table.features)).all()


def test_an_interrupted_run_goes_on_and_leaves_nothing_behind(
    run: CliRunner, table: TrainingTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write(tmp_path / "ours.csv")
    out = tmp_path / "mine.pt"
    arguments = ["fit", str(tmp_path / "ours.csv"), "--out", str(out), "--model", "unsup", "--epochs", "7"]
    with monkeypatch.context() as full_disk:
        full_disk.setattr(Checkpoint, "save", lambda self, path: (_ for _ in ()).throw(OutputError("disk full")))
        failed = run.invoke(app, arguments)
    assert (failed.exit_code, failed.stderr.splitlines()[-1]) == (1, "error: disk full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.pt.partial", "ours.csv"]
    assert run.invoke(app, arguments).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.pt", "ours.csv"]
    assert len(Checkpoint.load(out).history) == 7


def test_evaluation_writes_scores_and_card(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    replace(table, simulated="").write(tmp_path / "ours.csv")
    checkpoint = str(tmp_path / "mine.pt")
    short = {"semisup": replace(MODELS["semisup"], recipe=replace(MODELS["semisup"].recipe, epochs=1))}
    with patch.dict(MODELS, short):
        trained = run.invoke(app, ["fit", str(tmp_path / "ours.csv"), "--out", checkpoint, "--model", "semisup"])
        assert trained.exit_code == 0, trained.output
        assert "It has not been evaluated." in Checkpoint.load(checkpoint).card
        before = Path(checkpoint).read_bytes()
        arguments = ["evaluate", str(tmp_path / "ours.csv"), "--model", "semisup", "--checkpoint", checkpoint]
        done = run.invoke(app, [*arguments, "--seeds", "2", "--out", str(tmp_path / "scores.json")])
    assert done.exit_code == 0, done.output
    assert "range of 2 seeds" in done.stdout
    card = Checkpoint.load(checkpoint).card
    assert card.startswith(f"ours.csv: {len(table)} rows.\n")
    assert "range of 2 seeds" in card
    assert Path(checkpoint).read_bytes() == before
    runs = [Scores.from_plain(plain) for plain in json.loads((tmp_path / "scores.json").read_text())]
    assert len(runs) == 2
    assert all(scores.apart for scores in runs)
    assert runs[0].head != runs[1].head
    loaded = Checkpoint.load(checkpoint)
    assert loaded.reference is not None
    assert loaded.reference.n_rows == len(table)
    found = loaded.reference.calibration
    assert found is not None
    assert runs[0].head is not None
    assert found.error_before == pytest.approx(runs[0].head.calibration_error, abs=1e-4)  # of the first run, as scored
    assert f"{found.error_before:.3f} before and {found.error_after:.3f} after" in card
    assert f"calibration error {found.error_before:.3f} before, {found.error_after:.3f} after" in done.stdout


def test_a_checkpoint_of_before_gets_its_reference_without_training(
    run: CliRunner, table: TrainingTable, tmp_path: Path
) -> None:
    replace(table, simulated="").write(tmp_path / "ours.csv")
    checkpoint = tmp_path / "mine.pt"
    short = {"unsup": replace(MODELS["unsup"], recipe=replace(MODELS["unsup"].recipe, epochs=1))}
    with patch.dict(MODELS, short):
        arguments = [str(tmp_path / "ours.csv"), "--model", "unsup"]
        assert run.invoke(app, ["fit", *arguments, "--out", str(checkpoint)]).exit_code == 0
        before, weights = Checkpoint.load(checkpoint).reference, checkpoint.read_bytes()
        sidecar = checkpoint.with_suffix(".json")
        stated = json.loads(sidecar.read_text(encoding="utf-8"))
        del stated["reference"]
        sidecar.write_text(json.dumps(stated), encoding="utf-8")
        done = run.invoke(app, ["evaluate", *arguments, "--checkpoint", str(checkpoint), "--seeds", "1"])
    assert done.exit_code == 0, done.output
    after = Checkpoint.load(checkpoint).reference
    assert before is not None
    assert after is not None
    assert after.to_json() == before.to_json()
    assert checkpoint.read_bytes() == weights


@pytest.mark.parametrize("model", ["unsup", "semisup"])
def test_a_card_never_bears_another_models_scores(
    run: CliRunner, table: TrainingTable, tmp_path: Path, model: str
) -> None:
    table.write(tmp_path / "ours.csv")
    checkpoint = str(tmp_path / "mine.pt")
    arguments = ["fit", str(tmp_path / "ours.csv"), "--out", checkpoint, "--model", model, "--epochs", "1"]
    assert run.invoke(app, arguments).exit_code == 0
    card = Checkpoint.load(checkpoint).card
    failed = run.invoke(app, ["evaluate", str(tmp_path / "ours.csv"), "--model", model, "--checkpoint", checkpoint])
    assert failed.exit_code == 1  # one epoch is another recipe
    assert f"was not trained on this table with the recipe of {model}" in failed.stderr
    assert Checkpoint.load(checkpoint).card == card


@pytest.mark.parametrize("option", ["--bundle", "--out"])
def test_where_results_cannot_go_is_said_before_training(
    run: CliRunner, table: TrainingTable, tmp_path: Path, option: str
) -> None:
    table.write(tmp_path / "ours.csv")
    nowhere = str(tmp_path / "no" / "such")
    fit = ["fit", str(tmp_path / "ours.csv"), "--out", str(tmp_path / "mine.pt"), "--epochs", "1", "--bundle", nowhere]
    evaluate = ["evaluate", str(tmp_path / "ours.csv"), "--out", nowhere]
    failed = run.invoke(app, fit if option == "--bundle" else evaluate)
    assert failed.exit_code == 1
    assert "no such folder" in failed.stderr
    assert "epoch" not in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ours.csv"]


def test_a_scan_ends_where_its_hole_does(run: CliRunner, tmp_path: Path) -> None:
    out = tmp_path / "scan.h5"
    done = run.invoke(app, ["scan", "--out", str(out), "--hole", "346-U1422-A", "--length", "5000"])
    assert done.exit_code == 0, done.output
    assert "down to 9.6 m" in done.stdout or "down to 9." in done.stdout
    odd = run.invoke(app, ["scan", "--out", str(tmp_path / "odd.h5"), "--colour-step", "0.13"])
    assert "does not divide a bin" in odd.stderr


def test_compare_prints_every_figure(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "small.csv")
    done = run.invoke(app, ["compare", str(tmp_path / "small.csv")])
    assert done.exit_code == 0, done.output
    assert "rows per lithology: total difference" in done.stdout
    assert "too far" in done.stdout
    assert "of 77 figures are within their limits" in done.stdout


def test_a_table_of_ones_own_is_named(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    replace(table, simulated="").write(tmp_path / "ours.csv")
    arguments = ["fit", str(tmp_path / "ours.csv"), "--out", str(tmp_path / "m.pt"), "--epochs", "1"]
    assert run.invoke(app, arguments).exit_code == 0
    assert Checkpoint.load(tmp_path / "m.pt").trained_on == f"ours.csv: {len(table)} rows."


def test_embeddings_of_a_table(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "lily.csv")
    out = tmp_path / "embeddings.npz"
    done = run.invoke(app, ["embed", str(tmp_path / "lily.csv"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["unsup"].shape == arrays["semisup"].shape == (len(table), 10)
        np.testing.assert_array_equal(arrays["y"], table.labels)
        np.testing.assert_array_equal(arrays["classes"], table.classes)
        np.testing.assert_array_equal(arrays["semisup"], LithoModel.load("semisup_hybrid").embed(table.features))
        assert np.isfinite(arrays["unsup"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", "--out", "m.pt"], "no such training table"),
        (["absent.csv", "--out", "m.pt", "--model", "magic"], "no model 'magic'"),
        (["absent.csv", "--out", "nowhere/m.pt"], "/nowhere"),
    ],
)
def test_mistakes_are_said_before_anything_is_done(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = run.invoke(app, ["fit", *arguments])
    assert failed.exit_code in (1, 2)
    assert message in failed.output.replace("\n", " ").replace("│", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A core with density, susceptibility and velocity; half of it is described."""
    rng, n = np.random.default_rng(0), 3000
    columns = {
        "depth (m)": np.arange(n) * 0.02,
        "density": rng.normal(1.4, 0.1, n),
        "MS": rng.normal(20, 5, n),
        "Vp": np.where(np.arange(n) < 1000, np.nan, rng.normal(1500, 20, n)),
    }
    path = tmp_path / "core.csv"
    np.savetxt(path, np.column_stack(list(columns.values())), delimiter=",", header=",".join(columns), comments="")
    (tmp_path / "beds.csv").write_text("top (cm),base (cm),name\n0,2000,gyttja\n2000,3000,clay\n")
    return path


def test_from_a_scan_with_gaps_to_a_bundle(run: CliRunner, core: Path, tmp_path: Path) -> None:
    out, bundle = tmp_path / "lake.pt", tmp_path / "lake"
    options = ["--intervals", str(tmp_path / "beds.csv"), "--hold-out", "0.2", "--mask-instruments", "0.1"]
    done = run.invoke(app, ["fit", str(core), "--out", str(out), "--epochs", "2", "--bundle", str(bundle), *options])
    assert done.exit_code == 0, done.output
    assert "features: density, MS, Vp; missing: Vp 33" in done.stdout
    assert "held out: 60 rows that it was not trained on, of 1 hole" in done.stdout
    assert "lithology right in" in done.stdout
    assert "the commonest (clay) in" in done.stdout
    assert "probabilities of lithologies are not calibrated: --folds 5 calibrates them" in done.stderr
    loaded = Checkpoint.load(out)
    assert loaded.reference is not None
    assert loaded.reference.succession is not None
    assert loaded.reference.succession.transitions.tolist() in ([[1, 0, 1]], [])
    assert "its temperature is 1" in loaded.card
    assert f"SHA-256 of the checkpoint: {loaded.sha256}" in loaded.card
    assert (loaded.features, loaded.classes) == (FeatureSet.named(["density", "MS", "Vp"]), ("clay", "gyttja"))
    assert (loaded.recipe["name"], loaded.recipe["mask_instruments"]) == ("hybrid", 0.1)
    assert "3 → 64 → 32 → 10" in loaded.card
    assert "P-wave velocity in m/s" in loaded.card
    embeddings = LithoModel.load(bundle).embed(np.array([[1.4, 20, np.nan], [1.4, 20, 1500]]))
    assert np.isfinite(embeddings).all()


def test_folds_score_and_calibrate_a_head_on_all_rows(run: CliRunner, tmp_path: Path) -> None:
    rng, n = np.random.default_rng(0), 1200
    is_sand = np.arange(n) // 40 % 2 == 1
    density, gamma = rng.normal(1.6 + 0.15 * is_sand, 0.1), rng.normal(40 - 10 * is_sand, 8)
    names = np.where(is_sand, "sand", "clay")
    rows = [f"{0.2 * i:.1f},{density[i]:.3f},{gamma[i]:.2f},{names[i]}" for i in range(n)]
    core, out = tmp_path / "core.csv", tmp_path / "m.pt"
    core.write_text("\n".join(["Depth (m),Density (g/cc),NGR (cps),Lithology", *rows, ""]), encoding="utf-8")
    arguments = ["fit", str(core), "--out", str(out), "--epochs", "3"]
    assert "not calibrated: --folds 5 calibrates them" in run.invoke(app, arguments).stderr
    done = run.invoke(app, [*arguments, "--folds", "3"])
    assert done.exit_code == 0, done.output
    assert "not calibrated" not in done.stderr
    assert "cross-validated over 10 blocks of depth: lithology right in " in done.stdout
    assert "of 1,200 rows, the commonest (clay) in 50.0%" in done.stdout
    loaded = Checkpoint.load(out)
    assert loaded.reference is not None
    found = loaded.reference.calibration
    assert found is not None
    assert found.n_rows == loaded.reference.n_rows == n
    assert f"temperature {found.temperature:.3g}, from 10 blocks of depth: calibration error" in done.stdout
    assert "Over 10 blocks of depth, the most likely lithology is right in" in loaded.card
    assert "clay, is right in 50.0%" in loaded.card


def test_fine_tuning(run: CliRunner, core: Path, table: TrainingTable, tmp_path: Path) -> None:
    replace(table, simulated="").write(tmp_path / "ours.csv")
    first, second = tmp_path / "first.pt", tmp_path / "second.pt"
    assert run.invoke(app, ["fit", str(tmp_path / "ours.csv"), "--out", str(first), "--epochs", "1"]).exit_code == 0
    arguments = ["fit", str(core), "--out", str(second), "--start-from", str(first), "--epochs", "3"]
    done = run.invoke(app, [*arguments, "--hold-out", "0.2"])
    assert done.exit_code == 0, done.output
    assert "before fine-tuning: " in done.stdout
    assert "no row has a value of NGR total counts (cps), R, G, B" in done.stderr
    before, after = Checkpoint.load(first), Checkpoint.load(second)
    assert (after.features, after.classes) == (LILY, ())  # without lithologies, the head has no use
    assert before.reference is not None
    assert after.reference is not None  # of NGR and colour, which the rows lack, it has the ranges of before
    np.testing.assert_allclose(after.reference.ranges.values[2:], before.reference.ranges.values[2:], rtol=1e-5)
    assert after.reference.ranges.values[0, -1] < before.reference.ranges.values[0, -1]
    assert after.trained_on == "core.csv: 241 rows. Fine-tuned from first.pt."
    np.testing.assert_array_equal(after.scaler.mean_, before.scaler.mean_)
    old = json.loads(first.with_suffix(".json").read_text(encoding="utf-8"))
    del old["reference"]
    first.with_suffix(".json").write_text(json.dumps(old), encoding="utf-8")
    assert "ranges of some features are not known" in run.invoke(app, arguments).stderr
    assert Checkpoint.load(second).reference is None
    odd = run.invoke(app, [*arguments, "--intervals", str(tmp_path / "beds.csv")])
    assert odd.exit_code == 1
    assert "does not know the lithologies gyttja: name them as it does" in odd.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--features", "density,colour of the sky"], "no quantity is named 'colour of the sky'"),
        (["--features", "density,GRA"], "names Bulk density (GRA) twice"),
        (["--features", "density,Res"], "no file has a value of Electrical resistivity"),
        (["--model", "unsup", "--intervals", "beds.csv"], "unsup has no lithology head"),
        (["--model", "semisup"], "no row has a lithology"),
        (["--intervals", "absent.csv"], "absent.csv cannot be read as intervals: no such file"),
        (["--start-from", "absent.pt"], "absent.pt"),
        (["--hold-out", "0.95"], "0.95"),
        (["--folds", "5"], "unsup_hybrid has no lithology head to score"),
        (["--folds", "5", "--hold-out", "0.2", "--intervals", "beds.csv"], "cannot be combined with --hold-out"),
    ],
)
def test_options_that_do_not_fit(
    run: CliRunner, core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    failed = run.invoke(app, ["fit", str(core), "--out", "m.pt", *options])
    assert failed.exit_code in (1, 2)
    assert message in " ".join(failed.output.replace("│", "").split())
    assert set(tmp_path.iterdir()) == before


def test_a_feature_set_of_ones_own_is_trained_and_its_file_kept(run: CliRunner, tmp_path: Path) -> None:
    salinity = {"name": "Salinity", "unit": "g/kg", "plausible": [0, 50], "transform": "log1p", "instrument": "CTD"}
    entries = json.dumps([*LILY.to_json()[:1], salinity])
    (tmp_path / "ours.json").write_text(entries, encoding="utf-8")
    lines = [f"{0.1 * i:.1f},{1.5 + 0.01 * (i % 7)},{30 + i % 5}" for i in range(120)]
    core = tmp_path / "core.csv"
    core.write_text("\n".join(["Depth (m),Density (g/cc),Salinity (g/kg)", *lines, ""]), encoding="utf-8")
    arguments = ["fit", str(core), "--features", str(tmp_path / "ours.json"), "--epochs", "1", "--out"]
    refused = run.invoke(app, [*arguments, str(tmp_path / "ours.pt")])
    assert refused.exit_code == 1
    assert "ours.json is not a checkpoint's .json; it will not be overwritten" in refused.stderr
    assert (tmp_path / "ours.json").read_text(encoding="utf-8") == entries
    for _ in range(2):  # a checkpoint's own is replaced
        assert run.invoke(app, [*arguments, str(tmp_path / "model.pt")]).exit_code == 0
    assert Checkpoint.load(tmp_path / "model.pt").features.to_json()[1] == salinity


def test_a_simulated_table_needs_no_seed_and_refuses_another(run: CliRunner, tmp_path: Path) -> None:
    table, out = str(tmp_path / "t.csv"), str(tmp_path / "m.pt")
    assert run.invoke(app, ["simulate", "--out", table, "--share", "0.002", "--seed", "5"]).exit_code == 0
    assert run.invoke(app, ["fit", table, "--out", out, "--epochs", "1"]).exit_code == 0
    assert "seed 5; no measured core." in Checkpoint.load(out).trained_on
    failed = run.invoke(app, ["fit", table, "--out", out, "--epochs", "1", "--simulated-seed", "42"])
    assert failed.exit_code == 2
    assert "simulated with seed 5" in " ".join(failed.output.replace("│", "").split())


def test_columns_are_mapped_and_calibrated_as_in_a_run(run: CliRunner, tmp_path: Path) -> None:
    depth = np.arange(200) * 0.05
    rows = np.column_stack([depth, 1.5 + depth / 100, 30 + depth])
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header="depth (m),probe,MS (SI x 10^-5)", comments="")
    (tmp_path / "c.toml").write_text('[MS]\nunit = "SI x 10^-5"\ngain = 2.0\nsource = "a test"\n')
    options = ["--map", "density=probe", "--calibration", str(tmp_path / "c.toml"), "--epochs", "1"]
    done = run.invoke(app, ["fit", str(tmp_path / "a.csv"), "--out", str(tmp_path / "m.pt"), *options])
    assert done.exit_code == 0, done.output
    loaded = Checkpoint.load(tmp_path / "m.pt")
    assert loaded.features.names == LILY.names[:2]
    assert np.expm1(loaded.scaler.mean_[1]) == pytest.approx(2 * 35, rel=0.01)
    failed = run.invoke(app, ["fit", str(tmp_path / "a.csv"), "--out", str(tmp_path / "m.pt"), "--map", "density"])
    assert "does not have the form FEATURE=PATH" in " ".join(failed.output.replace("│", "").split())
