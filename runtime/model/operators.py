"""The operators of a serialized ONNX graph, read without the package onnx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lithovae.runtime.errors import BundleError

MAX_NESTING = 32
"""Levels of subgraphs within subgraphs. The graphs of a bundle have one; each level is copied when it is read."""

OPSET = 13
"""Lowest version of the standard operators. To early versions, ONNX Runtime adds operators of its own."""

_STANDARD = (b"", b"ai.onnx")
# Field numbers of the messages of onnx.proto.
_MODEL_GRAPH, _MODEL_IMPORT, _MODEL_FUNCTION, _IMPORT_DOMAIN, _IMPORT_VERSION = 7, 8, 25, 1, 2
_GRAPH_NODE, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN, _ATTRIBUTE_GRAPHS = 1, 4, 5, 7, (6, 11)


def require_standard(model: bytes, path: Path) -> None:
    """Check that a graph has only standard ONNX operators: ONNX Runtime has others, other hosts do not.

    The domain of every operator counts, in subgraphs too: ONNX Runtime runs its own operators without an import.

    Parameters
    ----------
    model : bytes
        The serialized ``ModelProto``.
    path : Path
        The graph's file, for messages.

    Raises
    ------
    BundleError
        If the graph imports or uses other operators, defines functions, or is damaged.
    """
    try:
        found = list(_foreign(model))
    except (IndexError, ValueError) as error:
        raise BundleError(f"{path} is not an ONNX graph, or is damaged", path.parent) from error
    if found:
        raise BundleError(f"{path} {found[0]}: a bundle may only have standard ones", path.parent)


def _foreign(model: bytes) -> Iterator[str]:
    """Yield what a model has beyond standard operators, as the predicate of a sentence."""
    versions: list[int | bytes] = []
    for imported in _messages(model, _MODEL_IMPORT):
        domains = _messages(imported, _IMPORT_DOMAIN) or [b""]
        yield from (f"uses operators of {_text(domain)!r}" for domain in domains if domain not in _STANDARD)
        versions += [version for number, version in fields(imported) if number == _IMPORT_VERSION]
    if not versions or not all(isinstance(version, int) and OPSET <= version < 1 << 31 for version in versions):
        yield f"does not import operators of version {OPSET} or later"
    for _ in _messages(model, _MODEL_FUNCTION):
        yield "defines operators of its own (functions)"
    graphs = [(graph, 1) for graph in _messages(model, _MODEL_GRAPH)]
    while graphs:
        graph, level = graphs.pop()
        if level > MAX_NESTING:
            raise ValueError("nested too deep")
        for node in _messages(graph, _GRAPH_NODE):
            for domain in _messages(node, _NODE_DOMAIN):
                if domain not in _STANDARD:
                    operator = b"".join(_messages(node, _NODE_OPERATOR))
                    yield f"uses operators of {_text(domain)!r} ({_text(operator)})"
            for attribute in _messages(node, _NODE_ATTRIBUTE):
                graphs += [(inner, level + 1) for inner in _messages(attribute, *_ATTRIBUTE_GRAPHS)]


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _messages(message: bytes, *numbers: int) -> list[bytes]:
    """Return the values of some fields, which are strings or messages; every occurrence of a field counts."""
    found = [value for number, value in fields(message) if number in numbers]
    if not all(isinstance(value, bytes) for value in found):
        raise ValueError("a number in place of a message")
    return [value for value in found if isinstance(value, bytes)]


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: the number, and the value (an integer, or bytes for the other types).

    The format is described in the protobuf documentation, "Encoding".

    Raises
    ------
    IndexError, ValueError
        If the message is truncated or malformed.
    """

    def varint(at: int) -> tuple[int, int]:
        value, shift = 0, 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        key, at = varint(at)
        key &= 0xFFFFFFFF  # as the protobuf library does: otherwise it would see fields that are hidden here
        if key & 7 == 0:
            value, at = varint(at)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            length, at = varint(at)
        elif key & 7 in (1, 5):
            length = 8 if key & 7 == 1 else 4
        else:
            raise ValueError(f"wire type {key & 7}")
        if at + length > len(message):
            raise ValueError("truncated")
        yield key >> 3, message[at : at + length]
        at += length
