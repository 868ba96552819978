from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from lithovae.export.bundle import write_bundle
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import BundleError, LithoModel
from lithovae.runtime.answers.embedding import Embedder
from lithovae.runtime.features import LILY
from lithovae.runtime.model.bundle import SHIPPED, Bundle, find_bundle
from lithovae.runtime.model.verify import require, verify
from tests.runtime.references import a_reference


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
        ({"schema": 1}, "has schema 1; this runtime reads 2, 3, 4 and 5"),
        ({"schema": None}, "has schema None"),
        ({"scaler": None, "missing": None}, "lacks scaler, missing"),
        ({"features": [{"name": "R"}]}, "states no unit of the feature 'R'"),
        ({"features": {}}, "states no list of features"),
        ({"features": []}, "has 1 to 64 features, not 0"),
        ({"features": [{}] * 6}, "states no name of the feature None"),
        ({"latent_dim": 0}, "is malformed"),
        ({"fill": None}, "lacks fill"),
        ({"fill": [1, 2, 3]}, "has 3 fill values for 6 features"),
        ({"fill": [0, 0, 0, 0, 0, "1"]}, "is malformed"),
        ({"fill": [0, 0, 0, 0, 0, float("nan")]}, "is malformed"),
        ({"latent_dim": 10.0}, "is malformed"),
        ({"classes": "clay"}, "is malformed"),
        ({"classes": ["clay", "clay"]}, "is malformed"),
        ({"classes": ["clay", " "]}, "is malformed"),
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
    files["embedder.onnx"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
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


def in_a_branch(graph: Any, node: Any) -> None:
    """Put a node in a branch of a branch."""
    for level in range(2):
        helper = onnx.helper
        output = node.output[0] if not level else "inner0"
        branch = helper.make_graph(
            [node], f"branch{level}", [], [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)]
        )
        graph.initializer.append(helper.make_tensor(f"yes{level}", onnx.TensorProto.BOOL, [], [True]))
        node = helper.make_node("If", [f"yes{level}"], [f"inner{level}"], then_branch=branch, else_branch=branch)
    graph.node.append(node)


@pytest.mark.parametrize("place", ["node", "branch"])
@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml"])
def test_operators_that_are_not_standard_are_refused_whatever_the_graph_imports(
    bundle: Path, place: str, domain: str
) -> None:
    model = embedder(bundle)
    operator = "Gelu" if domain == "com.microsoft" else "Normalizer"
    node = onnx.helper.make_node(operator, ["features"], ["unused"], domain=domain)
    if place == "branch":
        in_a_branch(model.graph, node)
    else:
        model.graph.node.append(node)
    replace_graph(bundle, model.SerializeToString())
    assert [entry.domain for entry in model.opset_import] == [""]
    with pytest.raises(BundleError, match=rf"embedder\.onnx uses operators of {domain!r} \({operator}\): a bundle may"):
        LithoModel.load(bundle)


def test_a_graph_hidden_behind_a_damaged_tag_is_seen(bundle: Path) -> None:
    node = onnx.helper.make_node("Gelu", ["features"], ["unused"], domain="com.microsoft")
    hidden = onnx.GraphProto(node=[node]).SerializeToString()
    tag = bytes([0x80 | 7 << 3 | 2, 0x80, 0x80, 0x80, 0x10])  # of field 7, with a bit that 32-bit readers drop
    replace_graph(bundle, (bundle / "embedder.onnx").read_bytes() + tag + bytes([len(hidden)]) + hidden)
    with pytest.raises(BundleError, match=r"embedder\.onnx uses operators of 'com.microsoft'"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("domain", ["", "local"])
def test_functions_are_refused(bundle: Path, domain: str) -> None:
    model = embedder(bundle)
    node = onnx.helper.make_node("Neg", ["x"], ["y"])
    model.functions.append(onnx.helper.make_function(domain, "Relu", ["x"], ["y"], [node], model.opset_import))
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=r"embedder\.onnx defines operators of its own \(functions\)"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("version", [7, 12, 2**31, None])
def test_operators_of_another_version_are_refused(bundle: Path, version: int | None) -> None:
    model = embedder(bundle)
    if version is None:
        del model.opset_import[:]
    else:
        model.opset_import[0].version = version
    replace_graph(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=r"embedder\.onnx does not import operators of version 13 or later"):
        LithoModel.load(bundle)


def test_subgraphs_without_end_are_refused(bundle: Path) -> None:
    def wrapped(field: int, message: bytes) -> bytes:
        length, size = len(message), b""
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([field << 3 | 2]) + size + bytes([length]) + message

    graph = b""
    for _ in range(200):
        graph = wrapped(1, wrapped(5, wrapped(6, graph)))
    replace_graph(bundle, (bundle / "embedder.onnx").read_bytes() + wrapped(7, graph))
    with pytest.raises(BundleError, match=r"embedder\.onnx is not an ONNX graph, or is damaged"):
        LithoModel.load(bundle)


def with_last_node(bundle: Path, *nodes: Any, **constants: Any) -> None:
    """Compute the embedder's output from ``new_inner``, its former output, by further nodes."""
    model = embedder(bundle)
    for node in model.graph.node:
        node.output[:] = ["new_inner" if name == "mu" else name for name in node.output]
        node.input[:] = ["new_inner" if name == "mu" else name for name in node.input]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.array(v), k) for k, v in constants.items())
    replace_graph(bundle, model.SerializeToString())


NODE = onnx.helper.make_node


@pytest.mark.parametrize(
    ("node", "given"),
    [
        (NODE("Slice", ["new_inner", "new_zero", "new_one"], ["mu"]), r"\(1, 10\) for 8 rows, not \(8, 10\)"),
        (NODE("Slice", ["new_inner", "new_zero", "new_eight"], ["mu"]), r"\(8, 10\) for 16 rows"),
        (NODE("Concat", ["new_inner", "new_inner"], ["mu"], axis=0), r"\(16, 10\) for 8 rows"),
        (NODE("Transpose", ["new_inner"], ["mu"], perm=[1, 0]), r"\(10, 8\) for 8 rows"),
        (NODE("Unsqueeze", ["new_inner", "new_zero"], ["mu"]), r"\(1, 8, 10\) for 8 rows"),
    ],
)
def test_a_graph_that_gives_another_number_of_rows_is_refused(bundle: Path, node: Any, given: str) -> None:
    with_last_node(bundle, node, new_zero=[0], new_one=[1], new_eight=[8])
    with pytest.raises(BundleError, match=rf"embedder\.onnx (gives mu of shape {given}|has the inputs and outputs)"):
        LithoModel.load(bundle)


def test_a_graph_that_fails_is_a_bundle_error(bundle: Path) -> None:
    with_last_node(
        bundle,
        NODE("Shape", ["features"], ["new_shape"]),
        NODE("Add", ["new_shape", "new_more"], ["new_larger"]),
        NODE("Reshape", ["new_inner", "new_larger"], ["mu"]),
        new_more=[1, 4],
    )
    with pytest.raises(BundleError, match=r"onnxruntime .* cannot run .*embedder\.onnx: "):
        LithoModel.load(bundle)


def test_rows_that_get_lost_only_with_some_values_are_an_error(bundle: Path, features: NDArray[np.float64]) -> None:
    with_last_node(
        bundle,
        NODE("Slice", ["features", "new_zero", "new_one", "new_one"], ["density"]),
        NODE("Less", ["density", "new_hundred"], ["is_small"]),
        NODE("Reshape", ["is_small", "new_minus"], ["kept"]),
        NODE("Compress", ["new_inner", "kept"], ["mu"], axis=0),
        new_zero=[0], new_one=[1], new_minus=[-1], new_hundred=np.full(1, 100, np.float32),
    )  # fmt: skip
    model = LithoModel.load(bundle)
    live = model.live()
    assert np.isfinite(model.embed(features)).all()
    assert np.isfinite(live.embed(features[0])).all()
    features[3, 0] = 200
    with pytest.raises(BundleError, match=r"embedder\.onnx gives mu of shape \(999, 10\) for 1000 rows"):
        model.embed(features)
    with pytest.raises(BundleError, match=r"cannot run .*embedder\.onnx"):
        live.embed(features[3])


@pytest.mark.parametrize("name", ["manifest.json", "embedder.onnx", "model_card.md"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_file_is_refused_without_reading_it(bundle: Path, name: str, kind: str) -> None:
    (bundle / name).unlink()
    if kind == "pipe":
        os.mkfifo(bundle / name)
    elif kind == "device":
        (bundle / name).symlink_to("/dev/zero")
    else:
        (bundle / name).mkdir()
    match = "no bundle" if name == "manifest.json" else rf"{name} is a folder, a device or a pipe, not a file"
    with pytest.raises(BundleError, match=match):
        LithoModel.load(bundle)


@pytest.mark.parametrize("name", ["embedder.onnx", "model_card.md"])
def test_a_file_larger_than_the_manifest_states_is_not_read_whole(bundle: Path, name: str) -> None:
    os.truncate(bundle / name, 1 << 40)  # sparse
    with pytest.raises(BundleError, match=rf"{name} has more than the [\d,]+ bytes that the manifest states"):
        LithoModel.load(bundle)


@pytest.mark.parametrize("n_bytes", [None, -1, 1.5, "1", True, 1 << 40])
def test_a_size_that_is_none_is_refused(bundle: Path, n_bytes: Any) -> None:
    files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    files["embedder.onnx"]["bytes"] = n_bytes
    edit(bundle, files=files)
    with pytest.raises(BundleError, match="is malformed"):
        LithoModel.load(bundle)


def test_a_manifest_of_gigabytes_is_not_read(bundle: Path) -> None:
    os.truncate(bundle / "manifest.json", 1 << 40)
    with pytest.raises(BundleError, match=r"manifest\.json has more than 16,777,216 bytes"):
        LithoModel.load(bundle)


@pytest.mark.parametrize(
    ("feature", "key", "value", "message"),
    [
        (0, "unit", "kg/m3", r"states Bulk density \(GRA\) in 'kg/m3', not in 'g/cm3'"),
        (1, "unit", "SI", r"states Magnetic susceptibility .* in 'SI', not in 'instr. units'"),
        (2, "unit", None, "states NGR total counts .* in None"),
        (3, "unit", "0-1", "states R in '0-1', not in '0-255'"),
        (0, "unit", "", "states Bulk density .* in ''"),
        (
            0,
            "plausible",
            [300, 4000],
            r"states \[300, 4000\] as the plausible range of Bulk density .*, not \[0.3, 4.0\]",
        ),
        (5, "plausible", None, "states None as the plausible range of B"),
    ],
)
def test_a_feature_that_contradicts_the_runtime_is_refused(
    bundle: Path, feature: int, key: str, value: Any, message: str
) -> None:
    features = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["features"]
    features[feature][key] = value
    edit(bundle, features=features)
    with pytest.raises(BundleError, match=message):
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


FORMULAS = {"none": "none", "signed_log": "sign(x)*log1p(|x|)", "log1p": "log1p(x)"}


def as_earlier(bundle: Path, schema: int) -> Path:
    """Turn a bundle into one of an earlier schema: up to 3 with transforms as formulas, 2 without fill values."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    files = manifest["files"]
    for name in ("reference.json", "lithologies.onnx"):
        (bundle / name).unlink(missing_ok=True)
        files.pop(name, None)
    for path in bundle.glob("*.onnx"):
        model = onnx.load(path)
        described = json.loads(model.metadata_props[0].value) | {"schema": schema}
        for feature in described["features"] if schema < 4 else []:
            del feature["instrument"]
            feature["transform"] = FORMULAS[feature["transform"]]
        if schema == 2:
            del described["fill"]
        onnx.helper.set_model_props(model, {"lithovae": json.dumps(described)})
        path.write_bytes(model.SerializeToString())
        data = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    fill = None if schema == 2 else manifest["fill"]
    edit(bundle, schema=schema, fill=fill, files=files, features=described["features"])
    return bundle


@pytest.mark.parametrize("schema", [3, 4])
def test_a_bundle_of_an_earlier_schema_gives_the_same_numbers(
    tmp_path: Path, features: NDArray[np.float64], schema: int
) -> None:
    before = as_earlier(Path(shutil.copytree(find_bundle("unsup"), tmp_path / "before")), schema)
    model = LithoModel.load(before)
    np.testing.assert_array_equal(model.embed(features), LithoModel.load("unsup").embed(features))
    assert model.bundle.features == LILY
    assert Embedder(model, "impute").policy.name == "impute"


def test_lithologies_of_an_earlier_schema_come_from_its_classifier(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, features: NDArray[np.float64]
) -> None:
    write_bundle(replace(checkpoints["semisup"], reference=a_reference(temperature=1)), tmp_path / "bundle")
    present = LithoModel.load(tmp_path / "bundle")
    model = LithoModel.load(as_earlier(Path(shutil.copytree(tmp_path / "bundle", tmp_path / "before")), 4))
    features[7, 0] = np.nan
    for k in (1, 3, 20):
        found, expected = model.top(features, k), present.top(features, k)
        np.testing.assert_array_equal(found.classes[:, 0], expected.classes[:, 0])
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
        np.testing.assert_allclose(found.entropy, expected.entropy, atol=1e-5)
        assert found.group is None
        assert expected.group is not None
        assert (found.classes[7] == 255).all()
        assert np.isnan(found.entropy[7])


def test_an_earlier_schema_is_for_the_published_features_only(tmp_path: Path) -> None:
    before = as_earlier(Path(shutil.copytree(find_bundle("unsup"), tmp_path / "before")), 3)
    manifest = json.loads((before / "manifest.json").read_text(encoding="utf-8"))
    edit(before, features=manifest["features"][:5])
    with pytest.raises(BundleError, match=r"is for the features \['Bulk density \(GRA\)', .*'G'\], not \["):
        LithoModel.load(before)


def test_a_bundle_of_the_previous_schema_is_read_but_has_no_fill_values(
    tmp_path: Path, features: NDArray[np.float64]
) -> None:
    before = as_earlier(Path(shutil.copytree(find_bundle("unsup"), tmp_path / "before")), 2)
    model = LithoModel.load(before)
    np.testing.assert_array_equal(model.embed(features), LithoModel.load("unsup").embed(features))
    require(model.bundle, verify(model.bundle))
    assert Embedder(model, "nan").policy.name == "nan"
    message = r"has no fill values \(schema 2\): export the bundle again to use --missing impute"
    with pytest.raises(BundleError, match=message):
        Embedder(model, "impute")
