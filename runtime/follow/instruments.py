"""Tracks how far each instrument has come, to find the depth bins that will get no more samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass
class Position:
    """Position of the latest sample of a feature.

    Attributes
    ----------
    hole : int
        Code of its hole. Codes ascend in the order in which holes were begun.
    first, latest : int
        Bin numbers of the first and of the latest sample in that hole; they show which way the log runs.
    left : set of int
        Codes of the holes that it was in before.
    since : float
        Time of the latest sample in seconds.
    """

    hole: int
    first: int
    latest: int
    since: float
    left: set[int] = field(default_factory=set)

    def move(self, hole: int, first: int, latest: int, now: float) -> None:
        """Move to the bin ``latest``. If the hole is new, ``first`` is the bin of its first sample."""
        if hole != self.hole:
            self.left.add(self.hole)
            self.hole, self.first = hole, first
        self.latest, self.since = latest, now

    def has_passed(self, holes: Ints, numbers: Ints) -> Bools:
        """Return which bins, given by hole and number, lie behind this position; shape (n,)."""
        behind = numbers < self.latest if self.latest >= self.first else numbers > self.latest
        earlier = (holes < self.hole) | np.isin(holes, list(self.left))
        return np.where(holes == self.hole, behind, earlier)


class Instruments:
    """Position of each feature.

    A bin is passed when the latest sample of every feature in the scan lies beyond it: deeper in the same hole (or
    shallower, if the log runs upward, that is if the hole's latest sample lies above its first), or in another hole
    that was begun later. A feature without any sample has passed no bin.

    Parameters
    ----------
    features : iterable of int
        Indices of the features that the scan has.
    now : float
        Time in seconds.
    patience : float
        Seconds without new samples after which a feature no longer holds bins back.
    """

    def __init__(self, features: Iterable[int], now: float, patience: float) -> None:
        self.positions: dict[int, Position | None] = dict.fromkeys(features)
        self._begun, self._patience = now, patience

    def move(self, features: Iterable[int], holes: Ints, numbers: Ints, now: float) -> None:
        """Add samples of some features, in order, by hole and bin number, both of shape (n,)."""
        if not len(holes):
            return
        starts = np.flatnonzero(np.append(True, holes[1:] != holes[:-1]))
        ends = np.append(starts[1:], len(holes)) - 1
        runs = list(zip(holes[starts].tolist(), numbers[starts].tolist(), numbers[ends].tolist(), strict=True))
        for feature in features:
            for hole, first, latest in runs:
                position = self.positions[feature]
                if position is None:
                    position = self.positions[feature] = Position(hole, first, latest, now)
                position.move(hole, first, latest, now)

    def passed(self, holes: Ints, numbers: Ints, now: float) -> Bools:
        """Return which bins, given by hole and number, no feature holds back any more; shape (n,)."""
        found = np.ones(len(holes), np.bool_)
        for position in self.positions.values():
            if now - (position.since if position else self._begun) < self._patience:
                found &= position.has_passed(holes, numbers) if position else False
        return found

    def laggards(self, holes: Ints, numbers: Ints) -> list[int]:
        """Return the features that hold back the first of some bins."""
        some = holes[:1], numbers[:1]
        return [i for i, at in self.positions.items() if len(holes) and not (at and at.has_passed(*some)[0])]
