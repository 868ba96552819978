"""The ONNX graphs, built node by node from folded layers and the scaler's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from lithovae.models.scaler import LOG, N_FEATURES, SIGNED_LOG, DistributionAwareScaler
from lithovae.runtime.missing import SENTINELS

from .fold import FoldedVAE, Linear

OPSET = 13
"""The lowest opset in which every operator used here has its present form."""
IR_VERSION = 8

MissingPolicy = Literal["impute", "nan"]


class _Graph:
    """Collects nodes and constants, and names each intermediate result; ``dtype`` is that of the weights."""

    def __init__(self, dtype: type = np.float32) -> None:
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def __call__(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, named ``output`` if given; return the output's name."""
        name = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, values: ArrayLike, dtype: type | None = None) -> str:
        """Add a named constant, once."""
        self.constants[name] = numpy_helper.from_array(np.asarray(values, dtype or self.dtype), name)
        return name

    def linear(self, x: str, layer: Linear, name: str, output: str | None = None) -> str:
        bias = self.constant(f"{name}.bias", layer.bias)
        if self.dtype is np.float32:
            return self("Gemm", x, self.constant(f"{name}.weight", layer.weight), bias, output=output)
        # A float64 weight would take twice the space: a host multiplies constants once, when it loads the graph.
        plain = self("Cast", self.constant(f"{name}.plain", layer.plain, np.float32), to=TensorProto.DOUBLE)
        weight = self("Mul", plain, self.constant(f"{name}.gain", layer.gain))
        return self("Gemm", x, weight, bias, output=output)

    def stack(self, x: str, layers: list[Linear], name: str, relu_last: bool) -> str:
        for i, layer in enumerate(layers):
            x = self.linear(x, layer, f"{name}.{i}")
            if relu_last or i < len(layers) - 1:
                x = self("Relu", x)
        return x

    def split(self, x: str, widths: list[int], axis: int) -> list[str]:
        """Split along an axis into parts of some widths."""
        name = "widths." + ".".join(map(str, widths))
        parts = [f"{x}.{i}" for i in range(len(widths))]
        self.nodes.append(helper.make_node("Split", [x, self.constant(name, widths, np.int64)], parts, axis=axis))
        return parts

    def nan_where_not_finite(self, x: str) -> str:
        """Return (n, 1): 0 for a row of finite numbers, NaN for any other (0 * NaN and 0 * inf are NaN)."""
        nothing = self("Mul", x, self.constant("zero", 0.0))
        return self("ReduceSum", nothing, self.constant("columns", [1], np.int64), keepdims=1)

    def model(self, name: str, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
        def describe(tensors: dict[str, int]) -> list[Any]:
            return [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", width]) for k, width in tensors.items()]

        graph = helper.make_graph(
            self.nodes, name, describe(inputs), describe(outputs), initializer=list(self.constants.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="lithovae"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def encoder_graph(
    folded: FoldedVAE,
    scaler: DistributionAwareScaler,
    missing: MissingPolicy,
    heads: Sequence[Literal["mu", "logvar"]] = ("mu", "logvar"),
) -> Any:
    """Build the graph from raw ``features`` (n, 6) to ``mu`` and ``logvar`` (n, latent), or to ``mu`` alone.

    Without ``logvar`` the heads cost half as much. The scaler runs on the transposed features, (6, n): a broadcast over
    columns of six would cost more than the network. Its float32 error is hardly larger than that of torch's cast from
    float64, because each mean is subtracted where no precision is lost: inside the colours' logarithm,
    log((1 + x) / e^mean), and elsewhere as a float32 whose rounding error the first bias corrects. One more row, 1 or
    NaN for each sample, carries the first bias; it also carries NaN, for a sample without an answer, past the ReLUs,
    which need not propagate it.
    """
    g = _Graph()
    zero, one, nan = g.constant("zero", 0.0), g.constant("one", 1.0), g.constant("nan", np.nan)
    measured, colour = g.split(g("Transpose", "features", perm=[1, 0]), [LOG.start, N_FEATURES - LOG.start], axis=0)
    unmeasured = ""
    for i, value in enumerate(SENTINELS):  # colours need none of this: the logarithm of a sentinel is NaN already
        equal = g("Equal", measured, g.constant(f"sentinel.{i}", value))
        unmeasured = g("Or", unmeasured, equal) if unmeasured else equal
    density, signed = g.split(measured, [SIGNED_LOG.start, SIGNED_LOG.stop - SIGNED_LOG.start], axis=0)
    signed = g("Mul", g("Sign", signed), g("Log", g("Add", g("Abs", signed), one)))
    mean = scaler.mean_.astype(np.float32)
    measured = g("Sub", g("Concat", density, signed, axis=0), g.constant("mean", mean[: LOG.start, None]))
    shrink = g.constant("shrink", np.exp(-scaler.mean_[LOG, None]))
    colour = g("Log", g("Mul", g("Add", colour, one), shrink))
    lacks = [
        g("Or", unmeasured, g("IsNaN", g("Mul", measured, zero))),  # 0 * NaN and 0 * inf are NaN
        g("IsNaN", g("Mul", colour, zero)),
    ]
    parts = [
        g("Where", mask, zero, g("Div", part, g.constant(f"scale.{i}", scaler.scale_[columns, None])))
        for i, (mask, part, columns) in enumerate(zip(lacks, (measured, colour), (slice(LOG.start), LOG), strict=True))
    ]
    join = "And" if missing == "impute" else "Or"
    masks = g.split(g(join, *lacks), [1] * LOG.start, axis=0)
    answer = g("Where", reduce(lambda a, b: g(join, a, b), masks), nan, one)
    first, *others = folded.encoder
    rounding = np.concatenate([(scaler.mean_ - mean)[: LOG.start], np.zeros(N_FEATURES - LOG.start)]) / scaler.scale_
    weight = np.vstack([first.weight, first.bias - rounding @ first.weight])
    inputs = g("Concat", *parts, answer, axis=0)
    hidden = g("Relu", g("Gemm", inputs, g.constant("encoder.0.weight_and_bias", weight), transA=1))
    for i, layer in enumerate(others, start=1):
        hidden = g("Relu", g.linear(hidden, layer, f"encoder.{i}"))
    for name in heads:
        layer = folded.mu if name == "mu" else folded.logvar
        bias = g("Gemm", answer, g.constant(f"{name}.bias", layer.bias[None]), transA=1)
        g("Gemm", hidden, g.constant(f"{name}.weight", layer.weight), bias, output=name)
    latent = folded.mu.weight.shape[1]
    return g.model("encoder", {"features": N_FEATURES}, {str(name): latent for name in heads})


def decoder_graph(folded: FoldedVAE, scaler: DistributionAwareScaler) -> Any:
    """Build the graph from latent ``z`` (n, latent) to raw ``features`` (n, 6).

    It computes in float64: the exponentials of the inverse scaler would magnify float32 rounding a thousandfold.
    """
    g = _Graph(np.float64)
    one = g.constant("one", 1.0)
    z = g("Cast", "z", to=TensorProto.DOUBLE)
    scaled = g("Add", g.stack(z, folded.decoder, "decoder", relu_last=False), g.nan_where_not_finite(z))
    stretched = g("Mul", scaled, g.constant("scaler.scale", scaler.scale_))
    transformed = g("Add", stretched, g.constant("scaler.mean", scaler.mean_))
    density, signed, colour = g.split(
        transformed, [SIGNED_LOG.start, SIGNED_LOG.stop - SIGNED_LOG.start, N_FEATURES - LOG.start], axis=1
    )
    signed = g("Mul", g("Sign", signed), g("Sub", g("Exp", g("Abs", signed)), one))
    colour = g("Sub", g("Exp", colour), one)
    g("Cast", g("Concat", density, signed, colour, axis=1), output="features", to=TensorProto.FLOAT)
    latent = folded.mu.weight.shape[1]
    return g.model("decoder", {"z": latent}, {"features": N_FEATURES})


def classifier_graph(folded: FoldedVAE) -> Any:
    """Build the graph from latent ``z`` (n, latent) to ``logits`` and ``probabilities`` (n, classes) of lithologies."""
    g = _Graph()
    spoil = g.nan_where_not_finite("z")
    logits = g("Add", g.stack("z", folded.classifier, "classifier", relu_last=False), spoil, output="logits")
    g("Add", g("Softmax", logits, axis=1), spoil, output="probabilities")  # a softmax may lose NaN
    latent, n_classes = folded.mu.weight.shape[1], folded.classifier[-1].weight.shape[1]
    return g.model("classifier", {"z": latent}, {"logits": n_classes, "probabilities": n_classes})
