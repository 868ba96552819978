"""What is done with a row of which a feature is missing: `MissingPolicy` prepares rows for the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import implausible_bits, missing_bits

from .block import Block

ALL_MISSING = (1 << len(FEATURE_NAMES)) - 1


@dataclass(frozen=True)
class Prepared:
    """Rows that are ready for the model.

    Attributes
    ----------
    block : Block
        The rows that stay, as they were measured.
    inputs : ndarray of shape (n, 6), float32
        What the model takes: their features, with fill values in place of missing ones where the policy asks for it.
    missing, implausible : ndarray of shape (n,), uint8
        Bit ``i`` is set where feature ``i`` is missing, or there but beyond its plausible range.
    dropped : ndarray of shape (m,), uint8
        What was missing of the rows that do not stay.
    """

    block: Block
    inputs: NDArray[np.float32]
    missing: NDArray[np.uint8]
    implausible: NDArray[np.uint8]
    dropped: NDArray[np.uint8]


class MissingPolicy:
    """Does with rows that lack a feature as it is told. Threads may share it.

    Parameters
    ----------
    name : {"nan", "impute", "drop", "error"}
        What is done.
    fill : ndarray of shape (6,), float32, optional
        Values that take the place of missing features; without it, the model does with NaN as it was trained.
    note : str, optional
        What a user should know of the policy; empty where it is what the model was trained for.
    """

    def __init__(self, name: str, fill: NDArray[np.float32] | None = None, note: str = "") -> None:
        self.name, self.note = name, note
        self._fill = fill

    def prepare(self, block: Block) -> Prepared:
        """Prepare a block.

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
                require_whole(block, missing)
            if self.name == "drop":
                dropped = missing[lacks]
                block, missing, implausible = block.take(~lacks), missing[~lacks], implausible[~lacks]
        return Prepared(block, self._filled(block.features, missing), missing, implausible, dropped)

    def _filled(self, features: NDArray[np.float32], missing: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._fill is None or not missing.any():
            return features
        bits = np.unpackbits(missing[:, None], axis=1, count=len(self._fill), bitorder="little").astype(np.bool_)
        some = (missing != ALL_MISSING)[:, None]  # a row of which nothing was measured stays without an embedding
        return np.where(bits & some, self._fill, features)


def require_whole(block: Block, missing: NDArray[np.uint8]) -> None:
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
        f"{row}{depth} lacks {', '.join(lacking)}: the run stops there, as --missing error asks; nan, impute and drop "
        "go on"
    )
