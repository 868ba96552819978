"""How far the instruments have come: which bins no further sample is to be expected in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass
class Place:
    """Where a feature's latest sample lies.

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


class Front:
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
        self.places: dict[int, Place | None] = dict.fromkeys(features)
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
                place = self.places[feature]
                if place is None:
                    place = self.places[feature] = Place(hole, first, latest, now)
                place.move(hole, first, latest, now)

    def passed(self, holes: Ints, numbers: Ints, now: float) -> Bools:
        """Tell which bins, by hole and number, are passed by all that is waited for; shape (n,)."""
        found = np.ones(len(holes), np.bool_)
        for place in self.places.values():
            if now - (place.since if place else self._begun) < self._patience:
                found &= place.has_passed(holes, numbers) if place else False
        return found

    def laggards(self, holes: Ints, numbers: Ints) -> list[int]:
        """List the features that the first of some bins waits for."""
        some = holes[:1], numbers[:1]
        return [i for i, place in self.places.items() if len(holes) and not (place and place.has_passed(*some)[0])]
