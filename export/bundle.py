"""Write a bundle: build the graphs, check them against torch with the runtime's own code, then move them into place."""

from __future__ import annotations

import hashlib
import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import lithovae.runtime.model.bundle as fmt
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import OutputError
from lithovae.runtime.missing import SENTINELS
from lithovae.runtime.model.session import make_session
from lithovae.runtime.model.verify import require, verify

from . import parity
from .fold import fold
from .golden import golden_inputs, golden_rows
from .graph import classifier_graph, decoder_graph, encoder_graph, lithologies_graph

NO_CARD = """{trained_on}

Nobody has written a card for this model, and it has not been evaluated here.

- Only for the features of the manifest, in their units: others give embeddings that mean nothing.
- Not the only ground on which to name a lithology.
- Missing features: "{policy}" (impute: replaced by their mean in scaled space; nan: the row has no embedding).
"""
TOOLS = ("lithovae", "numpy", "onnx", "onnxruntime", "torch")


def write_bundle(
    checkpoint: Checkpoint, out: str | Path, extra_rows: parity.Arrays | None = None
) -> list[parity.Parity]:
    """Export a checkpoint as a bundle.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its recipe decides what happens to missing features: a model trained with masked inputs imputes them.
    out : path-like
        Folder of the bundle. An existing bundle is replaced once the new one has passed its checks.
    extra_rows : dict of str to ndarray (n, n_features) float32, optional
        More raw rows to check the bundle on.

    Returns
    -------
    list of Parity
        The errors of each output on each set of rows.

    Raises
    ------
    ParityError
        If an output differs too much from torch; nothing is written.
    OutputError
        If ``out`` exists and is not a bundle, or cannot be written.
    """
    out = require_folder(out)
    described = _describe(checkpoint)
    sets = {"golden": golden_inputs(checkpoint)} | (extra_rows or {})
    for precise in (False, True):  # a narrow scale magnifies the error of a float32 logarithm beyond what torch's is
        graphs = _graphs(checkpoint, precise=precise)
        sessions = {name: make_session(_bytes(graph), out / f"{name}.onnx") for name, graph in graphs.items()}
        results = parity.measure(checkpoint, sessions, sets)
        if all(result.passed for result in results):
            break
    parity.require(results)
    card = checkpoint.card or NO_CARD.format(trained_on=checkpoint.trained_on, policy=checkpoint.missing)
    golden = golden_rows(checkpoint, sessions)
    for name, graph in graphs.items():
        own = {
            "graph": name,
            "model_card": fmt.squeeze(card),
            "golden": golden[name],
            "parity": parity.summary(results, name),
        }
        text = json.dumps(described | own, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        onnx.helper.set_model_props(graph, {fmt.METADATA_KEY: text})
    contents = {f"{name}.onnx": _bytes(graph) for name, graph in graphs.items()} | {fmt.CARD: card.encode()}
    if checkpoint.reference:
        contents[fmt.REFERENCE] = _lines(checkpoint.reference.to_json())
    _place(out, contents, described | {"parity": parity.summary(results)})
    return results


def _graphs(checkpoint: Checkpoint, *, precise: bool) -> dict[str, Any]:
    """Build the graphs of a bundle; the scaler of a ``precise`` one runs in float64."""
    folded, scaler = fold(checkpoint.model), checkpoint.scaler
    graphs = {
        "embedder": encoder_graph(folded, scaler, checkpoint.missing, ["mu"], precise=precise),
        "encoder": encoder_graph(folded, scaler, checkpoint.missing, precise=precise),
        "decoder": decoder_graph(folded, scaler),
    }
    if folded.classifier:
        graphs["classifier"] = classifier_graph(folded, checkpoint.temperature)
        graphs["lithologies"] = lithologies_graph(folded, checkpoint.temperature, checkpoint.groups)
    return graphs


def _bytes(graph: Any) -> bytes:
    return bytes(graph.SerializeToString(deterministic=True))


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "schema": fmt.SCHEMA,
        "features": checkpoint.features.to_json(),
        "scaler": {"mean": checkpoint.scaler.mean_.tolist(), "scale": checkpoint.scaler.scale_.tolist()},
        "latent_dim": checkpoint.model.fc_mu.out_features,
        "classes": list(checkpoint.classes),
        "missing": checkpoint.missing,
        "fill": _fill(checkpoint),
        "sentinels": list(SENTINELS),
        "trained_on": checkpoint.trained_on,
        "recipe": checkpoint.recipe,
        "data_digest": checkpoint.data_digest,
        "checkpoint_sha256": checkpoint.sha256,
        "tools": {name: version(name).partition("+")[0] for name in TOOLS},
    }


def _fill(checkpoint: Checkpoint) -> list[float]:
    """Return the raw values that are 0 in scaled space: a missing feature that is imputed takes them."""
    zero = np.zeros((1, len(checkpoint.features)))
    return [float(value) for value in checkpoint.scaler.inverse_transform(zero)[0]]


def require_folder(out: str | Path) -> Path:
    """Check that a bundle can be written to a folder; return the folder, with links resolved.

    Raises
    ------
    OutputError
        If it exists and is not a folder with only a bundle in it, or its parent folder does not exist.
    """
    out = Path(out).resolve()
    if out.exists() and not _is_replaceable(out):
        raise OutputError(f"{out} exists and is not a folder with only a bundle in it: choose another folder", out)
    if not out.parent.is_dir():
        raise OutputError(f"no such folder: {out.parent}", out)
    return out


def _is_replaceable(out: Path) -> bool:
    """Return whether a path is an empty folder, or a folder that holds a bundle and nothing else."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    if not names:
        return True
    try:
        manifest = json.loads((out / fmt.MANIFEST).read_text(encoding="utf-8"))
        ours = isinstance(manifest["schema"], int) and isinstance(manifest["files"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return ours and names <= {fmt.MANIFEST, fmt.CARD, fmt.REFERENCE, *(f"{graph}.onnx" for graph in fmt.GRAPHS)}


def _lines(stated: dict[str, Any]) -> bytes:
    """Return a JSON object in UTF-8, with one line for each key."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in stated.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _place(out: Path, contents: dict[str, bytes], manifest: dict[str, Any]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            new, old = Path(folder) / "new", Path(folder) / "old"
            new.mkdir()
            files = {}
            for name, data in contents.items():
                (new / name).write_bytes(data)
                files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            (new / fmt.MANIFEST).write_bytes(_lines(manifest | {"files": files}))
            bundle = fmt.Bundle.read(new)  # the runtime must be able to read what is moved into place
            require(bundle, verify(bundle))
            if out.exists():
                out.rename(old)
            try:
                new.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}", out) from error
