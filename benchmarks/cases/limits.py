"""A roofline: the cost of a row, counted from the graphs, and the measured limits of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.bench import Bench
from benchmarks.peers.peer import MODEL
from benchmarks.scans import plausible_rows
from lithovae.runtime.model.bundle import Bundle

PROFILED_ROWS = 2048


def measure(bench: Bench) -> dict[str, Any]:
    """Return counts, profile and machine limits."""
    bundle = Bundle.read(MODEL)
    return {
        "counts": {graph: count(bundle.graphs[graph]) for graph in ("embedder", "classifier")},
        "profile": profile(bundle.graphs["embedder"], bench.folder),
        "machine": {
            "flop_per_s": {str(n): flop_rate(n, bench.folder) for n in dict.fromkeys((1, bench.threads))},
            "copy_bytes_per_s": {str(n): copy_rate(n) for n in dict.fromkeys((1, bench.threads))},
            "log_per_s": log_rate(),
        },
    }


def count(graph: bytes) -> dict[str, float]:
    """Count the cost of a row: operations in matrix products, other operations, logarithms, parameters, bytes."""
    import onnx
    from onnx import numpy_helper, shape_inference

    n = 1000  # rows; divided by it, work that does not depend on the rows vanishes
    model = onnx.load_model_from_string(graph)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = n
    model = shape_inference.infer_shapes(model, data_prop=True)
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    shapes |= {name: list(array.shape) for name, array in weights.items()}
    products = other = logarithms = 0.0
    for node in model.graph.node:
        size = sum(float(np.prod(shapes[name])) for name in node.output if shapes.get(name))
        if node.op_type in ("Gemm", "MatMul"):
            attributes = {attribute.name: attribute.i for attribute in node.attribute}
            inner = shapes[node.input[0]][0 if attributes.get("transA") else -1]
            products += 2 * size * inner + (size if len(node.input) > 2 else 0)
        elif node.op_type in ("Log", "Exp"):
            logarithms += size
        elif node.op_type not in ("Transpose", "Split", "Concat", "Reshape"):
            other += size
    return {
        "product_flop": products / n,
        "element_operations": other / n,
        "logarithms": logarithms / n,
        "parameters": float(sum(array.size for array in weights.values())),
        "bytes_in": 4.0 * shapes[model.graph.input[0].name][-1],
        "bytes_out": 4.0 * shapes[model.graph.output[-1].name][-1],
    }


def profile(graph: bytes, folder: Path) -> dict[str, float]:
    """Return the share of time of each kind of node from onnxruntime's profile: one thread, a cached block."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    rows = plausible_rows(PROFILED_ROWS, np.random.default_rng(0))
    for _ in range(300):
        session.run(["mu"], {"features": rows})
    place = Path(session.end_profiling())
    events = json.loads(place.read_text())
    place.unlink()
    spent: dict[str, float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            kind = event["args"]["op_name"]
            spent[kind] = spent.get(kind, 0.0) + event["dur"]
    total = sum(spent.values())
    return {kind: share / total for kind, share in sorted(spent.items(), key=lambda item: -item[1])}


def flop_rate(threads: int, folder: Path) -> float:
    """Return float32 operations per second of onnxruntime's MatMul, with matrices that fit the cache."""
    from onnx import TensorProto, helper

    n = 512
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [n, n]) for name in "abc"]
    model = helper.make_model(
        helper.make_graph([node], "product", doors[:2], doors[2:]), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 9
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    a = np.random.default_rng(0).random((n, n), np.float32)
    seconds = on_threads(lambda: session.run(["c"], {"a": a, "b": a}), threads, 20)
    return 2 * n**3 * 20 * threads / seconds


def copy_rate(threads: int) -> float:
    """Return bytes per second, read and written, of copying arrays too large for any cache."""
    n = 1 << 26
    arrays = [(np.ones(n // 4, np.float32), np.zeros(n // 4, np.float32)) for _ in range(threads)]
    places = iter(arrays * 100)

    def copy() -> None:
        source, target = next(places)
        np.copyto(target, source)

    return 2 * n * 4 * threads / on_threads(copy, threads, 4)


def log_rate() -> float:
    """Return logarithms per second of onnxruntime's Log on one core."""
    import onnx
    from onnx import TensorProto, helper

    n = 1 << 14
    doors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [n]) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Log", ["a"], ["b"])], "log", doors[:1], doors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    a = np.random.default_rng(0).random(n, np.float32) + 1
    return n * 100 / on_threads(lambda: session.run(["b"], {"a": a}), 1, 100)


def on_threads(run: Callable[[], object], threads: int, times: int) -> float:
    """Return the shortest of five times (s) in which each thread runs a function a number of times."""

    def repeat(_: int) -> None:
        for _ in range(times):
            run()

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(6):
            start = time.perf_counter()
            list(pool.map(repeat, range(threads)))
            found.append(time.perf_counter() - start)
    return min(found[1:])
