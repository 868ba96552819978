"""How far a run is: what shows it is the caller's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .heartbeat import advanced

Progress = Callable[[Iterable[Any], str, int, Callable[[Any], int]], Iterable[Any]]
"""Passes items on, with a label, the sum of their sizes and their size. `lithovae.runtime.console.progress` shows a
bar."""


def silent(items: Iterable[Any], label: str, total: int, size: Callable[[Any], int]) -> Iterator[Any]:
    """Pass items on without a word; each is a step forward."""
    for item in items:
        advanced()
        yield item
