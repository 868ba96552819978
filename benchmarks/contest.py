"""Measurements taken in turn, and the ratios of those taken in the same round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .peers import UnavailableError


@dataclass(frozen=True)
class Spread:
    """The middle of some values, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take the median, the least and the greatest."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def of_ratios(cls, numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
        """Divide what was measured in the same round; the median of the ratios, not the ratio of the medians."""
        return cls.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def in_turn(
    entries: Mapping[str, Callable[[], Any]], rounds: int, seconds: float = math.inf, warm_ups: int = 1
) -> dict[str, Any]:
    """Run every entry once a round; each round begins with another, so that none always follows the same one.

    Parameters
    ----------
    entries : mapping of str to callable
        What is measured; each gives a number (seconds), or what else it measured.
    rounds : int
        Rounds that count; at least one, and no further one is begun after so many seconds.
    seconds : float
        See there; what a slow or busy machine may take.
    warm_ups : int
        Rounds before them that do not.

    Returns
    -------
    dict
        ``measured``: the list of what each entry gave, a value a round. ``failed``: of each entry that could not run,
        the reason; it is left out of every round.
    """
    measured: dict[str, list[Any]] = {name: [] for name in entries}
    failed: dict[str, str] = {}
    names = list(entries)
    start = time.monotonic()
    for i in range(warm_ups + rounds):
        if i > warm_ups and time.monotonic() - start > seconds:
            break
        first = i % max(1, len(names))
        for name in names[first:] + names[:first]:
            if name in failed:
                continue
            try:
                value = entries[name]()
            except UnavailableError as reason:
                failed[name] = str(reason)
                continue
            if i >= warm_ups:
                measured[name].append(value)
    return {"measured": {name: values for name, values in measured.items() if name not in failed}, "failed": failed}
