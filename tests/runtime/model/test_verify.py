from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from lithovae.runtime import BundleError, LithoModel
from lithovae.runtime.cli import app
from lithovae.runtime.model.bundle import SHIPPED, Bundle, find_bundle
from lithovae.runtime.model.verify import require, verify


@pytest.mark.parametrize("name", SHIPPED)
def test_every_output_of_the_shipped_bundles_passes(name: str) -> None:
    checks = verify(Bundle.read(name))
    outputs = {"embedder.mu", "encoder.mu", "encoder.logvar", "decoder.features"}
    if name.startswith("semisup"):
        outputs |= {"classifier.logits", "classifier.probabilities"}
        outputs |= {f"lithologies.{output}" for output in ("scores", "weights", "sums")}
    assert {check.output for check in checks} == outputs
    assert all(check.passed and check.n_rows >= 2 for check in checks)
    assert all(check.tolerance < 1e-4 for check in checks)


def test_golden_rows_hold_missing_features_and_negative_numbers() -> None:
    for name in ("semisup", "semisup_hybrid"):
        graph = onnx.load_from_string(Bundle.read(name).graphs["embedder"])
        golden = json.loads(graph.metadata_props[0].value)["golden"]
        rows, mu = (golden["inputs"]["features"], golden["outputs"]["mu"])
        answers = [row[0] is not None for row in mu]
        gaps = [None in row or -999.25 in row for row in rows]
        assert any(gaps)
        assert answers == [
            not gap or (name == "semisup_hybrid" and any(row)) for gap, row in zip(gaps, rows, strict=True)
        ]
        assert min(value for row in rows for value in row if value is not None and value != -999.25) < -100
        x = np.array(rows, np.float64)
        np.testing.assert_allclose(LithoModel.load(name).embed(x), np.array(mu, np.float64), atol=1e-4)


def spoilt(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    """Copy a bundle with a changed embedder that its manifest pins."""
    bundle = Path(shutil.copytree(find_bundle("semisup_hybrid"), tmp_path / "bundle"))
    model = onnx.load(bundle / "embedder.onnx")
    change(model)
    data = model.SerializeToString()
    (bundle / "embedder.onnx").write_bytes(data)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["embedder.onnx"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return bundle


def nudge(model: Any) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "mu.weight")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.001), "mu.weight"))


def test_a_graph_that_gives_other_numbers_fails(tmp_path: Path) -> None:
    bundle = Bundle.read(spoilt(tmp_path, nudge))
    with pytest.raises(BundleError, match=r"verification of .* failed: embedder\.mu differs by .* \(allowed "):
        require(bundle, verify(bundle))
    result = CliRunner().invoke(app, ["verify", str(bundle.path)])
    assert result.exit_code == 1
    assert "embedder.mu differs by" in result.output


def with_golden(change: Callable[[dict[str, Any]], object]) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        described = json.loads(model.metadata_props[0].value)
        change(described)
        onnx.helper.set_model_props(model, {"lithovae": json.dumps(described)})

    return edit


@pytest.mark.parametrize(
    "change",
    [
        lambda described: described.pop("golden"),
        lambda described: described["golden"].pop("tolerance"),
        lambda described: described["golden"]["inputs"].update(features=[]),
        lambda described: described["golden"]["outputs"].update(mu=[[0.0]]),
        lambda described: described["golden"]["outputs"].update(mu="high"),
        lambda described: described.update(golden=[]),
    ],
)
def test_golden_rows_that_are_absent_or_spoilt_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(BundleError, match=r"embedder\.onnx has no golden rows, or invalid ones"):
        verify(Bundle.read(spoilt(tmp_path, with_golden(change))))


def test_verify_at_the_command_line() -> None:
    result = CliRunner().invoke(app, ["verify", "semisup_hybrid"])
    assert result.exit_code == 0
    assert "every golden row is reproduced" in result.output
    assert "classifier.probabilities" in result.output
    for wrong in (["verify", "unsup", "scan.h5"], ["verify"], ["verify", "unsup", "--out", "x.npz"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2
