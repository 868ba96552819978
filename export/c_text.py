"""The text of the C source: the tables of a model, inserted into ``embed.c.in``."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.missing import SENTINELS, Bits

from .fold import Linear, fold
from .parity import LIMIT

TEMPLATE = Path(__file__).parent / "embed.c.in"
WIDTH = 116
INT_FEATURES = 31
"""Largest number of features whose bits fit an ``int`` of C that is not negative."""
AT_ONCE = 4
"""Number of inputs that the template's ``linear`` processes at a time."""
POLICIES = {
    "impute": "A missing feature is imputed: 0 in scaled space, its mean. If all are missing, the embedding is NaN.",
    "nan": "If a feature is missing, the embedding is NaN.",
}
TRANSFORMS = {"none": "PLAIN", "signed_log": "SIGNED_LOG", "log1p": "LOG1P"}
"""Names of the transforms in the template."""


@dataclass(frozen=True)
class Golden:
    """Rows that the source replays on the machine where it runs.

    Attributes
    ----------
    raw : ndarray of shape (n, n_features), float32
        Raw features, sentinels among them.
    missing : ndarray of shape (n,), of bits
        Bit ``i`` is set where feature ``i`` is missing.
    embedding : ndarray of shape (n, latent_dim), float64
        Their embeddings by torch in float64.
    tolerance : ndarray of shape (n,), float64
        Largest error allowed.
    """

    raw: NDArray[np.float32]
    missing: Bits
    embedding: NDArray[np.float64]
    tolerance: NDArray[np.float64]


def c_text(checkpoint: Checkpoint, golden: Golden) -> str:
    """Return the source, in ASCII; the same checkpoint and golden rows give the same source."""
    folded = fold(checkpoint.model)
    layers = [*folded.encoder, folded.mu]
    scaler, features = checkpoint.scaler, checkpoint.features
    bits = "int" if len(features) <= INT_FEATURES else "unsigned long long"
    return Template(TEMPLATE.read_text(encoding="ascii")).substitute(
        about=_about(checkpoint, layers),
        n_features=len(features),
        latent_dim=len(folded.mu.bias),
        sentinel_list=", ".join(f"{value:g}" for value in SENTINELS),
        policy=POLICIES[checkpoint.missing],
        names=_lines([_string(feature.name) for feature in features]),
        units=_lines([_string(feature.unit) for feature in features]),
        sentinels=_table("float", "sentinels", np.array(SENTINELS, np.float32)),
        scaler=_table("double", "mean", scaler.mean_) + _table("double", "scale", scaler.scale_),
        layers="".join(_layer_tables(i, layer) for i, layer in enumerate(layers)),
        limit=f"{LIMIT:g}",
        golden=_table("float", "golden_raw", golden.raw)
        + _table(bits, "golden_missing", golden.missing)
        + _table("double", "golden_embedding", golden.embedding)
        + _table("double", "golden_tolerance", golden.tolerance),
        transforms=_lines([TRANSFORMS[transform] for transform in features.transforms]),
        bits=bits,
        bits_format="%d" if bits == "int" else "%llu",
        n_scaled=_filled(len(features)),
        no_answer=f"n_missing == {len(features)}" if checkpoint.missing == "impute" else "n_missing > 0",
        network=_network(layers),
    )


def _about(checkpoint: Checkpoint, layers: list[Linear]) -> str:
    widths = "-".join(str(width) for width in (len(checkpoint.features), *(len(layer.bias) for layer in layers)))
    facts = [
        ("model", f"{type(checkpoint.model).__name__}, encoder {widths}"),
        ("recipe", str(checkpoint.recipe.get("name", "unknown"))),
        ("trained on", checkpoint.trained_on),
        ("checkpoint", f"SHA-256 {checkpoint.sha256 or 'unknown: not read from a file'}"),
        *((f"feature {i}", f"{feature.name}, {feature.unit}") for i, feature in enumerate(checkpoint.features)),
        ("missing", f"{checkpoint.missing}. {POLICIES[checkpoint.missing]}"),
    ]
    return "\n".join(
        textwrap.fill(_plain(text) or "unknown", WIDTH, initial_indent=f" * {name:12}", subsequent_indent=f" * {'':12}")
        for name, text in facts
    )


def _network(layers: list[Linear]) -> str:
    """Return the statements that pass ``scaled`` through all layers to ``out``."""
    lines, x = [], "scaled"
    for i, layer in enumerate(layers):
        n_in, n_out = layer.weight.shape
        last = i == len(layers) - 1
        y = "out" if last else f"hidden_{i}"
        if not last:
            lines.append(f"float {y}[{_filled(n_out)}] = {{0.0F}};")
        lines.append(f"linear(weight_{i}, bias_{i}, {_filled(n_in)}, {n_out}, {x}, {y});")
        if not last:
            lines.append(f"relu({y}, {n_out});")
        x = y
    return "\n".join(f"    {line}" for line in lines)


def _layer_tables(number: int, layer: Linear) -> str:
    n_in, n_out = layer.weight.shape
    weight = np.zeros((_filled(n_in), n_out))
    weight[:n_in] = layer.weight
    with np.errstate(over="ignore"):  # infinity fails the parity check
        flat, bias = weight.ravel().astype(np.float32), layer.bias.astype(np.float32)
    return _table("float", f"weight_{number}", flat) + _table("float", f"bias_{number}", bias)


def _filled(n: int) -> int:
    """Round a number of inputs up to a multiple of what ``linear`` processes at a time."""
    return -(-n // AT_ONCE) * AT_ONCE


def _table(kind: str, name: str, values: NDArray[np.generic]) -> str:
    """Return a constant array of one or two dimensions, with every number exact."""
    shape = "".join(f"[{n}]" for n in values.shape)
    if values.ndim == 1:
        content = _lines([_literal(value, kind) for value in values.tolist()])
    else:
        rows = [", ".join(_literal(value, kind) for value in row) for row in values.tolist()]
        content = ",\n".join(f"    {{{row}}}" for row in rows)
    return f"static const {kind} {name}{shape} = {{\n{content}\n}};\n"


def _literal(value: float, kind: str) -> str:
    if kind == "int":
        return str(value)
    if kind == "unsigned long long":
        return f"{value}ULL"
    if not math.isfinite(value):
        special = "NAN" if math.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"
        return special if kind == "float" else f"(double){special}"
    digits, _, exponent = value.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{'F' if kind == 'float' else ''}"


def _lines(words: Sequence[str]) -> str:
    """Join words by commas, in indented lines of six."""
    return ",\n".join("    " + ", ".join(words[i : i + 6]) for i in range(0, len(words), 6))


def _string(text: str) -> str:
    """Return a string literal; characters that are not plain become octal escapes of three digits of their UTF-8."""
    return '"' + "".join(chr(c) if _is_plain(chr(c)) else f"\\{c:03o}" for c in text.encode()) + '"'


def _plain(text: str) -> str:
    """Return text that is safe in a comment; characters that are not plain are replaced by their code points."""
    return "".join(c if _is_plain(c) else f"<U+{ord(c):04X}>" for c in " ".join(text.split()))


def _is_plain(c: str) -> bool:
    """Return whether a character has no special meaning in a C comment or string; a trigraph (``??/``) has one."""
    return " " <= c <= "~" and c not in '*"\\?'
