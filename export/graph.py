"""The ONNX graphs, built node by node from folded layers and the scaler's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from lithovae.models.scaler import DistributionAwareScaler
from lithovae.runtime.features import TRANSFORMS
from lithovae.runtime.missing import SENTINELS
from lithovae.runtime.model.bundle import filled
from lithovae.runtime.model.reference import Groups

from .fold import FoldedVAE, Linear

OPSET = 13
"""The lowest opset in which every operator used here has its present form."""
IR_VERSION = 8
LOWEST = -80.0
"""Lowest score of a lithology: its exponential is a float32 with all digits, and too small to change a sum."""

MissingPolicy = Literal["impute", "nan"]


class _Columns:
    """The columns of the features, grouped by the transforms of their scaler.

    Parameters
    ----------
    scaler : DistributionAwareScaler
        The scaler.

    Attributes
    ----------
    order : ndarray of shape (n,), int64
        Position of each feature, in the order of `TRANSFORMS` and else unchanged.
    widths : list of int
        Number of features with each transform, in the order of `TRANSFORMS`.
    """

    def __init__(self, scaler: DistributionAwareScaler) -> None:
        kinds = np.array([TRANSFORMS.index(transform) for transform in scaler.transforms])
        self.order = np.argsort(kinds, kind="stable")
        self.widths = np.bincount(kinds, minlength=len(TRANSFORMS)).tolist()
        self.is_sorted = bool((self.order == np.arange(len(kinds))).all())


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
        """Split along an axis into parts of some widths; a part of no width is an empty string."""
        every, widths = widths, [width for width in widths if width]
        if len(widths) == 1:
            return [x if width else "" for width in every]
        name = "widths." + ".".join(map(str, widths))
        parts = [f"{x}.{i}" for i in range(len(widths))]
        self.nodes.append(helper.make_node("Split", [x, self.constant(name, widths, np.int64)], parts, axis=axis))
        rest = iter(parts)
        return [next(rest) if width else "" for width in every]

    def take(self, x: str, positions: NDArray[np.int64], axis: int) -> str:
        """Reorder along an axis."""
        name = "order." + ".".join(map(str, positions.tolist()))
        return self("Gather", x, self.constant(name, positions, np.int64), axis=axis)

    def join(self, parts: list[str], axis: int) -> str:
        """Concatenate along an axis."""
        return self("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]

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
    *,
    precise: bool = False,
) -> Any:
    """Build the graph from raw ``features`` (n, n_features) to ``mu`` and ``logvar`` (n, latent), or to ``mu`` alone.

    Without ``logvar`` the heads cost half as much. The scaler runs on the transposed features, (n_features, n): a
    broadcast over a few columns would cost more than the network. Its float32 error is hardly larger than that of
    torch's cast from float64, because each mean is subtracted where no precision is lost: inside the logarithm of
    log1p, log((1 + x) / e^mean), and elsewhere as a float32 whose rounding error the first bias corrects. Where the
    scales are narrow, they magnify the error of a float32 logarithm: ``precise`` computes the scaler in float64.

    One more row, 1 or NaN for each sample, carries the first bias; it also carries NaN, for a sample without an answer,
    past the ReLUs, which need not propagate it.
    """
    g, columns, work = _Graph(), _Columns(scaler), np.float64 if precise else np.float32
    mean_, scale_ = scaler.mean_[columns.order], scaler.scale_[columns.order]
    n, n_positive = len(mean_), columns.widths[-1]
    n_measured = n - n_positive
    zero, one = g.constant("zero", 0.0, work), g.constant("one", 1.0, work)
    answered, nan = (g.constant("answered", 1.0) if precise else one), g.constant("nan", np.nan)
    raw = g("Transpose", "features", perm=[1, 0])
    if not columns.is_sorted:
        raw = g.take(raw, columns.order, axis=0)
    measured, positive = g.split(raw, [n_measured, n_positive], axis=0)
    mean = mean_.astype(work)
    lacks, parts = [], []
    if measured:
        unmeasured = ""
        for i, value in enumerate(SENTINELS):  # log1p needs none of this: the logarithm of a sentinel is NaN already
            equal = g("Equal", measured, g.constant(f"sentinel.{i}", value))
            unmeasured = g("Or", unmeasured, equal) if unmeasured else equal
        measured = g("Cast", measured, to=TensorProto.DOUBLE) if precise else measured
        plain, signed = g.split(measured, columns.widths[:-1], axis=0)
        if signed:
            signed = g("Mul", g("Sign", signed), g("Log", g("Add", g("Abs", signed), one)))
        transformed = g.join([part for part in (plain, signed) if part], axis=0)
        measured = g("Sub", transformed, g.constant("mean", mean[:n_measured, None], work))
        lacks.append(g("Or", unmeasured, g("IsNaN", g("Mul", measured, zero))))  # 0 * NaN and 0 * inf are NaN
        parts.append((measured, slice(n_measured)))
    if positive:
        positive = g("Cast", positive, to=TensorProto.DOUBLE) if precise else positive
        shrink = g.constant("shrink", np.exp(-mean_[n_measured:, None]), work)
        positive = g("Log", g("Mul", g("Add", positive, one), shrink))
        lacks.append(g("IsNaN", g("Mul", positive, zero)))
        parts.append((positive, slice(n_measured, n)))
    scaled = [
        g("Where", mask, zero, g("Div", part, g.constant(f"scale.{i}", scale_[rows, None], work)))
        for i, (mask, (part, rows)) in enumerate(zip(lacks, parts, strict=True))
    ]
    scaled = [g("Cast", part, to=TensorProto.FLOAT) for part in scaled] if precise else scaled
    join = "And" if missing == "impute" else "Or"
    if n_measured == n_positive:  # half as many operations
        masks = g.split(g(join, *lacks), [1] * n_measured, axis=0)
    else:
        masks = g.split(g.join(lacks, axis=0), [1] * n, axis=0)
    answer = g("Where", reduce(lambda a, b: g(join, a, b), masks), nan, answered)
    first, *others = folded.encoder
    rounding = np.where(np.arange(n) < n_measured, mean_ - mean.astype(np.float64), 0) / scale_
    weight = first.weight[columns.order]
    weight = np.vstack([weight, first.bias - rounding @ weight])
    inputs = g("Concat", *scaled, answer, axis=0)
    hidden = g("Relu", g("Gemm", inputs, g.constant("encoder.0.weight_and_bias", weight), transA=1))
    for i, layer in enumerate(others, start=1):
        hidden = g("Relu", g.linear(hidden, layer, f"encoder.{i}"))
    for name in heads:
        layer = folded.mu if name == "mu" else folded.logvar
        bias = g("Gemm", answer, g.constant(f"{name}.bias", layer.bias[None]), transA=1)
        g("Gemm", hidden, g.constant(f"{name}.weight", layer.weight), bias, output=name)
    latent = folded.mu.weight.shape[1]
    return g.model("encoder", {"features": n}, {str(name): latent for name in heads})


def decoder_graph(folded: FoldedVAE, scaler: DistributionAwareScaler) -> Any:
    """Build the graph from latent ``z`` (n, latent) to raw ``features`` (n, n_features).

    It computes in float64: the exponentials of the inverse scaler would magnify float32 rounding a thousandfold.
    """
    g = _Graph(np.float64)
    one = g.constant("one", 1.0)
    z = g("Cast", "z", to=TensorProto.DOUBLE)
    scaled = g("Add", g.stack(z, folded.decoder, "decoder", relu_last=False), g.nan_where_not_finite(z))
    stretched = g("Mul", scaled, g.constant("scaler.scale", scaler.scale_))
    transformed = g("Add", stretched, g.constant("scaler.mean", scaler.mean_))
    columns = _Columns(scaler)
    if not columns.is_sorted:
        transformed = g.take(transformed, columns.order, axis=1)
    plain, signed, positive = g.split(transformed, columns.widths, axis=1)
    if signed:
        signed = g("Mul", g("Sign", signed), g("Sub", g("Exp", g("Abs", signed)), one))
    if positive:
        positive = g("Sub", g("Exp", positive), one)
    features = g.join([part for part in (plain, signed, positive) if part], axis=1)
    if not columns.is_sorted:
        features = g.take(features, np.argsort(columns.order), axis=1)
    g("Cast", features, output="features", to=TensorProto.FLOAT)
    latent = folded.mu.weight.shape[1]
    return g.model("decoder", {"z": latent}, {"features": len(columns.order)})


def lithologies_graph(folded: FoldedVAE, temperature: float, groups: Groups | None) -> Any:
    """Build the graph from latent ``z`` (n, latent) to what names lithologies at the least cost.

    ``scores`` (n, width): the logits divided by the temperature, minus the largest of the row, at least `LOWEST`.
    ``weights`` (n, width): their exponentials. Both have a column for each lithology, and columns of the lowest score
    up to a multiple of `FILLED`. ``sums`` (n, 1 + n_groups): the sum of all weights, then those of each group. A weight
    divided by the sum of all is a probability.

    Without the cut at the lowest score some weights would be denormal numbers, which processors multiply slowly. Unlike
    in the classifier, no operator is there only to keep NaN: that would cost a tenth. A golden row of NaN finds a
    machine where it is lost.
    """
    g = _Graph()
    *hidden, last = folded.classifier
    x = g.stack("z", hidden, "classifier", relu_last=True)
    n_classes, n_groups = len(last.bias), len(groups.names) if groups else 0
    width = filled(n_classes)
    more = width - n_classes
    weight = np.pad(last.weight / temperature, ((0, 0), (0, more)))
    bias = np.pad(last.bias / temperature, (0, more), constant_values=float(np.finfo(np.float32).min))
    logits = g("Gemm", x, g.constant("logits.weight", weight), g.constant("logits.bias", bias))
    below = g("Sub", logits, g("ReduceMax", logits, axes=[1], keepdims=1))
    weights = g("Exp", g("Max", below, g.constant("lowest", LOWEST), output="scores"), output="weights")
    # by itself, not as one more column of the product, which would add one weight after the other
    total = g("ReduceSum", weights, g.constant("columns", [1], np.int64), keepdims=1, output=None if groups else "sums")
    if groups:
        members = np.zeros((width, n_groups))
        members[np.arange(n_classes), groups.of_class] = 1
        g("Concat", total, g("MatMul", weights, g.constant("members", members)), axis=1, output="sums")
    latent = folded.mu.weight.shape[1]
    return g.model("lithologies", {"z": latent}, {"scores": width, "weights": width, "sums": 1 + n_groups})


def classifier_graph(folded: FoldedVAE, temperature: float = 1.0) -> Any:
    """Build the graph from latent ``z`` (n, latent) to ``logits`` and ``probabilities`` (n, classes) of lithologies.

    The probabilities are the softmax of the logits divided by the temperature.
    """
    g = _Graph()
    spoil = g.nan_where_not_finite("z")
    logits = g("Add", g.stack("z", folded.classifier, "classifier", relu_last=False), spoil, output="logits")
    if temperature != 1:
        logits = g("Mul", logits, g.constant("one_over_temperature", 1 / temperature))
    g("Add", g("Softmax", logits, axis=1), spoil, output="probabilities")  # a softmax may lose NaN
    latent, n_classes = folded.mu.weight.shape[1], folded.classifier[-1].weight.shape[1]
    return g.model("classifier", {"z": latent}, {"logits": n_classes, "probabilities": n_classes})
