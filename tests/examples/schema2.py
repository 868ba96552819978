"""Bundles of schema 1 patched into schema 2. Delete it when models/bundles has embedder.onnx."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lithovae.runtime.features import FEATURES
from lithovae.runtime.missing import SENTINELS

GOLDEN = [
    [1.69, 4, 17.8, 105, 104, 88],
    [2.7, -300, 1, 3, 2, 1],
    [1.2, 6000, 250, 250, 251, 252],
    [np.nan, 4, 17.8, 105, 104, 88],
    [1.69, -999, 17.8, 105, 104, 88],
    [np.nan] * 6,
]
TOLERANCE = 1e-5


def patch_bundles(shipped: Path, out: Path) -> Path:
    """Write each bundle anew: embedder.onnx (sentinels handled inside) and the graphs with golden rows."""
    for source in (path for path in shipped.iterdir() if path.is_dir()):
        bundle = out / source.name
        shutil.copytree(source, bundle)
        description = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
        described = description | {
            "schema": 2,
            "sentinels": SENTINELS,
            "model_card": (source / "model_card.md").read_text(encoding="utf-8"),
        }
        for entry, feature in zip(described["features"], FEATURES, strict=True):
            entry["plausible"] = feature.plausible
        embedder = _embedder(onnx.load(source / "encoder.onnx"))
        z = _save(embedder, bundle / "embedder.onnx", {"features": np.array(GOLDEN, np.float32)}, described)["mu"]
        for name in ("decoder", *(["classifier"] if described["classes"] else [])):
            _save(onnx.load(source / f"{name}.onnx"), bundle / f"{name}.onnx", {"z": z}, described)
        (bundle / "encoder.onnx").unlink()
    return out


def _embedder(model: Any) -> Any:
    """Leave `mu` alone of the encoder's outputs, and turn sentinels into NaN before its first node."""
    graph = model.graph
    for node in graph.node:
        node.input[:] = ["measured" if name == "features" else name for name in node.input]
    nodes, value = [], "features"
    graph.initializer.append(numpy_helper.from_array(np.array(np.nan, np.float32), "missing"))
    for i, sentinel in enumerate(SENTINELS):
        graph.initializer.append(numpy_helper.from_array(np.array(sentinel, np.float32), f"sentinel_{i}"))
        after = "measured" if i == len(SENTINELS) - 1 else f"measured_{i}"
        nodes.append(helper.make_node("Equal", ["features", f"sentinel_{i}"], [f"is_sentinel_{i}"]))
        nodes.append(helper.make_node("Where", [f"is_sentinel_{i}", "missing", value], [after]))
        value = after
    nodes += [node for node in graph.node if "logvar" not in node.output]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.output.remove(next(output for output in graph.output if output.name == "logvar"))
    return model


def _save(
    model: Any, path: Path, inputs: dict[str, NDArray[np.float32]], described: dict[str, Any]
) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, inputs), strict=True))
    golden = {"inputs": _as_json(inputs), "outputs": _as_json(outputs), "tolerance": dict.fromkeys(names, TOLERANCE)}
    description = described | {"graph": path.stem, "golden": golden}
    helper.set_model_props(model, {"lithovae": json.dumps(description, ensure_ascii=False)})
    onnx.save(model, path)
    return outputs


def _as_json(arrays: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if np.isnan(value) else value

    return {name: [[number(value) for value in row] for row in array.tolist()] for name, array in arrays.items()}
