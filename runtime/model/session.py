"""The one place that imports onnxruntime."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# Wheels from 1.29 on report usage and write under the home folder unless told otherwise before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from lithovae.runtime.errors import BundleError

from .bundle import METADATA_KEY, OWN_KEYS, Bundle, squeeze


def open_session(bundle: Bundle, graph: str) -> Any:
    """Make a session of one of a bundle's graphs.

    Raises
    ------
    BundleError
        If onnxruntime refuses the graph, or the graph's own description contradicts the manifest.
    """
    place = bundle.path / f"{graph}.onnx"
    session = make_session(bundle.graphs[graph], place)
    described = describe(session, place)
    common = {key: value for key, value in described.items() if key not in OWN_KEYS}
    differ = sorted(key for key in common | bundle.description if common.get(key) != bundle.description.get(key))
    if described.get("graph") != graph:
        differ.append("graph")
    if described.get("model_card") != squeeze(bundle.card):
        differ.append("model_card")
    if differ:
        raise BundleError(
            f"{place} describes itself otherwise than the manifest ({', '.join(differ)}): export the bundle again",
            bundle.path,
        )
    doors = (session.get_inputs(), session.get_outputs())
    found = tuple({node.name: node.shape[-1] if node.shape else None for node in nodes} for nodes in doors)
    if found != bundle.signature(graph):
        raise BundleError(f"{place} takes and gives {found}, not {bundle.signature(graph)} as described", bundle.path)
    return session


def describe(session: Any, place: Path) -> dict[str, Any]:
    """Read a graph's own description from its metadata.

    Raises
    ------
    BundleError
        If there is none.
    """
    try:
        described = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise BundleError(f"{place} carries no description under {METADATA_KEY!r}", place.parent) from error
    if not isinstance(described, dict):
        raise BundleError(f"{place} carries a description that is not a JSON object", place.parent)
    return described


def make_session(graph: bytes, place: Path) -> Any:
    """Make an onnxruntime session, single-threaded and without spinning, from a graph's bytes.

    Raises
    ------
    BundleError
        If onnxruntime refuses the graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # threads run micro-batches of their own; 0 misbehaves under Slurm and cgroups
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weights in other files would escape the manifest's SHA-256: none can be found in a folder that is not there.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", f"{place} has no other file"
    )
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        reason = str(error).splitlines()[0]
        raise BundleError(f"onnxruntime {ort.__version__} refuses {place}: {reason}", place.parent) from error
