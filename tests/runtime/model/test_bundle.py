from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from lithovae.runtime import BundleError, LithoModel
from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.model.bundle import SHIPPED, Bundle, find_bundle
from lithovae.runtime.model.verify import require, verify


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of a shipped bundle that tests may damage."""
    return Path(shutil.copytree(find_bundle("semisup_hybrid"), tmp_path / "bundle"))


def edit(bundle: Path, **changes: Any) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            del manifest[key]
        else:
            manifest[key] = value
    path.write_text(json.dumps(manifest), encoding="utf-8")


def embedder(bundle: Path) -> Any:
    return onnx.load_from_string((bundle / "embedder.onnx").read_bytes())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_bundles_say_that_they_are_of_simulated_data(name: str) -> None:
    bundle = Bundle.read(name)
    assert bundle.name == name
    assert bundle.latent_dim == 10
    assert bundle.missing == ("impute" if name.endswith("hybrid") else "nan")
    assert len(bundle.classes) == (139 if name.startswith("semisup") else 0)
    assert bundle.description["trained_on"].startswith("Simulated data")


def test_a_copy_elsewhere_works(bundle: Path) -> None:
    assert LithoModel.load(bundle).classes == LithoModel.load("semisup_hybrid").classes
    assert LithoModel.load(str(bundle)).latent_dim == 10


@pytest.mark.parametrize("graph", ["embedder", "encoder", "decoder", "classifier"])
@pytest.mark.parametrize("position", [0, 0.5, -1])
def test_a_changed_byte_is_noticed(bundle: Path, graph: str, position: float) -> None:
    path = bundle / f"{graph}.onnx"
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=f"{graph}.onnx is not the file that the manifest pins") as caught:
        LithoModel.load(bundle)
    assert caught.value.path == bundle


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "classifier.onnx").unlink()
    with pytest.raises(BundleError, match=r"classifier\.onnx cannot be read: No such file"):
        LithoModel.load(bundle)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 1}, "has schema 1; this runtime reads 2 and 3"),
        ({"schema": None}, "has schema None"),
        ({"scaler": None, "missing": None}, "lacks scaler, missing"),
        ({"features": [{"name": "R"}]}, r"is for the features \['R'\]"),
        ({"features": [{}] * 6}, "is malformed"),
        ({"latent_dim": 0}, "is malformed"),
        ({"fill": None}, "lacks fill"),
        ({"fill": [1, 2, 3]}, "is malformed"),
        ({"fill": [0, 0, 0, 0, 0, "1"]}, "is malformed"),
        ({"fill": [0, 0, 0, 0, 0, float("nan")]}, "is malformed"),
        ({"latent_dim": 10.0}, "is malformed"),
        ({"classes": "clay"}, "is malformed"),
        ({"missing": "guess"}, "is malformed"),
        ({"files": {}}, r"names the files , not embedder\.onnx"),
        ({"files": []}, "is malformed"),
        ({"latent_dim": 11}, "the description in .* differs from the manifest"),
        ({"missing": "nan"}, "the description in .* differs from the manifest"),
    ],
)
def test_an_invalid_manifest_is_refused(bundle: Path, changes: dict[str, Any], message: str) -> None:
    edit(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        LithoModel.load(bundle)


@pytest.mark.parametrize("text", ["", "not json", "[]", "\x00", "[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        LithoModel.load(bundle)


def replace_graph(bundle: Path, data: bytes) -> None:
    """Replace the embedder, and pin it in the manifest."""
    (bundle / "embedder.onnx").write_bytes(data)
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    files["embedder.onnx"]["sha256"] = hashlib.sha256(data).hexdigest()
    edit(bundle, files=files)


def test_a_graph_that_onnxruntime_refuses_is_a_bundle_error(bundle: Path) -> None:
    model = embedder(bundle)
    replace_graph(bundle, b"no graph at all")
    with pytest.raises(BundleError, match=r"embedder\.onnx is not an ONNX graph, or is damaged"):
        LithoModel.load(bundle)
    model.graph.node[3].input[0] = "nowhere"
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=r"refuses .*embedder\.onnx: .*nowhere"):
        LithoModel.load(bundle)


def test_a_graph_without_its_description_is_refused(bundle: Path) -> None:
    model = embedder(bundle)
    del model.metadata_props[:]
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="has no valid description under 'lithovae'"):
        LithoModel.load(bundle)


def redescribed(bundle: Path, **changes: Any) -> None:
    """Change the embedder's description; None removes a key."""
    model = embedder(bundle)
    described = json.loads(model.metadata_props[0].value) | changes
    kept = {key: value for key, value in described.items() if value is not None}
    onnx.helper.set_model_props(model, {"lithovae": json.dumps(kept)})
    replace_graph(bundle, model.SerializeToString())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sentinels": [-1.0]}, "sentinels"),
        ({"scaler": None}, "scaler"),
        ({"missing": "nan"}, "missing"),
        ({"another": 1}, "another"),
        ({"schema": 2}, "schema"),
        ({"features": [], "classes": []}, "classes, features"),
        ({"graph": "encoder"}, "graph"),
        ({"model_card": "Trained on real core."}, "model_card"),
        ({"checkpoint_sha256": "0" * 64}, "checkpoint_sha256"),
    ],
)
def test_a_graph_that_contradicts_the_manifest_is_refused(bundle: Path, changes: dict[str, Any], named: str) -> None:
    redescribed(bundle, **changes)
    with pytest.raises(BundleError, match=rf"differs from the manifest \({named}\)"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_description_that_is_no_json_object_is_refused(bundle: Path, text: str) -> None:
    model = embedder(bundle)
    onnx.helper.set_model_props(model, {"lithovae": text})
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=r"embedder\.onnx has (no valid|a) description"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("domain", ["com.acme", "com.microsoft", "ai.onnx.ml"])
def test_operators_that_are_not_standard_are_refused(bundle: Path, domain: str) -> None:
    model = embedder(bundle)
    model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=f"uses operators of {domain!r}: a bundle may only have standard ones"):
        LithoModel.load(bundle)


def test_an_unknown_operator_in_the_standard_domain_is_refused(bundle: Path) -> None:
    model = embedder(bundle)
    model.graph.node[0].op_type = "LaunchMissiles"
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=r"refuses .*LaunchMissiles"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("length", [1, 100, 10_000])
def test_a_graph_cut_short_is_refused(bundle: Path, length: int) -> None:
    replace_graph(bundle, (bundle / "embedder.onnx").read_bytes()[:length])
    with pytest.raises(BundleError, match=r"embedder\.onnx"):
        LithoModel.load(bundle)


def test_a_manifest_without_the_card_is_refused(bundle: Path) -> None:
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    edit(bundle, files={name: entry for name, entry in files.items() if name != "model_card.md"})
    with pytest.raises(BundleError, match=r"names the files .*, not .*model_card\.md"):
        LithoModel.load(bundle)


def test_a_changed_card_is_refused(bundle: Path) -> None:
    (bundle / "model_card.md").write_text("Trained on real core.")
    with pytest.raises(BundleError, match=r"model_card\.md is not the file that the manifest pins"):
        LithoModel.load(bundle)


def test_a_graph_of_other_widths_than_described_is_refused(bundle: Path) -> None:
    redescribed(bundle, latent_dim=12)
    edit(bundle, latent_dim=12)
    with pytest.raises(BundleError, match=r"has the inputs and outputs .*'mu': 10.*, not .*'mu': 12"):
        LithoModel.load(bundle)


def test_weights_in_another_file_are_refused(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = embedder(bundle)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "encoder.0.weight_and_bias")
    for folder in (tmp_path, bundle):
        (folder / "weights.bin").write_bytes(weight.raw_data)
    onnx.external_data_helper.set_external_data(weight, "weights.bin")
    weight.ClearField("raw_data")
    replace_graph(bundle, model.SerializeToString())
    for folder in (tmp_path, bundle):
        monkeypatch.chdir(folder)
        with pytest.raises(BundleError, match=r"refuses .*embedder\.onnx"):
            LithoModel.load(bundle)


@pytest.mark.parametrize("name", ["semisup_hybird", "/nowhere", ""])
def test_an_absent_bundle_lists_the_shipped_ones(name: str) -> None:
    with pytest.raises(BundleError, match="semisup_hybrid"):
        LithoModel.load(name)


def as_schema_2(bundle: Path) -> Path:
    """Turn a bundle into one of schema 2, which has no fill values."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    files = manifest["files"]
    for path in bundle.glob("*.onnx"):
        model = onnx.load(path)
        described = json.loads(model.metadata_props[0].value) | {"schema": 2}
        del described["fill"]
        onnx.helper.set_model_props(model, {"lithovae": json.dumps(described)})
        path.write_bytes(model.SerializeToString())
        files[path.name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(bundle, schema=2, fill=None, files=files)
    return bundle


def test_a_bundle_of_the_previous_schema_is_read_but_has_no_fill_values(
    tmp_path: Path, features: NDArray[np.float64]
) -> None:
    before = as_schema_2(Path(shutil.copytree(find_bundle("unsup"), tmp_path / "before")))
    model = LithoModel.load(before)
    np.testing.assert_array_equal(model.embed(features), LithoModel.load("unsup").embed(features))
    require(model.bundle, verify(model.bundle))
    assert Embedder(model, "nan").policy.name == "nan"
    message = r"has no fill values \(schema 2\): export the bundle again to use --missing impute"
    with pytest.raises(BundleError, match=message):
        Embedder(model, "impute")
