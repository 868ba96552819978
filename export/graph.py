"""The three ONNX graphs, built node by node from folded layers and the scaler's numbers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from lithovae.models.scaler import LOG, N_FEATURES, SIGNED_LOG, DistributionAwareScaler

from .fold import FoldedVAE, Linear

OPSET = 13
"""The lowest opset in which every operator used here has its present form."""
IR_VERSION = 8

MissingPolicy = Literal["impute", "nan"]


class _Graph:
    """Collects nodes and constants, and gives each intermediate result a name; ``dtype`` is its weights'."""

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
        weight = self.constant(f"{name}.weight", layer.weight)
        bias = self.constant(f"{name}.bias", layer.bias)
        return self("Gemm", x, weight, bias, output=output)

    def stack(self, x: str, layers: list[Linear], name: str, relu_last: bool) -> str:
        for i, layer in enumerate(layers):
            x = self.linear(x, layer, f"{name}.{i}")
            if relu_last or i < len(layers) - 1:
                x = self("Relu", x)
        return x

    def split_features(self, x: str) -> tuple[str, str, str]:
        """Split (n, 6) into density, the signed-log columns and the log columns."""
        widths = [SIGNED_LOG.start, SIGNED_LOG.stop - SIGNED_LOG.start, LOG.stop - LOG.start]
        parts = [f"{x}.density", f"{x}.signed", f"{x}.colour"]
        self.nodes.append(
            helper.make_node("Split", [x, self.constant("split_widths", widths, np.int64)], parts, axis=1)
        )
        return parts[0], parts[1], parts[2]

    def nan_where_not_finite(self, x: str) -> str:
        """Give (n, 1): 0 for a row of finite numbers, NaN for any other (0 * NaN and 0 * inf are NaN)."""
        nothing = self("Mul", x, self.constant("zero", 0.0))
        return self("ReduceSum", nothing, self.constant("columns", [1], np.int64), keepdims=1)

    def model(self, name: str, inputs: dict[str, int], outputs: dict[str, int], metadata: dict[str, str]) -> Any:
        def describe(tensors: dict[str, int]) -> list[Any]:
            return [helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", width]) for k, width in tensors.items()]

        graph = helper.make_graph(
            self.nodes, name, describe(inputs), describe(outputs), initializer=list(self.constants.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="lithovae"
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def encoder_graph(
    folded: FoldedVAE, scaler: DistributionAwareScaler, missing: MissingPolicy, metadata: dict[str, str]
) -> Any:
    """Build raw ``features`` (n, 6) to ``mu``, ``logvar`` (n, latent).

    The scaler runs in float64, as it does in training: in float32 its rounding alone would nearly double the error.
    """
    g = _Graph()
    one = g.constant("one64", 1.0, np.float64)
    density, signed, colour = g.split_features(g("Cast", "features", output="features64", to=TensorProto.DOUBLE))
    signed = g("Mul", g("Sign", signed), g("Log", g("Add", g("Abs", signed), one)))
    colour = g("Log", g("Add", colour, one))
    transformed = g("Concat", density, signed, colour, axis=1)
    centred = g("Sub", transformed, g.constant("scaler.mean", scaler.mean_, np.float64))
    scaled = g("Div", centred, g.constant("scaler.scale", scaler.scale_, np.float64))
    scaled = g("Cast", scaled, to=TensorProto.FLOAT)
    if missing == "impute":
        zero = g.constant("zero", 0.0)
        lacks = g("IsNaN", g("Mul", scaled, zero))
        lacks_all = g("ReduceMin", g("Cast", lacks, to=TensorProto.FLOAT), axes=[1], keepdims=1)
        lacks_all = g("Cast", lacks_all, to=TensorProto.BOOL)
        spoil = g("Where", lacks_all, g.constant("nan", np.nan), zero)
        scaled = g("Where", lacks, zero, scaled)
    else:
        spoil = g.nan_where_not_finite(scaled)
    hidden = g.stack(scaled, folded.encoder, "encoder", relu_last=True)
    for name, layer in (("mu", folded.mu), ("logvar", folded.logvar)):
        g("Add", g.linear(hidden, layer, name), spoil, output=name)
    latent = folded.mu.weight.shape[1]
    return g.model("encoder", {"features": N_FEATURES}, {"mu": latent, "logvar": latent}, metadata)


def decoder_graph(folded: FoldedVAE, scaler: DistributionAwareScaler, metadata: dict[str, str]) -> Any:
    """Build latent ``z`` (n, latent) to raw ``features`` (n, 6).

    It computes in float64: the inverse scaler's exponentials would magnify float32's rounding a thousandfold.
    """
    g = _Graph(np.float64)
    one = g.constant("one", 1.0)
    z = g("Cast", "z", to=TensorProto.DOUBLE)
    scaled = g("Add", g.stack(z, folded.decoder, "decoder", relu_last=False), g.nan_where_not_finite(z))
    stretched = g("Mul", scaled, g.constant("scaler.scale", scaler.scale_))
    transformed = g("Add", stretched, g.constant("scaler.mean", scaler.mean_))
    density, signed, colour = g.split_features(transformed)
    signed = g("Mul", g("Sign", signed), g("Sub", g("Exp", g("Abs", signed)), one))
    colour = g("Sub", g("Exp", colour), one)
    g("Cast", g("Concat", density, signed, colour, axis=1), output="features", to=TensorProto.FLOAT)
    latent = folded.mu.weight.shape[1]
    return g.model("decoder", {"z": latent}, {"features": N_FEATURES}, metadata)


def classifier_graph(folded: FoldedVAE, metadata: dict[str, str]) -> Any:
    """Build latent ``z`` (n, latent) to lithology ``probabilities`` (n, classes)."""
    g = _Graph()
    logits = g.stack("z", folded.classifier, "classifier", relu_last=False)
    g("Add", g("Softmax", logits, axis=1), g.nan_where_not_finite("z"), output="probabilities")
    latent, n_classes = folded.mu.weight.shape[1], folded.classifier[-1].weight.shape[1]
    return g.model("classifier", {"z": latent}, {"probabilities": n_classes}, metadata)
