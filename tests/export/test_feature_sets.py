"""Models of other feature sets than the published one: as bundles, as C source and in the runtime."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.export.bundle import write_bundle
from lithovae.export.c_library import CLibrary
from lithovae.export.c_source import write_c
from lithovae.export.cli import app
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.scaler import DistributionAwareScaler
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime import BundleError, InputError, LithoModel
from lithovae.runtime.errors import CheckpointError
from lithovae.runtime.features import CATALOGUE, FeatureSet
from lithovae.runtime.missing import without_sentinels

SALINITY = {
    "name": "Pore water salinity",
    "unit": "psu",
    "plausible": [0.0, 60.0],
    "transform": "none",
    "instrument": "probe",
}
"""A quantity that the catalogue does not know."""
SETS = {
    "lake": FeatureSet.named(["density", "MS", "Vp", "Res"]),
    "colour first": FeatureSet.named(["R", "G", "B", "MS", "density"]),
    "L*a*b*": FeatureSet.named(["density", "MS", "NGR", "L*", "a*", "b*", "Vp"]),
    "of its own": FeatureSet.of_json([*FeatureSet.named(["MS"]).to_json(), SALINITY]),
    "one": FeatureSet.named(["NGR"]),
    "nine": FeatureSet.named(["Ca (XRF)", "R", "G", "B", "Vp", "Res", "K (XRF)", "density", "FP"]),
    "catalogue": CATALOGUE,
}


def model_of(features: FeatureSet, *, classes: int = 0, mask: float = 0.1, spread: float = 0.05) -> Checkpoint:
    """Return a checkpoint with statistics within the plausible ranges; ``spread`` is a share of these."""
    torch.manual_seed(3)
    n = len(features)
    model = SemiSupervisedVAE(n, 5, (16, 8), classes) if classes else VAE(n, 5, (16, 8))
    identity = DistributionAwareScaler.from_parameters(np.zeros(n), np.ones(n), features.transforms)
    low, high = identity.transform(np.transpose([feature.plausible for feature in features]))
    return Checkpoint(
        model=model.eval(),
        scaler=DistributionAwareScaler.from_parameters(
            low + 0.6 * (high - low), spread * (high - low), features.transforms
        ),
        classes=tuple(f"class {i}" for i in range(classes)),
        recipe={"name": "hybrid", "mask_probability": mask},
        trained_on="Nothing: a test.",
        data_digest="",
        features=features,
    )


def rows_of(checkpoint: Checkpoint, n: int = 200) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    rows = checkpoint.scaler.inverse_transform(rng.standard_normal((n, len(checkpoint.features))))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    rows[rng.random(rows.shape) < 0.1] = -999.25
    rows[0] = np.nan
    return rows.astype(np.float32)


def by_torch(checkpoint: Checkpoint, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    scaled = checkpoint.scaler.transform(without_sentinels(rows))
    lacks = np.isnan(scaled)
    with torch.no_grad():
        mu = checkpoint.model.double().encode(torch.tensor(np.where(lacks, 0, scaled)))[0].numpy()
    checkpoint.model.float()
    none = lacks.all(axis=1) if checkpoint.missing == "impute" else lacks.any(axis=1)
    return np.where(np.asarray(none)[:, None], np.nan, mu)


@pytest.mark.parametrize("mask", [0.0, 0.1])
@pytest.mark.parametrize("name", SETS)
def test_a_bundle_of_any_set_passes_the_gate_and_agrees_with_torch(tmp_path: Path, name: str, mask: float) -> None:
    checkpoint = model_of(SETS[name], classes=3, mask=mask)
    results = write_bundle(checkpoint, tmp_path / "bundle")
    assert all(result.passed for result in results)
    model = LithoModel.load(tmp_path / "bundle")
    assert model.features == SETS[name].names
    assert model.bundle.features == SETS[name]
    rows = rows_of(checkpoint)
    expected = by_torch(checkpoint, rows)
    np.testing.assert_allclose(model.embed(rows), expected, atol=2e-5)
    bits = model.missing(rows)
    lacks = np.isnan(checkpoint.scaler.transform(without_sentinels(rows)))
    assert bits.dtype == SETS[name].bits
    assert [[int(b) >> i & 1 == 1 for i in range(lacks.shape[1])] for b in bits.tolist()] == lacks.tolist()
    live = model.live()
    for row, embedding, missing in zip(rows[:20], model.embed(rows[:20]), bits[:20], strict=True):
        np.testing.assert_array_equal(live.embed(row.tolist()), embedding)
        assert live.missing == missing
    restored = model.reconstruct(rows)
    assert restored.shape == rows.shape
    answered = ~np.isnan(expected[:, 0])
    with torch.no_grad():
        decoded = checkpoint.model.decode(torch.tensor(expected[answered], dtype=torch.float32)).numpy()
    exact = checkpoint.scaler.inverse_transform(decoded)
    np.testing.assert_allclose(restored[answered], exact, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("mask", [0.0, 0.1])
@pytest.mark.parametrize("name", SETS)
def test_c_source_of_any_set(tmp_path: Path, name: str, mask: float) -> None:
    checkpoint = model_of(SETS[name], mask=mask)
    assert all(result.passed for result in write_c(checkpoint, tmp_path / "embed.c"))
    text = (tmp_path / "embed.c").read_text(encoding="ascii")
    library = CLibrary(text, SETS[name], 5, tmp_path)
    rows = rows_of(checkpoint)
    embeddings, missing = library.run(rows)
    np.testing.assert_allclose(embeddings, by_torch(checkpoint, rows), atol=2e-5)
    write_bundle(checkpoint, tmp_path / "bundle")
    np.testing.assert_array_equal(missing, LithoModel.load(tmp_path / "bundle").missing(rows))
    assert library.verify() == 0


@pytest.mark.parametrize("spread", [2e-2, 2e-3, 2e-4])
def test_a_narrow_scaler_passes_the_gate_as_it_is(tmp_path: Path, spread: float) -> None:
    """One core varies little: a float32 logarithm, divided by a small scale, would be judged three times too far."""
    for name in ("lake", "L*a*b*"):
        checkpoint = model_of(SETS[name], spread=spread)
        results = write_bundle(checkpoint, tmp_path / f"{name[0]}{spread}")
        assert all(result.passed for result in results)


def test_a_sidecar_keeps_the_set(tmp_path: Path) -> None:
    checkpoint = model_of(SETS["of its own"])
    checkpoint.save(tmp_path / "own.pt")
    assert Checkpoint.load(tmp_path / "own.pt").features == SETS["of its own"]


def test_a_data_frame_is_taken_by_the_names_of_the_set(tmp_path: Path) -> None:
    checkpoint = model_of(SETS["lake"])
    write_bundle(checkpoint, tmp_path / "bundle")
    model, rows = LithoModel.load(tmp_path / "bundle"), rows_of(checkpoint)
    frame = pd.DataFrame(rows[:, ::-1], columns=["RES (ohm.m)", "PWVel (m/s)", "MS1", "Den1"])
    np.testing.assert_array_equal(model.embed(frame), model.embed(rows))
    with pytest.raises(InputError, match=r"is in km/s: convert it to m/s"):
        model.embed(frame.rename(columns={"PWVel (m/s)": "PWVel (km/s)"}))
    with pytest.raises(InputError, match=r"lacks the columns \['P-wave velocity'\]"):
        model.embed(frame.drop(columns="PWVel (m/s)"))


def stated(**changes: Any) -> list[dict[str, Any]]:
    """Return the lake's set as plain data, with a change of its P-wave velocity."""
    entries = SETS["lake"].to_json()
    entries[2] |= changes
    return entries


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (stated(unit="km/s"), "states P-wave velocity in 'km/s', not in 'm/s'"),
        (stated(unit=None), "states P-wave velocity in None"),
        (stated(transform="sqrt"), "states 'sqrt' as the transform of P-wave velocity"),
        (stated(transform="log1p", plausible=[-5, 9000]), "log1p is undefined at -1 and below"),
        (stated(plausible=[9000, 300]), "plausible range"),
        (stated(plausible=[1e5, 1e6]), "states .* as the plausible range of P-wave velocity, not"),
        (stated(plausible=[0, 10**400]), "states .* as the plausible range of P-wave velocity"),
        (stated(plausible=[0, float("inf")]), "states .* as the plausible range of P-wave velocity"),
        (stated(name="Bulk density (GRA)", unit="g/cm3", plausible=[0.3, 4]), "names Bulk density .* twice"),
        (stated(name="  "), "states '  ' as the name of a feature"),
        (stated(name=7), "states 7 as the name of a feature"),
        (stated(instrument=None), "states None as the instrument of P-wave velocity"),
        ([*SETS["lake"].to_json(), {"name": "x"}], "states no unit of the feature 'x'"),
        ([], "has 1 to 64 features, not 0"),
        ([{**SETS["of its own"].to_json()[1], "name": f"x{i}"} for i in range(65)], "has 1 to 64 features, not 65"),
        ({"a": 1}, "states no list of features"),
        (["density"], "states no list of features"),
    ],
)
def test_a_set_that_contradicts_itself_or_the_catalogue_is_refused(entries: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureSet.of_json(entries)


def test_a_checkpoint_without_a_sidecar_needs_its_features_named(tmp_path: Path) -> None:
    checkpoint = model_of(SETS["lake"])
    torch.save(checkpoint.model.state_dict(), tmp_path / "lake.pt")
    np.savez(tmp_path / "scaler.npz", mean=checkpoint.scaler.mean_, scale=checkpoint.scaler.scale_)
    arguments = [str(tmp_path / "lake.pt"), "--scaler", str(tmp_path / "scaler.npz"), "--missing", "impute"]
    refused = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "a")])
    assert "takes 4 features, not the 6 Bulk density (GRA)" in refused.stderr
    assert "--features" in refused.stderr
    done = CliRunner().invoke(app, [*arguments, "--features", "density, MS,Vp,Res", "--out", str(tmp_path / "b")])
    assert done.exit_code == 0, done.stderr
    rows = rows_of(checkpoint)
    np.testing.assert_allclose(LithoModel.load(tmp_path / "b").embed(rows), by_torch(checkpoint, rows), atol=2e-5)
    unknown = CliRunner().invoke(app, [*arguments, "--features", "density,MS,Vp,colour", "--out", str(tmp_path / "c")])
    assert "no quantity is named 'colour'; known are density, MS" in unknown.stderr
    (tmp_path / "set.json").write_text("[1]", encoding="utf-8")
    broken = [*arguments, "--features", str(tmp_path / "set.json"), "--out", str(tmp_path / "d")]
    assert "states no list of features" in CliRunner().invoke(app, broken).stderr


def test_an_averaged_model_is_read_without_its_counter_and_metrics(tmp_path: Path) -> None:
    checkpoint = model_of(SETS["lake"])
    averaged = torch.optim.swa_utils.AveragedModel(checkpoint.model)
    torch.save(averaged.state_dict() | {"best_loss": torch.tensor(0.25)}, tmp_path / "swa.pt")
    scaler = checkpoint.scaler
    np.savez(tmp_path / "scaler.npz", mean=scaler.mean_, scale=scaler.scale_)
    loaded = Checkpoint.load(tmp_path / "swa.pt", scaler=tmp_path / "scaler.npz", features=SETS["lake"])
    assert any("ignored 'n_averaged', 'best_loss'" in note for note in loaded.notes)
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    torch.save(checkpoint.model.state_dict() | {"attention.weight": torch.zeros(4, 4)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"extra tensor 'attention\.weight'"):
        Checkpoint.load(tmp_path / "other.pt", scaler=tmp_path / "scaler.npz", features=SETS["lake"])


def test_a_sidecar_of_another_width_is_refused(tmp_path: Path) -> None:
    replace(model_of(SETS["lake"]), features=SETS["L*a*b*"]).save(tmp_path / "lake.pt")
    with pytest.raises(CheckpointError, match="takes 4 features, not the 7"):
        Checkpoint.load(tmp_path / "lake.pt")


def test_a_manifest_with_another_set_than_its_graphs_is_refused(tmp_path: Path) -> None:
    write_bundle(model_of(SETS["lake"]), tmp_path / "bundle")
    manifest = tmp_path / "bundle" / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("P-wave velocity", "Electric velocity"), encoding="utf-8")
    with pytest.raises(BundleError, match="differs from the manifest"):
        LithoModel.load(tmp_path / "bundle")
