from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from lithovae.export import bundle as export_bundle
from lithovae.export import parity
from lithovae.export.bundle import write_bundle
from lithovae.export.fold import FoldedVAE, fold
from lithovae.export.graph import OPSET
from lithovae.export.parity import ENOUGH_ROWS, LIMIT, compare, with_neighbours
from lithovae.models.checkpoint import Checkpoint
from lithovae.models.vae import VAE, SemiSupervisedVAE
from lithovae.runtime import LithoModel
from lithovae.runtime.errors import OutputError, ParityError
from lithovae.runtime.features import LILY
from lithovae.runtime.missing import SENTINELS
from lithovae.runtime.model.bundle import GRAPHS, SHIPPED, Bundle
from lithovae.runtime.model.session import open_session
from lithovae.training.recipe import MODELS
from tests.runtime.references import a_reference

from .worn import worn


def nodes_and_words(graph: bytes) -> tuple[bytes, dict[str, Any]]:
    """Split a graph into its bytes and its description, without the figures that depend on the processor."""
    model = onnx.load_from_string(graph)
    described = json.loads(model.metadata_props[0].value)
    del described["parity"], described["golden"]["tolerance"], model.metadata_props[:]
    return model.SerializeToString(deterministic=True), described


@pytest.mark.parametrize("name", MODELS)
def test_shipped_bundles_are_what_the_shipped_checkpoints_export_to(root: Path, tmp_path: Path, name: str) -> None:
    results = write_bundle(Checkpoint.load(root / "models" / MODELS[name].checkpoint), tmp_path / name)
    shipped = Bundle.read(name)
    exported = Bundle.read(tmp_path / name)
    assert {graph: nodes_and_words(data) for graph, data in shipped.graphs.items()} == {
        graph: nodes_and_words(data) for graph, data in exported.graphs.items()
    }
    assert sum(path.stat().st_size for path in shipped.path.iterdir()) < 300_000
    outputs = {result.output for result in results}
    sets = {result.rows for result in results}
    assert sets == {"plausible", "uniform", "extreme", "gaps", "sentinels", "golden"}
    assert {"embedder.mu", "encoder.mu", "encoder.logvar", "decoder.R"} <= outputs
    named = {"classifier.logits", "classifier.probabilities", "lithologies.weights", "lithologies.sums"}
    assert (named <= outputs) == bool(named & outputs) == MODELS[name].supervised
    assert max(result.ratio for result in results) <= LIMIT


@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_the_classifier_applies_the_temperature(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, features: NDArray[np.float64], temperature: float
) -> None:
    checkpoint = replace(checkpoints["semisup"], reference=a_reference(temperature=temperature))
    results = write_bundle(checkpoint, tmp_path / "bundle")
    assert {"classifier.probabilities", "lithologies.sums"} <= {result.output for result in results}
    model = LithoModel.load(tmp_path / "bundle")
    logits = parity.torch_heads(checkpoint.model, checkpoint, model.embed(features))["logits"].astype(np.float64)
    expected = torch.softmax(torch.tensor(logits) / temperature, dim=1).numpy()
    np.testing.assert_allclose(model.classify(features), expected, atol=1e-6)
    classifier, embeddings = open_session(Bundle.read(tmp_path / "bundle"), "classifier"), model.embed(features)
    assert np.isfinite(embeddings).all()
    found = dict(zip(("logits", "probabilities"), classifier.run(None, {"z": embeddings}), strict=True))
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)


def test_exporting_twice_gives_the_same_bytes(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_bundle(checkpoints["semisup_hybrid"], tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_manifest_pins_every_file(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    write_bundle(checkpoints["semisup"], tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    files = {path.name for path in (tmp_path / "bundle").iterdir()} - {"manifest.json"}
    assert (
        set(manifest["files"])
        == files
        == {
            *(f"{graph}.onnx" for graph in GRAPHS),
            "model_card.md",
        }
    )
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == hashlib.sha256((tmp_path / "bundle" / name).read_bytes()).hexdigest()
    assert manifest["classes"] == list(checkpoints["semisup"].classes)


@pytest.mark.parametrize("name", SHIPPED)
def test_graphs_use_standard_operators_and_hold_their_own_weights(name: str) -> None:
    for graph in Bundle.read(name).graphs.values():
        model = onnx.load_from_string(graph)
        onnx.checker.check_model(model, full_check=True)
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
        assert not any(tensor.external_data for tensor in model.graph.initializer)
        operators = {node.op_type for node in model.graph.node}
        assert "BatchNormalization" not in operators  # folded away


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 1024])
def test_any_number_of_rows(rows: int) -> None:
    model = LithoModel.load("semisup")
    x = np.ones((rows, 6))
    assert model.embed(x).shape == (rows, 10)
    assert model.classify(x).shape == (rows, 139)
    assert model.reconstruct(x).shape == (rows, 6)


def other_model(checkpoint: Checkpoint, model: VAE) -> Checkpoint:
    return Checkpoint(model.eval(), checkpoint.scaler, (), checkpoint.recipe, "a test", "")


def test_parity_with_tiny_variances_dead_units_and_other_widths(
    checkpoints: dict[str, Checkpoint], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = worn(VAE(6, 5, [48, 24, 12]))
    results = write_bundle(other_model(checkpoints["unsup"], model), tmp_path / "bundle")
    assert max(result.ratio for result in results) <= LIMIT
    assert LithoModel.load(tmp_path / "bundle").embed(np.ones((3, 6))).shape == (3, 5)


def test_a_bundle_carries_its_card(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    write_bundle(replace(checkpoints["unsup"], card="Simulated data.\n\n# unsup\n"), tmp_path / "bundle")
    assert (tmp_path / "bundle" / "model_card.md").read_text() == "Simulated data.\n\n# unsup\n"
    write_bundle(replace(checkpoints["unsup"], card=""), tmp_path / "bundle")
    card = (tmp_path / "bundle" / "model_card.md").read_text()
    assert card.startswith("a test\n")
    assert "has not been evaluated" in card


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_cards_say_first_that_the_data_are_simulated(name: str) -> None:
    card = (Bundle.read(name).path / "model_card.md").read_text(encoding="utf-8")
    assert card.startswith("Simulated data: 238506 rows")
    assert "range of 3 seeds" in card
    assert "Not for identifying the lithology of real core" in card


def test_extra_rows_are_held_to_the_gate(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    mine = np.full((5, 6), 20.0, np.float32)
    results = write_bundle(checkpoints["unsup"], tmp_path / "bundle", {"mine": mine})
    assert "mine" in {result.rows for result in results}


def spoil(wrong: Callable[[FoldedVAE], None]) -> Callable[[VAE], FoldedVAE]:
    def folded(model: VAE) -> FoldedVAE:
        result = fold(model)
        wrong(result)
        return result

    return folded


def nudge_encoder(folded: FoldedVAE) -> None:
    folded.encoder[0].plain[0, 0] *= 1 + 1e-4


def nudge_decoder(folded: FoldedVAE) -> None:
    folded.decoder[-1].bias[2] += 1e-4


def nudge_classifier(folded: FoldedVAE) -> None:
    folded.classifier[-1].bias[0] += 1e-2


@pytest.mark.parametrize("wrong", [nudge_encoder, nudge_decoder, nudge_classifier])
def test_a_graph_that_strays_is_not_written(
    checkpoints: dict[str, Checkpoint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[FoldedVAE], None],
) -> None:
    assert isinstance(checkpoints["semisup"].model, SemiSupervisedVAE)
    monkeypatch.setattr(export_bundle, "fold", spoil(wrong))
    with pytest.raises(ParityError, match="differ too much from torch"):
        write_bundle(checkpoints["semisup"], tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_replaced_but_nothing_else_is(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    write_bundle(checkpoints["semisup"], out)
    write_bundle(checkpoints["unsup"], out)  # no classifier.onnx of the previous bundle is left
    assert sorted(path.name for path in out.iterdir()) == [
        "decoder.onnx",
        "embedder.onnx",
        "encoder.onnx",
        "manifest.json",
        "model_card.md",
    ]
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.tex").write_text("irreplaceable")
    with pytest.raises(OutputError, match="exists and is not a folder with only a bundle in it"):
        write_bundle(checkpoints["unsup"], precious)
    assert (precious / "chapter1.tex").read_text() == "irreplaceable"
    (precious / "manifest.json").write_text('{"name": "a web application"}')
    with pytest.raises(OutputError, match="exists and is not a folder with only a bundle in it"):
        write_bundle(checkpoints["unsup"], precious)
    assert (precious / "chapter1.tex").exists()
    (tmp_path / "link").symlink_to(out)
    write_bundle(checkpoints["semisup"], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert LithoModel.load(out).classes
    with pytest.raises(OutputError, match="no such folder"):
        write_bundle(checkpoints["unsup"], tmp_path / "absent" / "bundle")


def test_labels_that_differ_are_counted_with_their_margin() -> None:
    exact = np.array([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25], [np.nan] * 3, [0.1, 0.2, 0.7]])
    ours = exact.astype(np.float32)
    ours[1] = [0.3, 0.4, 0.3]
    (result,) = compare(LILY, "plausible", "classifier.probabilities", exact, exact.astype(np.float32), ours)
    assert result.labels == pytest.approx(2 / 3)
    assert result.margin == pytest.approx(0.05)


def test_few_rows_are_judged_with_their_neighbours() -> None:
    rows = np.array([[1.7, -999.25, 20, 100, np.nan, 88], [20] * 6], np.float32)
    near = with_neighbours({"mine": rows})["mine"]
    assert len(near) == ENOUGH_ROWS
    np.testing.assert_array_equal(near[:2], rows)
    np.testing.assert_allclose(near[2::2], np.resize(rows[0], near[2::2].shape), rtol=0.01)
    assert (near[2::2, 1] == np.float32(-999.25)).all()  # still missing, not a number close to a sentinel
    many = np.ones((ENOUGH_ROWS + 1, 6), np.float32)
    assert with_neighbours({"many": many})["many"].shape == many.shape


def test_a_sentinel_and_nan_are_one_in_the_graph() -> None:
    for name in ("semisup", "semisup_hybrid"):
        session = open_session(Bundle.read(name), "embedder")
        rows = np.full((len(SENTINELS), 6), [1.7, 4, 18, 105, 104, 88], np.float32)
        for column in range(6):
            gaps, marked = rows.copy(), rows.copy()
            gaps[:, column], marked[:, column] = np.nan, SENTINELS
            answers = [session.run(["mu"], {"features": x})[0] for x in (gaps, marked)]
            np.testing.assert_array_equal(*answers)
            assert np.isnan(answers[0]).all() == (name == "semisup")
            marked[:, column] = np.array(SENTINELS, np.float32) * np.float32(1.001)
            if column < 3:  # only exactly those numbers are missing
                assert not np.isnan(session.run(["mu"], {"features": marked})[0]).any()
