"""Write a bundle: build the graphs, check them against torch with the runtime's own code, then give them their name."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import lithovae.runtime.bundle as fmt
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import OutputError
from lithovae.runtime.features import FEATURES

from . import parity
from .fold import fold
from .graph import MissingPolicy, classifier_graph, decoder_graph, encoder_graph

TRANSFORMS = ("none", "sign(x)*log1p(|x|)", "sign(x)*log1p(|x|)", "log1p(x)", "log1p(x)", "log1p(x)")


def write_bundle(
    checkpoint: Checkpoint, out: str | Path, extra_rows: parity.Arrays | None = None
) -> list[parity.Parity]:
    """Export a checkpoint as a bundle.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its recipe decides about missing features: a model trained with masked inputs imputes them.
    out : path-like
        The bundle's folder. A bundle that is there already is replaced, once the new one has passed.
    extra_rows : dict of str to ndarray (n, 6) float32, optional
        More raw rows to hold the bundle to.

    Returns
    -------
    list of Parity
        What the gate measured.

    Raises
    ------
    ParityError
        If an output strays too far from torch; nothing is written.
    OutputError
        If ``out`` is something else than a bundle, or cannot be written.
    """
    out = Path(out)
    if out.exists() and not (out / fmt.MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists and is not a bundle: choose another folder", out)
    if not out.absolute().parent.is_dir():
        raise OutputError(f"no such folder: {out.absolute().parent}", out)
    described = _describe(checkpoint)
    folded = fold(checkpoint.model)
    metadata = {fmt.METADATA_KEY: json.dumps(described, sort_keys=True, ensure_ascii=False)}
    graphs = {
        "encoder": encoder_graph(folded, checkpoint.scaler, described["missing"], metadata),
        "decoder": decoder_graph(folded, checkpoint.scaler, metadata),
    }
    if folded.classifier:
        graphs["classifier"] = classifier_graph(folded, metadata)
    serialized = {name: graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}
    results = parity.measure(checkpoint, fmt.Bundle(out, described, serialized), extra_rows)
    parity.require(results)
    _place(out, serialized, described | {"parity": parity.summary(results)})
    return results


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    missing: MissingPolicy = "impute" if checkpoint.recipe.get("mask_probability") else "nan"
    return {
        "schema": fmt.SCHEMA,
        "features": [
            {"name": feature.name, "unit": feature.unit, "transform": transform}
            for feature, transform in zip(FEATURES, TRANSFORMS, strict=True)
        ],
        "scaler": {"mean": checkpoint.scaler.mean_.tolist(), "scale": checkpoint.scaler.scale_.tolist()},
        "latent_dim": checkpoint.model.fc_mu.out_features,
        "classes": list(checkpoint.classes),
        "missing": missing,
        "trained_on": checkpoint.trained_on,
        "recipe": checkpoint.recipe,
        "data_digest": checkpoint.data_digest,
        "checkpoint_sha256": checkpoint.sha256,
    }


def _place(out: Path, graphs: dict[str, bytes], manifest: dict[str, Any]) -> None:
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    except OSError as error:
        raise OutputError(f"cannot write beside {out}: {error.strerror}", out) from error
    try:
        partial.chmod(0o755)
        files = {}
        for name, data in graphs.items():
            (partial / f"{name}.onnx").write_bytes(data)
            files[f"{name}.onnx"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        text = json.dumps(manifest | {"files": files}, indent=1, ensure_ascii=False) + "\n"
        (partial / fmt.MANIFEST).write_text(text, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}", out) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
