"""Write a bundle: build the graphs, check them against torch with the runtime's own code, then give them their name."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import lithovae.runtime.bundle as fmt
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.errors import OutputError
from lithovae.runtime.features import FEATURES

from . import parity
from .fold import fold
from .graph import classifier_graph, decoder_graph, encoder_graph

NO_CARD = """{trained_on}

Nobody has written a card for this model, and it has not been evaluated here.

- Only for the six features of the manifest, in their units: others give embeddings that mean nothing.
- Not the only ground on which to name a lithology.
- Missing features: "{policy}" (impute: replaced by their mean in scaled space; nan: the row has no embedding).
"""
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
    out = require_folder(out)
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
    card = checkpoint.card or NO_CARD.format(trained_on=checkpoint.trained_on, policy=checkpoint.missing)
    _place(out, serialized, card, described | {"parity": parity.summary(results)})
    return results


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "schema": fmt.SCHEMA,
        "features": [
            {"name": feature.name, "unit": feature.unit, "transform": transform}
            for feature, transform in zip(FEATURES, TRANSFORMS, strict=True)
        ],
        "scaler": {"mean": checkpoint.scaler.mean_.tolist(), "scale": checkpoint.scaler.scale_.tolist()},
        "latent_dim": checkpoint.model.fc_mu.out_features,
        "classes": list(checkpoint.classes),
        "missing": checkpoint.missing,
        "trained_on": checkpoint.trained_on,
        "recipe": checkpoint.recipe,
        "data_digest": checkpoint.data_digest,
        "checkpoint_sha256": checkpoint.sha256,
    }


def require_folder(out: str | Path) -> Path:
    """Make sure that a bundle can be put somewhere; give the folder, links resolved.

    Raises
    ------
    OutputError
        If it is there and is not a bundle alone, or is in a folder that is not there.
    """
    out = Path(out).resolve()
    if out.exists() and not _is_replaceable(out):
        raise OutputError(f"{out} exists and is not a bundle alone: choose another folder", out)
    if not out.parent.is_dir():
        raise OutputError(f"no such folder: {out.parent}", out)
    return out


def _is_replaceable(out: Path) -> bool:
    """Tell whether a path is an empty folder, or a folder that holds a bundle and nothing else."""
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
    return ours and names <= {fmt.MANIFEST, fmt.CARD, *(f"{graph}.onnx" for graph in fmt.GRAPHS)}


def _place(out: Path, graphs: dict[str, bytes], card: str, manifest: dict[str, Any]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            new, old = Path(folder) / "new", Path(folder) / "old"
            new.mkdir()
            files = {}
            contents = {f"{name}.onnx": data for name, data in graphs.items()} | {fmt.CARD: card.encode()}
            for name, data in contents.items():
                (new / name).write_bytes(data)
                files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            text = json.dumps(manifest | {"files": files}, indent=1, ensure_ascii=False) + "\n"
            (new / fmt.MANIFEST).write_text(text, encoding="utf-8")
            fmt.Bundle.read(new)  # what the runtime would refuse should not get a name
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
