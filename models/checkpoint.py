"""Checkpoints: a bare state dict in a ``.pt``, and a ``.json`` beside it with what a state dict cannot hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from lithovae.runtime.errors import CheckpointError, OutputError
from lithovae.runtime.features import LILY, FeatureSet
from lithovae.runtime.model.reference import Groups, Reference

from .scaler import PUBLISHED_SCALERS, DistributionAwareScaler
from .scaler_file import fit_to_table, read_scaler
from .state import build_model, read_state_dict
from .vae import VAE, SemiSupervisedVAE


@dataclass
class Checkpoint:
    """A trained model and everything that is needed to use it.

    Attributes
    ----------
    model : VAE
        The model, in eval mode, on the CPU.
    scaler : DistributionAwareScaler
        The scaler, fitted on the training table.
    classes : tuple of str
        Lithologies in the order of the classifier's outputs; empty for a model without one.
    recipe : dict
        The recipe it was trained with, as plain data.
    trained_on : str
        What it was trained on, in a sentence.
    data_digest : str
        SHA-256 of the training table's content.
    history : list of dict
        Mean loss, its parts and the learning rate of each epoch.
    card : str
        Model card, Markdown; empty if there is none.
    sha256 : str
        SHA-256 of the checkpoint's file; empty before it is written.
    notes : list of str
        Notes for the user on how it was read; not saved.
    features : FeatureSet
        The features that the model takes, in order. A sidecar without them is one of `LILY`.
    reference : Reference or None
        What the training rows were like; None if it is not known, as in older sidecars.
    """

    model: VAE
    scaler: DistributionAwareScaler
    classes: tuple[str, ...]
    recipe: dict[str, Any]
    trained_on: str
    data_digest: str
    history: list[dict[str, float]] = field(default_factory=list)
    card: str = ""
    sha256: str = ""
    notes: list[str] = field(default_factory=list)
    features: FeatureSet = LILY
    reference: Reference | None = None

    def save(self, path: str | Path) -> None:
        """Write ``path`` and its sidecar; neither appears under its name before both are complete.

        Raises
        ------
        OutputError
            If ``path`` does not end in ``.pt``, or a file cannot be written.
        """
        path = Path(path)
        require_place(path)
        partials = [path.with_name(f".{path.name}.partial"), path.with_name(f".{path.stem}.json.partial")]
        try:
            torch.save(self.model.state_dict(), partials[0])
            self.sha256 = hashlib.sha256(partials[0].read_bytes()).hexdigest()
            self._write_sidecar(partials[1])
            os.replace(partials[1], path.with_suffix(".json"))
            os.replace(partials[0], path)
        except (OSError, RuntimeError) as error:
            raise OutputError(f"cannot write {path}: {error}", path) from error
        finally:
            for partial in partials:
                partial.unlink(missing_ok=True)

    def _sidecar(self) -> dict[str, Any]:
        sidecar = {
            "checkpoint_sha256": self.sha256,
            "trained_on": self.trained_on,
            "features": self.features.to_json(),
            "scaler": {"mean": self.scaler.mean_.tolist(), "scale": self.scaler.scale_.tolist()},
            "classes": list(self.classes),
            "recipe": self.recipe,
            "data_digest": self.data_digest,
            "history": self.history,
            "card": self.card,
        }
        return sidecar if self.reference is None else sidecar | {"reference": self.reference.to_json()}

    def annotate(self, path: str | Path) -> None:
        """Rewrite the sidecar of the checkpoint at ``path``, for example after a change of its card.

        Raises
        ------
        OutputError
            If the sidecar cannot be written.
        """
        path = Path(path)
        partial = path.with_name(f".{path.stem}.json.partial")
        try:
            self._write_sidecar(partial)
            os.replace(partial, path.with_suffix(".json"))
        except OSError as error:
            raise OutputError(f"cannot write {path.with_suffix('.json')}: {error}", path) from error
        finally:
            partial.unlink(missing_ok=True)

    def _write_sidecar(self, place: Path) -> None:
        entries = (
            f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in self._sidecar().items()
        )
        place.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")  # with few lines: it holds long lists

    @property
    def missing(self) -> Literal["impute", "nan"]:
        """The policy for missing features: impute if inputs were masked in training, else the row's outputs are NaN."""
        masks = self.recipe.get("mask_probability") or self.recipe.get("mask_instruments")
        return "impute" if masks else "nan"

    @property
    def temperature(self) -> float:
        """What the logits are divided by, so that the probabilities are calibrated; 1 if it was never fitted."""
        calibration = self.reference.calibration if self.reference else None
        return calibration.temperature if calibration else 1.0

    @property
    def groups(self) -> Groups | None:
        """Groups of the lithologies; None if they are not known."""
        return self.reference.groups if self.reference else None

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        scaler: str | Path | None = None,
        fit_scaler: str | Path | None = None,
        classes: Sequence[str] | None = None,
        missing: str | None = None,
        features: FeatureSet | None = None,
    ) -> Checkpoint:
        """Read a checkpoint and its sidecar, or a checkpoint from elsewhere without one.

        A sidecar is the only source of what it holds: the scaler, classes or policy must not be given as well.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` file, or a file of torch: ``.pt`` or any other suffix.
        scaler : str or path-like, optional
            Scaler of a checkpoint without a sidecar: see `lithovae.models.scaler_file.read_scaler`.
        fit_scaler : path-like, optional
            Instead of `scaler`, the raw table that the model was trained on: see
            `lithovae.models.scaler_file.fit_to_table`.
        classes : sequence of str, optional
            The lithologies in the order of the outputs, if the model has a lithology head.
        missing : {"impute", "nan"}, optional
            The policy for missing features, by default ``nan``; ``impute`` only if inputs were masked in training.

        features : FeatureSet, optional
            The features that the model takes, in order, by default `LILY`.

        Raises
        ------
        CheckpointError
            If the file is absent, holds no state dict of `VAE` or `SemiSupervisedVAE` or more than one, or would run
            code when read; if it has neither a matching sidecar nor a given scaler; or if an argument does not fit it.
        TableError
            If no scaler can be fitted on the table.
        """
        path = Path(path)
        state, notes = read_state_dict(path)
        model = build_model(state, path)
        sidecar_path = path.with_suffix(".json")
        given = {
            "scaler": scaler,
            "fit-scaler": fit_scaler,
            "classes": classes,
            "missing": missing,
            "features": features,
        }
        options = [f"--{name}" for name, value in given.items() if value is not None]
        if sidecar_path.is_file():
            if options:
                raise CheckpointError(
                    f"{sidecar_path} already describes {path.name}: leave out {', '.join(options)}, or move that file "
                    "away if it does not belong to this checkpoint",
                    sidecar_path,
                )
            checkpoint, source, named = _with_sidecar(path, model, sidecar_path), str(sidecar_path), sidecar_path
        else:
            checkpoint = _from_elsewhere(path, model, scaler, fit_scaler, classes, missing, features or LILY)
            source, named = "the list of classes (--classes)", path
        checkpoint.notes[:0] = notes
        if len(set(checkpoint.classes)) < len(checkpoint.classes):
            raise CheckpointError(f"{source} names a class twice", named)
        n_classes = _n_classes(model)
        if len(checkpoint.classes) != n_classes:
            raise CheckpointError(
                f"{source} names {len(checkpoint.classes)} classes, but {path.name} has "
                f"{n_classes or 'none: it has no lithology head'}",
                path,
            )
        return checkpoint


def _with_sidecar(path: Path, model: VAE, sidecar_path: Path) -> Checkpoint:
    try:
        sidecar = json.loads(sidecar_path.read_text(encoding="utf-8"))
        features = FeatureSet.of_json(sidecar["features"]) if "features" in sidecar else LILY
        mean, scale = sidecar["scaler"]["mean"], sidecar["scaler"]["scale"]
        _require_width(path, model, features)
        scaler = DistributionAwareScaler.from_parameters(mean, scale, features.transforms)
        checkpoint = Checkpoint(
            model=model,
            scaler=scaler,
            classes=tuple(sidecar["classes"]),
            recipe=dict(sidecar["recipe"]),
            trained_on=str(sidecar["trained_on"]),
            data_digest=str(sidecar["data_digest"]),
            history=list(sidecar["history"]),
            card=str(sidecar.get("card", "")),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            features=features,
            reference=_reference(sidecar, model, sidecar_path),
        )
    except KeyError as error:
        raise CheckpointError(f"{sidecar_path} lacks the key {error}", sidecar_path) from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{sidecar_path} is not a checkpoint's sidecar: {error}", sidecar_path) from error
    if sidecar.get("checkpoint_sha256", checkpoint.sha256) != checkpoint.sha256:
        fault = f"does not belong to {path.name}: its checkpoint_sha256 differs"
        raise CheckpointError(f"{sidecar_path} {fault}", sidecar_path)
    if not all(isinstance(name, str) for name in checkpoint.classes) or isinstance(sidecar["classes"], str):
        raise CheckpointError(f"{sidecar_path}: classes must be a list of names", sidecar_path)
    return checkpoint


def _n_classes(model: VAE) -> int:
    return list(model.classifier.parameters())[-1].numel() if isinstance(model, SemiSupervisedVAE) else 0


def _reference(sidecar: dict[str, Any], model: VAE, sidecar_path: Path) -> Reference | None:
    if "reference" not in sidecar:
        return None
    try:
        return Reference.of_json(sidecar["reference"], model.fc_out.out_features, _n_classes(model))
    except ValueError as error:
        raise CheckpointError(f"{sidecar_path}: the key reference cannot be used: {error}", sidecar_path) from error


def _from_elsewhere(
    path: Path,
    model: VAE,
    scaler: str | Path | None,
    table: str | Path | None,
    classes: Sequence[str] | None,
    missing: str | None,
    features: FeatureSet,
) -> Checkpoint:
    """Make a checkpoint from a model without a sidecar and what the user states about it."""
    if missing not in (None, "impute", "nan"):
        raise CheckpointError(f"--missing must be 'impute' or 'nan', not {missing!r}", path)
    if scaler is not None and table is not None:
        raise CheckpointError("--scaler and --fit-scaler cannot be combined: a model has one scaler", path)
    _require_width(path, model, features)
    notes = []
    if table is not None:
        fitted, origin = fit_to_table(table, features)
        notes.append(f"scaler {origin}")
    elif scaler is not None:
        fitted, origin = (
            read_scaler(scaler, features),
            str(scaler) if scaler in PUBLISHED_SCALERS else f"from {Path(scaler).name}",
        )
    else:
        raise CheckpointError(
            f"{path} has no {path.with_suffix('.json').name} beside it, so its scaler is unknown. A scaler fitted "
            "on the data to embed would give different embeddings: the weights were learnt for inputs standardised "
            "with the mean and standard deviation of the training table. Put the JSON that lithovae-train wrote with "
            "it there, or give the scaler: --scaler lily (published LILY models), --scaler FILE (mean and scale), "
            "--fit-scaler TABLE.csv (the table that the model was trained on)",
            path,
        )
    recipe: dict[str, Any] = {"name": "unknown"}
    if missing == "impute":
        recipe["mask_probability"] = "unknown, above 0"  # implied by the user's choice
    return Checkpoint(
        model=model,
        scaler=fitted,
        classes=tuple(classes or ()),
        recipe=recipe,
        trained_on=f"unknown: a checkpoint from elsewhere, scaler {origin}",
        data_digest="",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        notes=notes,
        features=features,
    )


def _require_width(path: Path, model: VAE, features: FeatureSet) -> None:
    n = model.fc_out.out_features
    if n != len(features):
        raise CheckpointError(
            f"{path} takes {n} features, not the {len(features)} {', '.join(features.names)}: name its features in "
            "their order, with --features or in its .json",
            path,
        )


def require_place(path: Path) -> None:
    """Check that a checkpoint can be written to a path, before hours of training.

    Raises
    ------
    OutputError
        If the name does not end in ``.pt``, is that of a folder, or its folder does not exist; or if the ``.json`` of
        this name is no checkpoint's.
    """
    if path.suffix != ".pt":
        raise OutputError(f"{path}: the name of a checkpoint must end in .pt", path)
    if path.is_dir() or path.with_suffix(".json").is_dir():
        raise OutputError(f"{path} or its .json is a folder: choose another name", path)
    if not path.absolute().parent.is_dir():
        raise OutputError(f"no such folder: {path.absolute().parent}", path)
    if (sidecar := path.with_suffix(".json")).exists() and not _is_sidecar(sidecar):
        raise OutputError(
            f"{sidecar} is not a checkpoint's .json; it will not be overwritten: choose another name", path
        )


def _is_sidecar(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"scaler", "recipe"} <= content.keys()
