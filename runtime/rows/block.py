"""A block of rows: raw features, depth and address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.missing import Bits, Extremes, extremes
from lithovae.runtime.scan.address import HOLE_PARTS, run_starts
from lithovae.runtime.scan.depths import Depths
from lithovae.runtime.scan.section_depths import NOTHING_LOST, Lost


@dataclass(frozen=True)
class Block:
    """Some consecutive rows.

    Attributes
    ----------
    features : ndarray of shape (n, n_features), float32
        Raw features; NaN where one is missing.
    depth : ndarray of shape (n,), float64, or None
        Depth in metres.
    address : dict of str to ndarray of shape (n,), str
        Part of the address of each row, by name.
    samples : ndarray of shape (n, n_features), int64, or None
        Number of samples behind each feature; None if the rows are the scan's own.
    first : int or None
        Index of the block's first row among all rows; None if it is not known.
    known : Extremes, optional
        The `extremes` of the features, if they are already known.
    lost : Lost
        The rows whose depth the table of sections does not give.
    implausible : ndarray of shape (n,), of bits, or None
        For bins: bit ``i`` is set where implausible samples of feature ``i`` were left out of the mean.
    left_out : Extremes, or None
        Of all implausible samples that means of bins leave out, also of other blocks.
    """

    features: NDArray[np.float32]
    depth: NDArray[np.float64] | None
    address: dict[str, NDArray[np.str_]]
    samples: NDArray[np.int64] | None = None
    first: int | None = None
    known: Extremes | None = None
    lost: Lost = NOTHING_LOST
    implausible: Bits | None = None
    left_out: Extremes | None = None

    @cached_property
    def extremes(self) -> Extremes:
        """Lowest and highest value of each feature, and whether a value is NaN."""
        return self.known or extremes(self.features)

    @cached_property
    def depths(self) -> Depths | None:
        """The depths, with the steps between them; None if the rows have none."""
        return None if self.depth is None else Depths(self.depth)

    @property
    def depth_range(self) -> tuple[float, float] | None:
        """Least and greatest depth (m); None if no row has a depth."""
        return self.depths.range if self.depths else None

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """First row of each run of rows with one address."""
        return run_starts(list(self.address.values()), len(self))

    @cached_property
    def hole(self) -> NDArray[np.str_]:
        """Name of the hole of each row, of all parts of the address that identify it; shape (n,)."""
        parts = [self.address[part] for part in HOLE_PARTS if part in self.address]
        if not len(self) or not parts:
            return np.broadcast_to(np.array(""), len(self))
        if all(part.strides == (0,) or (part == part[0]).all() for part in parts):  # nearly always
            return np.broadcast_to(np.array(_name([str(part[0]) for part in parts])), len(self))
        texts = list(zip(*(part.tolist() for part in parts), strict=True))
        names = {text: _name(text) for text in set(texts)}
        return np.array([names[text] for text in texts])

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: NDArray[np.bool_]) -> Block:
        """Return the rows where a mask of shape (n,) is true."""
        return Block(
            self.features[rows],
            None if self.depth is None else self.depth[rows],
            {part: texts[rows] for part, texts in self.address.items()},
            None if self.samples is None else self.samples[rows],
            lost=self.lost,  # they are in no row, whichever rows are taken
            implausible=None if self.implausible is None else self.implausible[rows],
            left_out=self.left_out,
        )


def _name(parts: Sequence[str]) -> str:
    return "-".join(part for part in parts if part)
