"""What issue 6 asks for, and whether it is reached: computed from what was measured, never typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .contest import Spread

OURS = "lithovae"


@dataclass(frozen=True)
class Target:
    """A limit on a measured value.

    Attributes
    ----------
    says : str
        The target, in words.
    unit : str
        ``×``, ``MB`` or nothing.
    measured : Spread or None
        The value; None where it was not measured, or could not be.
    limit : float
        What it is held to.
    at_least : bool
        Whether more is better.
    """

    says: str
    unit: str
    measured: Spread | None
    limit: float
    at_least: bool

    @property
    def reached(self) -> bool | None:
        """Whether the median is on the right side of the limit; None if it was not measured."""
        if self.measured is None:
            return None
        return self.measured.median >= self.limit if self.at_least else self.measured.median <= self.limit


def targets(cases: dict[str, Any], threads: int) -> list[Target]:
    """Hold what was measured to the issue's targets."""

    def at_least(says: str, limit: float, value: Callable[[], Spread]) -> Target:
        return Target(says, "×", _or_none(value), limit, at_least=True)

    def at_most(says: str, limit: float, value: Callable[[], Spread], unit: str = "×") -> Target:
        return Target(says, unit, _or_none(value), limit, at_least=False)

    def times(case: str, slower: str, faster: str = OURS) -> Callable[[], Spread]:
        return lambda: ratio(cases[case], slower, faster)

    peaks = cases.get("memory", {}).get("peaks", {}).get(OURS, [])
    return [
        at_least("in memory: speed against torch.compile at its best", 1.5, times("encode", "compiled")),
        at_least("in memory: speed against torch eager at its best", 2, times("encode", "eager")),
        at_least(
            "in memory: share of cores × one core's bare `session.run`",
            0.85,
            lambda: scaled(ratio(cases["encode"], "one_core", OURS), 1 / threads),
        ),
        at_least("contiguous f4, from the shell: speed against the seed script", 8, times("shell", "seed")),
        at_least("contiguous f4, from the shell: speed against torch written well", 3, times("shell", "eager")),
        at_least("the same in processes that are warm", 3, times("table_f4", "eager")),
        at_most(
            "contiguous f4, warm: time over the larger of the read, compute and write floors",
            1.3,
            lambda: over_floor(cases["table_f4"]),
        ),
        at_most("gzip+shuffle f8: time over h5py's reading alone", 1, times("gzip_f8", OURS, "read")),
        at_most(
            "peak RSS at 1× the scan, all processes",
            180,
            lambda: Spread.of([peaks[0]["tree"] / 1e6]),
            unit=" MB",
        ),
        at_most(
            "peak RSS at 16× the scan over that at 1×",
            1.1,
            lambda: Spread.of([peaks[2]["tree"] / peaks[0]["tree"]]),
        ),
        at_most("1,000 rows from the shell: time over the imports alone", 1.7, times("start", OURS, "imports")),
        at_most("one row live: p50 over a bare `session.run`", 1.3, times("live", OURS, "bare")),
        at_least("one row live: speed against torch eager", 5, times("live", "eager")),
        at_most(
            "installed: the runtime's environment over torch's",
            0.2,
            lambda: Spread.of([cases["size"]["bytes"]["runtime"] / cases["size"]["bytes"]["torch"]]),
        ),
    ]


def ratio(case: dict[str, Any], slower: str, faster: str) -> Spread:
    """How many times as long one takes as the other, round by round."""
    return Spread.of_ratios(case["measured"][slower], case["measured"][faster])


def over_floor(case: dict[str, Any], name: str = OURS) -> Spread:
    """How many times as long a peer takes as the largest floor of its round."""
    return Spread.of_ratios(case["measured"][name], floor(case)[1])


def floor(case: dict[str, Any]) -> tuple[str, list[float]]:
    """Give the floor that bounds a case, by its name, and the largest floor of each round."""
    floors = {name: case["measured"][name] for name in ("read", "compute", "write") if name in case["measured"]}
    if not floors:
        raise KeyError("floors")
    bound = max(floors, key=lambda name: Spread.of(floors[name]).median)
    return bound, [max(values) for values in zip(*floors.values(), strict=True)]


def scaled(spread: Spread, factor: float) -> Spread:
    """Multiply a spread."""
    return Spread(spread.median * factor, spread.low * factor, spread.high * factor)


def _or_none(value: Callable[[], Spread]) -> Spread | None:
    try:
        return value()
    except (KeyError, IndexError):
        return None
