"""A model bundle: a folder with up to four ONNX graphs, a model card, and a manifest with the SHA-256 of each file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import SENTINELS

SCHEMA = 3
"""Schema number of the bundles that are written (``docs/bundle-format.md``)."""
READABLE = (2, 3)
"""Schema numbers of the bundles that can be read. Schema 2 has no fill values."""
METADATA_KEY = "lithovae"
"""Metadata key of each graph's description, which is JSON."""
MANIFEST = "manifest.json"
CARD = "model_card.md"
GRAPHS = ("embedder", "encoder", "decoder", "classifier")
"""Names of the graphs. The embedder is the encoder without logvar; only a semi-supervised model has a classifier."""
SHIPPED = ("unsup", "semisup", "unsup_hybrid", "semisup_hybrid")
"""Names of the bundles inside the wheel."""

OWN_KEYS = ("graph", "golden", "parity", "model_card")
"""Keys of a graph's description that the manifest lacks: its name, golden rows, measured parity, the card's text."""

_DESCRIPTION_KEYS = (
    "schema", "features", "scaler", "latent_dim", "classes", "missing", "sentinels", "trained_on", "checkpoint_sha256",
    "tools",
)  # fmt: skip
_SINCE_3 = ("fill",)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files match its manifest.

    Attributes
    ----------
    path : Path
        The folder.
    description : dict
        What each graph's metadata and the manifest have in common: features, scaler, latent size, classes,
        missing-value policy, origin.
    graphs : dict of str to bytes
        The serialized graphs that the bundle has, by their names in `GRAPHS`: the bytes that were hashed.
    card : str
        The model card.
    """

    path: Path
    description: dict[str, Any]
    graphs: dict[str, bytes]
    card: str

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def latent_dim(self) -> int:
        """Length of an embedding."""
        return int(self.description["latent_dim"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Lithologies in the order of the classifier's outputs; empty without a classifier."""
        return tuple(self.description["classes"])

    @property
    def missing(self) -> str:
        """Handling of missing features: ``impute`` (replaced by the mean) or ``nan`` (the row's outputs are NaN)."""
        return str(self.description["missing"])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(feature["name"] for feature in self.description["features"])

    @property
    def n_bytes(self) -> int:
        """Total size of the graphs in bytes."""
        return sum(map(len, self.graphs.values()))

    @property
    def trained_on(self) -> str:
        """What the model was trained on, in one sentence."""
        return str(self.description["trained_on"])

    @property
    def fill(self) -> NDArray[np.float32]:
        """Raw values that replace missing features: those that are 0 in the model's scaled space; shape (6,), float32.

        Raises
        ------
        BundleError
            If the bundle has none (schema 2).
        """
        if "fill" not in self.description:
            raise BundleError(
                f"{self.path} has no fill values (schema 2): export the bundle again to use --missing impute", self.path
            )
        return np.array(self.description["fill"], np.float32)

    def signature(self, graph: str) -> tuple[dict[str, int], dict[str, int]]:
        """Return the inputs and the outputs that a graph must have: the width of each, by name."""
        n, latent = len(FEATURE_NAMES), self.latent_dim
        return {
            "embedder": ({"features": n}, {"mu": latent}),
            "encoder": ({"features": n}, {"mu": latent, "logvar": latent}),
            "decoder": ({"z": latent}, {"features": n}),
            "classifier": ({"z": latent}, dict.fromkeys(("logits", "probabilities"), len(self.classes))),
        }[graph]

    @classmethod
    def read(cls, bundle: str | PathLike[str]) -> Bundle:
        """Read a bundle and check it against its manifest.

        Parameters
        ----------
        bundle : str or path-like
            Name of a shipped bundle, or path of a folder.

        Raises
        ------
        BundleError
            If it is absent or incomplete, has another schema or other features, or if a byte has changed.
        """
        path = find_bundle(bundle)
        manifest = _read_manifest(path)
        files = manifest.pop("files")
        manifest.pop("parity", None)
        names = [f"{graph}.onnx" for graph in GRAPHS[: 4 if manifest["classes"] else 3]]
        if sorted(files) != sorted([*names, CARD]):
            raise BundleError(
                f"{path / MANIFEST} names the files {', '.join(sorted(files))}, not {', '.join([*names, CARD])}: "
                "export the bundle again",
                path,
            )
        contents = {name: _read_pinned(path / name, str(files[name]["sha256"])) for name in (*names, CARD)}
        card = contents.pop(CARD).decode(errors="replace")
        graphs = {name.removesuffix(".onnx"): content for name, content in contents.items()}
        for name, graph in graphs.items():
            _require_standard(graph, path / f"{name}.onnx")
        return cls(path=path, description=manifest, graphs=graphs, card=card)


def squeeze(card: str) -> str:
    """Return a card's text as the graphs contain it: without the spaces that align its tables."""
    return re.sub(r"(?<=\S) {2,}", " ", card)


def _read_pinned(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}", path.parent) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BundleError(
            f"{path} is not the file that the manifest pins (SHA-256 {found[:12]}…, expected {expected[:12]}…): copy "
            "or export the bundle again",
            path.parent,
        )
    return content


def _require_standard(graph: bytes, path: Path) -> None:
    """Raise BundleError if a graph has operators that are not standard ONNX: ONNX Runtime has them, other hosts not."""
    try:
        imports = [entry for field, entry in fields(graph) if field == 8 and isinstance(entry, bytes)]
        domains = {dict(fields(entry)).get(1, b"") for entry in imports}
    except (IndexError, ValueError, TypeError) as error:
        raise BundleError(f"{path} is not an ONNX graph, or is damaged", path.parent) from error
    for domain in domains - {b"", b"ai.onnx"}:
        name = domain.decode(errors="replace") if isinstance(domain, bytes) else domain
        raise BundleError(f"{path} uses operators of {name!r}: a bundle may only have standard ones", path.parent)


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


def find_bundle(bundle: str | PathLike[str]) -> Path:
    """Return the folder of a bundle, given the name of a shipped one or a path.

    Raises
    ------
    BundleError
        If there is no such bundle.
    """
    if bundle in SHIPPED:
        spec = find_spec("lithovae.models")  # importlib.resources costs a sixth of the start of a run
        assert spec is not None
        assert spec.submodule_search_locations
        return Path(spec.submodule_search_locations[0]) / "bundles" / str(bundle)
    path = Path(bundle)
    if not (path / MANIFEST).is_file():
        raise BundleError(
            f"no bundle {str(bundle)!r}: neither a folder with a {MANIFEST} nor one of {', '.join(SHIPPED)}", path
        )
    return path


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file} cannot be read as JSON: {error}", path) from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{file} is not a JSON object", path)
    if (schema := manifest.get("schema")) not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise BundleError(f"{file} has schema {schema!r}; this runtime reads {known}: export the bundle again", path)
    wanted = (*_DESCRIPTION_KEYS, *(_SINCE_3 if schema == SCHEMA else ()), "files")
    lacking = [key for key in wanted if key not in manifest]
    if lacking:
        raise BundleError(f"{file} lacks {', '.join(lacking)}", path)
    try:
        names = tuple(feature["name"] for feature in manifest["features"])
        files_are_pinned = all(isinstance(entry["sha256"], str) for entry in manifest["files"].values())
        well_formed = (
            files_are_pinned
            and type(manifest["latent_dim"]) is int
            and manifest["latent_dim"] > 0
            and isinstance(manifest["classes"], list)
            and all(isinstance(name, str) for name in manifest["classes"])
            and manifest["missing"] in ("impute", "nan")
            and manifest["sentinels"] == list(SENTINELS)
            and (schema != SCHEMA or _is_fill(manifest["fill"]))
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BundleError(f"{file} is malformed: {error!r}", path) from error
    if not well_formed:
        raise BundleError(
            f"{file} is malformed: latent_dim, classes, missing, sentinels, fill or files is not valid", path
        )
    if names != FEATURE_NAMES:
        raise BundleError(f"{file} is for the features {list(names)}, not {list(FEATURE_NAMES)}", path)
    return manifest


def _is_fill(values: Any) -> bool:
    """Return whether a value is a list of one finite number for each feature."""
    numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    return numbers and len(values) == len(FEATURE_NAMES) and bool(np.isfinite(values).all())
