from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from lithovae.models.scaler import LILY_MEAN, LILY_SCALE, DistributionAwareScaler
from lithovae.models.scaler_file import fit_to_table, read_scaler
from lithovae.runtime.errors import CheckpointError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.training.table import TrainingTable

LILY = {"mean": list(LILY_MEAN), "scale": list(LILY_SCALE)}
ALIASES = ("GRA (g/cm3)", "Mag. Sus.", "NGR", "red", "Green", "blue")
ROWS = list(zip(ALIASES, LILY_MEAN, LILY_SCALE, strict=True))


def assert_is_lily(scaler: DistributionAwareScaler) -> None:
    np.testing.assert_allclose(scaler.mean_, LILY_MEAN, rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, LILY_SCALE, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", json.dumps(LILY)),
        ("s.json", json.dumps({"scaler": LILY, "classes": []})),
        ("scaler", json.dumps({"mean_": LILY["mean"], "scale_": LILY["scale"]})),
        ("s.csv", "feature,mean,scale\n" + "".join(f"{n},{m},{s}\n" for n, m, s in ROWS)),
        ("s.csv", "mean,sd\n" + "".join(f"{m},{s}\n" for _, m, s in ROWS)),
        ("s.csv", ",Std,Mean,n\n" + "".join(f"{n},{s},{m},9\n" for n, m, s in reversed(ROWS)) + "Depth,1,2,9\n"),
        ("s.csv", "\ufeffname,mean_,scale_,var_\r\n" + "".join(f'"{n}",{m},{s},{s * s}\r\n' for n, m, s in ROWS)),
        ("S.CSV", "variable,mean,variance\n" + "".join(f"{n},{m},{s * s}\n" for n, m, s in ROWS[::-1])),
    ],
)
def test_written_as_text(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert_is_lily(read_scaler(tmp_path / name))


@pytest.mark.parametrize(("mean", "scale"), [("mean", "scale"), ("mean_", "scale_"), ("center", "scale")])
def test_written_by_numpy(tmp_path: Path, mean: str, scale: str) -> None:
    arrays = {mean: np.array(LILY_MEAN), scale: np.array(LILY_SCALE), "n_samples_seen_": np.array(238_506)}
    np.savez(tmp_path / "s.npz", **arrays)  # type: ignore[arg-type]
    assert_is_lily(read_scaler(tmp_path / "s.npz"))


def test_by_name_and_from_a_bundle(root: Path) -> None:
    assert_is_lily(read_scaler("lily"))
    manifest = root / "models" / "bundles" / "unsup" / "manifest.json"
    assert read_scaler(manifest).mean_.tolist() == json.loads(manifest.read_text())["scaler"]["mean"]


def test_what_the_refusal_of_a_pickle_tells_to_do_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: TrainingTable
) -> None:
    monkeypatch.chdir(tmp_path)
    ours = DistributionAwareScaler().fit(table.features)
    transformed = ours.transform(table.features) * ours.scale_ + ours.mean_
    joblib.dump(StandardScaler().fit(transformed), "theirs.pkl")
    with pytest.raises(CheckpointError, match="a pickle could run code") as caught:
        read_scaler("theirs.pkl")
    snippet = re.search(r"import joblib.*scale_\)", str(caught.value))
    assert snippet
    exec(snippet[0], {})
    np.testing.assert_allclose(read_scaler("scaler.npz").scale_, ours.scale_, rtol=1e-9)


def test_fitted_on_the_training_table_it_is_the_one_that_training_fits(tmp_path: Path, table: TrainingTable) -> None:
    path = tmp_path / "table.csv"
    table.write(path)
    scaler, origin = fit_to_table(path)
    ours = DistributionAwareScaler().fit(table.features)
    np.testing.assert_allclose(scaler.mean_, ours.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, ours.scale_, rtol=1e-12)
    assert origin == f"fitted on table.csv ({len(table)} rows, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()})"


def test_other_names_order_and_missing_values(tmp_path: Path) -> None:
    rows = [
        "site,B,NGR,red,G,ms,density",
        "a,10,20,100,90,5,1.5",
        "a,NaN,,120,-7,-999.25,1.7",
        "b,30,40,NA,70,inf,1.6",
        "",
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    scaler, origin = fit_to_table(tmp_path / "t.csv")
    nan = np.nan
    raw = [[1.5, 5, 20, 100, 90, 10], [1.7, nan, nan, 120, nan, nan], [1.6, nan, 40, nan, 70, 30]]
    ours = DistributionAwareScaler().fit(raw)
    np.testing.assert_allclose(scaler.mean_, ours.mean_)
    np.testing.assert_allclose(scaler.scale_, ours.scale_)
    assert origin.startswith("fitted on t.csv (3 rows, SHA-256 ")


def test_the_published_name_of_a_feature_goes_before_an_alias(tmp_path: Path) -> None:
    heading = ",".join([*FEATURE_NAMES, "density"])
    (tmp_path / "t.csv").write_text(f"{heading}\n1.5,1,2,30,40,50,9\n1.7,1,2,30,40,50,9\n")
    assert fit_to_table(tmp_path / "t.csv")[0].mean_[0] == pytest.approx(1.6)
