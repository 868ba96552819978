"""What is done with a row that lacks a feature: `MissingPolicy` prepares rows for the model."""

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
        The rows that are kept, as they were measured.
    inputs : ndarray of shape (n, 6), float32
        Input of the model: their features, with fill values in place of missing ones if the policy says so.
    missing, implausible : ndarray of shape (n,), uint8
        Bit ``i`` is set where feature ``i`` is missing, or has a value outside its plausible range. A bin has both if
        it has only implausible samples.
    dropped : ndarray of shape (m,), uint8
        The missing features, as bits, of the rows that are not kept.
    """

    block: Block
    inputs: NDArray[np.float32]
    missing: NDArray[np.uint8]
    implausible: NDArray[np.uint8]
    dropped: NDArray[np.uint8]


class MissingPolicy:
    """Prepares rows for the model, treating rows that lack a feature as configured. Threads may share it.

    Parameters
    ----------
    name : {"nan", "impute", "drop", "error"}
        What is done with a row that lacks a feature.
    fill : ndarray of shape (6,), float32, optional
        Raw values that replace missing features; without them, the model handles NaN as it was trained to.
    note : str, optional
        Note for the user about the policy; empty if it is the one that the model was trained with.
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
        if block.implausible is not None:
            implausible = implausible | block.implausible
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
        some = (missing != ALL_MISSING)[:, None]  # a row in which nothing was measured has no embedding
        return np.where(bits & some, self._fill, features)


def require_whole(block: Block, missing: NDArray[np.uint8]) -> None:
    """Check that no row of a block lacks a feature.

    Parameters
    ----------
    block : Block
        The rows.
    missing : ndarray of shape (n,), uint8
        The missing features of each row, as bits.

    Raises
    ------
    ScanError
        If a row lacks one; the message names the first such row.
    """
    if not missing.any():
        return
    first = int(np.flatnonzero(missing)[0])
    lacking = [name for i, name in enumerate(FEATURE_NAMES) if missing[first] & (1 << i)]
    depth = f" ({block.depth[first]:.2f} m)" if block.depth is not None else ""
    row = "a row" if block.first is None else f"row {block.first + first:,}"
    raise ScanError(
        f"{row}{depth} lacks {', '.join(lacking)}: --missing error stops the run there; use nan, impute or drop to "
        "continue"
    )
