"""Creates ONNX Runtime sessions. No other module imports onnxruntime."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

# From 1.29 on, onnxruntime sends telemetry and writes to the home folder unless this is set before the import.
_is_early = "onnxruntime" not in sys.modules or os.environ.get("ORT_DISABLE_TELEMETRY") == "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

if sys.platform == "win32":  # where the variable has no effect
    ort.disable_telemetry_events()

from lithovae.runtime.errors import BundleError

from .bundle import METADATA_KEY, OWN_KEYS, Bundle, squeeze

ORT_VERSION: str = ort.__version__
"""Version of ONNX Runtime."""
PROBES = (8, 16)
"""Numbers of rows that a graph is tried with when it is opened."""


def telemetry_is_off() -> bool:
    """Return whether the variable that turns telemetry off was set before ONNX Runtime was imported."""
    return _is_early and os.environ.get("ORT_DISABLE_TELEMETRY") == "1"


def open_session(bundle: Bundle, graph: str) -> Any:
    """Create a session of one of a bundle's graphs.

    Raises
    ------
    BundleError
        If onnxruntime refuses the graph, the graph's own description contradicts the manifest, or the graph gives
        another number of rows than it gets.
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
    found = tuple({node.name: _width(node) for node in nodes} for nodes in ends)
    inputs, outputs = expected = bundle.signature(graph)
    if found != expected:
        raise BundleError(f"{path} has the inputs and outputs {found}, not {expected} as described", bundle.path)
    for n_rows in PROBES:
        zeros = {name: np.zeros((n_rows, width), np.float32) for name, width in inputs.items()}
        checked(partial(session.run, list(outputs), zeros), path, outputs, n_rows)
    return session


def checked(compute: Callable[[], Any], path: Path, outputs: Mapping[str, int], n_rows: int) -> list[Any]:
    """Run a graph, and check that every output has a row for each row of the input.

    Parameters
    ----------
    compute : callable
        Runs a session of the graph and returns its outputs.
    path : Path
        The graph's file, for messages.
    outputs : mapping of str to int
        Width of each output, by name.
    n_rows : int
        Number of rows of the input.

    Raises
    ------
    BundleError
        If the graph fails, or an output has another shape.
    """
    try:
        values = compute()
    except Exception as error:  # onnxruntime's errors share no base class
        raise failure(path, error) from error
    for (name, width), array in zip(outputs.items(), values, strict=True):
        if array.shape != (n_rows, width):
            raise BundleError(
                f"{path} gives {name} of shape {array.shape} for {n_rows} rows, not {(n_rows, width)}: do not use this "
                "bundle",
                path.parent,
            )
    return list(values)


def failure(path: Path, error: Exception) -> BundleError:
    """Return the error for a graph that ONNX Runtime cannot run to its end."""
    return BundleError(f"onnxruntime {ort.__version__} cannot run {path}: {str(error).splitlines()[0]}", path.parent)


def _width(node: Any) -> Any:
    """Return the number of columns of an input or output; its type and shape if it is no matrix of any height."""
    is_matrix = node.type == "tensor(float)" and len(node.shape) == 2 and not isinstance(node.shape[0], int)
    return node.shape[1] if is_matrix else f"{node.type} {node.shape}"


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
