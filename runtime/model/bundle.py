"""A model bundle: a folder of ONNX graphs, a model card, facts on the training rows, and a manifest that pins them."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError
from lithovae.runtime.features import LILY, FeatureSet, is_finite_number
from lithovae.runtime.missing import SENTINELS
from lithovae.runtime.result import SIMULATED

from .operators import require_standard

if TYPE_CHECKING:
    from .reference import Reference

SCHEMA = 5
"""Schema number of the bundles that are written (``docs/bundle-format.md``)."""
READABLE = (2, 3, 4, 5)
"""Schema numbers of the bundles that can be read. Up to schema 4 there is no `REFERENCE`, up to schema 3 the features
are those of `LILY`, and schema 2 has no fill values."""
METADATA_KEY = "lithovae"
"""Metadata key of each graph's description, which is JSON."""
MANIFEST = "manifest.json"
CARD = "model_card.md"
REFERENCE = "reference.json"
"""What the training rows were like; a bundle may lack it."""
GRAPHS = ("embedder", "encoder", "decoder", "classifier", "lithologies")
"""Names of the graphs. The embedder is the encoder without logvar. Only a semi-supervised model has a classifier, and
`lithologies`, which computes the probabilities faster, and those of groups."""
FILLED = 16
"""The largest of some columns is found faster if their number is a multiple of this one."""
SHIPPED = ("unsup", "semisup", "unsup_hybrid", "semisup_hybrid")
"""Names of the bundles inside the wheel."""

MAX_FILE_BYTES = 1 << 28
"""Bytes of a graph or card: each is read as a whole. The shipped graphs have 30 kB."""
MAX_MANIFEST_BYTES = MAX_REFERENCE_BYTES = 1 << 24

OWN_KEYS = ("graph", "golden", "parity", "model_card")
"""Keys of a graph's description that the manifest lacks: its name, golden rows, measured parity, the card's text."""

_DESCRIPTION_KEYS = (
    "schema", "features", "scaler", "latent_dim", "classes", "missing", "sentinels", "trained_on", "checkpoint_sha256",
    "tools",
)  # fmt: skip
_SINCE_3 = ("fill",)
_FORMULAS = {"none": "none", "sign(x)*log1p(|x|)": "signed_log", "log1p(x)": "log1p"}
"""The transforms as schemas 2 and 3 write them, and their names."""


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
    features : FeatureSet
        The features that the graphs take, in order.
    sha256 : str
        SHA-256 of the manifest, which pins all other files.
    reference_json : bytes or None
        The file that `reference` is read from; None if the bundle has none.
    """

    path: Path
    description: dict[str, Any]
    graphs: dict[str, bytes]
    card: str
    features: FeatureSet
    sha256: str
    reference_json: bytes | None = None

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
    def n_bytes(self) -> int:
        """Total size of the graphs in bytes."""
        return sum(map(len, self.graphs.values()))

    @property
    def trained_on(self) -> str:
        """What the model was trained on, in one sentence."""
        return str(self.description["trained_on"])

    @property
    def warning(self) -> str:
        """Warning that must stand wherever a lithology is shown; empty if the model was trained on measured data."""
        if self.trained_on.startswith(SIMULATED):
            return "the model was trained on simulated data: do not rely on its lithologies for real core"
        return ""

    @cached_property
    def reference(self) -> Reference | None:
        """What the training rows were like; None if the bundle does not say. The file is parsed on first use.

        Raises
        ------
        BundleError
            If the file is malformed, or does not fit the features and classes.
        """
        from .reference import Reference  # not every run needs it

        if self.reference_json is None:
            return None
        file = self.path / REFERENCE
        try:
            return Reference.of_json(json.loads(self.reference_json), len(self.features), len(self.classes))
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{file} is malformed: {error}", self.path) from error

    @property
    def fill(self) -> NDArray[np.float32]:
        """Raw values that replace missing features, 0 in the model's scaled space; shape (n_features,), float32.

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
        n, latent, n_classes = len(self.features), self.latent_dim, len(self.classes)
        if graph in ("embedder", "encoder"):
            return {"features": n}, dict.fromkeys(("mu", "logvar") if graph == "encoder" else ("mu",), latent)
        if graph == "decoder":
            return {"z": latent}, {"features": n}
        if graph == "classifier":
            return {"z": latent}, {"logits": n_classes, "probabilities": n_classes}
        width = filled(n_classes)
        return {"z": latent}, {"scores": width, "weights": width, "sums": 1 + len(self.groups)}

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the lithologies, in the order of the graphs' outputs; empty if the bundle knows none."""
        return self.reference.groups.names if self.reference and self.reference.groups else ()

    @property
    def lithology_graph(self) -> str:
        """Name of the graph that computes the probabilities of lithologies at the least cost."""
        return "lithologies" if "lithologies" in self.graphs else "classifier"

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
            If it is absent or incomplete, has another schema or contradictory features, or if a byte has changed.
        """
        path = find_bundle(bundle)
        manifest, sha256 = _read_manifest(path)
        features = _features(manifest, path / MANIFEST)
        if len(fill := manifest.get("fill", features)) != len(features):
            raise BundleError(f"{path / MANIFEST} has {len(fill)} fill values for {len(features)} features", path)
        files = manifest.pop("files")
        manifest.pop("parity", None)
        names = [*(f"{graph}.onnx" for graph in _graphs(manifest)), CARD]
        if REFERENCE in files and manifest["schema"] > 4:
            names.append(REFERENCE)
            if files[REFERENCE]["bytes"] > MAX_REFERENCE_BYTES:
                raise BundleError(f"{path / REFERENCE} has more than {MAX_REFERENCE_BYTES:,} bytes", path)
        if sorted(files) != sorted(names):
            raise BundleError(
                f"{path / MANIFEST} names the files {', '.join(sorted(files))}, not {', '.join(names)}: export the "
                "bundle again",
                path,
            )
        contents = {name: _read_pinned(path / name, files[name]) for name in names}
        card, reference = contents.pop(CARD).decode(errors="replace"), contents.pop(REFERENCE, None)
        graphs = {name.removesuffix(".onnx"): content for name, content in contents.items()}
        for name, graph in graphs.items():
            require_standard(graph, path / f"{name}.onnx")
        return cls(path, manifest, graphs, card, features, sha256, reference)


def filled(n_classes: int) -> int:
    """Return the number of columns of the lithologies in the graph that names them: a multiple of 16."""
    return -(-n_classes // FILLED) * FILLED


def _graphs(manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the graphs that a bundle must have."""
    return GRAPHS[:3] if not manifest["classes"] else GRAPHS[:4] if manifest["schema"] < 5 else GRAPHS


def squeeze(card: str) -> str:
    """Return a card's text as the graphs contain it: without the spaces that align its tables."""
    return re.sub(r"(?<=\S) {2,}", " ", card)


def _read_pinned(path: Path, pinned: dict[str, Any]) -> bytes:
    """Read a file that the manifest pins; at most as many bytes as the manifest states."""
    content, expected = _read_bounded(path, pinned["bytes"]), pinned["sha256"]
    if len(content) > pinned["bytes"]:
        raise BundleError(
            f"{path} has more than the {pinned['bytes']:,} bytes that the manifest states: copy or export the bundle "
            "again",
            path.parent,
        )
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BundleError(
            f"{path} is not the file that the manifest pins (SHA-256 {found[:12]}…, expected {expected[:12]}…): copy "
            "or export the bundle again",
            path.parent,
        )
    return content


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


def _read_bounded(path: Path, n_bytes: int) -> bytes:
    """Read at most one byte more than ``n_bytes`` of a regular file; anything else could keep the reader waiting."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BundleError(f"{path} is a folder, a device or a pipe, not a file", path.parent)
        with path.open("rb") as file:
            return file.read(n_bytes + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}", path.parent) from error


def _read_manifest(path: Path) -> tuple[dict[str, Any], str]:
    """Return a manifest that is well formed, and the SHA-256 of its file."""
    file = path / MANIFEST
    text = _read_bounded(file, MAX_MANIFEST_BYTES)
    if len(text) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{file} has more than {MAX_MANIFEST_BYTES:,} bytes", path)
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file} cannot be read as JSON: {error}", path) from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{file} is not a JSON object", path)
    if (schema := manifest.get("schema")) not in READABLE:
        known = f"{', '.join(map(str, READABLE[:-1]))} and {READABLE[-1]}"
        raise BundleError(f"{file} has schema {schema!r}; this runtime reads {known}: export the bundle again", path)
    wanted = (*_DESCRIPTION_KEYS, *(_SINCE_3 if schema >= 3 else ()), "files")
    lacking = [key for key in wanted if key not in manifest]
    if lacking:
        raise BundleError(f"{file} lacks {', '.join(lacking)}", path)
    try:
        files_are_pinned = all(
            isinstance(entry["sha256"], str) and type(entry["bytes"]) is int and 0 <= entry["bytes"] <= MAX_FILE_BYTES
            for entry in manifest["files"].values()
        )
        well_formed = (
            files_are_pinned
            and type(manifest["latent_dim"]) is int
            and manifest["latent_dim"] > 0
            and isinstance(manifest["classes"], list)
            and all(isinstance(name, str) and name.strip() for name in manifest["classes"])
            and len(set(manifest["classes"])) == len(manifest["classes"])
            and manifest["missing"] in ("impute", "nan")
            and manifest["sentinels"] == list(SENTINELS)
            and (schema < 3 or (isinstance(manifest["fill"], list) and all(map(is_finite_number, manifest["fill"]))))
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BundleError(f"{file} is malformed: {error!r}", path) from error
    if not well_formed:
        raise BundleError(
            f"{file} is malformed: latent_dim, classes, missing, sentinels, fill or files is not valid", path
        )
    return manifest, hashlib.sha256(text).hexdigest()


def _features(manifest: dict[str, Any], file: Path) -> FeatureSet:
    """Return the feature set that a manifest states.

    A model in other units than its features' would give wrong embeddings of right values.
    """
    stated = manifest["features"]
    try:
        if manifest["schema"] > 3:
            return FeatureSet.of_json(stated)
        if (names := [feature["name"] for feature in stated]) != list(LILY.names):
            raise ValueError(f"is for the features {names}, not {list(LILY.names)}")
        written = [(known, dict(feature)) for known, feature in zip(LILY, stated, strict=True)]
        for known, feature in written:
            feature |= {"transform": _FORMULAS[feature["transform"]], "instrument": known.instrument}
        if FeatureSet.of_json([feature for _, feature in written]) != LILY:
            raise ValueError(f"states other transforms or plausible ranges than {list(LILY.names)} have")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BundleError(
            f"{file} {error if isinstance(error, ValueError) else 'is malformed: features'}", file.parent
        ) from error
    return LILY
