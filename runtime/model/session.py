"""Creates ONNX Runtime sessions. No other module imports onnxruntime."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# From 1.29 on, onnxruntime sends telemetry and writes to the home folder unless this is set before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

from lithovae.runtime.errors import BundleError

from .bundle import METADATA_KEY, OWN_KEYS, Bundle, squeeze


def open_session(bundle: Bundle, graph: str) -> Any:
    """Create a session of one of a bundle's graphs.

    Raises
    ------
    BundleError
        If onnxruntime refuses the graph, or the graph's own description contradicts the manifest.
    """
    path = bundle.path / f"{graph}.onnx"
    session = make_session(bundle.graphs[graph], path)
    described = describe(session, path)
    common = {key: value for key, value in described.items() if key not in OWN_KEYS}
    differ = sorted(key for key in common | bundle.description if common.get(key) != bundle.description.get(key))
    if described.get("graph") != graph:
        differ.append("graph")
    if described.get("model_card") != squeeze(bundle.card):
        differ.append("model_card")
    if differ:
        raise BundleError(
            f"the description in {path} differs from the manifest ({', '.join(differ)}): export the bundle again",
            bundle.path,
        )
    ends = (session.get_inputs(), session.get_outputs())
    found = tuple({node.name: node.shape[-1] if node.shape else None for node in nodes} for nodes in ends)
    if found != bundle.signature(graph):
        raise BundleError(
            f"{path} has the inputs and outputs {found}, not {bundle.signature(graph)} as described", bundle.path
        )
    return session


def describe(session: Any, path: Path) -> dict[str, Any]:
    """Read a graph's description from its metadata.

    Raises
    ------
    BundleError
        If there is no valid description.
    """
    try:
        described = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} has no valid description under {METADATA_KEY!r}", path.parent) from error
    if not isinstance(described, dict):
        raise BundleError(f"{path} has a description that is not a JSON object", path.parent)
    return described


def make_session(graph: bytes, path: Path) -> Any:
    """Create an onnxruntime session, single-threaded and without spinning, from a graph's bytes.

    Parameters
    ----------
    graph : bytes
        The serialized graph.
    path : Path
        The graph's file, for messages.

    Raises
    ------
    BundleError
        If onnxruntime refuses the graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # our threads run micro-batches; 0 misbehaves under Slurm and cgroups
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The manifest's SHA-256 does not cover weights in other files: point ONNX Runtime to a folder that does not exist.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", f"{path} has no other file"
    )
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        reason = str(error).splitlines()[0]
        raise BundleError(f"onnxruntime {ort.__version__} refuses {path}: {reason}", path.parent) from error
