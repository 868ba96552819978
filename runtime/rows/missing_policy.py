"""What is done with a row that lacks a feature: `MissingPolicy` prepares rows for the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import FeatureSet
from lithovae.runtime.missing import Bits, implausible_bits, missing_bits, unpacked

from .block import Block


@dataclass(frozen=True)
class Prepared:
    """Rows that are ready for the model.

    Attributes
    ----------
    block : Block
        The rows that are kept, as they were measured.
    inputs : ndarray of shape (n, n_features), float32
        Input of the model: their features, with fill values in place of missing ones if the policy says so.
    missing, implausible : ndarray of shape (n,), of the type `FeatureSet.bits`
        Bit ``i`` is set where feature ``i`` is missing, or has a value outside its plausible range. A bin has both if
        it has only implausible samples.
    dropped : ndarray of shape (m,), of the same type
        The missing features, as bits, of the rows that are not kept.
    """

    block: Block
    inputs: NDArray[np.float32]
    missing: Bits
    implausible: Bits
    dropped: Bits

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """What is known of the rows without a model, by its name in `lithovae.runtime.result.ResultSchema`."""
        block = self.block
        columns: dict[str, NDArray[Any]] = {"missing": self.missing, "implausible": self.implausible, **block.address}
        columns |= {} if block.depth is None else {"depth": block.depth}
        return columns | ({} if block.samples is None else {"samples": block.samples})

    @property
    def values(self) -> NDArray[np.float32]:
        """The values as they were measured, shape (n, n_features); NaN where one is missing."""
        features = self.block.features
        if not self.missing.any():
            return features
        return np.where(unpacked(self.missing, features.shape[1]), np.float32(np.nan), features)


class MissingPolicy:
    """Prepares rows for the model, treating rows that lack a feature as configured. Threads may share it.

    Parameters
    ----------
    name : {"nan", "impute", "drop", "error"}
        What is done with a row that lacks a feature.
    features : FeatureSet
        The features.
    fill : ndarray of shape (n_features,), float32, optional
        Raw values that replace missing features; without them, the model handles NaN as it was trained to.
    note : str, optional
        Note for the user about the policy; empty if it is the one that the model was trained with.
    """

    def __init__(
        self, name: str, features: FeatureSet, fill: NDArray[np.float32] | None = None, note: str = ""
    ) -> None:
        self.name, self.features, self.note = name, features, note
        self._fill = fill

    def prepare(self, block: Block) -> Prepared:
        """Prepare a block.

        Raises
        ------
        ScanError
            If a row lacks a feature and the policy is ``error``.
        """
        missing = missing_bits(block.features, self.features, block.extremes)
        implausible = implausible_bits(block.features, self.features, block.extremes)
        if block.implausible is not None:
            implausible = implausible | block.implausible
        dropped = np.empty(0, self.features.bits)
        lacks = missing != 0
        if lacks.any():
            if self.name == "error":
                require_whole(block, missing, self.features)
            if self.name == "drop":
                dropped = missing[lacks]
                block, missing, implausible = block.take(~lacks), missing[~lacks], implausible[~lacks]
        return Prepared(block, self._filled(block.features, missing), missing, implausible, dropped)

    def _filled(self, features: NDArray[np.float32], missing: Bits) -> NDArray[np.float32]:
        if self._fill is None or not missing.any():
            return features
        bits = unpacked(missing, len(self._fill))
        some = ~bits.all(axis=1, keepdims=True)  # a row in which nothing was measured has no embedding
        return np.where(bits & some, self._fill, features)


def require_whole(block: Block, missing: Bits, features: FeatureSet) -> None:
    """Check that no row of a block lacks a feature.

    Parameters
    ----------
    block : Block
        The rows.
    missing : ndarray of shape (n,), of bits
        The missing features of each row.
    features : FeatureSet
        The features.

    Raises
    ------
    ScanError
        If a row lacks one; the message names the first such row.
    """
    if not missing.any():
        return
    first = int(np.flatnonzero(missing)[0])
    lacking = [name for i, name in enumerate(features.names) if int(missing[first]) >> i & 1]
    depth = f" ({block.depth[first]:.2f} m)" if block.depth is not None else ""
    row = "a row" if block.first is None else f"row {block.first + first:,}"
    raise ScanError(
        f"{row}{depth} lacks {', '.join(lacking)}: --missing error stops the run there; use nan, impute or drop to "
        "continue"
    )
