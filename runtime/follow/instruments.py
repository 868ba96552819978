"""How far the instruments have come, and so which depth bins will get no more samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass
class Position:
    """Where the latest sample of a feature lies.

    Attributes
    ----------
    hole : int
        Code of its hole; codes rise in the order in which holes were begun.
    first, latest : int
        Numbers of the bins of the first and of the latest sample in that hole: they tell which way the log runs.
    left : set of int
        Holes that it has been in before.
    since : float
        When the latest sample came, in seconds.
    """

    hole: int
    first: int
    latest: int
    since: float
    left: set[int] = field(default_factory=set)

    def move(self, hole: int, first: int, latest: int, now: float) -> None:
        """Go to the bin ``latest``; ``first`` is that of the hole's first sample, if the hole is new."""
        if hole != self.hole:
            self.left.add(self.hole)
            self.hole, self.first = hole, first
        self.latest, self.since = latest, now

    def has_passed(self, holes: Ints, numbers: Ints) -> Bools:
        """Tell which bins, by hole and number, lie behind it."""
        behind = numbers < self.latest if self.latest >= self.first else numbers > self.latest
        earlier = (holes < self.hole) | np.isin(holes, list(self.left))
        return np.where(holes == self.hole, behind, earlier)


class Instruments:
    """How far each feature has come.

    A bin is passed when every feature that the scan has had its latest sample behind it: deeper in the same hole (or
    above, where the log runs upward: the latest sample of the hole lies above its first), or in another hole that was
    begun later. A feature without any sample yet passes nothing.

    Parameters
    ----------
    features : iterable of int
        Features that the scan has, by position.
    now : float
        The time in seconds.
    patience : float
        Seconds after which a feature without new samples is not waited for any more.
    """

    def __init__(self, features: Iterable[int], now: float, patience: float) -> None:
        self.positions: dict[int, Position | None] = dict.fromkeys(features)
        self._begun, self._patience = now, patience

    def move(self, features: Iterable[int], holes: Ints, numbers: Ints, now: float) -> None:
        """Take samples of some features, in order, by hole and bin number; shape (n,) each."""
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
        """Tell which bins, by hole and number, are passed by all that is waited for; shape (n,)."""
        found = np.ones(len(holes), np.bool_)
        for position in self.positions.values():
            if now - (position.since if position else self._begun) < self._patience:
                found &= position.has_passed(holes, numbers) if position else False
        return found

    def laggards(self, holes: Ints, numbers: Ints) -> list[int]:
        """List the features that the first of some bins waits for."""
        some = holes[:1], numbers[:1]
        return [i for i, at in self.positions.items() if len(holes) and not (at and at.has_passed(*some)[0])]
