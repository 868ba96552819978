"""A model bundle: a folder with up to three ONNX graphs and a manifest that pins every byte of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

from .errors import BundleError
from .features import FEATURE_NAMES

SCHEMA = 1
"""Version of the bundle format (``docs/bundle-format.md``)."""
METADATA_KEY = "lithovae"
"""Key under which each graph carries the description as JSON."""
MANIFEST = "manifest.json"
CARD = "model_card.md"
GRAPHS = ("encoder", "decoder", "classifier")
SHIPPED = ("unsup", "semisup", "unsup_hybrid", "semisup_hybrid")
"""Names of the bundles inside the wheel."""

_DESCRIPTION_KEYS = ("schema", "features", "scaler", "latent_dim", "classes", "missing", "trained_on")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose bytes are those that its manifest names.

    Attributes
    ----------
    path : Path
        The folder.
    description : dict
        What each graph's metadata and the manifest both say: features, scaler, latent size, classes, missing-value
        policy, origin.
    graphs : dict of str to bytes
        The serialized graphs by name: ``encoder``, ``decoder`` and, for a semi-supervised model, ``classifier``.
    """

    path: Path
    description: dict[str, Any]
    graphs: dict[str, bytes]

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
        """Lithologies in the order of the classifier's outputs; empty without one."""
        return tuple(self.description["classes"])

    @property
    def missing(self) -> str:
        """What a missing feature does: ``impute`` (replaced by its mean) or ``nan`` (the row's outputs are NaN)."""
        return str(self.description["missing"])

    def signature(self, graph: str) -> tuple[dict[str, int], dict[str, int]]:
        """Give the inputs and outputs that a graph must have, by name, with their widths."""
        n, latent = len(FEATURE_NAMES), self.latent_dim
        return {
            "encoder": ({"features": n}, {"mu": latent, "logvar": latent}),
            "decoder": ({"z": latent}, {"features": n}),
            "classifier": ({"z": latent}, {"probabilities": len(self.classes)}),
        }[graph]

    @classmethod
    def read(cls, bundle: str | PathLike[str]) -> Bundle:
        """Read a bundle and check it against its manifest.

        Parameters
        ----------
        bundle : str or path-like
            Name of a shipped bundle, or a folder.

        Raises
        ------
        BundleError
            If it is absent, incomplete, of another schema or for other features, or a byte has changed.
        """
        path = find_bundle(bundle)
        manifest = _read_manifest(path)
        files = manifest.pop("files")
        manifest.pop("parity", None)
        graphs = {}
        for graph in GRAPHS[: 3 if manifest["classes"] else 2]:
            name = f"{graph}.onnx"
            if name not in files:
                raise BundleError(f"{path / MANIFEST} names no {name}; export the bundle again", path)
            try:
                graphs[graph] = (path / name).read_bytes()
            except OSError as error:
                raise BundleError(f"{path / name} cannot be read: {error.strerror}", path) from error
            found = hashlib.sha256(graphs[graph]).hexdigest()
            if found != files[name]["sha256"]:
                raise BundleError(
                    f"{path / name} is not the file that the manifest pins (SHA-256 {found[:12]}…, expected "
                    f"{str(files[name]['sha256'])[:12]}…): copy or export the bundle again",
                    path,
                )
        return cls(path=path, description=manifest, graphs=graphs)


def find_bundle(bundle: str | PathLike[str]) -> Path:
    """Give the folder of a shipped bundle's name, or of a path.

    Raises
    ------
    BundleError
        If there is no such bundle.
    """
    if bundle in SHIPPED:
        return Path(str(resources.files("lithovae.models"))) / "bundles" / str(bundle)
    path = Path(bundle)
    if not (path / MANIFEST).is_file():
        raise BundleError(
            f"no bundle {str(bundle)!r}: neither a folder with a {MANIFEST} nor one of {', '.join(SHIPPED)}", path
        )
    return path


def _read_manifest(path: Path) -> dict[str, Any]:
    place = path / MANIFEST
    try:
        manifest = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{place} cannot be read as JSON: {error}", path) from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{place} is not a JSON object", path)
    if manifest.get("schema") != SCHEMA:
        raise BundleError(
            f"{place} has schema {manifest.get('schema')!r}; this runtime reads {SCHEMA}: export the bundle again", path
        )
    lacking = [key for key in (*_DESCRIPTION_KEYS, "files") if key not in manifest]
    if lacking:
        raise BundleError(f"{place} lacks {', '.join(lacking)}", path)
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
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BundleError(f"{place} is malformed: {error!r}", path) from error
    if not well_formed:
        raise BundleError(f"{place} is malformed: latent_dim, classes, missing or files is not what it should be", path)
    if names != FEATURE_NAMES:
        raise BundleError(f"{place} is for the features {list(names)}, not {list(FEATURE_NAMES)}", path)
    return manifest
