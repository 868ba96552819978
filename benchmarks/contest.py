"""Measurements taken in turn, and ratios of measurements of the same round."""

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
    """Median and range of some values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the median, the smallest and the largest of some values."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def of_ratios(cls, numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
        """Divide measurements of the same round: the median of the ratios, not the ratio of the medians."""
        return cls.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def in_turn(
    entries: Mapping[str, Callable[[], Any]], rounds: int, seconds: float = math.inf, warm_ups: int = 1
) -> dict[str, Any]:
    """Run every entry once per round; each round starts with a different one, so that their order varies.

    Parameters
    ----------
    entries : mapping of str to callable
        What is measured; each returns a number (seconds), or another measurement.
    rounds : int
        Rounds that count; at least one.
    seconds : float
        Time after which no further round starts, for slow or busy machines.
    warm_ups : int
        Rounds before these that do not count.

    Returns
    -------
    dict
        ``measured``: the values of each entry, one per round. ``failed``: the reason for each entry that could not
        run; it is left out of ``measured``.
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
