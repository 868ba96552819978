"""Progress of a run; the caller chooses how to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .heartbeat import advanced

Progress = Callable[[Iterable[Any], str, int, Callable[[Any], int]], Iterable[Any]]
"""Yields the items unchanged, given a label, the sum of their sizes and a function for the size of one item.
`lithovae.runtime.console.progress` shows a bar."""


def silent(items: Iterable[Any], label: str, total: int, size: Callable[[Any], int]) -> Iterator[Any]:
    """Yield the items without any output; each counts as a step forward."""
    for item in items:
        advanced()
        yield item
