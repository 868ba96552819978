"""What is done with a row of which a feature is missing: `MissingPolicy` stands between the rows and the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import BundleError, InputError, ScanError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import FIRST_COLOUR, implausible_bits, missing_bits
from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.model import LithoModel

from .binning import Block

Missing = Literal["auto", "nan", "impute", "drop", "error"]
"""``auto``: as the model was trained; ``nan``: such a row has no embedding; ``impute``: by the scaler's mean; ``drop``:
such a row is not written; ``error``: the run stops at the first."""
CHOICES: tuple[Missing, ...] = get_args(Missing)

ALL_MISSING = (1 << len(FEATURE_NAMES)) - 1


def as_policy(text: str) -> Missing:
    """Read the name of a policy.

    Raises
    ------
    InputError
        If there is no such policy.
    """
    for choice in CHOICES:
        if text == choice:
            return choice
    raise InputError(f"--missing takes {', '.join(CHOICES)}, not {text!r}")


@dataclass(frozen=True)
class Embedded:
    """Some rows, embedded.

    Attributes
    ----------
    block : Block
        The rows that stay.
    embeddings : ndarray of shape (n, latent_dim), float32
        Their embeddings; NaN for a row that has none.
    missing, implausible : ndarray of shape (n,), uint8
        Bit ``i`` is set where feature ``i`` is missing, or there but beyond its plausible range.
    dropped : ndarray of shape (m,), uint8
        What was missing of the rows that do not stay.
    n_nan : int
        How many rows have no embedding.
    """

    block: Block
    embeddings: NDArray[np.float32]
    missing: NDArray[np.uint8]
    implausible: NDArray[np.uint8]
    dropped: NDArray[np.uint8]
    n_nan: int

    @property
    def n_rows(self) -> int:
        """How many rows the block had, those dropped among them."""
        return len(self.missing) + len(self.dropped)


class MissingPolicy:
    """Embeds blocks of rows by a model, and does with rows that lack a feature as it is told. Threads may share it.

    Parameters
    ----------
    model : LithoModel
        The model.
    choice : str
        One of `Missing`.
    path : Path, optional
        Where the rows come from, for the message of ``error``.

    Attributes
    ----------
    name : str
        What is done: ``nan``, ``impute``, ``drop`` or ``error``.
    note : str
        What a user should know of it; empty where it is what the model was trained for.

    Raises
    ------
    InputError
        If there is no such policy.
    BundleError
        If the model's own scaler is needed and cannot be read.
    """

    def __init__(self, model: LithoModel, choice: Missing = "auto", path: Path | None = None) -> None:
        choice = as_policy(choice)
        self.name = model.bundle.missing if choice == "auto" else choice
        self.note = note_of(model.bundle, self.name)
        self._model, self._path = model, path
        self._fill: NDArray[np.float32] | None = None
        if self.name == "impute" and not model.imputes:
            self._fill = _centre(model)

    def apply(self, block: Block) -> Embedded:
        """Embed a block, in the calling thread alone.

        Raises
        ------
        ScanError
            If a row lacks a feature and the policy is ``error``.
        """
        missing = missing_bits(block.features, block.extremes)
        implausible = implausible_bits(block.features, block.extremes)
        dropped = np.empty(0, np.uint8)
        lacks = missing != 0
        if lacks.any():
            if self.name == "error":
                require_whole(block, missing, self._path)
            if self.name == "drop":
                dropped = missing[lacks]
                block, missing, implausible = block.take(~lacks), missing[~lacks], implausible[~lacks]
        embeddings = self._embed(block.features, missing)
        n_nan = int(np.count_nonzero(np.isnan(embeddings[:, 0])))  # here, where they are still in the core's cache
        return Embedded(block, embeddings, missing, implausible, dropped, n_nan)

    def _embed(self, features: NDArray[np.float32], missing: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._fill is not None and missing.any():
            bits = np.unpackbits(missing[:, None], axis=1, count=len(self._fill), bitorder="little").astype(np.bool_)
            some = (missing != ALL_MISSING)[:, None]  # of a row of which nothing was measured nothing is made
            features = np.where(bits & some, self._fill, features)
        embeddings = self._model.embed_alone(features)
        if self.name == "nan":
            embeddings[missing != 0] = np.nan
        return embeddings


def note_of(bundle: Bundle, name: str) -> str:
    """Say what a user should know of a policy with a bundle; empty where that is what its model was trained for."""
    if name == "impute" != bundle.missing:
        return f"{bundle.name} was not trained with missing features: imputed all the same, as asked"
    return ""


def require_whole(block: Block, missing: NDArray[np.uint8], path: Path | None) -> None:
    """Make sure that no row of a block lacks a feature.

    Raises
    ------
    ScanError
        If one does, by its bits in ``missing``: it names the first.
    """
    if not missing.any():
        return
    first = int(np.flatnonzero(missing)[0])
    lacking = [name for i, name in enumerate(FEATURE_NAMES) if missing[first] & (1 << i)]
    depth = f" ({block.depth[first]:.2f} m)" if block.depth is not None else ""
    row = "a row" if block.first is None else f"row {block.first + first:,}"
    raise ScanError(
        f"{path or 'the scan'}: {row}{depth} lacks {', '.join(lacking)}: the run stops there, as --missing error asks; "
        "nan, impute and drop go on",
        path,
    )


def _centre(model: LithoModel) -> NDArray[np.float32]:
    """Give the raw features that are 0 in scaled space, shape (6,): the inverse of the transform of DESIGN's scaler."""
    try:
        centre = np.array(model.bundle.description["scaler"]["mean"], np.float64)
        if centre.shape != (len(FEATURE_NAMES),) or not np.isfinite(centre).all():
            raise ValueError(centre.shape)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{model.bundle.path} does not say its scaler's six means", model.bundle.path) from error
    signed = slice(1, FIRST_COLOUR)
    centre[signed] = np.sign(centre[signed]) * np.expm1(np.abs(centre[signed]))
    centre[FIRST_COLOUR:] = np.expm1(centre[FIRST_COLOUR:])
    return centre.astype(np.float32)
