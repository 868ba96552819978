"""The performance targets, and whether the measurements meet them."""

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
        The name of the target.
    unit : str
        ``×``, ``MB`` or nothing.
    measured : Spread or None
        The value; None if it was not measured.
    limit : float
        The required value.
    at_least : bool
        Whether the value must be at least the limit, or else at most.
    """

    says: str
    unit: str
    measured: Spread | None
    limit: float
    at_least: bool

    @property
    def reached(self) -> bool | None:
        """Whether the median meets the limit; None if it was not measured."""
        if self.measured is None:
            return None
        return self.measured.median >= self.limit if self.at_least else self.measured.median <= self.limit


def targets(cases: dict[str, Any], threads: int) -> list[Target]:
    """Compare the measurements with the targets."""

    def at_least(says: str, limit: float, value: Callable[[], Spread]) -> Target:
        return Target(says, "×", _or_none(value), limit, at_least=True)

    def at_most(says: str, limit: float, value: Callable[[], Spread], unit: str = "×") -> Target:
        return Target(says, unit, _or_none(value), limit, at_least=False)

    def times(case: str, slower: str, faster: str = OURS) -> Callable[[], Spread]:
        return lambda: ratio(cases[case], slower, faster)

    peaks = cases.get("memory", {}).get("peaks", {}).get(OURS, [])
    return [
        at_least("in memory: speedup over torch.compile", 1.5, times("encode", "compiled")),
        at_least("in memory: speedup over torch eager", 2, times("encode", "eager")),
        at_least(
            "in memory: speed relative to cores × one core's bare `session.run`",
            0.85,
            lambda: scaled(ratio(cases["encode"], "one_core", OURS), 1 / threads),
        ),
        at_least("float32, from the shell: speedup over the original research script", 8, times("shell", "seed")),
        at_least("float32, from the shell: speedup over torch eager", 3, times("shell", "eager")),
        at_least("float32, warm processes: speedup over torch eager", 3, times("table_f4", "eager")),
        at_most(
            "float32, warm processes: time relative to the largest of the read, compute and write floors",
            1.3,
            lambda: over_floor(cases["table_f4"]),
        ),
        at_most("gzip+shuffle float64: time relative to reading alone with h5py", 1, times("gzip_f8", OURS, "read")),
        at_most(
            "peak RSS of all processes at 1× scan size",
            180,
            lambda: Spread.of([peaks[0]["tree"] / 1e6]),
            unit=" MB",
        ),
        at_most(
            "peak RSS of all processes at 16× scan size, relative to 1×",
            1.1,
            lambda: Spread.of([peaks[2]["tree"] / peaks[0]["tree"]]),
        ),
        at_most("1,000 rows from the shell: time relative to the imports alone", 1.7, times("start", OURS, "imports")),
        at_most("one row: p50 relative to a bare `session.run`", 1.3, times("live", OURS, "bare")),
        at_least("one row: speedup over torch eager", 5, times("live", "eager")),
        at_most(
            "installed size: runtime environment relative to torch environment",
            0.2,
            lambda: Spread.of([cases["size"]["bytes"]["runtime"] / cases["size"]["bytes"]["torch"]]),
        ),
    ]


def ratio(case: dict[str, Any], slower: str, faster: str) -> Spread:
    """Return the time of one peer relative to another's, round by round."""
    return Spread.of_ratios(case["measured"][slower], case["measured"][faster])


def over_floor(case: dict[str, Any], name: str = OURS) -> Spread:
    """Return the time of a peer relative to the largest floor of its round."""
    return Spread.of_ratios(case["measured"][name], floor(case)[1])


def floor(case: dict[str, Any]) -> tuple[str, list[float]]:
    """Return the name of the floor that limits a case, and the largest floor of each round."""
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
